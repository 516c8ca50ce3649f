"""The names of files by a batch's pattern: checked while rows are loaded, used by downloads."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final, Protocol

from batchsora.file_names import Taken, parse, unknown
from batchsora.manifest.errors import RowProblem, refused
from batchsora.manifest.read import Manifest
from jobs.model.spec import SpecRow
from jobs.ports.loading import StagedRow, WantedFile
from jobs.ports.queries import QueryStore

DAY: Final = "2026-01-31"
"""Stands for the day on which a video will be completed: it can't tell two files apart."""
SHOWN: Final = 3  # files whose names a plan shows


def name_check(manifest: Manifest, batch: str) -> Callable[[SpecRow], RowProblem | None] | None:
    """Return the check of rows for names of files that are taken; None without a pattern.

    Raises:
        ManifestError: the pattern has a field that is neither ours nor a column of the manifest.
    """
    text = manifest.read_as.get("file_name")
    if text is None:
        return None
    pattern, taken, file = parse(str(text)), Taken(), str(manifest.path)
    if (problem := unknown(pattern, manifest.columns)) is not None:
        raise refused(file, f"--file-name {text!r}: {problem}", "Nothing was loaded or bought.")

    def check(row: SpecRow) -> RowProblem | None:
        name = pattern.of(_facts(row, row, batch, json.loads(row.cells), DAY))
        first = taken.by(name, row.key, row.row)
        if first is None:
            return None
        key, number = first
        return RowProblem(
            file,
            f"its file would be {name}.mp4, like that of {key!r} in row {number}",
            "Add a field to --file-name that differs, such as {id}.",
            row=row.row,
        )

    return check


def first_names(pattern: str, rows: Sequence[StagedRow], batch: str) -> list[str]:
    """Return the files of some rows, as a plan shows them."""
    named = parse(pattern)
    return [
        f"{named.of(_facts(row, row.asked, batch, row.cells, DAY))}.mp4" for row in rows[:SHOWN]
    ]


def names_of(queries: QueryStore) -> Callable[[WantedFile], PurePosixPath | None]:
    """Return what names files: a path in the batch's folder; None where the usual name does."""

    def name(item: WantedFile) -> PurePosixPath | None:
        found = [row for row in queries.batches() if row.id == item.batch_id]
        text = (found[0].reading or {}).get("file_name") if found else None
        jobs = queries.numbered([item.job_id])
        if not isinstance(text, str) or not jobs:
            return None
        try:
            pattern = parse(text)
        except ValueError:  # written by another program
            return None
        job = jobs[0]
        day = "" if job.completed_at is None else f"{job.completed_at:%Y-%m-%d}"
        return pattern.of(_facts(job, job, job.batch, job.cells, day))

    return name


class _Row(Protocol):
    """What the places where a row waits have in common."""

    @property
    def key(self) -> str: ...
    @property
    def row(self) -> int: ...
    @property
    def campaign(self) -> str | None: ...


class _Asked(Protocol):
    @property
    def prompt(self) -> str: ...
    @property
    def duration(self) -> int | None: ...
    @property
    def orientation(self) -> str: ...


def _facts(
    row: _Row, asked: _Asked, batch: str, cells: Mapping[str, str], day: str
) -> dict[str, str]:
    """Return a row's values by the names of fields: its own go before columns of that name."""
    return {
        **cells,
        "id": row.key,
        "row": str(row.row),
        "batch": batch,
        "campaign": row.campaign or "",
        "prompt": asked.prompt,
        "duration": "" if asked.duration is None else str(asked.duration),
        "orientation": asked.orientation.replace(":", "x"),
        "date": day,
    }
