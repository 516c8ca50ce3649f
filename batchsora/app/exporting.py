"""Exports: results as a table of their own, or in a copy of the manifest that they came from."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from batchsora.app.export_targets import check_target_is_ours, remember
from batchsora.export import export_batches, result_row, workbook_cells
from batchsora.manifest.csv_reader import SUFFIXES as TEXT
from batchsora.manifest.csv_results import encoding_of, write_csv_results
from batchsora.manifest.errors import ManifestError
from batchsora.manifest.raw import Reading
from batchsora.manifest.read import Manifest, read_again
from batchsora.manifest.sheet_reader import EXCEL
from batchsora.manifest.yaml_results import write_yaml_results
from batchsora.tables import RESULT_COLUMNS, TableError, replacing, unwritable
from batchsora.workbook import WorkbookError, annotate
from jobs.errors import NotAllowedError
from jobs.states import JobState
from jobs.store import Store, views
from jobs.store.views import Wanted

YAML: Final = (".yaml", ".yml")
KEEPING: Final = (*EXCEL, *YAML, *TEXT)
"""Formats of manifests into which results can be written."""
LOCKS: Final = ("~${}", ".~lock.{}#")
"""What Excel and LibreOffice put beside a file that they have open."""


@dataclass(slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        jobs: whose results stand in it.
        notes: what a person should know about it.
        backup: the manifest as it was before results were written into it.
    """

    target: Path
    jobs: int = 0
    notes: list[str] = field(default_factory=list)
    backup: Path | None = None


def export(store: Store, target: Path, batch: str | None, states: Sequence[str] = ()) -> Exported:
    """Write results to a file: into a copy of the manifest where both are workbooks, or YAML.

    Args:
        store: the job table.
        target: by whose suffix the format is chosen.
        batch: its name; None means every batch.
        states: only jobs in these states, which make a table of their own.

    Raises:
        NotFoundError: there is no such batch.
        TableError: the format is none of ours, or the file can't be written.
    """
    done = Exported(target)
    found = store.read(lambda c: views.find_batches(c, batch))
    check_target_is_ours(store, target, found)
    _export(store, found, batch, states, done)
    remember(store, target, found)
    return done


def _export(
    store: Store, found: Sequence[Any], batch: str | None, states: Sequence[str], done: Exported
) -> None:
    target, suffix = done.target, done.target.suffix.lower()
    if suffix in (*EXCEL, *YAML):
        manifest = None if states or len(found) != 1 else _manifest(found[0], done)
        family = EXCEL if suffix in EXCEL else YAML
        if manifest is not None and manifest.path.suffix.lower() in family:
            _write_into(store, found[0].name, manifest, done)
            return
        if family is YAML:
            raise TableError(
                f"{target}: YAML results are written only into a copy of one YAML manifest. Name a "
                "file that ends with .xlsx, .csv, .jsonl or .json."
            )
    done.jobs = export_batches(store, target, batch, states)


def export_in_place(
    store: Store, batch: str | None, now: datetime, *, own: bool = True
) -> Exported:
    """Write results into the manifest that they came from, and keep a copy of what it was.

    Args:
        store: the job table.
        batch: its name; None where there is only one.
        now: for the name of the copy.
        own: the database is known to be one's own. One that somebody sent may name any table as its
            manifest: then only what lies in the database's folder is written.

    Raises:
        NotFoundError: there is no such batch.
        NotAllowedError: it can't be told which, or its manifest can't take results.
        TableError: the file can't be written.
    """
    found = store.read(lambda c: views.find_batches(c, batch))
    if len(found) != 1:
        names = ", ".join(repr(row.name) for row in found) or "none"
        raise NotAllowedError(f"say with --batch into whose manifest; there are {names}")
    done = Exported(Path(found[0].source or ""))
    if not own:
        _refuse_outside(found[0], store.path)
    manifest = _manifest(found[0], done)
    if manifest is None or manifest.path.suffix.lower() not in KEEPING:
        why = "; ".join(done.notes) or "its format takes none"
        raise NotAllowedError(
            f"results can't be written into the manifest of {found[0].name!r}: {why}. Write a "
            "table with -o instead."
        )
    done.target = manifest.path
    for name in LOCKS:
        if manifest.path.with_name(name.format(manifest.path.name)).exists():
            raise NotAllowedError(
                f"{manifest.path} is open in another program, which would write over the results: "
                "close it there, or write a copy with -o"
            )
    stamp = f"{now:%Y%m%d-%H%M%S}"
    done.backup = manifest.path.with_name(f"{manifest.path.stem}.{stamp}{manifest.path.suffix}")
    _copy(manifest.path, done.backup)
    try:
        _write_into(store, found[0].name, manifest, done)
    except BaseException:
        done.backup.unlink()  # the manifest is as it was
        raise
    return done


