"""Whether the name of a database still leads to the file that was opened.

SQLite keeps writing into a file that was deleted or replaced, and two names of one file have two
``-wal`` files: in both cases purchases would be written where no later run reads them.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ..model.errors import DatabaseFaultError, Fault
from ..ports.purchases import Lost


def refuse_second_name(database: Path) -> None:
    """Refuse a second name (a hard link) of a database: two runs would have a lock each."""
    try:
        links = database.stat().st_nlink
    except OSError:
        return  # none yet, or what opens it says why it can't
    if links > 1:
        raise DatabaseFaultError(database, Fault.SECOND_NAME)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The file that a path (absolute, whatever the working folder becomes) led to when opened."""

    path: Path
    device: int
    inode: int

    @classmethod
    def at(cls, path: Path) -> "OpenedFile":
        """Remember which file a path leads to.

        Raises:
            OSError: there is none.
        """
        found = path.stat()
        return cls(path.absolute(), found.st_dev, found.st_ino)

    def change(self) -> Lost | None:
        """Return how the file was lost; None when all is well or that can't be seen just now."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 - each turn: half the time of Path.stat
        except (FileNotFoundError, NotADirectoryError):
            return Lost.GONE
        except OSError:
            return None  # no permission, a disk error: SQLite's own answer says more
        if (found.st_dev, found.st_ino) != (self.device, self.inode):
            return Lost.REPLACED
        return Lost.LINKED if found.st_nlink > 1 else None
