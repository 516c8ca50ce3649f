"""Figures of batches and runs, and other answers of the queries, as frozen values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ..model.states import HeldBack, JobState
from .seen import JobRow


@dataclass(frozen=True, slots=True)
class Page:
    """A page of jobs in their order; whether there are jobs before and after them."""

    jobs: Sequence[JobRow]
    earlier: bool
    later: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    """Jobs that ended within a span that begins at ``at``, and what both charged, in micros."""

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
    """The states of some jobs of a batch.

    Attributes:
        jobs: how many are in each state, zeros included.
        held_back: how many of the queued ones no runner buys, by reason.
        files_missing: how many are completed and have no file here.
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
