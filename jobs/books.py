"""Whether the account's balance leaves room for a purchase that nobody knows of. Pure.

The balance is the second witness beside the list: what was made was charged. It counts from the
last *quiet* reading, while nothing was under way or in doubt, and only while it shows everything
that we know was charged.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ROUNDING: Final = 10_000
"""Micros by which a balance may be off that the provider shows in whole cents."""


class Money(StrEnum):
    """What the balance says of a doubt.

    Attributes:
        CLEAR: it fell by no more than what is known: nothing was charged for the doubt.
        OPEN: it fell by more, or it can't be told: the doubt may have been charged.
    """

    CLEAR = "clear"
    OPEN = "open"


class GivesBack(StrEnum):
    """Whether the provider gives back what a failed generation cost, as quiet readings showed."""

    NEVER = "never"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Books:
    """Two readings of the balance, and what happened between them as far as we know. In micros.

    Attributes:
        fell: by how much the balance fell from the first to the second.
        charged: what we know was charged to us meanwhile.
        refundable: the prices of generations of ours that failed meanwhile: perhaps given back.
        gives_back: whether the provider gives those back, where that was seen.
        foreign: what others' generations cost at least that the list shows since.
    """

    fell: int
    charged: int
    refundable: int = 0
    foreign: int = 0
    gives_back: GivesBack | None = None

    @property
    def moved(self) -> bool:
        """Check whether a purchase of ours shows that the balance is alive."""
        return self.charged > 0

    def verdict(self, price: int) -> Money:
        """Decide whether a doubt that costs so much at least may be in what the balance lost."""
        most = 0 if self.gives_back is GivesBack.NEVER else self.refundable
        unexplained = self.fell - self.charged
        if unexplained < -(most + ROUNDING):
            return Money.OPEN  # somebody paid money in, or it lags behind: it hides what was taken
        return (
            Money.OPEN if unexplained + most - self.foreign >= max(price // 2, 1) else Money.CLEAR
        )

    def seen_giving_back(self) -> GivesBack | None:
        """Tell from two quiet readings whether failures were given back; None where it can't be."""
        unexplained = self.fell - self.charged
        if self.refundable <= ROUNDING:
            return None
        if abs(unexplained) <= ROUNDING:
            return GivesBack.NEVER
        return GivesBack.ALWAYS if abs(unexplained + self.refundable) <= ROUNDING else None
