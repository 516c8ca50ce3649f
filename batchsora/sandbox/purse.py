"""How the balance is shown: late, at a discount, and with what is given back, at once or later."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from batchsora.sandbox.chance import chance
from batchsora.sandbox.made import Made
from batchsora.sandbox.reading import rate, seconds


@dataclass(frozen=True, slots=True)
class Refunds:
    """Which failed generations are given back, and when.

    Attributes:
        share: of them.
        after: seconds after their end.
    """

    share: float = 0.0
    after: float = 0.0

    @classmethod
    def read(cls, text: str) -> "Refunds":
        """Read ``0.5`` or ``0.5:60``."""
        share, _, after = text.partition(":")
        return cls(rate(share), seconds(after) if after else 0.0)

    def covers(self, item: Made, seed: int, now: datetime) -> bool:
        """Check whether a generation's price has been given back."""
        if not self.share or chance(seed, "refund", item.id) >= self.share:
            return False
        return item.phase(now - timedelta(seconds=self.after)) == "failed"

    def sum(self, made: Iterable[Made], seed: int, now: datetime) -> int:
        """Sum up what has been given back, in micros."""
        if not self.share:  # asked before every acceptance: don't walk what is made
            return 0
        return sum(item.price for item in made if self.covers(item, seed, now))


@dataclass(slots=True)
class Reserved:
    """What purchases that came to nothing were charged at first, until it is given back.

    Attributes:
        charges: when each was charged, and how much, in micros.
    """

    charges: list[tuple[datetime, int]] = field(default_factory=list)

    def sum(self, after: float, now: datetime) -> int:
        """Sum up what has not been given back, which happens some seconds after the charge."""
        since = now - timedelta(seconds=after)
        return sum(price for charged_at, price in self.charges if charged_at > since)


def unseen(made: Iterable[Made], late: float, now: datetime) -> int:
    """Sum up the charges that a balance does not show yet that is late by some seconds."""
    if not late:
        return 0
    after = now - timedelta(seconds=late)
    return sum(item.price for item in made if item.created_at > after)
