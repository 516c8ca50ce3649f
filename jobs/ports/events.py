"""Events: what happened, in the order in which it became durable.

An event is written in the transaction of the change, so that none is missing after a crash and none
reports what was rolled back: by triggers for jobs (:mod:`jobs.database.triggers`), whoever moves
one, by :mod:`jobs.store.events` for batches and runs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from ..model.money import Micros
from ..model.states import Blocked, FailureKind, Reason

KEPT: Final = 200_000
"""Least number of events that are kept: older ones are deleted when a run takes over."""


class JobFact(StrEnum):
    """What happened to a job.

    ``accepted``: the provider took its request, and charged it. ``unconfirmed``: it is unknown
    whether it did. ``found``: a generation turned out to be the job's. ``never_made``: an
    unconfirmed request came to nothing. ``paid_twice``: one that counted as that turned up after
    its job was bought again. ``retrying``: its generation failed, and is bought again.
    ``completed`` and ``failed`` are its ends, until somebody queues it again.
    """

    ACCEPTED = "accepted"
    UNCONFIRMED = "unconfirmed"
    FOUND = "found"
    NEVER_MADE = "never_made"
    PAID_TWICE = "paid_twice"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"


EXPECTED: Final = (JobFact.ACCEPTED, JobFact.COMPLETED)
"""What happens where all goes well: neither a log nor a page names each."""


class BatchFact(StrEnum):
    """What happened to a batch: it waits, at a budget or for something else."""

    BUDGET_REACHED = "budget_reached"
    WAITING = "waiting"


class RunFact(StrEnum):
    """What happened to a run; ``cut_off``: it was killed, which the next run notices."""

    STARTED = "run_started"
    ENDED = "run_ended"
    CUT_OFF = "run_cut_off"


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to a job; ``number`` is higher than that of every earlier event."""

    number: int
    at: datetime
    fact: JobFact
    batch_id: int
    job_id: int
    batch: str | None  # its name now; None: it is removed
    key: str | None  # of the job, within its batch; None, as row: the job is gone
    row: int | None
    attempt_id: int | None  # the attempt that this is about, with its id and price as known by now
    generation_id: str | None
    price: Micros | None
    error_kind: FailureKind | None = None  # why it failed, or is bought again
    error: str | None = None


@dataclass(frozen=True, slots=True)
class BatchEvent:
    """Something happened to a batch."""

    number: int
    at: datetime
    fact: BatchFact
    batch_id: int
    batch: str | None  # its name now; None: it is removed
    blocked: frozenset[Blocked] = frozenset()  # what stops its remaining jobs
    waiting_for: str = ""  # the same for people, or what every batch waits for


@dataclass(frozen=True, slots=True)
class RunEvent:
    """Something happened to a run."""

    number: int
    at: datetime
    fact: RunFact
    reason: Reason | None = None  # None: it did not end, or by an error of this program
    message: str = ""  # the provider's, where it ended the run


Event = JobEvent | BatchEvent | RunEvent


class EventStore(Protocol):
    """Reads the job table's events."""

    def newest(self) -> int:
        """Return the number of the newest event; 0: there is none."""

    def since(
        self, number: int, limit: int, batch_ids: Collection[int] | None = None
    ) -> Sequence[Event]:
        """List the first events behind a number (0: the oldest kept): of runs, and of batches."""

    def notable(self, batch_id: int, limit: int) -> Sequence[Event]:
        """List the newest events of a batch and of runs but :data:`EXPECTED`, the newest first."""
