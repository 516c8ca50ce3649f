"""Exports: results as a table of their own, or in a copy of the manifest that they came from."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from batchsora.export import export_batches
from batchsora.manifest.errors import ManifestError
from batchsora.manifest.formats.csv_reader import SUFFIXES as TEXT
from batchsora.manifest.formats.sheet_reader import EXCEL
from batchsora.manifest.read import Manifest, read_again
from batchsora.tables import TableError, unwritable
from batchsora.usecases.export_into_manifest import (
    YAML,
    Exported,
    check_target_is_ours,
    keep_results,
    remember,
    write_beside,
    write_into,
)
from jobs.model.errors import NotAllowedError
from jobs.ports.seen import BatchRow
from jobs.store import Store

KEEPING: Final = (*EXCEL, *YAML, *TEXT)
"""Formats of manifests into which results can be written."""
LOCKS: Final = ("~${}", ".~lock.{}#")
"""What Excel and LibreOffice put beside a file that they have open."""


def export(
    store: Store,
    target: Path,
    batch: str | None,
    states: Sequence[str] = (),
    near: Path | None = None,
) -> Exported:
    """Write results to a file: into a copy of the manifest if both are workbooks, or YAML.

    Args:
        target: its suffix decides the format.
        batch: its name; None: all batches.
        states: only jobs in these states, as a table of their own.
        near: the folder from which videos are named; None: the target's.

    Raises:
        NotFoundError: there is no such batch.
        TableError: the format is not one of ours, or the file can't be written.
    """
    done = Exported(target, near=near)
    found = store.queries.batches(batch)
    check_target_is_ours(store, target, found)
    suffix = target.suffix.lower()
    family = next((one for one in (EXCEL, YAML) if suffix in one), ())
    manifest = None
    if family and not states and len(found) == 1:
        manifest = _manifest(found[0], done)
    if manifest is not None and manifest.path.suffix.lower() in family:
        write_into(store, found[0], manifest, done)
    elif family is YAML:
        raise TableError(
            f"{target}: YAML results are written only into a copy of one YAML manifest. Name a "
            "file that ends with .xlsx, .csv, .jsonl or .json."
        )
    else:
        table = export_batches(store, target, batch, states, near)
        done.jobs = table.rows
        if table.cut:
            remember(store, target, found)
            write_beside(store, found, done)
    remember(store, target, found)
    return done


def export_in_place(
    store: Store, batch: str | None, now: datetime, *, own: bool = True
) -> Exported:
    """Write results into the manifest that they came from, and keep a copy of it.

    Args:
        batch: its name; None if there is only one.
        now: for the name of the copy.
        own: False if the database may be somebody else's: it could name any table as its manifest,
            so only files in the database's folder are written.

    Raises:
        NotFoundError: there is no such batch.
        NotAllowedError: the batch is ambiguous, or its manifest can't take results.
        TableError: the file can't be written.
    """
    found = store.queries.batches(batch)
    if len(found) != 1:
        names = ", ".join(repr(row.name) for row in found) or "none"
        raise NotAllowedError(f"choose the manifest with --batch; there are {names}")
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
                f"{manifest.path} is open in another program, which would overwrite the results: "
                "close it there, or write a copy with -o"
            )
    stamp = f"{now:%Y%m%d-%H%M%S}"
    done.backup = manifest.path.with_name(f"{manifest.path.stem}.{stamp}{manifest.path.suffix}")
    _copy(manifest.path, done.backup)
    try:
        write_into(store, found[0], manifest, done)
    except BaseException:
        done.backup.unlink()  # the manifest is as it was
        raise
    keep_results(store, found[0], manifest)
    return done


def _refuse_outside(batch: BatchRow, database: Path) -> None:
    """Raise a NotAllowedError if a manifest is outside its database's folder, also by a link."""
    named = str((batch.reading or {}).get("path", ""))
    folder = database.absolute().parent.resolve()
    if not Path(named).resolve().is_relative_to(folder):
        raise NotAllowedError(
            f"the database may not be yours, and {named} is not in its folder, so nothing "
            "was written. Write a table with -o instead"
        )


def _copy(path: Path, backup: Path) -> None:
    """Copy a file to a new name: "x" follows no link, not even a dangling one."""
    try:
        with path.open("rb") as old, backup.open("xb") as new:
            shutil.copyfileobj(old, new)
    except FileExistsError:
        raise TableError(f"{backup} exists already; try again in a second.") from None
    except OSError as error:
        raise unwritable(backup, error) from error
    shutil.copystat(path, backup)


def _manifest(batch: BatchRow, done: Exported) -> Manifest | None:
    """Open the manifest of a batch as it was read; a note says why if that fails."""
    if batch.reading is None or "path" not in batch.reading:
        done.notes.append(f"the manifest of {batch.name!r} is not known")
        return None
    try:
        return read_again(batch.reading)
    except ManifestError as error:
        done.notes.append(str(error))
        return None
