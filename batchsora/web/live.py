"""Telling open pages that something changed: one look at the database for all of them.

A page asks again for the parts that it shows; answers are kept until the next change
(:meth:`batchsora.web.web_context.WebContext.kept`), so that fifty pages cost little more than one.
"""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

import h11
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from batchsora.web.web_context import WebContext

NAP: Final = 0.5  # seconds between two looks whether the database has changed
CALM: Final = 1.0  # seconds between two events to a page: nobody reads faster
PING: Final = 15  # seconds after which a silent connection is shown to be alive
MOST_PAGES: Final = 200  # open pages that get events; each holds a connection


class Live:
    """Looks for changes, and wakes whoever waits for them; ``boot`` names this server's start."""

    def __init__(self, web: WebContext) -> None:
        self._web = web
        self._changed = asyncio.Condition()
        self._state: tuple[Any, ...] = ()
        self._ended = False
        self.boot = secrets.token_hex(8)
        self._pages: dict[object, str] = {}
        """The session of each open page, the oldest first."""

    async def run(self) -> None:
        """Look forever."""
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
        """Close the oldest page of the session that has the most; if shown, it asks again."""
        if len(self._pages) >= MOST_PAGES:
            ((most, _),) = Counter(self._pages.values()).most_common(1)
            del self._pages[next(page for page, whose in self._pages.items() if whose == most)]
            await self.look_round()

    async def events(self, whose: str, may_come: Callable[[], bool]) -> AsyncIterator[str]:
        """Yield a server-sent event at once, and one after each change, while ``may_come()``."""
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


MOST: Final = 512  # connections at a time: half of the files that a process may have open
BACKLOG: Final = 64  # connections accepted in one go, before any is looked at
SHARE: Final = 8  # a session keeps one in 8 where there are too many: 64; a browser opens six
HEAD_WITHIN: Final = 10.0  # seconds for a head, from the connection's begin or its first byte


def bounded(most: int = MOST, head_within: float = HEAD_WITHIN) -> type[H11Protocol]:
    """Return a protocol for one server, whose connections make room for each other."""
    crowd: dict[_Bounded, None] = {}

    class Protocol(_Bounded):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self.crowd, self.most, self.head_within = crowd, most, head_within

    return Protocol


class _Bounded(H11Protocol):
    """A connection that is closed when its head is late, or to make room."""

    crowd: "dict[_Bounded, None]"
    most: int
    head_within: float
    _deadline: asyncio.TimerHandle | None = None
    _was_of: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and close another where there are too many."""
        super().connection_made(transport)
        self._expect_head()
        self.crowd[self] = None
        if len(self.crowd) > self.most:
            leaving = self._leaving()
            del self.crowd[leaving]
            leaving.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.crowd.pop(self, None)
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the rest of a head that has begun has a deadline."""
        super().data_received(data)
        cycle = self._cycle
        if cycle is None or cycle.response_complete:
            self._expect_head()
        else:
            self._expect_nothing()

    def on_response_complete(self) -> None:
        """Remember whose request it was: the next one begins as a stranger's."""
        self._was_of = self.session
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are not HTTP; in a body they end the request."""
        cycle = self._cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # an answer has begun already
            self.transport.close()

    @property
    def session(self) -> str | None:
        """Return the session of its last request; None for a stranger."""
        cycle = self._cycle
        if cycle is None or "inside" not in cycle.scope:
            return self._was_of
        found: dict[str, Any] = dict(cycle.scope)
        return str(found["session"]) if found["inside"] else None

    def _leaving(self) -> "_Bounded":
        """Return the connection that makes room."""
        of = {one: one.session for one in self.crowd}
        counts = Counter(session for session in of.values() if session is not None)
        most, count = next(iter(counts.most_common(1)), (None, 0))
        if count <= self.most // SHARE:
            most = None
        return next((one for one, session in of.items() if session == most), self)

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        return self.cycle  # there is none before the first head, whatever its type says

    def _expect_head(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.head_within, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.abort()
