"""The results beside their rows: the manifest's own columns, then ours."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from os.path import relpath
from pathlib import Path
from typing import Final

from batchsora.names import safe_name
from batchsora.result_columns import (
    RESULT_COLUMNS,
    RESULT_NAMES,
    WIDTHS,
    CellKind,
    result_headers,
)
from batchsora.tables import REST, TableError, check_target, replacing, write_table
from batchsora.workbook import WorkbookError
from batchsora.workbook.cells import Link, shortened, too_long
from batchsora.workbook.new import Sheet, write_workbook
from jobs.model.states import JobState
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow, JobRow
from jobs.ports.selection import Wanted
from jobs.store import Store

WORKBOOK: Final = ".xlsx"


@dataclass(slots=True)
class Table:
    """What was written; ``cut``: a text was longer than a workbook's cell can be."""

    rows: int = 0
    cut: bool = False


def export_batches(
    store: Store,
    target: Path,
    batch: str | None,
    states: Sequence[str] = (),
    near: Path | None = None,
) -> Table:
    """Write the jobs of one batch, or of all, as a table; a workbook has a sheet for each batch.

    Args:
        target: its suffix decides the format.
        batch: its name; None: all batches, but only a workbook takes more than one.
        states: only jobs in these states, if any are given.
        near: the folder from which videos are named; None: the target's.

    Raises:
        NotFoundError: there is no such batch.
        batchsora.tables.TableError: the format is not supported, the file can't be written, or
            there are several batches.
    """
    done = Table()
    folder = near or target.absolute().parent
    suffix = target.suffix.lower()
    check_target(target, WORKBOOK)

    with store.queries.snapshot() as seen:
        batches = seen.batches(batch)
        if suffix == WORKBOOK:
            _write_workbook(seen, target, batches, states, done, folder)
            return done
        if len(batches) > 1:
            raise TableError(
                f"there are {len(batches)} batches, and {target} can only hold one. Choose one "
                "with --batch, or write a .xlsx file, which gets a sheet for each: "
                f"{', '.join(repr(one.name) for one in batches[:10])}."
            )
        own = batches[0].columns if batches else []
        headers = result_headers(own)

        def rows() -> Iterator[Mapping[str, object]]:
            for job in _jobs(seen, batches[0].name if batches else None, states, done):
                results = results_of(job, folder)
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
    folder: Path,
) -> None:
    def sheet(batch: BatchRow) -> Sheet:
        rest = REST.format(beside(target, batch.name if len(batches) > 1 else None).name)
        headers = result_headers(batch.columns)

        def rows() -> Iterator[Mapping[str, object]]:
            for job in _jobs(seen, batch.name, states, done):
                results = workbook_cells(results_of(job, folder))
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
    return Sheet("Videos", RESULT_NAMES, (), lambda _: False)


def beside(target: Path, batch: str | None = None) -> Path:
    """Return the table beside a workbook for texts that are too long for a cell."""
    named = "results" if batch is None else f"{safe_name(batch)}.results"
    return target.with_name(f"{target.stem}.{named}.csv")


def workbook_cells(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row of :func:`results_of` as a workbook takes it: amounts, times and links."""
    cells = dict(row)
    for column in RESULT_COLUMNS:
        if column.kind is not CellKind.TEXT:
            text = str(row[column.name])
            cells[column.name] = _AS_CELL[column.kind](text) if text else None
    return cells


_AS_CELL: Final[Mapping[CellKind, Callable[[str], object]]] = {
    CellKind.AMOUNT: Decimal,
    CellKind.LINK: lambda text: Link(text, text),
    CellKind.TIME: datetime.fromisoformat,
}


def results_of(job: JobRow, folder: Path) -> dict[str, object]:
    """Return a job's :data:`RESULT_COLUMNS` by name; the file's path relative to a folder."""
    results = {column.name: _plain(column.of(job)) for column in RESULT_COLUMNS}
    if results["file"]:
        results["file"] = relpath(str(results["file"]), folder)
    return results


def _plain(value: object) -> object:
    """Return a value as a table takes it: None is an empty text, a time is its text."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    return "" if value is None else value
