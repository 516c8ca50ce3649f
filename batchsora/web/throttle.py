"""Wrong guesses: each guesser waits for the own ones alone."""

import ipaddress
from collections import OrderedDict
from typing import Final

from jobs.model.clock import Clock

TRIES: Final = 10
"""Wrong passwords in a row that are answered at once."""

REST: Final = 6.0
"""Seconds until another one is answered."""

MOST: Final = 10_000
"""Guessers that are remembered; who is forgotten begins anew."""

SITE: Final = 64
"""Bits of an IPv6 address that one customer of a network has at least."""


UNKNOWN: Final = "unknown"
"""All whose address is none count together."""


def network_of(address: str) -> str:
    """Name whose guesses count together: an address, or the network of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, SITE), strict=False))
    return str(found)


class Throttle:
    """Counts wrong guesses by guesser.

    Args:
        clock: time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guessers: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def may(self, guesser: str) -> bool:
        """Return whether a guess is looked at now."""
        return self._left(guesser) >= 1

    def failed(self, guesser: str) -> None:
        """Note a wrong guess."""
        left = self._left(guesser) - 1
        self._guessers[guesser] = (left, self._clock.monotonic())
        self._guessers.move_to_end(guesser)
        if len(self._guessers) > MOST:
            self._guessers.popitem(last=False)

    def _left(self, guesser: str) -> float:
        left, at = self._guessers.get(guesser, (float(TRIES), 0.0))
        return min(float(TRIES), left + (self._clock.monotonic() - at) / REST)
