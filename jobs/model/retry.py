"""Which failures are retried automatically, and when. Pure.

Only what the provider broke is bought again: a refused prompt or image would be refused again, and
an overdue generation may still finish (design.md, *Failure kinds*).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from .states import AttemptState, FailureKind, JobState

RETRIED = frozenset({FailureKind.SYSTEM, FailureKind.TIMEOUT})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to retry a job, and the most seconds of the first delay (doubled) and of any."""

    retries: int
    base: float = 30.0
    ceiling: float = 900.0

    def decide(
        self, kind: FailureKind, retries_so_far: int, chance: random.Random
    ) -> timedelta | None:
        """Return the delay after which to try again; None when the failure is final."""
        if kind not in RETRIED or retries_so_far >= self.retries:
            return None
        return timedelta(seconds=full_jitter(self.base, self.ceiling, retries_so_far, chance))


def full_jitter(base: float, ceiling: float, step: int, chance: random.Random) -> float:
    """Draw a delay in seconds: anything up to the doubled base, capped.

    It spreads clients that failed together (AWS Architecture Blog, "Exponential Backoff And
    Jitter").
    """
    return chance.uniform(0, min(ceiling, base * 2 ** min(step, 32)))


class WhyNot(StrEnum):
    """Why a job is not bought again, or its attempt not given up."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    UNDER_WAY = "under_way"
    YOUNG = "young"
    UNENDED = "unended"
    ENDED = "ended"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a job decides."""

    state: JobState
    held_back: bool = False  # no runner buys it, although it is queued
    in_manifest: bool = True
    live: AttemptState | None = None  # the state of its unsettled attempt; None: there is none
    live_id: int | None = None
    accepted_at: datetime | None = None
    paid: int = 0  # what that attempt costs, in micros


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a generation must have been waited for before a person may give it up."""

    now: datetime
    waits: timedelta
    next_step: str = ""  # what its row then says can be done


_AGAIN: Final[Mapping[JobState, WhyNot | None]] = {
    JobState.QUEUED: WhyNot.QUEUED,  # unless it is held back
    JobState.SUBMITTING: WhyNot.SUBMITTING,
    JobState.IN_DOUBT: WhyNot.IN_DOUBT,
    JobState.PENDING: WhyNot.UNDER_WAY,
    JobState.PROCESSING: WhyNot.UNDER_WAY,
    JobState.COMPLETED: WhyNot.COMPLETED,
    JobState.FAILED: None,
    JobState.CANCELLED: None,
}
_GIVEN_UP: Final = {
    **_AGAIN,  # in doubt nobody knows what there is to give up: resolve
    JobState.PENDING: None,
    JobState.PROCESSING: None,
    JobState.CANCELLED: WhyNot.CANCELLED,
}


def why_not_again(job: Standing, give_up: Patience | None = None) -> WhyNot | None:
    """Return why a job may not be bought again, after giving its attempt up; None if it may."""
    reason = _AGAIN[job.state]
    if job.state is JobState.QUEUED and job.held_back:
        reason = None
    elif reason is None and job.live is not None:
        reason = WhyNot.UNENDED
    if give_up is not None and reason in (WhyNot.UNENDED, WhyNot.UNDER_WAY):
        reason = why_not_given_up(job, give_up)
    if reason is None and not job.in_manifest:
        return WhyNot.GONE
    return reason


def why_not_given_up(job: Standing, patience: Patience) -> WhyNot | None:
    """Return why a job's attempt may not be given up; None if it may.

    Only what was accepted and has not ended, and only after waiting: a video that takes its usual
    time is not bought twice by a person in a hurry.
    """
    reason = _GIVEN_UP[job.state]
    if reason is not None:
        return reason
    if job.live is not AttemptState.ACCEPTED:
        return WhyNot.ENDED
    waited = None if job.accepted_at is None else patience.now - job.accepted_at
    if job.state is not JobState.FAILED and (waited is None or waited < patience.waits):
        return WhyNot.YOUNG
    return None
