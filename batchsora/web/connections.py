"""How many connections the page holds, and how long each may take to say what it wants.

Half-sent requests cost whoever sends them nothing, and each holds a file of ours. So a head has a
deadline, and where there are too many connections, the oldest of those who have not shown who they
are make room: a person who is logged in always gets in.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST: Final = 512
"""Connections at the same time: half of the files that a process may have open by default."""

BACKLOG: Final = 64
"""Connections that are accepted in one go: more would be open before any is looked at."""

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
    _was_inside = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, and let the oldest stranger go where there are too many."""
        super().connection_made(transport)
        self._expect_head()
        self.crowd[self] = None
        if len(self.crowd) > self.most:
            leaving = next((one for one in self.crowd if not one.is_inside), self)
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
        self._was_inside = self.is_inside
        super().on_response_complete()

    @property
    def is_inside(self) -> bool:
        """Check whether its last request that was looked at came from somebody who is logged in."""
        cycle = self._cycle
        return (
            self._was_inside if cycle is None else bool(cycle.scope.get("inside", self._was_inside))
        )

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
