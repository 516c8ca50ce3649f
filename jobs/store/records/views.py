"""Rows that people and the application ask for."""

from typing import NamedTuple


class WantedCount(NamedTuple):
    """How many jobs of a manifest stand alike."""

    state: str
    held_back: str | None
    kind: str
    campaign: str | None
    jobs: int


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


class VerdictRow(NamedTuple):
    """What a person thinks of an attempt's video."""

    attempt_id: int
    verdict: str


class PaidTwice(NamedTuple):
    """A generation that a batch paid for twice, and its job's key."""

    generation_id: str
    price_micros: int
    key: str
