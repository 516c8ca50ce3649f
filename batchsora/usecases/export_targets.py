"""Over which files an export may write: those that this database wrote for the same batches.

The database keeps the path and SHA-256 of each export with its batches. A file that is not among
them, or was changed since (somebody works in it), is a person's own and never replaced.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from batchsora.tables import TableError, check_place
from jobs.model.errors import DatabaseUnusableError
from jobs.ports.loading import EXPORTS
from jobs.ports.seen import BatchRow
from jobs.store import Store

MOST_KEPT: Final = 100
"""Exports of a batch that are remembered, the latest ones."""


def check_target_is_ours(store: Store, target: Path, batches: Sequence[BatchRow]) -> None:
    """Check that a path is free, or has an earlier export of the same batches.

    Raises:
        TableError: another file is there, or it is a link; the text says what to do.
    """
    check_place(target)
    if not target.exists():
        return
    for batch in store.queries.batches():
        path = _manifest(batch)
        if path is not None and path.exists() and target.samefile(path):
            raise TableError(
                f"{target} is the manifest of the batch {batch.name!r}, so nothing was written. "
                "'export --in-place' writes the results into it and keeps a copy of the original; "
                "or name another file."
            )
    name, digest = str(target.resolve()), _digest(target)
    if all(_exports(batch).get(name) == digest for batch in batches):
        return
    known = any(name in _exports(batch) for batch in batches)
    raise TableError(
        (
            f"{target} was changed since it was exported"
            if known
            else f"{target} exists, and is not an export of this batch"
        )
        + ", so nothing was written. Name another file, or move that one away; "
        "'export --in-place' writes into the batch's own manifest."
    )


def remember(store: Store, target: Path, batches: Iterable[BatchRow]) -> None:
    """Keep with each batch that a file is an export of it.

    A database that can only be looked at keeps nothing, so the file will not be replaced next time.
    """
    name, digest = str(target.resolve()), _digest(target)

    def latest(kept: Any) -> dict[str, str]:
        others = [(path, was) for path, was in _paths(kept).items() if path != name]
        return dict([*others, (name, digest)][-MOST_KEPT:])

    with suppress(DatabaseUnusableError):
        store.loading.keep_written({batch.id for batch in batches}, EXPORTS, latest)


def _exports(batch: BatchRow) -> dict[str, str]:
    """Return the exports of a batch: SHA-256 by path."""
    return _paths((batch.reading or {}).get(EXPORTS))


def _paths(kept: Any) -> dict[str, str]:
    return kept if isinstance(kept, dict) else {}


def _manifest(batch: BatchRow) -> Path | None:
    named = (batch.reading or {}).get("path")
    return Path(os.fspath(named)) if isinstance(named, str) and "\0" not in named else None


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; empty if it is not a regular file."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
