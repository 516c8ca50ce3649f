"""The results beside the rows they came from: the manifest's own columns, then ours."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from os.path import relpath
from pathlib import Path
from typing import Final

from batchsora.names import safe_name
from batchsora.tables import (
    REST,
    RESULT_COLUMNS,
    TableError,
    check_target,
    replacing,
    result_headers,
    write_table,
)
from batchsora.workbook.annotate import WIDTHS
from batchsora.workbook.cells import Link, shortened, too_long
from batchsora.workbook.new import Sheet, write_workbook
from batchsora.workbook.problems import WorkbookError
from jobs.money import usd_text
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow, JobRow
from jobs.ports.selection import Wanted
from jobs.provider import model_of
from jobs.states import JobState
from jobs.store import Store

WORKBOOK: Final = ".xlsx"


@dataclass(slots=True)
class Table:
    """What was written.

    Attributes:
        rows: how many, over all batches.
        cut: whether a text was longer than a workbook's cell can be.
    """

    rows: int = 0
    cut: bool = False


def export_batches(
    store: Store, target: Path, batch: str | None, states: Sequence[str] = ()
) -> Table:
    """Write the jobs of one batch, or of all, as a table; a workbook has a sheet for each batch.

    Args:
        store: the job table.
        target: by whose suffix the format is chosen.
        batch: its name; None means every batch, of which another format than a workbook takes one.
        states: only jobs in these states, if any are given.

    Raises:
        NotFoundError: there is no such batch.
        batchsora.tables.TableError: the format is none of ours, the file can't be written, or there
            are several batches.
    """
    done = Table()
    suffix = target.suffix.lower()
    check_target(target, WORKBOOK)

    with store.queries.snapshot() as seen:
        batches = seen.batches(batch)
        if suffix == WORKBOOK:
            _write_workbook(seen, target, batches, states, done)
            return done
        if len(batches) > 1:
            raise TableError(
                f"there are {len(batches)} batches, and {target} holds one. Say which with "
                "--batch, or name a file that ends with .xlsx, which gets a sheet for each: "
                f"{', '.join(repr(one.name) for one in batches[:10])}."
            )
        own = batches[0].columns if batches else []
        headers = result_headers(own)

        def rows() -> Iterator[Mapping[str, object]]:
            for job in _jobs(seen, batches[0].name if batches else None, states, done):
                results = results_of(job, target.absolute().parent)
                yield {**job.cells, **{headers[name]: value for name, value in results.items()}}

        write_table(target, [*own, *headers.values()], rows())
    return done


def _jobs(
    seen: QueryStore, batch: str | None, states: Sequence[str], done: Table
) -> Iterator[JobRow]:
    for job in seen.each_job(Wanted(batch, states)):
        done.rows += 1
        yield job


def _write_workbook(
    seen: QueryStore,
    target: Path,
    batches: Sequence[BatchRow],
    states: Sequence[str],
    done: Table,
) -> None:
    def sheet(batch: BatchRow) -> Sheet:
        rest = REST.format(beside(target, batch.name if len(batches) > 1 else None).name)
        headers = result_headers(batch.columns)

        def rows() -> Iterator[Mapping[str, object]]:
            for job in _jobs(seen, batch.name, states, done):
                results = workbook_cells(results_of(job, target.absolute().parent))
                row = {**job.cells, **{headers[name]: value for name, value in results.items()}}
                for name, value in row.items():
                    if isinstance(value, str) and too_long(value):
                        row[name] = shortened(value, rest)
                        done.cut = True
                yield row

        return Sheet(
            batch.name if len(batches) > 1 else "Videos",
            [*batch.columns, *headers.values()],
            rows(),
            lambda row: row[headers["status"]] == JobState.FAILED,
            {headers[name]: width for name, width in WIDTHS.items()},
        )

    with replacing(target) as file:
        try:
            write_workbook(file, map(sheet, batches) if batches else [_empty()])
        except WorkbookError as error:
            raise TableError(str(error)) from error


def _empty() -> Sheet:
    return Sheet("Videos", RESULT_COLUMNS, (), lambda _: False)


def beside(target: Path, batch: str | None = None) -> Path:
    """Name the table beside a workbook that has what is longer than a cell can be.

    Args:
        target: the workbook.
        batch: of several, whose table it is.
    """
    named = "results" if batch is None else f"{safe_name(batch)}.results"
    return target.with_name(f"{target.stem}.{named}.csv")


def workbook_cells(row: Mapping[str, object]) -> dict[str, object]:
    """Give a row of results as a workbook takes it: amounts, times and links.

    Args:
        row: from :func:`results_of`.
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


def results_of(job: JobRow, folder: Path) -> dict[str, object]:
    """Say what became of a job, by the names of :data:`batchsora.tables.RESULT_COLUMNS`.

    Args:
        job: whose results.
        folder: to which the path of the file is relative.
    """
    here = bool(job.file and job.sha256)
    return {
        "status": job.state,
        "generation_id": job.generation_id or "",
        "price": usd_text(job.charged_micros) if job.charged_micros or job.generation_id else "",
        "video_url": job.video_url or "",
        "file": relpath(job.file, folder) if job.file and here else "",
        "error_kind": job.error_kind or "",
        "error": job.error or "",
        "attempts": job.attempts,
        "submitted_at": _time(job.submitted_at),
        "completed_at": _time(job.completed_at),
        "model": (model_of(job.attempt_kind or "") or "") if job.generation_id else "",
        "sha256": job.sha256 if here else "",
        "verdict": job.verdict or "",
    }


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
