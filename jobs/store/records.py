"""The rows that the store reads, where no value of a port or of the engine is read directly.

A field stands for a column, in the order of the statement, and is ``None`` only where its column
may be ``NULL`` there: names are checked when a statement is first run, types in
``tests/unit/test_store_rows.py``. Named tuples, because a claim makes thousands of them in a turn:
they cost what the driver's own rows cost. What a job asks for is a row itself (``asked``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ..model.spec import AskedRow


@dataclass(frozen=True, slots=True)
class QuietReading:
    """The last reading of the balance, in micros, while nothing was under way or in doubt.

    Attributes:
        charged: what had been charged in all by then, in micros.
        at: when, by our clock.
        theirs: when, by the provider's clock; None: unknown.
    """

    balance: int
    charged: int
    at: datetime
    theirs: datetime | None


class AccountRow(NamedTuple):
    """What decisions need of the account's one row (:class:`jobs.database.tables.Account`)."""

    api_origin: str | None
    token_salt: str | None
    token_hash: str | None
    floor_micros: int
    balance_micros: int | None
    first_balance_micros: int | None
    first_charged_micros: int | None
    list_lags: dict[str, float]
    quiet_balance_micros: int | None
    quiet_charged_micros: int | None
    quiet_at: datetime | None
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

    @property
    def quiet(self) -> QuietReading | None:
        """Return the last quiet reading; None: there was none yet."""
        balance, charged, at = self.quiet_balance_micros, self.quiet_charged_micros, self.quiet_at
        if balance is None or charged is None or at is None:
            return None
        return QuietReading(balance, charged, at, self.quiet_theirs)


class ServedBatch(NamedTuple):
    """A batch that is claimed from, and the terms on which its jobs are bought."""

    id: int
    max_price_micros: int | None
    of_manifest: bool


class PausableBatch(NamedTuple):
    """A batch that may be paused."""

    id: int
    paused: bool


class AttemptRow(NamedTuple):
    """What a transition needs of an attempt, its job and its kind's price.

    Attributes:
        batch_id: under whose budgets it was reserved.
        job_batch_id: whose row it is.
        current_attempt: the one that its job has by now.
        source: of its job's batch; None: single videos.
        last_micros: of its kind's price, as all from here on; None: nothing is known of that.
    """

    id: int
    job_id: int
    state: str
    kind: str
    hold_micros: int
    price_micros: int | None
    day: str
    fingerprint: str | None
    batch_id: int
    job_batch_id: int
    campaign: str | None
    current_attempt: int | None
    job_state: str
    error_kind: str | None
    retries: int
    job_key: str
    source: str | None
    last_micros: int | None
    highest_micros: int | None
    price_source: str | None
    price_seen_at: datetime | None
    odd_micros: int | None
    odd_at: datetime | None


class LastAttempt(NamedTuple):
    """What an attempt asked for, and under which key."""

    id: int
    idempotency_key: str
    fingerprint: str | None
    request_key: str | None


class PastAttempt(NamedTuple):
    """An earlier attempt of a row, or of one that asks for the same."""

    id: int
    job_id: int
    state: str
    fingerprint: str | None
    request_key: str | None
    generation_id: str | None
    error: str | None
    intent_at: datetime
    ended_at: datetime | None


class VoidAttempt(NamedTuple):
    """What counts as never made, what it was made for and how that was spelled, and its row."""

    id: int
    job_id: int
    made_for: str
    sent_as: str | None
    batch_id: int
    in_manifest: bool
    state: str
    held_back: str | None
    removed_at: datetime | None
    asked: AskedRow


class SurplusAttempt(NamedTuple):
    """An attempt that is paid for twice, and that no row has."""

    id: int
    state: str
    price_micros: int
    video_url: str | None


class TimedAttempt(NamedTuple):
    """The provider's time of a generation, and ours: they show how far the clocks are apart."""

    created_at: datetime
    intent_at: datetime
    accepted_at: datetime


class UnsettledAttempt(NamedTuple):
    """An attempt that is under way or in doubt, and what readings of the balance showed of it."""

    id: int
    state: str
    hold_micros: int
    cut_off: bool
    seen_charged: bool


class EstimatedAttempt(NamedTuple):
    """A generation without a price in its answer, and what its kind cost last; None: unknown."""

    price_micros: int
    hold_micros: int
    last_micros: int | None
    cut_off: bool
    seen_charged: bool


class PendingCharge(NamedTuple):
    """A generation that has not ended and may be refunded; not if it is ``forgotten``."""

    generation_id: str
    overdue_at: datetime | None
    forgotten: bool


class VoidOnWord(NamedTuple):
    """An attempt that a person called never made."""

    id: int
    hold_micros: int
    doubt_since: datetime
    doubt_clock: str | None


class QueuedJob(NamedTuple):
    """A job that may be bought: what the claim decides by, and sends."""

    id: int
    batch_id: int
    key: str
    asked: AskedRow
    campaign: str | None
    attempt_id: int | None
    overruled_at: datetime | None
    held_back: str | None
    handed: bool
    named: bool


class AskedJob(NamedTuple):
    """A job, what it asks for (and its manifest, if that differs), and what is known about it."""

    id: int
    batch_id: int
    campaign: str | None
    manifest_fingerprint: str | None
    asked: AskedRow
    held_back: str | None
    held_back_by: str | None
    overruled_at: datetime | None


class JobTerms(NamedTuple):
    """What decides whether queued jobs have room: one for all that are the same."""

    batch_id: int
    kind: str
    campaign: str | None
    paused: bool
    max_price_micros: int | None


class LoadedJob(NamedTuple):
    """A job that a load compares with the manifest.

    Attributes:
        paid: it has a video, or anything was sent for it that may have been made.
        left: something of it may still become a video.
    """

    id: int
    key: str
    key_from_content: bool
    row: int
    asked: AskedRow
    campaign: str | None
    priority: int
    cells: dict[str, str]
    manifest_fingerprint: str | None
    in_manifest: bool
    state: str
    attempt_id: int | None
    retries: int
    due_at: datetime | None
    held_back: str | None
    held_back_by: str | None
    held_beneath: str | None
    overruled_at: datetime | None
    handed: bool
    named: bool
    video_url: str | None
    error_kind: str | None
    error: str | None
    completed_at: datetime | None
    paid: bool
    left: bool


class MovedJob(NamedTuple):
    """A job whose key is gone from its manifest, or asks for something else there.

    Attributes:
        left: it has a video, or something of it may still become one.
        absent: its key is gone.
    """

    id: int
    key: str
    row: int
    manifest_fingerprint: str | None
    asked: AskedRow
    left: bool
    absent: bool
