"""The results beside the rows they came from: the manifest's own columns, then ours."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from os.path import relpath
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from batchsora.tables import RESULT_COLUMNS, check_target, replacing, write_table
from batchsora.workbook import Link, write_workbook
from jobs.money import usd_text
from jobs.states import JobState
from jobs.store import Store, views
from jobs.store.views import Wanted

WORKBOOK: Final = ".xlsx"


def export_batches(
    store: Store, target: Path, batch: str | None, states: Sequence[str] = ()
) -> int:
    """Write the jobs of one batch, or of all, as a table.

    Args:
        store: the job table.
        target: by whose suffix the format is chosen.
        batch: its name; None means every batch.
        states: only jobs in these states, if any are given.

    Returns:
        How many rows were written.

    Raises:
        NotFoundError: there is no such batch.
        batchsora.tables.TableError: the format is none of ours, or the file can't be written.
    """
    written = 0

    def work(connection: Connection) -> None:
        nonlocal written
        batches = views.find_batches(connection, batch)
        columns = _columns(batches)

        def rows() -> Iterator[Mapping[str, object]]:
            nonlocal written
            for job in views.jobs(connection, Wanted(batch, states)):
                written += 1
                yield result_row(job, target.absolute().parent)

        if target.suffix.lower() == WORKBOOK:
            _write_workbook(target, [*columns, *RESULT_COLUMNS], rows())
        else:
            write_table(target, [*columns, *RESULT_COLUMNS], rows())

    store.read(work)
    return written


def _write_workbook(
    target: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]
) -> None:
    check_target(target, WORKBOOK)
    with replacing(target) as file:
        write_workbook(file, columns, map(workbook_cells, rows), _failed)


def _failed(row: Mapping[str, object]) -> bool:
    return row["status"] == JobState.FAILED


def workbook_cells(row: Mapping[str, object]) -> dict[str, object]:
    """Give a row of results as a workbook takes it: amounts, times and links.

    Args:
        row: from :func:`result_row`.
    """
    cells = dict(row)
    for name, kind in _KINDS.items():
        text = str(row[name])
        cells[name] = kind(text) if text else None
    return cells


def _linked(text: str) -> Link:
    return Link(text, text)


_KINDS: Final[Mapping[str, Callable[[str], object]]] = {
    "price": Decimal,
    "video_url": _linked,
    "file": _linked,
    "submitted_at": datetime.fromisoformat,
    "completed_at": datetime.fromisoformat,
}


def _columns(batches: Sequence[Any]) -> list[str]:
    """Join the columns of several batches, each where it came first."""
    return list(dict.fromkeys(name for batch in batches for name in batch.columns))


def result_row(job: Any, folder: Path) -> dict[str, object]:
    """Set a job's results beside its own cells.

    Args:
        job: from :func:`jobs.store.views.jobs`.
        folder: to which the path of the file is relative.
    """
    row: dict[str, object] = dict(job.cells)
    row |= {
        "status": job.state,
        "generation_id": job.generation_id or "",
        "price": usd_text(job.charged_micros) if job.charged_micros or job.generation_id else "",
        "video_url": job.video_url or "",
        "file": relpath(job.file, folder) if job.file and job.sha256 else "",
        "error_kind": job.error_kind or "",
        "error": job.error or "",
        "attempts": job.attempts,
        "submitted_at": _time(job.submitted_at),
        "completed_at": _time(job.completed_at),
    }
    return row


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
