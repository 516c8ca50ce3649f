"""Rows that people and the application ask for."""

from datetime import datetime
from typing import Any, NamedTuple


class JobView(NamedTuple):
    """A job with its batch, its last attempt, its file, and what a person thinks of its video.

    Attributes:
        batch: its name.
        served: a runner buys it, or brings it to its end.
        attempt_state: of its last attempt, as all from here to ``intent_at``; None: it has none.
        file: where its file is, or will be.
        sha256: of its file; None: it is not here.
        verdict: of :class:`jobs.store.reviews.Verdict`; None: nobody said.
    """

    id: int
    batch_id: int
    key: str
    key_from_content: bool
    row: int
    fingerprint: str
    manifest_fingerprint: str | None
    kind: str
    prompt: str
    orientation: str
    duration: int
    image: dict[str, Any] | None
    callback_url: str | None
    campaign: str | None
    priority: int
    in_manifest: bool
    cells: dict[str, str]
    state: str
    attempt_id: int | None
    attempts: int
    retries: int
    due_at: datetime | None
    held_back: str | None
    held_back_by: str | None
    held_beneath: str | None
    overruled_at: datetime | None
    handed: bool
    charged_micros: int
    video_url: str | None
    error_kind: str | None
    error: str | None
    created_at: datetime
    submitted_at: datetime | None
    completed_at: datetime | None
    filed_attempt_id: int | None
    named: bool
    batch: str
    paused: bool
    served: bool
    attempt_state: str | None
    generation_id: str | None
    attempt_kind: str | None
    percent: int | None
    queue_position: int | None
    said_state: str | None
    hold_micros: int | None
    attempt_price: int | None
    attempt_error: str | None
    intent_at: datetime | None
    file: str | None
    sha256: str | None
    download_error: str | None
    verdict: str | None


class AttemptView(NamedTuple):
    """An attempt (:class:`jobs.tables.Attempt`)."""

    id: int
    job_id: int
    state: str
    idempotency_key: str
    kind: str
    prompt: str
    hold_micros: int
    day: str
    intent_at: datetime
    send_before: datetime
    doubt_since: datetime | None
    generation_id: str | None
    price_micros: int | None
    price_estimated: bool
    accepted_at: datetime | None
    next_look_at: datetime | None
    overdue_at: datetime | None
    percent: int | None
    queue_position: int | None
    ended_at: datetime | None
    error: str | None
    fingerprint: str | None
    prompt_key: str | None
    created_at: datetime | None
    candidates: list[dict[str, Any]] | None
    refunded_micros: int
    batch_id: int | None
    campaign: str | None
    said_state: str | None
    doubt_clock: str | None
    unproven: str | None
    video_url: str | None
    void_on_word: bool
    cut_off: bool
    seen_charged: bool
    request_key: str | None


class DoubtView(NamedTuple):
    """An attempt in doubt, with its job's key and what it could be."""

    job_id: int
    key: str
    intent_at: datetime
    doubt_since: datetime | None
    error: str | None
    unproven: str | None
    hold_micros: int
    candidates: list[dict[str, Any]] | None


class FailureGroup(NamedTuple):
    """Jobs that failed in the same words, and the first one's key."""

    error_kind: str
    error: str | None
    jobs: int
    charged_micros: int
    example: str


class WantedCount(NamedTuple):
    """How many jobs of a manifest stand alike."""

    state: str
    held_back: str | None
    kind: str
    campaign: str | None
    jobs: int


class KindCount(NamedTuple):
    """How many wanted videos have a price kind and a campaign."""

    kind: str
    campaign: str | None
    jobs: int


class QueuedKind(NamedTuple):
    """A queued job and its price kind."""

    id: int
    kind: str


class OwnedGeneration(NamedTuple):
    """The attempt that has a generation, with its job's key and its batch's name."""

    id: int
    key: str
    batch: str


class EndedCount(NamedTuple):
    """What ended in a while; ``number``: of such whiles since 1970."""

    number: int
    completed: int
    failed: int
    charged: int


class SpanCount(NamedTuple):
    """How many jobs took so many spans of time."""

    number: int
    jobs: int


class TakenTime(NamedTuple):
    """How long a job took from submission to completion."""

    key: str
    seconds: float


class KindJobs(NamedTuple):
    """How many queued jobs have a price kind."""

    kind: str
    jobs: int


class FilePlace(NamedTuple):
    """A job whose file is here, and the attempt that it is of."""

    id: int
    attempt_id: int
    path: str
    bytes: int


class VerdictRow(NamedTuple):
    """What a person thinks of an attempt's video."""

    attempt_id: int
    verdict: str


class PaidTwice(NamedTuple):
    """A generation that a batch paid for twice, and its job's key."""

    generation_id: str
    price_micros: int
    key: str


class FileView(NamedTuple):
    """A file that is here, with its job's key."""

    attempt_id: int
    job_id: int
    path: str
    bytes: int
    sha256: str
    key: str
