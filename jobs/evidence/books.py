"""Whether the account's balance leaves room for an unknown purchase. Pure.

The balance is the second witness beside the list: what was made was charged. It counts from the
last *quiet* reading (nothing under way or in doubt), and only if it fell by what we bought and
nothing else can have changed it: two changes that cancel out look like none. Before, it must have
fallen by the announced prices: a discount would hide a doubt.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

ROUNDING: Final = 10_000
"""Largest rounding error in micros: a provider may show the balance in whole cents."""

REFUNDED_WITHIN: Final = timedelta(days=1)
"""How long after a generation failed its price may still be refunded."""

GIVEN_UP_WITHIN: Final = timedelta(days=30)
"""How long after its purchase a generation that never ended may be refunded."""

SHOWN_WITHIN: Final = timedelta(minutes=3)
"""How long the balance may not show a purchase: the default grace period."""


class Money(StrEnum):
    """What the balance shows of a doubt.

    Attributes:
        CLEAR: it fell by what is known, and nothing else changed it: the doubt was not charged.
        PASSING: undecided yet: the latest purchases may not be shown, or unfinished ones may have
            been refunded.
        OPEN: it fell by more or by less, or something may have been refunded: the doubt may have
            been charged.
    """

    CLEAR = "clear"
    PASSING = "passing"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """One reading of the account's balance, in micros."""

    balance: int
    mark: int  # what had been charged in all before its request was made
    shown: int | None = None  # the part of it that the balance must show by its age; None: unknown


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the balance has agreed with our charges, between quiet readings, in micros."""

    charged: int = 0
    drift: int = 0  # by how much more it fell; at most the rounding error

    def after(self, fell: int, charged: int) -> "Agreement | None":
        """Return it including another quiet reading; None if that does not agree."""
        drift = self.drift + fell - charged
        return Agreement(self.charged + charged, drift) if abs(drift) <= ROUNDING else None


@dataclass(frozen=True, slots=True)
class Books:
    """Two readings of the balance, and what happened between them as far as we know.

    Attributes:
        fell: by how much the balance fell from the first to the second, in micros.
        charged: the least that was charged to us in between, in micros.
        loose: how many other things may have changed it for good: generations, ours and others',
            that may have been refunded, and what may have been charged before.
        passing: the same for a while: latest purchases that may not be shown yet, and generations
            that have not ended as far as we see.
        under_way: what submissions under way may have cost already, in micros.
        agreed: how far the balance had agreed before the first.
        why_loose: what may have changed it, for people.
    """

    fell: int
    charged: int
    loose: int = 0
    passing: int = 0
    under_way: int = 0
    agreed: Agreement = Agreement()
    why_loose: str = ""

    @property
    def moved(self) -> bool:
        """Check whether a purchase of ours shows that the balance is updated."""
        return self.charged > ROUNDING

    def verdict(self, price: int) -> Money:
        """Decide whether a doubt of this price may be part of the fall."""
        beside = self.fell - self.charged
        if self.loose or beside > ROUNDING + self.under_way or not self._would_show(price):
            return Money.OPEN
        if self.passing or self.under_way:
            return Money.PASSING
        return Money.CLEAR if beside >= -ROUNDING else Money.OPEN

    def why_open(self) -> str:
        """Return why the verdict is open, for people."""
        beside = self.fell - self.charged
        if beside > ROUNDING + self.under_way:
            return "it fell by more than the known purchases"
        if self.loose:
            return self.why_loose
        if beside < -ROUNDING:
            return "it fell by less than the known purchases"
        return "it has matched too few purchases before to show a single one"

    def _would_show(self, price: int) -> bool:
        """Check whether the balance would show such a charge, judging by earlier readings.

        Per dollar charged it may have fallen by as much less as rounding hid while it agreed. An
        unknown price (0), or one within the rounding error, never shows.
        """
        hidden = (ROUNDING - self.agreed.drift) * (self.charged + price)
        return (price - 2 * ROUNDING) * self.agreed.charged > hidden
