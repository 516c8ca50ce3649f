"""The sandbox over HTTP: a thin layer of aiohttp around a world, its faults and its journal."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from batchsora.providers.model import Model
from batchsora.providers.registry import MODELS
from batchsora.sandbox.account import Journal
from batchsora.sandbox.answers import Reply, answer, hang_up, send
from batchsora.sandbox.dialects import LISTS, PATHS
from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.files import Callbacks, Files
from batchsora.sandbox.manners import MOMENTS, Manners
from batchsora.sandbox.world import World
from jobs.model.clock import Clock, SystemClock
from jobs.system import stop_signals

LARGEST_REQUEST = 16 * 1024**2
THROTTLED_FOR = 1  # seconds that a 429 asks for


class Sandbox:
    """The endpoints of docs/api.md, with ``/__ledger`` and ``/__health`` beside them."""

    def __init__(
        self,
        world: World,  # what the provider does
        faults: Faults | None,  # what goes wrong on the way
        journal: Path | None,  # a file that keeps generations over a restart
        clock: Clock,  # time
        secret: str | None,  # signs callbacks; None: they are not signed
    ) -> None:
        self._world = world
        self._faults = faults = faults or Faults()
        self._journal = None if journal is None else Journal(journal)
        self._clock = clock
        self._callbacks = Callbacks(world, clock, secret)
        self._posts: dict[str, int] = {}
        self._reads = 0
        self._files = Files(world, faults, self._now)
        self.url = ""
        world.since = clock.now()
        if faults.fail:
            world.fail = faults.fail
        if faults.manners != Manners():
            world.manners = faults.manners
        for item in () if self._journal is None else self._journal.read():
            world.add(item)

    def application(self) -> web.Application:
        """Make the web application."""
        app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[self._guard])
        for path, models in PATHS.items():
            app.router.add_post(path, partial(self._generate, models))
        for path, family in LISTS.items():
            app.router.add_get(path, partial(self._list, family))
            for ending in ("/{id}/", "/{id}"):
                app.router.add_get(f"{path}{ending}", partial(self._status, family))
        app.router.add_get("/v1/data/balance", self._balance)
        app.router.add_get("/videos/{id}.mp4", self._files.video)
        app.router.add_get("/__ledger", self._ledger)
        app.router.add_get("/__health", self._health)
        app.on_response_prepare.append(self._date)
        app.on_cleanup.append(self._callbacks.close)
        return app

    def _now(self) -> datetime:
        return self._clock.now()

    async def _date(self, request: web.Request, response: web.StreamResponse) -> None:
        del request
        odd = self._world.manners.odd_date
        if odd:
            moment = MOMENTS[odd]
            response.headers.popall("Date", None)
            if moment is not None:
                response.headers["Date"] = format_datetime(moment, usegmt=True)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer outages, missing credentials and flaky reads in place of the API."""
        if not request.path.startswith("/v1/") or request.match_info.http_exception is not None:
            return await handler(request)
        is_read = request.method != "POST"
        age = (self._now() - self._world.since).total_seconds()
        outage = self._world.manners.outage(age, "reads" if is_read else "posts")
        if outage is not None:
            return send(request, answer(outage))
        if not self._world.authorised(request.headers.get("Authorization")):
            return web.json_response({"detail": "Missing credentials"}, status=401)
        if is_read:
            self._reads += 1
            if self._faults.happens(self._faults.flaky, self._world.seed, "read", self._reads):
                return web.json_response({"detail": "Service unavailable"}, status=503)
        return await handler(request)

    async def _generate(
        self, models: Mapping[str, Model], request: web.Request
    ) -> web.StreamResponse:
        try:
            body: Any = await request.json()
        except (ValueError, LookupError, RecursionError):  # LookupError: an unknown charset
            body = None
        prompt = str(body.get("prompt")) if isinstance(body, dict) else ""
        turn = self._posts[prompt] = self._posts.get(prompt, 0) + 1
        fault = self._faults.of_submission(self._world.seed, prompt, turn)
        if self._is_contested(prompt, turn):
            fault = Fault.DROP
        if fault in (Fault.LOST, Fault.BROKEN, Fault.THROTTLE):
            self._world.reserve(body, self._now(), models)
            return self._not_created(request, fault, turn)
        key = request.headers.get("X-Idempotency-Key")
        reply = self._create(body, models, key, prompt, turn)
        if reply.status == HTTPStatus.CREATED:
            made = self._world.find(reply.body["generation_id"])
            if made is not None:
                self._callbacks.promise(made, body.get("callback_url"), self.url)
            return await self._answer(request, reply, fault)
        return send(request, reply)

    def _is_contested(self, prompt: str, turn: int) -> bool:
        return turn == 1 and prompt in self._world.contested

    def _not_created(self, request: web.Request, fault: Fault, turn: int) -> web.Response:
        if fault is Fault.LOST:
            return hang_up(request)
        if fault is Fault.BROKEN:
            return web.json_response({"detail": "Internal server error"}, status=500)
        later = self._now().astimezone(UTC) + timedelta(seconds=THROTTLED_FOR)
        wait = str(THROTTLED_FOR) if turn % 2 else format_datetime(later, usegmt=True)
        headers = {"Retry-After": wait}
        return web.json_response({"detail": "Too many requests"}, status=429, headers=headers)

    def _create(
        self, body: Any, models: Mapping[str, Model], key: str | None, prompt: str, turn: int
    ) -> Reply:
        now = self._now()
        before = len(self._world.made)
        reply = self._world.generate(body, key, now, models)
        if reply.status == HTTPStatus.CREATED:  # what is refused has no same time
            faults, seed = self._faults, self._world.seed
            model = MODELS[self._world.made[-1].model]
            if faults.happens(faults.foreign, seed, "foreign", prompt, turn):
                self._world.add_foreign(f"somebody else's {turn}: {prompt}"[:200], now, model)
            twin = faults.happens(faults.twin, seed, "twin", prompt, turn)
            if twin or self._is_contested(prompt, turn):
                self._world.add_foreign(prompt, now, model)
        if self._journal is not None:
            for item in self._world.made[before:]:
                self._journal.append(item)
        return reply

    async def _answer(self, request: web.Request, reply: Reply, fault: Fault) -> web.StreamResponse:
        """Return the answer to a purchase, as the fault allows."""
        if fault is Fault.DROP:
            return hang_up(request)
        if fault is Fault.ERROR:
            return web.json_response({"detail": "Bad gateway"}, status=502)
        if fault is Fault.GARBLED:
            return web.Response(text='{"generation_id": "', status=201)
        if fault is Fault.LATE:
            await self._clock.sleep(self._faults.late_seconds)
        return send(request, reply)

    async def _list(self, family: str, request: web.Request) -> web.Response:
        try:
            limit = int(request.query.get("limit", "50"))
            offset = int(request.query.get("offset", "0"))
        except ValueError:
            limit = offset = -1
        reply = self._world.page(limit, offset, self._now(), self.url, self._faults.lag, family)
        return send(request, reply)

    async def _status(self, family: str, request: web.Request) -> web.Response:
        reply = self._world.status(request.match_info["id"], self._now(), self.url, family)
        return send(request, reply)

    async def _balance(self, request: web.Request) -> web.Response:
        word = self._world.manners.balance
        reply = answer(word) if word else self._world.account(self._now())
        return send(request, reply)

    async def _ledger(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self._world.ledger(self._now()))

    async def _health(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"status": "ok"})


