"""What a file system or a lock did to a database, in words that say what to do about it."""

import sqlite3
from pathlib import Path
from typing import Final

from .errors import DatabaseUnusableError

_WRITABLE: Final = "make the file and its folder writable, or name another database with --db"
_DAMAGED: Final = (
    "put it aside together with its -wal file, and take the newest copy that you have; or begin a "
    "new one with --db and --adopt-existing, which finds in the account what was paid for"
)
_REMEDIES: Final = {
    sqlite3.SQLITE_FULL: "free some space on its disk",
    sqlite3.SQLITE_IOERR: "look at its disk: the free space, your quota, its health",
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_PERM: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
    sqlite3.SQLITE_BUSY: "close the program that has it locked",
    sqlite3.SQLITE_LOCKED: "close the program that has it locked",
    sqlite3.SQLITE_PROTOCOL: "close the program that has it locked",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
"""What a person can do, by SQLite's primary result code; all other codes are bugs of ours."""


def unusable(path: Path, error: BaseException, done: str = "used") -> DatabaseUnusableError | None:
    """Turn what the file system or a lock did into words; None for everything else.

    Args:
        path: the database's file.
        error: of sqlite3, or SQLAlchemy's around it.
        done: what can't be: "read", "written".
    """
    original = getattr(error, "orig", None) or error
    code = getattr(original, "sqlite_errorcode", None)
    remedy = None if code is None else _REMEDIES.get(code & 0xFF)
    if remedy is None:
        return None
    return DatabaseUnusableError(
        f"the database {path} can't be {done} ({original}); {remedy}, and run it again: nothing of "
        "this step was kept, everything before it is safe"
    )
