"""Which of SQLite's errors are about the file of a database, and what they say of it."""

import sqlite3
from pathlib import Path
from typing import Final

from .errors import DatabaseFaultError, Fault

_FAULTS: Final = {
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_IOERR: Fault.DISK,
    sqlite3.SQLITE_READONLY: Fault.RIGHTS,
    sqlite3.SQLITE_PERM: Fault.RIGHTS,
    sqlite3.SQLITE_CANTOPEN: Fault.RIGHTS,
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_LOCKED: Fault.BUSY,
    sqlite3.SQLITE_PROTOCOL: Fault.BUSY,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
}
"""By SQLite's primary result code; all other codes are bugs of ours."""


def unusable(path: Path, error: BaseException, step: str = "used") -> DatabaseFaultError | None:
    """Return what the file system or a lock did to a database; None for every other error."""
    original = getattr(error, "orig", None) or error
    fault = _FAULTS.get(getattr(original, "sqlite_errorcode", -1) & 0xFF)
    return None if fault is None else DatabaseFaultError(path, fault, str(original), step=step)
