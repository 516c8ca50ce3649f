"""Telling open pages that something changed: one look at the database for all of them.

A page is told *that* something changed, and asks again for the parts that it shows; answers are
kept until the next change (:meth:`batchsora.web.web_context.WebContext.kept`), so that fifty pages
cost little more than one.
"""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from batchsora.web.web_context import WebContext

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

    Attributes:
        boot: names this start of the server, so that a page notices another one.
    """

    def __init__(self, web: WebContext) -> None:
        self._web = web
        self._changed = asyncio.Condition()
        self._state: tuple[Any, ...] = ()
        self._ended = False
        self.boot = secrets.token_hex(8)
        self._pages: dict[object, str] = {}
        """Whose session each page is of that is told; the oldest first."""

    async def run(self) -> None:
        """Look for ever."""
        while True:
            runner = self._web.runner()
            state = (self._web.mark(), None if runner is None else runner.pid)
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

    async def _make_room(self) -> None:
        """Let the oldest page go of the session that has the most: it asks again if it is shown."""
        if len(self._pages) >= MOST_PAGES:
            ((most, _),) = Counter(self._pages.values()).most_common(1)
            del self._pages[next(page for page, whose in self._pages.items() if whose == most)]
            await self.look_round()

    async def events(self, whose: str, may_come: Callable[[], bool]) -> AsyncIterator[str]:
        """Yield an event at once, and one after each change, as server-sent events are written.

        Args:
            whose: session.
            may_come: whether who listens may still come in.
        """
        await self._make_room()
        page = object()
        self._pages[page] = whose

        def may_stay() -> bool:
            return page in self._pages and may_come()

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
            self._pages.pop(page, None)


async def _events(request: Request) -> Response:
    live: Live = request.app.state.live
    headers = {"X-Accel-Buffering": "no"}  # a proxy in front would wait for more
    told = live.events(request.scope["session"], request.scope["may_stay"])
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


routes = [Route("/events", _events)]
