"""What a report tells of each batch, read in one snapshot of the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from batchsora.presentation.timeline import Course, course_of
from jobs.model.states import FailureKind
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow, BatchStatus, FailureGroup, JobRow, Taken
from jobs.ports.selection import Shelf, Wanted

ROWS: Final = 5_000
"""Jobs that a report lists."""

PICTURES: Final = 200
"""Videos on a report's contact sheets."""

FAILURES: Final = 50
"""Kinds and words of failures that a report shows of a batch."""

ADVICE: Final = {
    FailureKind.VALIDATION: "The API refuses this row: change it.",
    FailureKind.IMAGE: "Use another picture: undamaged, without realistic people.",
    FailureKind.CONTENT: "Reword the prompt: batchsora retry JOB --prompt TEXT.",
    FailureKind.SYSTEM: "The provider's fault: batchsora retry --kind system.",
    FailureKind.TIMEOUT: "The provider's fault: batchsora retry --kind timeout.",
    FailureKind.OVERDUE: "Paid for, and may still finish: batchsora run checks it again.",
    FailureKind.UNKNOWN: "Not understood, so not bought again: read it, then retry --kind unknown.",
    FailureKind.NO_FILE: "Paid for, but without a URL of the video: batchsora run checks it again.",
}
"""What to do about each kind."""


@dataclass(frozen=True, slots=True)
class Night:
    """A batch as a report tells it.

    Attributes:
        status: its counts and money.
        ended: when its first and its last job ended; None when none has.
        taken: how long its videos took; None when there is none.
        course: what ended when.
        failures: by kind and words, the most frequent first.
        jobs: in the order of the rows; all, or as many as the report has room for.
        videos: those on the contact sheet.
        verdicts: of those, by attempt.
    """

    status: BatchStatus
    ended: tuple[datetime, datetime] | None
    taken: Taken | None
    course: Course
    failures: Sequence[FailureGroup]
    jobs: Sequence[JobRow]
    videos: Sequence[JobRow]
    verdicts: dict[int, str]


def nights(seen: QueryStore, batch: str | None) -> list[Night]:
    """Read all batches, the newest first, or the one of that name.

    Raises:
        NotFoundError: there is none of that name.
    """
    found: list[Night] = []
    rows, pictures = ROWS, PICTURES
    for one in reversed(seen.batches(batch)):
        night = _night(seen, one, rows, pictures)
        rows -= len(night.jobs)
        pictures -= len(night.videos)
        found.append(night)
    return found


def _night(seen: QueryStore, batch: BatchRow, rows: int, pictures: int) -> Night:
    wanted = Wanted(batch.name)
    status = seen.status(batch)
    videos = seen.videos(batch.id, Shelf(by_row=True), pictures)
    return Night(
        status=status,
        ended=seen.ended_span(batch.id),
        taken=seen.taken(batch.id),
        course=course_of(seen, batch.id),
        failures=seen.failures(wanted)[:FAILURES] if status.failed_kinds else (),
        jobs=list(islice(seen.each_job(wanted), rows)),
        videos=videos,
        verdicts=seen.verdicts([video.attempt_id for video in videos if video.attempt_id]),
    )
