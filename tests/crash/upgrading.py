"""The real command line in a real process that SIGKILL meets while it upgrades its database.

Usage: ``python upgrading.py STATEMENT -- ARGUMENTS…``: before the first statement of SQLite that
begins with STATEMENT; ``backup``: when the copy before the upgrade is whole, and not in its place.
"""

import os
import signal
import sqlite3
import sys
from typing import Any

from batchsora.cli import main


def die() -> None:
    """End as a power cut ends it."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class Watched(sqlite3.Connection):
    """A connection that looks at its statements before they run."""

    awaited = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_trace_callback(self.heed)

    def heed(self, statement: str) -> None:
        """Die before the awaited one."""
        if statement.startswith(self.awaited):
            die()

    def backup(self, *args: Any, **kwargs: Any) -> None:
        """Copy the database."""
        super().backup(*args, **kwargs)
        if self.awaited == "backup":
            die()


if __name__ == "__main__":
    separator = sys.argv.index("--")
    Watched.awaited = sys.argv[1]
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Watched, **kwargs)
    main(sys.argv[separator + 1 :])
