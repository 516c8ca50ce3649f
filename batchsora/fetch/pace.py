"""A limit of bytes per second, for all downloads together."""

import re
from typing import Final

from jobs.model.clock import Clock

LEAST_RATE: Final = 1024
MOST_RATE: Final = 1024**4

_RATE = re.compile(r"(\d{1,13}(?:\.\d{1,9})?) ?([KMG]?)B?(?:/s)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}

_CREDIT: Final = 0.1
"""Seconds for which what was not used may be caught up with: timers are late by themselves."""

_SHORTEST: Final = 0.005
"""Seconds; shorter waits are left to the next block."""


def rate_of(text: str | float) -> int:
    """Read a rate such as ``2M`` (K, M, G: powers of 1024) in bytes per second; 0: no limit.

    Raises:
        ValueError: not a rate, or less than a kilobyte.
    """
    match = _RATE.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not a rate in bytes per second; write it like 2M or 500K")
    rate = int(float(match[1]) * _UNITS[match[2].upper()])
    if match[1].strip("0.") and not LEAST_RATE <= rate <= MOST_RATE:
        raise ValueError(f"{text!r} must be 0 (no limit), or from 1K to 1024G bytes per second")
    return rate


class Pace:
    """A token bucket for all downloads; ``rate`` is in bytes per second, more than 0."""

    def __init__(self, rate: int, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._paid_at = clock.monotonic()

    def charge(self, count: int) -> float:
        """Take so many bytes; return the seconds to wait until they are paid for."""
        now = self._clock.monotonic()
        self._paid_at = max(self._paid_at, now - _CREDIT) + count / self._rate
        seconds = self._paid_at - now
        return seconds if seconds >= _SHORTEST else 0.0

    async def wait(self, seconds: float) -> None:
        """Let the seconds pass."""
        await self._clock.sleep(seconds)
