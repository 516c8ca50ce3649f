"""Rows of attempts, as the engine asks for them."""

from datetime import datetime
from typing import Any, NamedTuple

from ...model.spec import AskedRow


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


class UnsettledTwin(NamedTuple):
    """What an attempt of the same prompt asked for whose outcome is not known."""

    fingerprint: str | None
    request_key: str | None


class LastAttempt(NamedTuple):
    """The last attempt of a job that is about to be bought."""

    id: int
    idempotency_key: str
    fingerprint: str | None


class NumberedState(NamedTuple):
    """An attempt's number and state."""

    id: int
    state: str


class SentAt(NamedTuple):
    """An attempt's number, and when its intent was written."""

    id: int
    intent_at: datetime


class SentSince(NamedTuple):
    """What another batch has sent since a run began."""

    id: int
    state: str
    generation_id: str | None
    intent_at: datetime


class VoidAttempt(NamedTuple):
    """What counts as never made, and the row that it is.

    Attributes:
        made_for: the request of the attempt; the row may ask for another by now.
        sent_as: the fingerprint of the attempt: how it was spelled.
    """

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


class FailedAttempt(NamedTuple):
    """The last attempt of a row that was made or refused."""

    id: int
    state: str
    request_key: str | None
    fingerprint: str | None
    error: str | None
    ended_at: datetime | None


class OpenAttempt(NamedTuple):
    """An attempt whose POST was under way when the runner ended."""

    id: int
    intent_at: datetime
    send_before: datetime


class LastSigns(NamedTuple):
    """When a run that ended was last seen at work."""

    intent: datetime | None
    accepted: datetime | None


class VoidsBefore(NamedTuple):
    """How many voids a job has, and when the intent of the last one was written."""

    voids: int
    intent_at: datetime


class RefusedAttempt(NamedTuple):
    """Whose answer it is, and what was asked for."""

    job_id: int
    fingerprint: str | None
    intent_at: datetime


class EarlierAttempt(NamedTuple):
    """An earlier attempt for the same request."""

    id: int
    state: str
    error: str | None
    ended_at: datetime | None
    intent_at: datetime


class EarlierRefusal(NamedTuple):
    """An earlier attempt for the same request that was refused."""

    id: int
    error: str | None
    intent_at: datetime


class SuspectAttempt(NamedTuple):
    """An attempt whose generation may be in the account under an id we do not know.

    Attributes:
        request_key: None: it is older than the column, and an upgrade could not tell it.
        price: what it would have cost, in micros; None: nothing is known of its kind's price.
        replaced_at: when the intent of a void's replacement was written; None: it has none.
    """

    id: int
    state: str
    prompt: str
    request_key: str | None
    intent_at: datetime
    send_before: datetime
    doubt_since: datetime | None
    ended_at: datetime | None
    candidates: list[dict[str, Any]] | None
    unproven: str | None
    price: int | None
    replaced_at: datetime | None


class ServedDoubt(NamedTuple):
    """An attempt in doubt, and whether a runner serves its job."""

    id: int
    served: bool


class TimedAttempt(NamedTuple):
    """The provider's time of a generation, and ours: what tells how far the clocks are apart."""

    created_at: datetime
    intent_at: datetime
    accepted_at: datetime


class AcceptedAttempt(NamedTuple):
    """A generation of ours that the account's list must show."""

    id: int
    generation_id: str
    prompt: str
    idempotency_key: str
    intent_at: datetime
    accepted_at: datetime | None
    created_at: datetime | None


class BoughtAttempt(NamedTuple):
    """A generation, and since when the account's list must show it."""

    id: int
    generation_id: str
    at: datetime


class UnsettledAttempt(NamedTuple):
    """An attempt that is under way or in doubt, and what readings of the balance showed of it."""

    id: int
    state: str
    hold_micros: int
    cut_off: bool
    seen_charged: bool


class EstimatedAttempt(NamedTuple):
    """A generation whose price no answer told.

    Attributes:
        last_micros: what its kind cost last; None: nobody knows.
    """

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


class PaidAttempt(NamedTuple):
    """A generation that is paid for, or may be, and its row's batch.

    Attributes:
        filed_attempt_id: the attempt whose file its row has.
    """

    id: int
    generation_id: str | None
    request_key: str
    intent_at: datetime
    video_url: str | None
    name: str
    filed_attempt_id: int | None


class OwnVideo(NamedTuple):
    """A video that a queued row has of what it asks for: it was edited, and edited back."""

    job: int
    batch: int
    fingerprint: str
    id: int
    generation_id: str | None
    request_key: str | None
    intent_at: datetime
    video_url: str | None
    name: str
    filed_attempt_id: int | None


class NewestKnown(NamedTuple):
    """When a known generation of a row's prompt was sent, and created by the provider's clock."""

    job_id: int
    prompt: str
    sent_at: datetime | None
    created_at: datetime | None


class PromptSent(NamedTuple):
    """A prompt, and when an attempt of it was sent."""

    prompt: str
    intent_at: datetime


class MadeFor(NamedTuple):
    """What an attempt was made for; the key is None if an upgrade could not tell it."""

    request_key: str | None
    prompt: str


class NamedGeneration(NamedTuple):
    """An attempt, and its generation."""

    id: int
    generation_id: str
