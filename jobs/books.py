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
        unsettled: what submissions under way or in doubt may have cost at most.
        failed: the prices of generations of ours that failed meanwhile: perhaps given back.
        foreign: what others' generations that the list shows since cost, at least and at most.
        gives_back: whether the provider gives failures back, where that was seen.
    """

    fell: int
    charged: int
    unsettled: int
    failed: int = 0
    foreign: tuple[int, int] = (0, 0)
    gives_back: GivesBack | None = None

    @property
    def moved(self) -> bool:
        """Check whether a purchase of ours shows that the balance is alive."""
        return self.charged > 0

    def verdict(self, price: int) -> Money:
        """Decide whether a doubt that costs so much at least may be in what the balance lost.

        What was taken beside what we know depends on whether failures were given back. A way that
        leaves more than the doubts and the others could have cost, or less than nothing, is not
        what happened: then money was paid in, or the balance lags behind. Where no way is left,
        nothing can be told.
        """
        least, most = self.foreign
        ways = [
            taken
            for taken in self._taken()
            if -ROUNDING <= taken <= self.unsettled + most + ROUNDING
        ]
        if not ways or any(taken - least >= max(price // 2, 1) for taken in ways):
            return Money.OPEN
        return Money.CLEAR

    def _taken(self) -> set[int]:
        """Return what was taken beside what we know, for each way to deal with failures."""
        kept, given = self.fell - self.charged, self.fell - self.charged + self.failed
        ways = {GivesBack.NEVER: {kept}, GivesBack.ALWAYS: {given}}
        return {kept, given} if self.gives_back is None else ways[self.gives_back]

    def seen_giving_back(self) -> GivesBack | None:
        """Tell from two quiet readings whether failures were given back; None where it can't be."""
        if self.failed <= ROUNDING:
            return None
        kept = self.fell - self.charged
        if abs(kept) <= ROUNDING:
            return GivesBack.NEVER
        return GivesBack.ALWAYS if abs(kept + self.failed) <= ROUNDING else None