def _refuse_outside(batch: Any, database: Path) -> None:
    """Check that a batch's manifest lies in the folder of its database, not behind a link.

    Raises:
        NotAllowedError: it does not.
    """
    named = str((batch.reading or {}).get("path", ""))
    folder = database.absolute().parent.resolve()
    if not Path(named).resolve().is_relative_to(folder):
        raise NotAllowedError(
            f"the database is not known to be yours, and {named} is not in its folder, so nothing "
            "was written. Write a table with -o instead"
        )


def _copy(path: Path, backup: Path) -> None:
    """Copy a file under a new name: "x" follows no link, and none that leads to nothing either.

    Raises:
        TableError: the name is taken.
    """
    try:
        with path.open("rb") as old, backup.open("xb") as new:
            shutil.copyfileobj(old, new)
    except FileExistsError:
        raise TableError(f"{backup} exists already; try again in a second.") from None
    except OSError as error:
        raise unwritable(backup, error) from error
    shutil.copystat(path, backup)


def _manifest(batch: Any, done: Exported) -> Manifest | None:
    """Open the manifest of a batch as it was read; a note says why where that can't be."""
    if "path" not in (batch.reading or {}):
        done.notes.append(f"{batch.name!r} has no manifest that could be told")
        return None
    try:
        return read_again(batch.reading)
    except ManifestError as error:
        done.notes.append(str(error))
        return None


def _write_into(store: Store, batch: str, manifest: Manifest, done: Exported) -> None:
    """Write the results of a batch into its manifest's copy, each where its row is now."""
    try:
        row_of = {key: row for row, key in manifest.named_rows()}
        by_row, gone = store.read(lambda c: _by_row(c, batch, row_of))
        done.jobs = sum(map(len, by_row.values()))
        if gone:
            done.notes.append(f"{gone} job(s) are not in it: their rows are no longer there")
        folder = done.target.absolute().parent
        suffix = manifest.path.suffix.lower()
        mode = manifest.path.stat().st_mode
        with replacing(done.target, _encoding(manifest)) as draft:
            if suffix in EXCEL:
                done.notes += _annotate(manifest, draft, by_row, folder)
            elif suffix in YAML:
                results = {
                    row: [_texts(job, folder) for job in jobs] for row, jobs in by_row.items()
                }
                write_yaml_results(manifest.path, draft, results)
            else:
                lines = {row: _lines(jobs, folder) for row, jobs in by_row.items()}
                write_csv_results(manifest.path, draft, lines, _reading(manifest))
            if done.backup is not None:
                os.fchmod(draft.fileno(), mode & 0o7777)
    except (ManifestError, WorkbookError, ValueError) as error:
        raise TableError(str(error)) from error


def _encoding(manifest: Manifest) -> str | None:
    """Say how the copy is encoded; None for a workbook."""
    suffix = manifest.path.suffix.lower()
    if suffix in EXCEL:
        return None
    return encoding_of(manifest.path, _reading(manifest)) if suffix in TEXT else "utf-8"


def _reading(manifest: Manifest) -> Reading:
    return Reading.kept(manifest.read_as)


def _by_row(
    connection: Connection, batch: str, row_of: Mapping[str, int]
) -> tuple[dict[int, list[Any]], int]:
    """Sort the jobs of a batch by the rows that have their keys now; count those that have none."""
    by_row: dict[int, list[Any]] = {}
    gone = 0
    for job in views.jobs(connection, Wanted(batch)):
        if (row := row_of.get(job.key)) is None:
            gone += 1
        else:
            by_row.setdefault(row, []).append(job)
    order = {key: place for place, key in enumerate(row_of)}
    for jobs in by_row.values():
        jobs.sort(key=lambda job: order[job.key])
    return by_row, gone


def _texts(job: Any, folder: Path) -> dict[str, str]:
    """Give a job's results as texts."""
    row = result_row(job, folder)
    return {name: str(row[name]) for name in RESULT_COLUMNS}


def _lines(jobs: Sequence[Any], folder: Path) -> dict[str, str]:
    """Give the results of a row; of several variants, a line each."""
    texts = [_texts(job, folder) for job in jobs]
    return {name: "\n".join(text[name] for text in texts).rstrip() for name in RESULT_COLUMNS}


def _annotate(
    manifest: Manifest, draft: Any, by_row: Mapping[int, Sequence[Any]], folder: Path
) -> list[str]:
    sheet = manifest.read_as["sheet"]
    failed = {
        row for row, jobs in by_row.items() if any(job.state == JobState.FAILED for job in jobs)
    }
    results = {
        row: _cells(jobs[0], folder) if len(jobs) == 1 else _lines(jobs, folder)
        for row, jobs in by_row.items()
    }
    return annotate(
        manifest.path,
        draft,
        sheet,
        manifest.header_row or 1,
        manifest.headers,
        results,
        failed,
        RESULT_COLUMNS,
    )


def _cells(job: Any, folder: Path) -> dict[str, object]:
    """Give a job's results as a workbook takes them: amounts, times and links."""
    row = result_row(job, folder)
    return workbook_cells({name: row[name] for name in RESULT_COLUMNS})
