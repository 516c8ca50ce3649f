"""The columns of results: what an export writes beside each row.

To add one: a line in :data:`RESULT_COLUMNS`, and a word about it in docs/manifests.md. Exports in
every format, ``jobs --json``, the recognition of an earlier export and its test follow.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from batchsora import advice
from jobs.model.families import Kind
from jobs.model.money import usd_text
from jobs.model.states import FailureKind, JobState
from jobs.ports.seen import JobRow

USUAL_WIDTH: Final = 13
"""Characters of a workbook's column that asks for no other width."""


class CellKind(StrEnum):
    """How a workbook takes the values of a column."""

    TEXT = "text"
    AMOUNT = "amount"
    TIME = "time"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column of results.

    Attributes:
        name: its header, and its key in ``jobs --json``.
        of: the value of a job; None if it has none.
        says: a pattern of what we write for one video; other cells are a person's own.
        width: of a workbook's column, in characters.
        unique: nobody else uses this name.
    """

    name: str
    of: Callable[[JobRow], object]
    says: str
    kind: CellKind = CellKind.TEXT
    width: int = USUAL_WIDTH
    unique: bool = False


_MOMENT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9:.]+Z?)?|[0-9]{5}(?:\.[0-9]+)?"
"""A date, or its number of days where a person has set another format for the cells."""


def _price(job: JobRow) -> str | None:
    return usd_text(job.charged_micros) if job.charged_micros or job.generation_id else None


def _file(job: JobRow) -> str | None:
    return job.file if job.file and job.sha256 else None


def _sha256(job: JobRow) -> str | None:
    return job.sha256 if job.file else None


def _model(job: JobRow) -> str | None:
    bought = job.attempt_kind if job.generation_id else None
    return None if bought is None else Kind.parse(bought).model


def _what_to_do(job: JobRow) -> str | None:
    """Return what a person can do about a failure; begins with no quote, which sheets hide."""
    found = advice.of_job(job) if job.state == JobState.FAILED else None
    return None if found is None else f"Next: {found}"


def _reworded(job: JobRow) -> str | None:
    """Return the prompt that is bought instead of the manifest's."""
    edited = job.manifest_fingerprint not in (None, job.fingerprint)
    return job.prompt if edited else None


RESULT_COLUMNS: Final = (
    ResultColumn("status", lambda job: job.state, "|".join(JobState)),
    ResultColumn("generation_id", lambda job: job.generation_id, r"\S+", width=38, unique=True),
    ResultColumn("price", _price, r"[0-9]+(?:\.[0-9]+)?", CellKind.AMOUNT),
    ResultColumn("video_url", lambda job: job.video_url, r"https?://\S+", CellKind.LINK, 40),
    ResultColumn("file", _file, r".+\.mp4", CellKind.LINK, 34),
    ResultColumn("error_kind", lambda job: job.error_kind, "|".join(FailureKind), unique=True),
    ResultColumn("error", lambda job: job.error, r".*", width=40),
    ResultColumn("attempts", lambda job: job.attempts, r"[0-9]+(?:\.0)?"),
    ResultColumn("submitted_at", lambda job: job.submitted_at, _MOMENT, CellKind.TIME, 20),
    ResultColumn("completed_at", lambda job: job.completed_at, _MOMENT, CellKind.TIME, 20),
    ResultColumn("model", _model, r"\S+"),
    ResultColumn("sha256", _sha256, r"[0-9a-f]{64}", width=20),
    ResultColumn("verdict", lambda job: job.verdict, r"favourite|rejected"),
    ResultColumn("reworded", _reworded, r".*", width=40),
    ResultColumn("what_to_do", _what_to_do, r".*", width=60),
)
"""The columns of an export after the manifest's own; loading a manifest ignores them.

New ones come last: a table that an older version exported lacks them.
"""

RESULT_NAMES: Final = tuple(column.name for column in RESULT_COLUMNS)
WIDTHS: Final = {column.name: column.width for column in RESULT_COLUMNS}

_OURS: Final = "batchsora_"
"""Stands before the name of a result where a person has a column of that name."""


def result_headers(own: Collection[str]) -> dict[str, str]:
    """Return a header for each of :data:`RESULT_NAMES`, in order, that is not in ``own``."""
    taken = {header.strip().casefold() for header in own}
    headers = {}
    for name in RESULT_NAMES:
        header = name
        while header in taken:
            header = f"{_OURS}{header}"
        headers[name] = header
    return headers


def result_column(header: str) -> str | None:
    """Return the result that a column of this header may hold; None if it is not one of ours."""
    name = header.strip()
    while name.startswith(_OURS):
        name = name.removeprefix(_OURS)
    return name if name in RESULT_NAMES else None
