"""The real command line in a real process that a Ctrl-C meets while it loads a manifest.

Usage: ``python interrupted.py WHEN -- ARGUMENTS…``: ``reading`` is a moment after the load began,
while rows are read; a number is the COUNT-th statement that inserts rows, while SQLite runs it.
"""

import os
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event

from batchsora.cli import main

READING = 0.1
"""Seconds after which a large manifest has certainly not been read to its end."""

AGAIN = 4.0
"""Seconds after which a person presses again."""

INSERTING = 0.0005
"""Seconds after which SQLite is in the middle of inserting five hundred rows."""


def press_ctrl_c(*_: object) -> None:
    """Send what the terminal sends."""
    os.kill(os.getpid(), signal.SIGINT)


class Countdown:
    """Watches the statements of a load, which makes its batch before it reads the rows."""

    def __init__(self, when: str) -> None:
        reading = when == "reading"
        self._awaited = "INSERT INTO batch " if reading else "INSERT INTO job "
        self._left = 1 if reading else int(when)
        self._seconds = READING if reading else INSERTING

    def __call__(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """Take note of a statement that is about to run."""
        if statement.startswith(self._awaited):
            self._left -= 1
            if self._left == 0:
                # pressed again when nothing happens: Python drops one that meets it in a finaliser
                signal.setitimer(signal.ITIMER_REAL, self._seconds, AGAIN)


if __name__ == "__main__":
    separator = sys.argv.index("--")
    signal.signal(signal.SIGALRM, press_ctrl_c)
    event.listen(Engine, "before_cursor_execute", Countdown(sys.argv[1]))
    main(sys.argv[separator + 1 :])
