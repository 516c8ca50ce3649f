"""Settings of a run: rates, patience and retries, named like the options."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..evidence.looked_for import Wish
from ..model.money import Micros, to_micros
from ..model.retry import RetryPolicy
from ..model.words import Words

PRICE_CEILING = to_micros("1.00")
"""Held for the first generation of a kind without a known price, if no ceiling was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """Settings of one run.

    Attributes:
        max_in_flight: most unsettled attempts.
        rate: submissions per second; 0: no limit.
        poll_interval: seconds between two looks at a generation that may soon be done.
        generation_timeout: seconds after which an unfinished generation fails as ``overdue``.
        send_patience: seconds after its intent in which a POST may still leave.
        balance_interval: seconds between two readings of the balance while submitting.
        unreachable_patience: seconds without any answer after which a run ends, resumable.
        grace: seconds for which an attempt in doubt is looked for before it counts as never made.
        price_ceiling: micros to hold where no price is known.
        wait_for_funds: wait for money instead of ending without it.
        not_awaited: batches that were paused when the run began, and need not be resumed for its
            end.
        buys: False polls and settles what is there, and submits nothing.
        looked_at: when the account's list was searched before this run, if it was.
        looked_for: what was looked for then (:meth:`jobs.ports.adoption.Found.unchanged`); None:
            rows of the run's own batches are bought without that.
        callback_url: where the provider may announce the ends of rows that name no address.
    """

    max_in_flight: int
    rate: float
    poll_interval: float
    generation_timeout: float
    grace: float
    wait_for_funds: bool
    retry: RetryPolicy
    words: Words
    send_patience: float = 10.0
    balance_interval: float = 60.0
    unreachable_patience: float = 3600.0
    price_ceiling: Micros = PRICE_CEILING
    not_awaited: frozenset[int] = frozenset()
    buys: bool = True
    callback_url: str | None = None
    looked_at: datetime | None = None
    looked_for: Mapping[int, Wish] | None = None

    @property
    def send_within(self) -> timedelta:
        """Return the patience of an intent as a duration."""
        return timedelta(seconds=self.send_patience)
