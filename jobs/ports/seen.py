"""What queries return: frozen values, so that no row of the database leaves the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from ..model.ledger import Budget
from ..model.provider import GenerationRequest
from ..model.spec import AskedRow, asked_key, request_of
from ..model.states import AttemptState, HeldBack, JobState

SURPLUS: Final = "turned up after it had counted as never made and was bought again: paid for twice"
"""How the error of an attempt begins that is paid for although another one replaced it."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as it is kept."""

    id: int
    name: str
    source: str | None  # names the manifest; None: it has none
    columns: list[str]
    active: bool  # a runner serves it
    paused: bool
    max_price_micros: int | None  # the most that one video of it may cost; None: no limit
    waiting_for: str | None
    created_at: datetime
    refunds: str  # one of jobs.model.ledger.Refunds
    removed_at: datetime | None
    reading: dict[str, Any] | None  # of the manifest; and what was written (WRITTEN)
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """An attempt with an unknown outcome, and its job's key."""

    job_id: int
    key: str
    prompt: str
    intent_at: datetime
    doubt_since: datetime | None
    error: str | None
    unproven: str | None  # why the list could not settle it so far
    hold_micros: int
    candidates: list[dict[str, Any]] | None  # what it can't be told apart from


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """Progress and money of a batch, in micros; zero counts of states included.

    Attributes:
        active: a runner serves it, or has unfinished jobs of it.
        files_missing: completed jobs whose file is not here.
        twice: what was paid for twice (:mod:`jobs.store.latecomers`).
        held_back: queued jobs that no runner buys, by reason.
        doubts: the attempts in doubt, the oldest first.
    """

    id: int
    name: str
    source: str | None
    paused: bool
    active: bool
    waiting_for: str | None
    jobs: dict[str, int]
    failed_kinds: dict[str, int]
    files_missing: int
    money: Budget
    created_at: datetime
    archived_at: datetime | None = None
    campaigns: dict[str, Budget] = field(default_factory=dict)
    doubts: Sequence[DoubtRow] = ()
    held_back: Mapping[HeldBack, int] = field(default_factory=dict)
    twice: int = 0

    @property
    def held(self) -> int:
        """Count the queued jobs that no runner buys."""
        return sum(self.held_back.values())

    @property
    def total(self) -> int:
        """Count all jobs."""
        return sum(self.jobs.values())

    @property
    def left(self) -> int:
        """Count the jobs that are not at an end."""
        ends = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
        return self.total - sum(self.jobs[state] for state in ends)


class Unanswered(NamedTuple):
    """An attempt whose generation is not known."""

    kind: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job with its batch's name, its last attempt, its file and what a person thinks of it.

    The fields up to ``named`` are the job's own (:class:`jobs.database.tables.Job`).
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
    duration: int | None
    image: dict[str, Any] | None
    callback_url: str | None
    parameters: dict[str, Any]
    images: dict[str, Any]
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
    served: bool  # a running runner buys it
    attempt_state: str | None
    generation_id: str | None
    attempt_kind: str | None
    percent: int | None
    queue_position: int | None
    said_state: str | None
    hold_micros: int | None
    attempt_price: int | None  # what the last attempt was charged, in micros
    attempt_error: str | None
    intent_at: datetime | None
    file: str | None  # where its file is, or will be; it is here if sha256 is known
    sha256: str | None
    download_error: str | None
    verdict: str | None  # one of jobs.ports.selection.Verdict

    @property
    def asked(self) -> AskedRow:
        """Return the columns that say what it asks for."""
        return AskedRow(*(getattr(self, name) for name in AskedRow._fields))

    @property
    def request(self) -> GenerationRequest:
        """Return what it asks for."""
        return request_of(self.asked)

    @property
    def request_key(self) -> str:
        """Hash what it asks for, however its prompt is spelled."""
        return asked_key(self.asked)

    @property
    def is_unended(self) -> bool:
        """Check whether it failed for us, while its generation is paid for and may still finish."""
        return self.state == JobState.FAILED and self.attempt_state == AttemptState.ACCEPTED


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A paid submission of a job (:class:`jobs.database.tables.Attempt`)."""

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
    mark: str | None
    announced_as: str | None

    @property
    def is_surplus(self) -> bool:
        """Check whether it is paid for although another one replaced it."""
        return (self.error or "").startswith(SURPLUS)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs of one kind and the same words; ``example`` is the first one's key."""

    error_kind: str
    error: str | None
    jobs: int
    charged_micros: int
    example: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    """The owner of this database, where it was used last, and what was seen of the account."""

    api_origin: str | None
    token_salt: str | None
    token_hash: str | None  # of the token that it is bound to; None while it is not bound
    floor_micros: int  # minimum balance to leave in the account
    balance_micros: int | None
    balance_at: datetime | None
    time_zone: str
    host: str | None
    run_at: datetime | None
    serving: bool  # a runner takes what is handed over; a killed one may have left it so
    seal: str | None  # for whom what is kept here counts as consent (jobs.database.seal)


@dataclass(frozen=True, slots=True)
class PriceRow:
    """What a kind costs (:class:`jobs.database.tables.Price`), in micros."""

    kind: str
    last_micros: int
    highest_micros: int
    source: str
    seen_at: datetime
    odd_micros: int | None
    odd_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of jobs in their order; whether there are jobs before and after them."""

    jobs: Sequence[JobRow]
    earlier: bool
    later: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    """Jobs that ended within a span that begins at ``at``, and what it charged, in micros."""

    at: datetime
    completed: int
    failed: int
    charged: int


@dataclass(frozen=True, slots=True)
class Taken:
    """How many seconds videos took from submission to completion; the key of the slowest."""

    median: float
    longest: float
    slowest: str


@dataclass(slots=True)
class Part:
    """The states of some jobs of a batch, zeros included.

    ``held_back`` counts queued ones that no runner buys; ``files_missing`` completed ones.
    """

    jobs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, JobState), 0))
    held_back: dict[HeldBack, int] = field(default_factory=dict)
    files_missing: int = 0


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that may be bought: its number and its price kind."""

    id: int
    kind: str


class GenerationOwner(NamedTuple):
    """The attempt that a generation is, with its job's key and its batch's name."""

    id: int
    key: str
    batch: str


@dataclass(frozen=True, slots=True)
class FileRow:
    """A fetched file of an attempt, where it was put, and the job that has it."""

    attempt_id: int
    job_id: int
    path: str
    bytes: int
    sha256: str
    key: str


class PaidTwice(NamedTuple):
    """A generation that turned up after its job had been bought again, in micros."""

    batch: str
    key: str
    generation_id: str
    price_micros: int
