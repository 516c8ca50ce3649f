"""Copies of a database for which the disk has no room: nothing of them is left beside it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from migration.test_old_databases import at_revision, fill

from jobs.database import schema
from jobs.store import Store

pytest.importorskip("resource")  # nothing else bounds the size of a file
import resource

CELLS = json.dumps({"note": "n" * 40_000})
"""Of each row: together more than SQLite's cache holds, so that a journal comes to be."""


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process become larger: a write fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def large(path: Path) -> int:
    """Fill a database; give half of its size in bytes."""
    fill(path, held_back=True)
    with closing(sqlite3.connect(path)) as file:
        with file:
            file.execute("UPDATE job SET cells = ?", (CELLS,))
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size // 2


def names(folder: Path) -> set[str]:
    """List the files that are no part of a database which is open."""
    return {one.name for one in folder.iterdir() if not one.name.endswith(("-wal", "-shm"))}


def test_the_copy_before_an_upgrade_leaves_nothing(tmp_path: Path) -> None:
    """Neither a part of it nor that part's journal; the database is as it was."""
    path = tmp_path / "a.db"
    at_revision(path, "0011")
    with room_for(large(path)), pytest.raises(sqlite3.Error):
        schema.upgrade(path)
    assert names(tmp_path) == {"a.db"}
    assert schema.version(path) == "0011"


def test_a_rescue_leaves_nothing(tmp_path: Path) -> None:
    """Else a part of what was bought would pass for all of it."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    size = large(path)
    with Store(path) as store, room_for(size), pytest.raises(sqlite3.Error):
        store.rescue("rescued")
    assert names(tmp_path) == {"a.db"}
