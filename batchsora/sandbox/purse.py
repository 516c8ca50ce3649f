"""How the balance is shown: late, and with failures given back, all, some or after a while."""

from collections.abc import Iterable
from dataclasses import dataclass
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


def unseen(made: Iterable[Made], late: float, now: datetime) -> int:
    """Sum up the charges that a balance does not show yet that is late by some seconds."""
    if not late:
        return 0
    after = now - timedelta(seconds=late)
    return sum(item.price for item in made if item.created_at > after)
