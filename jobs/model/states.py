"""The states of jobs and attempts, and every legal transition, as literal tables.

``docs/design.md`` draws its diagrams from them under a test; the store has one function per row.
Nothing else moves a job or an attempt (``tests/unit/test_state_moves.py``).
"""

from enum import StrEnum
from functools import cache
from typing import Final


class JobState(StrEnum):
    """Where one wanted video stands."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptState(StrEnum):
    """Where one paid submission of a job stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    VOID = "void"
    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"


class FailureKind(StrEnum):
    """Why a job failed (design.md, *Failure kinds*)."""

    VALIDATION = "validation"
    IMAGE = "image"
    CONTENT = "content"
    SYSTEM = "system"
    TIMEOUT = "timeout"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"
    NO_FILE = "no-file"


UNENDED: Final = (FailureKind.OVERDUE, FailureKind.UNKNOWN, FailureKind.NO_FILE)
"""Kinds as which our patience ends. The attempt stays ``accepted`` and may still end; an
``unknown`` failure that the provider told has ended: its attempt is ``failed``."""


class Blocked(StrEnum):
    """Why a queued job can't be bought now, in the words that batches and events keep."""

    PAUSED = "the pause of the batch"
    BATCH_CAP = "budget of the batch"
    CAMPAIGN_CAP = "budget of a campaign"
    DAY_CAP = "budget of the day"
    BALANCE = "balance"
    PRICE = "price above --max-price"
    LEARNING = "the first answer that tells a price"
    TWIN = "another job with the same prompt"
    DOUBTS = "unconfirmed rows that no list can settle"


