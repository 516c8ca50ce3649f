"""The budget decision: is there room for one more hold under every cap? Pure.

Rule (money.md): what was charged, less what was refunded, plus what is held is at most the cap of
batch, campaign, day and account, decided inside the transaction that writes the intent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .states import FailureKind


class Scope(StrEnum):
    """What a cap is over."""

    BATCH = "batch"
    CAMPAIGN = "campaign"
    DAY = "day"
    ACCOUNT = "account"
    TWICE = "twice"
    """No cap: what a batch paid for twice, so that every command can show it at once."""


@dataclass(slots=True)
class Budget:
    """The running totals of one cap, in micros.

    Spent, less what of it was refunded, plus what is reserved, plus what is free, is the cap: the
    definition that every sum shown anywhere follows (money.md).
    """

    key: str
    cap: int | None  # None when there is no cap
    charged: int  # spent: what the provider took, with what it gave back
    held: int  # reserved: what open and doubtful attempts may still cost
    refunded: int = 0  # the part of charged that was refunded, by the batch's refunds setting

    @property
    def used(self) -> int:
        """Return how much of the cap is used up."""
        return self.charged - self.refunded + self.held

    @property
    def scope(self) -> Scope:
        """Return what the cap is over."""
        return Scope(self.key.partition(":")[0])

    @property
    def room(self) -> int | None:
        """Return how much may still be held; None: no cap. Below 0 after a higher price."""
        return None if self.cap is None else self.cap - self.used

    @property
    def free(self) -> int | None:
        """Return what is left of the cap, at least 0; None: no cap."""
        return None if self.room is None else max(0, self.room)


def together(budgets: Iterable[Budget]) -> Budget:
    """Add up budgets of one kind; without a cap where one of them has none."""
    some = list(budgets)
    caps = [one.cap for one in some if one.cap is not None]
    return Budget(
        key="",
        cap=sum(caps) if some and len(caps) == len(some) else None,
        charged=sum(one.charged for one in some),
        held=sum(one.held for one in some),
        refunded=sum(one.refunded for one in some),
    )


def batch_key(batch_id: int) -> str:
    """Name a batch's budget."""
    return f"{Scope.BATCH}:{batch_id}"


def campaign_key(batch_id: int, campaign: str) -> str:
    """Name the budget of a campaign, which belongs to one batch."""
    return f"{Scope.CAMPAIGN}:{batch_id}:{campaign}"


def day_key(day: str) -> str:
    """Name a day's budget; the day is an ISO date in the account's zone."""
    return f"{Scope.DAY}:{day}"


def twice_key(batch_id: int) -> str:
    """Name where is kept what a batch paid for twice."""
    return f"{Scope.TWICE}:{batch_id}"


ACCOUNT_KEY = str(Scope.ACCOUNT)


class Refunds(StrEnum):
    """Which failed generations the account is known to get its money back for."""

    NONE = "none"
    SYSTEM = "system"
    ALL = "all"

    def covers(self, kind: FailureKind) -> bool:
        """Return whether a failure of this kind is refunded."""
        own = kind in (FailureKind.SYSTEM, FailureKind.TIMEOUT)
        return self is Refunds.ALL or (self is Refunds.SYSTEM and own)


def keys_of(batch_id: int, campaign: str | None, day: str) -> tuple[str, ...]:
    """Name every budget that an attempt counts in."""
    campaigns = () if campaign is None else (campaign_key(batch_id, campaign),)
    return (batch_key(batch_id), *campaigns, day_key(day), ACCOUNT_KEY)


def without_room(budgets: Iterable[Budget], hold: int) -> Budget | None:
    """Find the first budget that a hold would overrun, the narrowest named first."""
    for budget in budgets:
        room = budget.room
        if room is not None and hold > room:
            return budget
    return None
