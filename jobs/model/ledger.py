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
    """The running totals of one cap, in micros."""

    key: str
    cap: int | None  # None when there is no cap
    charged: int  # what the provider took, gross over the cap's lifetime
    held: int  # what open and doubtful attempts may still cost
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
        """Return how much may still be held; None: no cap."""
        return None if self.cap is None else self.cap - self.used


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
