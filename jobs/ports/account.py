"""What the engine asks of its store about the account: its owner, and what its balance shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ..evidence.books import SHOWN_WITHIN
from ..evidence.suspects import ClockOffset
from ..evidence.witness import Acceptance
from ..model.clock import Moment


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whether the generations that a store holds are those of an API and a token.

    Attributes:
        ours: None, as ``origin``, while the store is not bound to any.
        witnesses: if not, our newest generations: a token that knows them is of the same account.
        unsettled: if not, there are attempts whose generation may be unknown to us.
    """

    ours: bool | None
    origin: str | None
    witnesses: Sequence[str] = ()
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """Attempts of ours in the list, by generation id; the provider's times against our clock."""

    known: Mapping[str, Acceptance]
    offset: ClockOffset


@dataclass(frozen=True, slots=True)
class BalanceRead:
    """One answer to a request for the balance, in micros.

    Attributes:
        mark: :meth:`AccountStore.charged` as of just before the request was made.
        at: when the answer came; ``began``: when the request was made; None: at ``at``.
        ahead: by how much the provider's clock is ahead of ours; None: unknown.
        grace: how long a lost submission may still be made.
    """

    balance: int
    mark: int
    at: datetime
    ahead: timedelta | None = None
    began: Moment | None = None
    grace: timedelta = SHOWN_WITHIN


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

    def list_lag(self) -> float | None:
        """Return the longest time the account's list took to show an acceptance, in seconds."""

    def listed(self, generation_ids: Sequence[str]) -> Listed:
        """Find which generations of the account's list are attempts of ours."""
