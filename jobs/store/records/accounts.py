"""Rows of the account, its budgets and prices, and of batches."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class QuietReading:
    """The last reading of the balance while nothing was under way or in doubt.

    Attributes:
        balance: in micros.
        charged: what had been charged in all by then, in micros.
        at: when, by our clock.
        theirs: when, by the provider's clock; None: unknown.
    """

    balance: int
    charged: int
    at: datetime
    theirs: datetime | None


class AccountRow(NamedTuple):
    """The one row of the account (:class:`jobs.database.tables.Account`)."""

    id: int
    api_origin: str | None
    token_salt: str | None
    token_hash: str | None
    floor_micros: int
    balance_micros: int | None
    balance_at: datetime | None
    time_zone: str
    first_balance_micros: int | None
    first_balance_at: datetime | None
    first_charged_micros: int | None
    host: str | None
    run_id: str | None
    run_at: datetime | None
    list_lag: float | None
    quiet_balance_micros: int | None
    quiet_charged_micros: int | None
    quiet_at: datetime | None
    serving: bool
    quiet_theirs: datetime | None
    quiet_attempt: int | None
    quiet_mishaps: int | None
    agreed_micros: int
    drift_micros: int
    unsteady_at: datetime | None
    unsteady_ours: datetime | None
    exceeded: bool
    cut_off_micros: int
    cut_off_attempt: int | None
    seal: str | None

    @property
    def quiet(self) -> QuietReading | None:
        """Return the last quiet reading; None: there was none yet."""
        balance, charged, at = self.quiet_balance_micros, self.quiet_charged_micros, self.quiet_at
        if balance is None or charged is None or at is None:
            return None
        return QuietReading(balance, charged, at, self.quiet_theirs)


class BudgetRow(NamedTuple):
    """A budget's totals."""

    key: str
    cap_micros: int | None
    charged_micros: int
    held_micros: int
    refunded_micros: int


class BudgetCap(NamedTuple):
    """A budget's key and cap."""

    key: str
    cap_micros: int | None


class PriceRow(NamedTuple):
    """What is known of a kind's price (:class:`jobs.database.tables.Price`)."""

    kind: str
    last_micros: int
    highest_micros: int
    source: str
    seen_at: datetime
    odd_micros: int | None
    odd_at: datetime | None


class ServedBatch(NamedTuple):
    """A batch that is claimed from, and the terms on which its jobs are bought."""

    id: int
    max_price_micros: int | None
    of_manifest: bool


class PausableBatch(NamedTuple):
    """A batch that may be paused."""

    id: int
    paused: bool


class WaitingBatch(NamedTuple):
    """A batch, and what it waits for, for people."""

    id: int
    waiting_for: str | None


class StateCount(NamedTuple):
    """How many jobs are in a state."""

    state: str
    jobs: int