class Reason(StrEnum):
    """Why a run ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    UNREACHABLE = "unreachable"
    TOKEN = "token"  # noqa: S105 - a reason, not a secret
    ADDRESS = "address"
    FUNDS = "funds"
    ACCOUNT = "account"
    ACCESS = "access"
    REQUEST = "request"
    UNDECIDED = "undecided"
    BLOCKED = "blocked"
    DATABASE = "database"


class HeldBack(StrEnum):
    """Why a queued job is bought by no runner until a person asks for it (money.md, *Consent*)."""

    UNASKED = "unasked"
    LEFT_OUT = "left_out"
    EXISTS = "exists"
    PAID_BEFORE = "paid_before"
    ELSEWHERE = "elsewhere"
    NOT_LOOKED = "not_looked"


ASKED_BY_NAME: Final = (HeldBack.UNASKED, HeldBack.LEFT_OUT)
"""Who names a batch to a run without a pick asks for these rows of it."""

FOUND: Final = tuple(reason for reason in HeldBack if reason not in ASKED_BY_NAME)
"""Rows that something was found about, or that were not looked for; a person or a look decides."""

NOTHING_FOUND: Final = (*ASKED_BY_NAME, HeldBack.NOT_LOOKED)
"""Reasons that say nothing of what there is already: a look that succeeds goes over them."""


JOB_TRANSITIONS: Final[tuple[tuple[JobState, str, JobState], ...]] = (
    (JobState.QUEUED, "claim", JobState.SUBMITTING),
    (JobState.QUEUED, "take_over", JobState.PENDING),
    (JobState.QUEUED, "share", JobState.COMPLETED),
    (JobState.QUEUED, "reappear", JobState.PENDING),
    (JobState.QUEUED, "late", JobState.COMPLETED),
    (JobState.QUEUED, "cancel", JobState.CANCELLED),
    (JobState.QUEUED, "revert", JobState.FAILED),
    (JobState.CANCELLED, "restore", JobState.QUEUED),
    (JobState.CANCELLED, "revert", JobState.FAILED),
    (JobState.CANCELLED, "reappear", JobState.PENDING),
    (JobState.CANCELLED, "late", JobState.COMPLETED),
    (JobState.SUBMITTING, "accept", JobState.PENDING),
    (JobState.SUBMITTING, "release", JobState.QUEUED),
    (JobState.SUBMITTING, "reject", JobState.FAILED),
    (JobState.SUBMITTING, "doubt", JobState.IN_DOUBT),
    (JobState.IN_DOUBT, "accept", JobState.PENDING),
    (JobState.IN_DOUBT, "adopt", JobState.PENDING),
    (JobState.IN_DOUBT, "void", JobState.QUEUED),
    (JobState.IN_DOUBT, "exhaust", JobState.FAILED),
    (JobState.PENDING, "progress", JobState.PROCESSING),
    (JobState.PENDING, "complete", JobState.COMPLETED),
    (JobState.PENDING, "fail", JobState.FAILED),
    (JobState.PENDING, "retry_later", JobState.QUEUED),
    (JobState.PENDING, "overdue", JobState.FAILED),
    (JobState.PENDING, "abandon", JobState.FAILED),
    (JobState.PROCESSING, "complete", JobState.COMPLETED),
    (JobState.PROCESSING, "fail", JobState.FAILED),
    (JobState.PROCESSING, "retry_later", JobState.QUEUED),
    (JobState.PROCESSING, "overdue", JobState.FAILED),
    (JobState.PROCESSING, "abandon", JobState.FAILED),
    (JobState.FAILED, "complete", JobState.COMPLETED),
    (JobState.FAILED, "late", JobState.COMPLETED),
    (JobState.FAILED, "reappear", JobState.PENDING),
    (JobState.FAILED, "redo", JobState.QUEUED),
    (JobState.FAILED, "put_back", JobState.QUEUED),
    (JobState.COMPLETED, "redo", JobState.QUEUED),
)
"""``(from, transition, to)``. ``failed → completed`` is a job given up, finished after all;
``revert``: its manifest asks again for what failed of it, as an edit was taken back."""

ATTEMPT_TRANSITIONS: Final[tuple[tuple[AttemptState, str, AttemptState], ...]] = (
    (AttemptState.OPEN, "accept", AttemptState.ACCEPTED),
    (AttemptState.OPEN, "release", AttemptState.REJECTED),
    (AttemptState.OPEN, "reject", AttemptState.REJECTED),
    (AttemptState.OPEN, "doubt", AttemptState.IN_DOUBT),
    (AttemptState.IN_DOUBT, "accept", AttemptState.ACCEPTED),
    (AttemptState.IN_DOUBT, "adopt", AttemptState.ACCEPTED),
    (AttemptState.IN_DOUBT, "void", AttemptState.VOID),
    (AttemptState.VOID, "reappear", AttemptState.ACCEPTED),
    (AttemptState.VOID, "surplus", AttemptState.ABANDONED),
    (AttemptState.ACCEPTED, "complete", AttemptState.COMPLETED),
    (AttemptState.ACCEPTED, "fail", AttemptState.FAILED),
    (AttemptState.ACCEPTED, "retry_later", AttemptState.FAILED),
    (AttemptState.ACCEPTED, "abandon", AttemptState.ABANDONED),
    (AttemptState.ABANDONED, "regain", AttemptState.ACCEPTED),
    (AttemptState.ABANDONED, "complete", AttemptState.COMPLETED),
    (AttemptState.ABANDONED, "fail", AttemptState.FAILED),
)
"""``(from, transition, to)``. An overdue job's attempt stays ``accepted``: it may still finish;
``regain``: what it counted as bought again in place of was not created."""

ATTEMPT_BEGINNINGS: Final[tuple[tuple[str, AttemptState], ...]] = (
    ("claim", AttemptState.OPEN),
    ("take_over", AttemptState.ACCEPTED),
)
"""``(transition of its job, state)``: how an attempt comes to be."""

LIVE_ATTEMPTS: Final = (AttemptState.OPEN, AttemptState.IN_DOUBT, AttemptState.ACCEPTED)
"""A job has at most one attempt in these states (a partial unique index holds it)."""


@cache
def sources(transition: str) -> tuple[JobState, ...]:
    """List the job states from which a transition may start."""
    return tuple(old for old, name, _ in JOB_TRANSITIONS if name == transition)


@cache
def attempt_sources(transition: str) -> tuple[AttemptState, ...]:
    """List the attempt states from which a transition may start."""
    return tuple(old for old, name, _ in ATTEMPT_TRANSITIONS if name == transition)


@cache
def target(transition: str) -> JobState:
    """Return the one job state to which a transition leads; ValueError: there is none.

    Raises:
        ValueError: there is no such transition.
    """
    (found,) = {new for _, name, new in JOB_TRANSITIONS if name == transition}
    return found


@cache
def attempt_target(transition: str) -> AttemptState:
    """Return the one attempt state to which a transition leads; ValueError: there is none.

    Raises:
        ValueError: there is no such transition.
    """
    (found,) = {new for _, name, new in ATTEMPT_TRANSITIONS if name == transition}
    return found


@cache
def attempt_beginning(transition: str) -> AttemptState:
    """Return the state in which a transition of its job makes an attempt; ValueError: none.

    Raises:
        ValueError: nothing begins by it.
    """
    (found,) = {state for name, state in ATTEMPT_BEGINNINGS if name == transition}
    return found