class SandboxServer:
    """A sandbox in a thread of this process, on loopback: a context manager.

    Port 0 takes a free one; for the other arguments see :class:`Sandbox`.
    """

    def __init__(
        self,
        world: World,
        port: int = 0,
        faults: Faults | None = None,
        journal: Path | None = None,
        clock: Clock | None = None,
        secret: str | None = None,
    ) -> None:
        self._sandbox = Sandbox(world, faults, journal, clock or SystemClock(), secret)
        self._port = port
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="sandbox", daemon=True)
        self.world = world

    @property
    def url(self) -> str:
        """Return the address of the API."""
        return self._sandbox.url

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        runner = await _listen(self._sandbox, "127.0.0.1", self._port)
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()


async def _listen(sandbox: Sandbox, host: str, port: int) -> web.AppRunner:
    runner = web.AppRunner(sandbox.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    address = runner.addresses[0]
    sandbox.url = f"http://{address[0]}:{address[1]}"
    return runner


def serve(
    host: str,
    port: int,
    world: World,
    *,
    faults: Faults | None = None,
    journal: Path | None = None,
    secret: str | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; raise an OSError if the port is taken.

    Port 0 takes a free one, and ``on_ready`` gets the address; for the rest see :class:`Sandbox`.
    """

    async def main() -> None:
        sandbox = Sandbox(world, faults, journal, SystemClock(), secret)
        runner = await _listen(sandbox, host, port)
        over = asyncio.Event()
        with stop_signals(over.set):
            on_ready(sandbox.url)
            await over.wait()
        await runner.cleanup()

    asyncio.run(main())
