"""The timeline of a batch in figures: its bar, what ended when, how long videos took."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobs.model.ledger import Budget
from jobs.model.states import JobState
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchStatus, Bucket

POINTS: Final = 240  # points of a plot, about
SPANS: Final = (60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)
"""Seconds that a point of a plot may stand for."""

LENGTH: Final = 30  # seconds of a bar in the plot of durations


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a bar."""

    state: str  # names its colour
    count: int  # of jobs
    percent: float  # of the width


def shares(batch: BatchStatus) -> list[Share]:
    """Return the parts of a batch's bar by state, finished ones first."""
    order = (
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.IN_DOUBT,
        JobState.PROCESSING,
        JobState.PENDING,
        JobState.SUBMITTING,
        JobState.QUEUED,
        JobState.CANCELLED,
    )
    total = max(1, batch.total)
    return [
        Share(state, batch.jobs[state], 100 * batch.jobs[state] / total)
        for state in order
        if batch.jobs[state]
    ]


def used_percent(budget: Budget) -> float:
    """Return how much of a cap is spent or reserved, for its bar."""
    if not budget.cap:
        return 0.0
    return min(100.0, 100 * budget.used / budget.cap)


@dataclass(frozen=True, slots=True)
class Course:
    """What ended when, in columns."""

    seconds: int = SPANS[0]  # of each span
    # when each span begins, in seconds since 1970, also of empty ones
    at: Sequence[int] = ()
    completed: Sequence[int] = ()  # jobs of each span
    failed: Sequence[int] = ()  # jobs of each span
    spent: Sequence[float] = ()  # USD up to the end of each span
    # of durations, by :data:`LENGTH` seconds: where each begins, and its videos
    durations: Sequence[tuple[int, int]] = ()


def course_of(seen: QueryStore, batch_id: int) -> Course:
    """Return the timeline of a batch."""
    ended = seen.ended_span(batch_id)
    if ended is None:
        return Course()
    length = (ended[1] - ended[0]).total_seconds()
    seconds = next((one for one in SPANS if length / one <= POINTS), SPANS[-1])
    durations = _filled(seen.durations(batch_id, LENGTH))
    return _columns(seen.course(batch_id, seconds), seconds, durations)


def _filled(durations: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Add the lengths in between that no video has."""
    if not (found := dict(durations)):
        return []
    between = range(min(found), max(found) + LENGTH, LENGTH)
    return [(length, found.get(length, 0)) for length in between]


def _columns(
    buckets: Sequence[Bucket], seconds: int, durations: Sequence[tuple[int, int]]
) -> Course:
    """Return time spans as columns: spending adds up, and empty spans are included."""
    if not buckets:
        return Course(seconds, durations=durations)
    found = {round(bucket.at.timestamp()): bucket for bucket in buckets}
    at = list(range(min(found), max(found) + seconds, seconds))
    spent, total = [], 0
    for moment in at:
        total += found[moment].charged if moment in found else 0
        spent.append(total / 1_000_000)
    return Course(
        seconds,
        at,
        [found[moment].completed if moment in found else 0 for moment in at],
        [found[moment].failed if moment in found else 0 for moment in at],
        spent,
        durations,
    )
