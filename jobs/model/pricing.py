"""What an answer's price teaches about its kind. Pure.

A price far from the known one is charged and written down, and believed when it is seen twice: one
odd answer must neither hold too much for ever nor let the next ones hold too little.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FAR: Final = 5
"""A price so many times as high or as low as the known one is odd."""

STEADY: Final = timedelta(hours=1)
"""After so long at one price the hold comes down to it: until then answers of before may come."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a kind's price, in micros."""

    last: int  # what was charged last, known since seen_at
    highest: int  # what a submission holds
    seen_at: datetime
    odd: int | None = None  # a price far from it that was charged once
    odd_at: datetime | None = None

    @property
    def is_questioned(self) -> bool:
        """Return whether a higher odd price came last: the next submission goes alone, to see."""
        odd = self.odd is not None and self.odd > self.highest
        return odd and self.odd_at is not None and self.odd_at >= self.seen_at


def is_far(price: int, known: int) -> bool:
    """Return whether a price is far from a known one."""
    return price >= FAR * known or price * FAR <= known


def learn(known: Known | None, price: int, now: datetime) -> Known | None:
    """Return what is known after an answer with this price; None if it shows nothing new."""
    if known is None:
        return Known(price, price, now)
    if is_far(price, known.last):
        return _odd(known, price, now)
    if price != known.last:
        return Known(price, max(price, known.highest), now, known.odd, known.odd_at)
    if known.is_questioned:  # answered: the odd one was one of its own
        return Known(price, known.highest, now, known.odd, known.odd_at)
    if price < known.highest and now - known.seen_at >= STEADY:
        return Known(price, price, known.seen_at, known.odd, known.odd_at)
    return None


def _odd(known: Known, price: int, now: datetime) -> Known:
    """Write an odd price down, or believe it, the second time."""
    if known.odd is None or is_far(price, known.odd):
        return Known(known.last, known.highest, known.seen_at, price, now)
    return Known(price, max(price, known.highest), now)
