"""The real command line in a real process that a Ctrl-C meets while it loads a manifest.

Usage: ``python interrupted.py WHEN -- ARGUMENTS…``: ``reading`` is a moment after rows began to be
read; a number is the COUNT-th statement that takes rows in from the manifest; ``merging`` is while
SQLite brings them into the job table.
"""

import os
import signal
import sqlite3
import sys
from typing import Any

from batchsora.cli import main

READING = 0.1
"""Seconds after which a large manifest has certainly not been read to its end."""

AGAIN = 4.0
"""Seconds after which a person presses again."""

INSERTING = 0.0005
"""Seconds after which SQLite is in the middle of a statement."""

AWAITED = {"reading": "CREATE TEMP TABLE", "merging": "INSERT INTO job "}


def press_ctrl_c(*_: object) -> None:
    """Send what the terminal sends."""
    os.kill(os.getpid(), signal.SIGINT)


class Countdown:
    """Watches the statements of a load."""

    def __init__(self, when: str) -> None:
        self._awaited = AWAITED.get(when, "INSERT INTO temp.incoming")
        self._left = 1 if when in AWAITED else int(when)
        self._seconds = READING if when == "reading" else INSERTING

    def __call__(self, statement: str) -> None:
        """Take note of a statement that is about to run."""
        if statement.startswith(self._awaited):
            self._left -= 1
            if self._left == 0:
                # pressed again when nothing happens: Python drops one that meets it in a finaliser
                signal.setitimer(signal.ITIMER_REAL, self._seconds, AGAIN)


class Watched(sqlite3.Connection):
    """A connection that tells its statements."""

    countdown: Countdown

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_trace_callback(self.countdown)


if __name__ == "__main__":
    separator = sys.argv.index("--")
    signal.signal(signal.SIGALRM, press_ctrl_c)
    Watched.countdown = Countdown(sys.argv[1])
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **kwargs: connect(*args, factory=Watched, **kwargs)
    main(sys.argv[separator + 1 :])
