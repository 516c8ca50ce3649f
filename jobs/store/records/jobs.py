"""Rows of jobs, as the engine asks for them."""

from datetime import datetime
from typing import NamedTuple

from ...model.spec import AskedRow


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


class JobTerms(NamedTuple):
    """What decides whether queued jobs have room: there is one for all that are alike."""

    batch_id: int
    kind: str
    campaign: str | None
    paused: bool
    max_price_micros: int | None


class AskedJob(NamedTuple):
    """A job of a batch, what it asks for, and when a person overruled what was found about it."""

    id: int
    batch_id: int
    asked: AskedRow
    overruled_at: datetime | None


class ListedJob(NamedTuple):
    """A queued job that is looked for in the account's list."""

    id: int
    asked: AskedRow
    held_back: str | None
    held_back_by: str | None
    overruled_at: datetime | None


class AwaitingJob(NamedTuple):
    """What a job asks for that waits for a generation of the account's list."""

    held_back_by: str | None
    asked: AskedRow


class TakingJob(NamedTuple):
    """A queued job that may take over what counts as never made (:mod:`jobs.store.voids`)."""

    id: int
    batch_id: int
    held_back: str | None
    asked: AskedRow


class OwningJob(NamedTuple):
    """A queued job that a generation is taken over for, which this database did not buy."""

    id: int
    batch_id: int
    campaign: str | None
    asked: AskedRow


class WishRow(NamedTuple):
    """What a job asked for, and its last attempt (:class:`jobs.evidence.looked_for.Wish`)."""

    id: int
    fingerprint: str
    attempt_id: int | None


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


class FreshJob(NamedTuple):
    """A job that this load added."""

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


class FreshRequest(NamedTuple):
    """A job that this load added, and what it asks for."""

    id: int
    fingerprint: str


class MovedFailure(NamedTuple):
    """A failed job whose key is gone from its manifest, or asks for something else there.

    Attributes:
        left: something of it may still become a video.
    """

    id: int
    key: str
    row: int
    manifest_fingerprint: str | None
    asked: AskedRow
    left: bool


class MovedVideo(NamedTuple):
    """A job that is not failed, whose key is gone or asks for something else.

    Attributes:
        has_video: or may still get one that is paid for.
        absent: its key is gone.
    """

    id: int
    key: str
    row: int
    manifest_fingerprint: str | None
    asked: AskedRow
    has_video: bool
    absent: bool


class ManifestJob(NamedTuple):
    """A job, what it asks for now, and what its manifest asks for where that is something else."""

    id: int
    manifest_fingerprint: str | None
    asked: AskedRow


class KeyedState(NamedTuple):
    """A job's key and state."""

    id: int
    key: str
    state: str


class PartCount(NamedTuple):
    """How many of some jobs stand alike, and how many of these have no file here."""

    batch_id: int
    state: str
    held_back: str | None
    jobs: int
    unfiled: int


class StandingJob(NamedTuple):
    """How a job stands towards being bought again, with its live attempt where it has one."""

    id: int
    state: str
    held_back: str | None
    in_manifest: bool
    live: str | None
    live_id: int | None
    accepted_at: datetime | None
    price_micros: int | None


class WantedCount(NamedTuple):
    """How many jobs of a manifest stand alike."""

    state: str
    held_back: str | None
    kind: str
    campaign: str | None
    jobs: int


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
