"""The real command line in a real process that kills itself at a named checkpoint.

Usage: ``python dying.py POINT COUNT -- ARGUMENTS…``: SIGKILL at the COUNT-th time POINT is passed.
``POINT@STATE`` counts only while an attempt in the working folder's database is in that state.
"""

import os
import signal
import sqlite3
import sys
from contextlib import closing

from batchsora.cli import main
from batchsora.cli.common import Cli
from batchsora.composition.session import RunDependencies


class Dying:
    """Counts a checkpoint down."""

    def __init__(self, point: str, count: int) -> None:
        self._point, _, self._state = point.partition("@")
        self._left = count

    def __call__(self, name: str) -> None:
        if name == self._point and self._is_reached():
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    def _is_reached(self) -> bool:
        """Check whether an attempt is in the state that is waited for."""
        if not self._state:
            return True
        with closing(sqlite3.connect("batchsora.db")) as file:
            found = file.execute("SELECT 1 FROM attempt WHERE state = ?", (self._state,))
            return found.fetchone() is not None


if __name__ == "__main__":
    separator = sys.argv.index("--")
    point, count = sys.argv[1:separator]
    main(sys.argv[separator + 1 :], obj=Cli(RunDependencies(checkpoint=Dying(point, int(count)))))
