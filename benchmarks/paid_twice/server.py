"""The provider of this benchmark: the sandbox's world, behind the paths of Sora and of Kling.

What goes wrong with a POST depends on the seed, the prompt and which try of the prompt it is, and
on nothing else: every client meets the same faults, however many requests it sends at a time. Each
fault comes *after* the charge. An idempotency key is heeded as little as the provider promises to.
"""

import asyncio
import contextlib
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from aiohttp import web

from batchsora.sandbox.account import chance
from batchsora.sandbox.world import World
from jobs.model.money import MICROS_PER_USD

SEED = 1417
"""With it the faults of the 200 prompts' first tries are exactly the rates below."""

FASTER = 1500.0
"""Generations take 0.2 to 0.6 s instead of 5 to 15 minutes."""

BALANCE = 1000 * MICROS_PER_USD
ANSWERED_AFTER = 0.05
LATE_SECONDS = 3.0


class Fault(StrEnum):
    """What happens to a POST that was accepted and charged."""

    NONE = "answered"
    DROPPED = "dropped"
    ERROR_500 = "answered 500"
    ERROR_502 = "answered 502"
    LATE = "late"


RATES = {Fault.DROPPED: 0.05, Fault.ERROR_500: 0.03, Fault.ERROR_502: 0.03, Fault.LATE: 0.04}


def fault_of(prompt: str, turn: int) -> Fault:
    """Decide what happens to the ``turn``-th POST of a prompt."""
    drawn = chance(SEED, "fault", prompt, turn)
    for fault, rate in RATES.items():
        if drawn < rate:
            return fault
        drawn -= rate
    return Fault.NONE


def _sora(body: dict[str, Any]) -> dict[str, Any]:
    return body


def _kling(body: dict[str, Any]) -> dict[str, Any]:
    """Read a Kling request, whose names differ a little, as one to Sora."""
    return {
        "prompt": body["prompt"],
        "duration": int(body["duration"]),
        "orientation": body["aspect_ratio"],
    }


class Provider:
    """A server on loopback, in a thread of this process: a context manager.

    Args:
        kill_at: at how many charges the client's process group is killed, while the answer to
            the last one is under way.

    Attributes:
        world: what was really made and charged.
        client: the process group to kill.
        kills: how many there were.
        posts: how often each prompt was sent.
        url: the server's address.
    """

    def __init__(self, kill_at: Iterable[int] = ()) -> None:
        self.world = World(seed=SEED, time_scale=FASTER, balance=BALANCE)
        self.client: int | None = None
        self.kills = 0
        self.posts: Counter[str] = Counter()
        self.url = ""
        self._kill_at = sorted(kill_at)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        for name, read in (("sora", _sora), ("kling", _kling)):
            app.router.add_post(f"/v1/{name}/generate", self._generator(read))
            app.router.add_get(f"/v1/{name}/generations", self._list)
            app.router.add_get(f"/v1/{name}/generations/{{id}}", self._status)
            app.router.add_get(f"/v1/{name}/generations/{{id}}/", self._status)
        app.router.add_get("/v1/data/balance", self._balance)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()

    def _generator(self, read: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        async def generate(request: web.Request) -> web.Response:
            try:
                body = read(await request.json())
            except ConnectionError:  # killed in the middle of its request
                return web.Response(status=400)
            prompt = body["prompt"]
            self.posts[prompt] += 1
            fault = fault_of(prompt, self.posts[prompt])
            key = request.headers.get("X-Idempotency-Key")
            reply = self.world.generate(body, key, datetime.now(UTC))
            self._kill_when_due()
            await asyncio.sleep(LATE_SECONDS if fault is Fault.LATE else ANSWERED_AFTER)
            if fault is Fault.DROPPED and request.transport is not None:
                request.transport.abort()
            if fault in (Fault.DROPPED, Fault.ERROR_500):
                return web.json_response({"detail": "Internal server error"}, status=500)
            if fault is Fault.ERROR_502:
                return web.json_response({"detail": "Bad gateway"}, status=502)
            return web.json_response(reply.body, status=reply.status)

        return generate

    def _kill_when_due(self) -> None:
        due = self.kills < len(self._kill_at) and len(self.world.made) >= self._kill_at[self.kills]
        if due and self.client is not None:
            client, self.client = self.client, None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(client, signal.SIGKILL)
                self.kills += 1

    async def _list(self, request: web.Request) -> web.Response:
        limit = int(request.query.get("limit", "50"))
        offset = int(request.query.get("offset", "0"))
        reply = self.world.page(limit, offset, datetime.now(UTC), self.url, lag=0.0)
        return web.json_response(reply.body, status=reply.status)

    async def _status(self, request: web.Request) -> web.Response:
        reply = self.world.status(request.match_info["id"], datetime.now(UTC), self.url)
        return web.json_response(reply.body, status=reply.status)

    async def _balance(self, request: web.Request) -> web.Response:
        del request
        reply = self.world.account(datetime.now(UTC))
        return web.json_response(reply.body, status=reply.status)
