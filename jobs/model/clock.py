"""Time as a constructor argument, so that tests never wait for it; days of the daily budget."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .. import system
from .errors import UnknownTimeZoneError

UNMEASURED = timedelta(hours=26)
"""By how much two clocks may differ that nothing has compared: a misread zone and more."""

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""A provider's time outside of these is unreadable: arithmetic on year 1 or 9999 overflows."""

PRECISION = timedelta(seconds=2)  # how far a Date may be off, by which the two clocks are compared

MOST_APART = timedelta(days=366)  # a wall clock that says more has passed since a doubt was set


def passed_since(
    then: str | None, now: str | None, wall_then: datetime, wall_now: datetime
) -> timedelta | None:
    """Return how much time has passed between two moments, in one or two processes.

    ``then`` and ``now`` are of :meth:`Clock.boot`. The wall clock counts only where the machine was
    restarted since, or a boot clock is not known; None if it was set in between.
    """
    if then is not None and now is not None:
        (boot, _, began), (same, _, ends) = then.rpartition(":"), now.rpartition(":")
        if boot == same:
            return timedelta(seconds=float(ends) - float(began))
    passed = wall_now - wall_then
    return passed if timedelta(0) <= passed <= MOST_APART else None


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, by the wall clock and by :meth:`Clock.boot`; None: not known."""

    wall: datetime
    boot: str | None = None

    def since(self, wall: datetime, boot: str | None) -> timedelta | None:
        """Return how much time had passed since another; None if that is unknown."""
        return passed_since(boot, self.boot, wall, self.wall)


class Clock(Protocol):
    """What the engine asks of time."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC; it may jump either way."""

    def monotonic(self) -> float:
        """Return seconds that only move forward, for durations."""

    def boot(self) -> str | None:
        """Return ``BOOTID:SECONDS`` since the machine started, which nobody can set, or None."""

    async def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""


class JumpWatch:
    """Notices when the wall clock was set, or the machine slept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began, self._began_at = clock.monotonic(), clock.now()
        self._last = timedelta(0)
        self._least = self._most = self._last

    def jump(self) -> timedelta:
        """Return by how much the wall clock has left the monotonic one since the last call."""
        passed = timedelta(seconds=self._clock.monotonic() - self._began)
        drift = self._clock.now() - self._began_at - passed
        jump, self._last = drift - self._last, drift
        self._least, self._most = min(self._least, drift), max(self._most, drift)
        return jump

    @property
    def spread(self) -> timedelta:
        """Return how far the wall clock's least and greatest drift are apart."""
        return self._most - self._least


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return the wall-clock time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the monotonic clock's seconds."""
        return time.monotonic()

    def boot(self) -> str | None:
        """Return the id of this start of the machine, and the seconds since."""
        return system.since_boot()

    async def sleep(self, seconds: float) -> None:
        """Sleep in the running event loop."""
        await asyncio.sleep(seconds)


FARTHEST: Final = timedelta(hours=14)
"""The time zone that is farthest ahead: a day that has begun there is not in the future."""


def latest_begun(now: datetime) -> str:
    """Return the latest day that has begun anywhere."""
    return (now + FARTHEST).date().isoformat()


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name; UnknownTimeZoneError: this machine does not know it.

    Raises:
        UnknownTimeZoneError: this machine does not know it.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownTimeZoneError(name) from None
