"""Look into a database without writing anything or leaving anything beside it.

Plain ``sqlite3``: completion must answer while a person types, and ``doctor`` must not change what
it examines. Opened read-only as usual, a database in WAL mode leaves ``-wal`` and ``-shm`` behind.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from jobs.database.owners import refuse_planted_files
from jobs.database.shape import guard

T = TypeVar("T")


def peek(database: Path, look: Callable[[sqlite3.Connection], T], patience: float = 1.0) -> T:
    """Look into a database; ``look`` may be called twice.

    Raises:
        sqlite3.Error: it can't be read, or is not a database.
        jobs.model.errors.DatabaseUnusableError: SQLite's files beside it are another account's.
    """
    refuse_planted_files(database)
    log = database.resolve()
    log = log.with_name(f"{log.name}-wal")
    if not log.exists():
        # nobody has it open, so that it can be read as if it could not change
        found = _look(database, look, "mode=ro&immutable=1", patience)
        if not log.exists():
            return found
    return _look(database, look, "mode=ro", patience)


def _look(database: Path, look: Callable[[sqlite3.Connection], T], how: str, patience: float) -> T:
    address = f"{database.resolve().as_uri()}?{how}"
    with closing(sqlite3.connect(address, uri=True, timeout=patience)) as connection:
        guard(connection)
        return look(connection)
