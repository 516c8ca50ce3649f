"""Whether the account's balance leaves room for a purchase that nobody knows of. Pure.

The balance is the second witness beside the list: what was made was charged. It counts from the
last *quiet* reading, while nothing was under way or in doubt, and only where it fell by what we
bought, and nothing can have moved it beside that: two movements that net to nothing look like none.
It must have fallen by the prices told before: a discount would make up for a doubt.
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
class Agreement:
    """How far the balance has fallen by the prices told, from one quiet reading to the next.

    Attributes:
        charged: what was charged to us in readings that agreed, in micros.
        drift: by how much more it fell meanwhile, in micros: never more than rounding hides.
    """

    charged: int = 0
    drift: int = 0

    def after(self, fell: int, charged: int) -> "Agreement | None":
        """Return it after another quiet reading; None where that does not agree."""
        drift = self.drift + fell - charged
        return Agreement(self.charged + charged, drift) if abs(drift) <= ROUNDING else None


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
        agreed: how far the balance had agreed before the first.
        why_loose: what may have moved it, for people.
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
        """Check whether a purchase of ours shows that the balance is alive."""
        return self.charged > ROUNDING

    def verdict(self, price: int) -> Money:
        """Decide whether a doubt that costs so much may be in what the balance lost."""
        beside = self.fell - self.charged
        if self.loose or beside > ROUNDING + self.under_way or not self._would_show(price):
            return Money.OPEN
        if self.passing or self.under_way:
            return Money.PASSING
        return Money.CLEAR if beside >= -ROUNDING else Money.OPEN

    def why_open(self) -> str:
        """Return what stands in the way of a verdict that is open, for people."""
        beside = self.fell - self.charged
        if beside > ROUNDING + self.under_way:
            return "it fell by more than the known purchases"
        if self.loose:
            return self.why_loose
        if beside < -ROUNDING:
            return "it fell by less than the known purchases"
        return "it has matched too few purchases before to show a single one"

    def _would_show(self, price: int) -> bool:
        """Check whether the balance, as it was seen to move before, would show such a charge.

        For each dollar that was charged it may have fallen by as much less as rounding hid while it
        agreed. A price that is not known (0), or as small as what rounding hides, never shows.
        """
        hidden = (ROUNDING - self.agreed.drift) * (self.charged + price)
        return (price - 2 * ROUNDING) * self.agreed.charged > hidden
