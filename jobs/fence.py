"""Whether a run may still buy: the database is the file that it opened, and no other run took it.

A lock file that somebody deleted, a database that was restored or replaced under a living run: each
would let one row be bought twice, or write what was bought where nobody finds it.
"""

import logging
import sqlite3
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from .store import Store, accounts
from .store.same_file import Change

log = logging.getLogger(__name__)

_ELSEWHERE: Final = (Change.GONE, Change.REPLACED)
"""After these, what is written reaches no file that a later run would open."""


class Fence:
    """Stands between a run and a database that is no longer its own.

    Args:
        store: of the run.
        run_id: random: it names the run in the database.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id

    def claim(self, connection: Connection, now: datetime) -> None:
        """Take the database over for this run, before it does anything else."""
        accounts.take_over_by(connection, self._run_id, now)

    def is_ours(self, connection: Connection) -> bool:
        """Return whether no other run took the database over."""
        return accounts.is_run(connection, self._run_id)

    def breach(self, connection: Connection) -> str:
        """Return why this run must buy nothing more; empty when it may."""
        if (change := self._store.change_of_file()) is not None:
            return f"the database {self._store.path} {change} while the run was at work"
        if self.is_ours(connection):
            return ""
        return (
            f"another runner took over {self._store.path} while this one was at work (was its "
            ".lock file deleted?)"
        )

    def told(self, breach: str, now: datetime) -> str:
        """Return what a person must know of a breach: where what was bought is written, what to do.

        Where the file is gone, what was written into it is copied to a file beside its name.
        """
        change = self._store.change_of_file()
        if change is None:
            return f"{breach}: this run submitted nothing more. The other one has what was bought"
        if change is Change.LINKED:
            return (
                f"{breach}: nothing more was submitted, and what was bought is written in "
                f"{self._store.path}. Delete the other name (find it with 'find -samefile'), then "
                "run again"
            )
        try:
            copy = self._store.rescue(f"rescued-{now:%Y%m%d-%H%M%S}")
        except (OSError, sqlite3.Error) as error:
            log.exception("the lost database could not be copied")
            return (
                f"{breach}: nothing more was submitted, and what this run bought could not be "
                f"written anywhere ({error}). Use the newest copy of the database with "
                "--adopt-existing, which finds in the account what was paid for"
            )
        return (
            f"{breach}: nothing more was submitted. What this run bought is written in {copy}: "
            f"continue from there with '--db {copy}', not with {self._store.path}, which does not "
            "know of it"
        )
