"""Files beside a database that another account put there before us.

SQLite trusts a ``-wal`` or ``-journal`` whoever made it, and writes its content into the database.
An empty file with the database's name is a new database, whoever can write into it. Both must
belong to somebody who could change the database anyway (:func:`.files.is_foreign`).
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
    """Check that the files SQLite would read with a database are its owner's.

    They may also belong to the database's owner, to whom root's SQLite gives them; and to anybody
    if a group can write the database: its members leave such files, with what they bought.

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
    """Raise DatabaseUnusableError if another account can write into a new database's empty file."""
    found = os.fstat(number)
    if is_foreign(database, found):
        raise DatabaseFaultError(database, Fault.FOREIGN_START, str(found.st_uid))
