"""The account of the sandbox: its generations, refunds and late balances; chance as a hash."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from batchsora.sandbox.reading import rate, seconds


def chance(seed: int, *what: object) -> float:
    """Draw a number from 0 to 1 that depends on nothing but its arguments."""
    text = "\x1f".join(map(str, (seed, *what)))
    # a POST is drawn for before it is checked: half a surrogate pair must not break this
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:7], "big") >> 3) / 2**53


QUEUED_SHARE = 0.2


@dataclass(slots=True)
class Made:
    """One generation as the provider keeps it.

    Attributes:
        price: what was charged for it, in micros.
        takes: seconds of real time until it ends; infinite: never.
        failure: its error message, when it fails in the end.
        foreign: True when another client of the account made it.
    """

    id: str
    prompt: str
    orientation: str
    duration: int
    price: int
    key: str | None
    created_at: datetime
    takes: float
    failure: str | None = None
    foreign: bool = False

    def phase(self, now: datetime) -> str:
        """Return where it stands."""
        age = (now - self.created_at).total_seconds()
        if age >= self.takes:
            return "completed" if self.failure is None else "failed"
        waits = self.takes * QUEUED_SHARE if math.isfinite(self.takes) else 0.0
        return "pending" if age < waits else "processing"


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
