"""Whether the account's balance leaves room for a purchase that nobody knows of. Pure.

The balance is the second witness beside the list: what was made was charged. It counts from the
last *quiet* reading, while nothing was under way or in doubt, and only where it fell by what we
bought, and nothing can have moved it beside that: two movements that net to nothing look like none.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

ROUNDING: Final = 10_000
"""Micros by which a balance may be off that the provider shows in whole cents."""

REFUNDED_WITHIN: Final = timedelta(days=1)
"""How long after a generation failed its price may still be given back."""

GIVEN_UP_WITHIN: Final = timedelta(days=30)
"""How long after it was bought the price of one may be given back that never ended."""

SHOWN_WITHIN: Final = timedelta(minutes=3)
"""How long after a purchase the balance may not show it: as the default grace."""


class Money(StrEnum):
    """What the balance says of a doubt.

    Attributes:
        CLEAR: it fell by what is known, and nothing else moved it: the doubt was not charged.
        PASSING: it can't be told yet: what was bought just now may not be shown, or what has not
            ended may have been given back.
        OPEN: it fell by more, or by less, or something may have been given back: the doubt may
            have been charged.
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
    """Two readings of the balance, and what happened between them as far as we know.

    Attributes:
        fell: by how much the balance fell from the first to the second, in micros.
        charged: what was charged to us meanwhile, at the least that it can have been, in micros.
        loose: how many things may have moved it besides, for good: generations, ours and others',
            that may have been given back, and what was perhaps charged before.
        passing: the same, for as long as it goes on: what was bought just now and may not be shown
            yet, and what has not ended as far as we see.
        under_way: what submissions under way may have cost already, in micros.
    """

    fell: int
    charged: int
    loose: int = 0
    passing: int = 0
    under_way: int = 0

    @property
    def moved(self) -> bool:
        """Check whether a purchase of ours shows that the balance is alive."""
        return self.charged > ROUNDING

    def verdict(self, price: int) -> Money:
        """Decide whether a doubt that costs so much may be in what the balance lost.

        A price that is not known (0), or as small as what rounding hides, is looked for to the
        micro.
        """
        beside = self.fell - self.charged
        limit = ROUNDING if price > 2 * ROUNDING else 0
        if self.loose or beside > limit + self.under_way:
            return Money.OPEN
        if self.passing or self.under_way:
            return Money.PASSING
        return Money.CLEAR if beside >= -ROUNDING else Money.OPEN
