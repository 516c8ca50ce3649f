"""How many connections the page holds, and how long each may take to say what it wants.

Half-sent requests cost whoever sends them nothing, and each holds a file of ours. So a head has a
deadline, and where there are too many connections, the oldest make room: of a session that has more
than its share (whoever has its cookie may open any number), then of those who have not shown who
they are. A person who is logged in always gets in.
"""

import asyncio
from collections import Counter
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST: Final = 512
"""Connections at the same time: half of the files that a process may have open by default."""

BACKLOG: Final = 64
"""Connections that are accepted in one go: more would be open before any is looked at."""

SHARE: Final = 8
"""The part of all connections, one in so many, that a session keeps where there are too many: 64. A
browser opens six."""

HEAD_WITHIN: Final = 10.0
"""Seconds in which a request's head must be here, from the connection's begin or its first byte."""


def bounded(most: int = MOST, head_within: float = HEAD_WITHIN) -> type[H11Protocol]:
    """Make a protocol for one server, whose connections make room for each other.

    Args:
        most: connections at the same time.
        head_within: seconds in which the head of a request must be here.
    """
    crowd: dict[_Bounded, None] = {}

    class Protocol(_Bounded):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self.crowd, self.most, self.head_within = crowd, most, head_within

    return Protocol


class _Bounded(H11Protocol):
    """A connection that is closed when its request's head does not come, or makes room."""

    crowd: "dict[_Bounded, None]"
    most: int
    head_within: float
    _deadline: asyncio.TimerHandle | None = None
    _was_of: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and let another one go where there are too many."""
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
        """Take bytes: of a head that has begun, the rest is waited for only so long."""
        super().data_received(data)
        cycle = self._cycle
        if cycle is None or cycle.response_complete:
            self._expect_head()
        else:
            self._expect_nothing()

    def on_response_complete(self) -> None:
        """Remember whose request that was: the next one begins as a stranger's does."""
        self._was_of = self.session
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP; in a body they end the request that is under way."""
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
        """Name whose its last request is that was looked at; None for one who is not logged in."""
        cycle = self._cycle
        if cycle is None or "inside" not in cycle.scope:
            return self._was_of
        found: dict[str, Any] = dict(cycle.scope)
        return str(found["session"]) if found["inside"] else None

    def _leaving(self) -> "_Bounded":
        """Choose who makes room."""
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
