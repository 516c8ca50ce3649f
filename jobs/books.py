"""Whether the account's balance leaves room for a purchase that nobody knows of. Pure.

The balance is the second witness beside the list: what was made was charged. It counts from the
last *quiet* reading, while nothing was under way or in doubt, and only while it shows what we know
was charged, and nothing beside it: what moved it otherwise is not understood.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

ROUNDING: Final = 10_000
"""Micros by which a balance may be off that the provider shows in whole cents."""

REFUNDED_WITHIN: Final = timedelta(days=1)
"""How long after a generation failed its price may still be given back."""

SHOWN_WITHIN: Final = timedelta(minutes=3)
"""How long after a purchase the balance may not show it: as the default grace."""


class Money(StrEnum):
    """What the balance says of a doubt.

    Attributes:
        CLEAR: it fell by no more than what is known: nothing was charged for the doubt.
        PASSING: it can't be told yet: what was bought just now may not be shown, or what has not
            ended may have been given back.
        OPEN: it fell by more, or it can't be told: the doubt may have been charged.
    """

    CLEAR = "clear"
    PASSING = "passing"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """One reading of the account's balance.

    Attributes:
        balance: in micros.
        mark: what had been charged in all before its request was made, in micros.
        shown: what had been charged so long before that the balance must show it; None: unknown.
    """

    balance: int
    mark: int
    shown: int | None = None


@dataclass(frozen=True, slots=True)
class Books:
    """Two readings of the balance, and what happened between them as far as we know. In micros.

    Attributes:
        fell: by how much the balance fell from the first to the second.
        charged: what we know was charged to us meanwhile.
        loose: what may have made it fall by less than that, for good: the prices of failed
            generations that may have been given back, and of what was perhaps charged before.
        passing: the same, for as long as it goes on: what was bought just now and may not be shown
            yet, and what has not ended as far as we see.
    """

    fell: int
    charged: int
    loose: int = 0
    passing: int = 0

    @property
    def moved(self) -> bool:
        """Check whether the balance is alive: it can't have stood still all the time."""
        return self.charged - self.loose - self.passing > ROUNDING

    @property
    def unexplained(self) -> int:
        """Return what was taken beside what we know at most, in micros; less than 0: paid in."""
        return self.fell - self.charged + self.loose + self.passing

    def verdict(self, price: int) -> Money:
        """Decide whether a doubt that costs so much at least may be in what the balance lost.

        Only where the most that can have been taken beside what we know is nothing, it was not.
        Less than nothing did not happen: then money was paid in, or the balance stands still.
        """
        if -ROUNDING <= self.unexplained < max(price // 2, 1):
            return Money.CLEAR
        if self.passing and replace(self, passing=0).verdict(price) is Money.CLEAR:
            return Money.PASSING
        return Money.OPEN
