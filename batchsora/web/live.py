"""Telling open pages that something changed: one look at the database for all of them.

A page is told *that* something changed, and asks again for the parts that it shows; answers are
kept until the next change (:meth:`batchsora.web.desk.Desk.kept`), so that fifty pages cost little
more than one.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from batchsora.web.desk import Desk

NAP: Final = 0.5
"""Seconds between two looks whether the database has changed."""

CALM: Final = 1.0
"""Seconds between two words to a page: nobody reads faster."""

PING: Final = 15
"""Seconds after which a silent connection is shown to be alive."""

MOST_PAGES: Final = 200
"""Open pages that are told; each holds a connection."""


class Live:
    """Looks for changes, and wakes whoever waits for them.

    Args:
        desk: whose database it is.

    Attributes:
        boot: names this start of the server, so that a page notices another one.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._changed = asyncio.Condition()
        self._state: tuple[Any, ...] = ()
        self._ended = False
        self.boot = secrets.token_hex(8)
        self.pages = 0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            runner = self._desk.runner()
            state = (self._desk.mark(), None if runner is None else runner.pid)
            if state != self._state:
                async with self._changed:
                    self._state = state
                    self._changed.notify_all()
            await asyncio.sleep(NAP)

    async def end(self) -> None:
        """Let all pages go: the server stops."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def look_round(self) -> None:
        """Let those pages go whose person has left."""
        async with self._changed:
            self._changed.notify_all()

    def _is_new(self, seen: tuple[Any, ...] | None, may_stay: Callable[[], bool]) -> bool:
        return self._ended or self._state != seen or not may_stay()

    async def events(self, may_stay: Callable[[], bool]) -> AsyncIterator[str]:
        """Give an event at once, and one after each change, as server-sent events are written.

        Args:
            may_stay: whether who listens may still come in.
        """
        self.pages += 1
        try:
            seen: tuple[Any, ...] | None = None
            while True:
                try:
                    async with asyncio.timeout(PING), self._changed:
                        await self._changed.wait_for(partial(self._is_new, seen, may_stay))
                        seen = self._state
                except TimeoutError:
                    if may_stay():
                        yield ": still here\n\n"
                    continue
                if self._ended or not may_stay():
                    return
                yield f"event: changed\ndata: {json.dumps({'boot': self.boot})}\n\n"
                await asyncio.sleep(CALM)
        finally:
            self.pages -= 1


async def _events(request: Request) -> Response:
    live: Live = request.app.state.live
    if live.pages >= MOST_PAGES:
        return PlainTextResponse("Too many pages are open.\n", 503, {"Retry-After": "30"})
    headers = {"X-Accel-Buffering": "no"}  # a proxy in front would wait for more
    may_stay: Callable[[], bool] = request.scope["may_stay"]
    return StreamingResponse(live.events(may_stay), media_type="text/event-stream", headers=headers)


routes = [Route("/events", _events)]
