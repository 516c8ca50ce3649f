"""The sandbox over HTTP: a thin layer of aiohttp around a world, its faults and its journal."""

import asyncio
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from batchsora.sandbox.callbacks import Callbacks
from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.journal import Journal
from batchsora.sandbox.mp4 import make_mp4
from batchsora.sandbox.world import Reply, World
from jobs.clock import Clock, SystemClock

LARGEST_REQUEST = 16 * 1024**2
THROTTLED_FOR = 1
"""Seconds that a 429 asks for."""


class Sandbox:
    """The endpoints of docs/api.md, and ``/__ledger`` and ``/__health`` beside them.

    Args:
        world: what the provider does.
        faults: what goes wrong on the way.
        journal: where generations are kept over a restart.
        clock: time.
        secret: signs callbacks, where it is set.
    """

    def __init__(
        self,
        world: World,
        faults: Faults,
        journal: Journal | None,
        clock: Clock,
        secret: str | None = None,
    ) -> None:
        self._world = world
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._callbacks = Callbacks(world, clock, secret)
        self._posts: dict[str, int] = {}
        self._reads = 0
        self._downloads: dict[str, int] = {}
        self.url = ""
        if faults.fail:
            world.fail = faults.fail
        for item in () if journal is None else journal.read():
            world.add(item)

    def application(self) -> web.Application:
        """Make the web application."""
        app = web.Application(client_max_size=LARGEST_REQUEST)
        app.router.add_post("/v1/sora/generate", self._generate)
        app.router.add_get("/v1/sora/generations", self._list)
        app.router.add_get("/v1/sora/generations/{id}/", self._status)
        app.router.add_get("/v1/sora/generations/{id}", self._status)
        app.router.add_get("/v1/data/balance", self._balance)
        app.router.add_get("/videos/{id}.mp4", self._video)
        app.router.add_get("/__ledger", self._ledger)
        app.router.add_get("/__health", self._health)
        app.on_cleanup.append(self._callbacks.close)
        return app

    def _now(self) -> datetime:
        return self._clock.now()

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self._world.authorised(request.headers.get("Authorization")):
            return None
        return web.json_response({"detail": "Missing credentials"}, status=401)

    def _bad_read(self, request: web.Request) -> web.Response | None:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        self._reads += 1
        if self._faults.happens(self._faults.flaky, self._world.seed, "read", self._reads):
            return web.json_response({"detail": "Service unavailable"}, status=503)
        return None

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        try:
            body: Any = await request.json()
        except (ValueError, LookupError, RecursionError):  # LookupError: an unknown charset
            body = None
        prompt = str(body.get("prompt")) if isinstance(body, dict) else ""
        turn = self._posts[prompt] = self._posts.get(prompt, 0) + 1
        fault = self._faults.of_submission(self._world.seed, prompt, turn)
        if fault in (Fault.LOST, Fault.BROKEN, Fault.THROTTLE):
            return self._not_created(request, fault, turn)
        reply = self._create(body, request.headers.get("X-Idempotency-Key"), prompt, turn)
        if reply.status == 201:  # noqa: PLR2004 - created
            made = self._world.find(reply.body["generation_id"])
            if made is not None:
                self._callbacks.promise(made, body.get("callback_url"), self.url)
            return await self._answer(request, reply, fault)
        return web.json_response(reply.body, status=reply.status)

    def _not_created(self, request: web.Request, fault: Fault, turn: int) -> web.Response:
        if fault is Fault.LOST:
            return _hang_up(request)
        if fault is Fault.BROKEN:
            return web.json_response({"detail": "Internal server error"}, status=500)
        later = self._now().astimezone(UTC) + timedelta(seconds=THROTTLED_FOR)
        wait = str(THROTTLED_FOR) if turn % 2 else format_datetime(later, usegmt=True)
        headers = {"Retry-After": wait}
        return web.json_response({"detail": "Too many requests"}, status=429, headers=headers)

    def _create(self, body: Any, key: str | None, prompt: str, turn: int) -> Reply:
        now = self._now()
        before = len(self._world.made)
        reply = self._world.generate(body, key, now)
        foreign = self._faults.happens(
            self._faults.foreign, self._world.seed, "foreign", prompt, turn
        )
        if foreign and reply.status == 201:  # noqa: PLR2004 - what is refused has no same time
            self._world.add_foreign(f"somebody else's {turn}: {prompt}"[:200], now)
        twin = self._faults.happens(self._faults.twin, self._world.seed, "twin", prompt, turn)
        if twin and reply.status == 201:  # noqa: PLR2004 - the same
            self._world.add_foreign(prompt, now)
        if self._journal is not None:
            for item in self._world.made[before:]:
                self._journal.append(item)
        return reply

    async def _answer(self, request: web.Request, reply: Reply, fault: Fault) -> web.StreamResponse:
        """Tell the client of what was created and charged, as well as the fault lets us."""
        if fault is Fault.DROP:
            return _hang_up(request)
        if fault is Fault.ERROR:
            return web.json_response({"detail": "Bad gateway"}, status=502)
        if fault is Fault.GARBLED:
            return web.Response(text='{"generation_id": "', status=201)
        if fault is Fault.LATE:
            await self._clock.sleep(self._faults.late_seconds)
        return web.json_response(reply.body, status=reply.status)

    async def _list(self, request: web.Request) -> web.Response:
        bad = self._bad_read(request)
        if bad is not None:
            return bad
        try:
            limit = int(request.query.get("limit", "50"))
            offset = int(request.query.get("offset", "0"))
        except ValueError:
            limit = offset = -1
        reply = self._world.page(limit, offset, self._now(), self.url, self._faults.lag)
        return web.json_response(reply.body, status=reply.status)

    async def _status(self, request: web.Request) -> web.Response:
        bad = self._bad_read(request)
        if bad is not None:
            return bad
        reply = self._world.status(request.match_info["id"], self._now(), self.url)
        return web.json_response(reply.body, status=reply.status)

    async def _balance(self, request: web.Request) -> web.Response:
        bad = self._bad_read(request)
        if bad is not None:
            return bad
        reply = self._world.account(self._now())
        return web.json_response(reply.body, status=reply.status)

    async def _video(self, request: web.Request) -> web.StreamResponse:
        item = self._world.find(request.match_info["id"])
        if item is None or item.phase(self._now()) != "completed":
            return web.Response(status=404)
        content = make_mp4(item.id, item.orientation, item.duration)
        tag = f'"{item.id}"'
        asked = _asked_range(request, len(content), tag)
        headers = {"Accept-Ranges": "bytes", "ETag": tag}
        status = 200
        part = content
        if asked is not None:
            if not asked:
                return web.Response(
                    status=416, headers={"Content-Range": f"bytes */{len(content)}"}
                )
            part = content[asked.start : asked.stop]
            status = 206
            headers["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{len(content)}"
        turn = self._downloads[item.id] = self._downloads.get(item.id, 0) + 1
        if self._faults.happens(self._faults.cut, self._world.seed, "cut", item.id, turn):
            return await self._cut_off(request, part, status, headers)
        return web.Response(body=part, status=status, headers=headers, content_type="video/mp4")

    async def _cut_off(
        self, request: web.Request, part: bytes, status: int, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(part)
        response.content_type = "video/mp4"
        await response.prepare(request)
        await response.write(part[: len(part) // 2])
        return _hang_up(request)

    async def _ledger(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self._world.ledger(self._now()))

    async def _health(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"status": "ok"})


def _asked_range(request: web.Request, length: int, tag: str) -> range | None:
    """Say which bytes are asked for: none of them, or None for the whole file.

    A Range that can't be read, or is meant for another version (``If-Range``), is ignored (RFC
    9110, 13.1.5 and 14.2).
    """
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None or request.headers.get("If-Range", tag) != tag:
        return None
    return range(*asked.indices(length))


def _hang_up(request: web.Request) -> web.Response:
    """Drop the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


class SandboxServer:
    """A sandbox in a thread of this process, on a free port of loopback: a context manager.

    Args:
        world: what the provider does.
        port: 0 takes a free one.
        faults: what goes wrong on the way.
        journal: a file that keeps generations over a restart.
        clock: time.
        secret: signs callbacks, where it is set.
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
        self._sandbox = Sandbox(
            world,
            faults or Faults(),
            None if journal is None else Journal(journal),
            clock or SystemClock(),
            secret,
        )
        self._port = port
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="sandbox", daemon=True)
        self.world = world

    @property
    def url(self) -> str:
        """Give the address of the API."""
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
    """Serve until SIGINT or SIGTERM.

    Args:
        host: a loopback address.
        port: 0 takes a free one.
        world: what the provider does.
        faults: what goes wrong on the way.
        journal: a file that keeps generations over a restart.
        secret: signs callbacks, where it is set.
        on_ready: told the address.

    Raises:
        OSError: the port is taken.
    """

    async def main() -> None:
        kept = None if journal is None else Journal(journal)
        sandbox = Sandbox(world, faults or Faults(), kept, SystemClock(), secret)
        runner = await _listen(sandbox, host, port)
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        on_ready(sandbox.url)
        await over.wait()
        await runner.cleanup()

    asyncio.run(main())
