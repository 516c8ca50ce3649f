"""What the engine asks of its store about the account: its owner, and what its balance shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ..evidence.books import SHOWN_WITHIN
from ..evidence.ours import Acceptance
from ..evidence.suspects import ClockOffset
from ..model.clock import Moment


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whether the generations that a store holds are those of an API and a token."""

    ours: bool | None  # None, as origin, while the store is not bound to any
    origin: str | None
    witnesses: Sequence[str] = ()  # our newest: a token of the same account knows one
    unsettled: bool = False  # if not ours: attempts may have generations unknown to us


@dataclass(frozen=True, slots=True)
class Listed:
    """Attempts of ours in the list, by generation id; the provider's times against our clock."""

    known: Mapping[str, Acceptance]
    offset: ClockOffset


@dataclass(frozen=True, slots=True)
class BalanceRead:
    """One answer to a request for the balance, in micros."""

    balance: int
    mark: int  # AccountStore.charged just before the request was made
    at: datetime  # when the answer came
    ahead: timedelta | None = None  # of the provider's clock over ours; None: unknown
    began: Moment | None = None  # when the request was made; None: when the answer came
    grace: timedelta = SHOWN_WITHIN  # how long a lost submission may still be made


class AccountStore(Protocol):
    """The account of a job table."""

    def ownership(self, origin: str, token: str) -> Ownership:
        """Check whether the generations are those of an API and a token."""

    async def bind(self, origin: str, token: str) -> None:
        """Bind the store to an API and a token; of the token only a keyed hash is kept."""

    def charged(self) -> int:
        """Return what was ever charged, in micros: the mark to take before the balance is read."""

    async def record_balance(self, read: BalanceRead) -> bool:
        """Keep a reading of the balance, which limits what is bought from now on.

        Returns whether nothing was under way or charged meanwhile: it then shows if a doubt was
        charged.
        """

    def covers_holds(self) -> bool:
        """Check whether the last reading covers all that is held or was charged since it began."""

    def list_lag(self, family: str) -> float | None:
        """Return the longest time a family's list took to show an acceptance, in seconds."""

    def listed(self, generation_ids: Sequence[str]) -> Listed:
        """Find which generations of the account's list are attempts of ours."""
