"""Time as a constructor argument, so that tests never wait for it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""A provider's time outside of these is unreadable: arithmetic on year 1 or 9999 overflows."""


class Clock(Protocol):
    """What the engine asks of time."""

    def now(self) -> datetime:
        """Give the wall-clock time, aware, in UTC; it may jump either way."""
        ...

    def monotonic(self) -> float:
        """Give seconds that only move forward, for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""
        ...


class JumpWatch:
    """Notices when the wall clock was set, or the machine slept.

    Args:
        clock: to watch.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began, self._began_at = clock.monotonic(), clock.now()
        self._last = timedelta(0)
        self._least = self._most = self._last

    def jump(self) -> timedelta:
        """Say by how much the wall clock has left the monotonic one since the last call."""
        passed = timedelta(seconds=self._clock.monotonic() - self._began)
        drift = self._clock.now() - self._began_at - passed
        jump, self._last = drift - self._last, drift
        self._least, self._most = min(self._least, drift), max(self._most, drift)
        return jump

    @property
    def spread(self) -> timedelta:
        """Say between how far apart states the wall clock has been."""
        return self._most - self._least


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Give the wall-clock time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give the monotonic clock's seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running event loop."""
        await asyncio.sleep(seconds)
