"""Files beside a database that another account put there before us.

SQLite takes a ``-wal`` or ``-journal`` for its own whoever made it, and writes into the database
what stands there. A file with the database's name and no table in it is a new database, whoever can
write into it. Both must belong to who could change the database anyway (:func:`.files.is_foreign`).
"""

import os
import stat
from pathlib import Path
from typing import Final

from ..model.errors import DatabaseFaultError, Fault
from ..model.files import is_foreign

BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite itself keeps beside a database."""


def refuse_planted_files(database: Path) -> None:
    """Check that what SQLite would read together with a database is its owner's.

    They may belong to the owner of the database as well, to whom root's SQLite gives them, and to
    anybody where the database itself can be written by a group: its members leave such files too,
    and what they bought stands there until the next run.

    Raises:
        DatabaseUnusableError: another account made one of them.
    """
    real = database.resolve()
    for suffix in BESIDE:
        path = real.with_name(real.name + suffix)
        try:
            found, kept = path.lstat(), real.stat()
        except OSError:
            continue  # it is not there, or what opens it says why it can't
        shared = kept.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not shared and found.st_uid != kept.st_uid and is_foreign(path, found):
            raise DatabaseFaultError(database, Fault.FOREIGN_FILE, str(found.st_uid), path)


def refuse_planted_start(database: Path, number: int) -> None:
    """Check that nobody else can write into what becomes a new database.

    Args:
        database: its name.
        number: the descriptor of the file, which has no table yet.

    Raises:
        DatabaseUnusableError: it belongs to another account.
    """
    found = os.fstat(number)
    if is_foreign(database, found):
        raise DatabaseFaultError(database, Fault.FOREIGN_START, str(found.st_uid))
