"""What a database tells of where and when it was used: another machine, a clock that was wrong."""

import os
from datetime import datetime
from typing import Any

from batchsora.app.earlier import Asker
from jobs.errors import DatabaseUnusableError
from jobs.host import is_same_host, this_host
from jobs.store import Store, accounts, days


def other_host(account: Any) -> str | None:
    """Name the machine that used a database last, and when; None where it was this one, or none.

    Args:
        account: with ``host`` and ``run_at`` as they were before this run.
    """
    if account.host is None or is_same_host(account.host, this_host(os.environ)):
        return None
    when = "" if account.run_at is None else f" at {account.run_at:%Y-%m-%d %H:%M} UTC"
    return f"{account.host}{when}"


def settle_place(store: Store, now: datetime, teller: Asker, *, moved: bool) -> None:
    """Settle on which machine this is, and say when the daily budget lies in the future.

    Raises:
        DatabaseUnusableError: see :func:`settle_host`.
    """
    settle_host(store, teller, moved=moved)
    ahead = store.read(lambda connection: days.future_days(connection, now))
    if ahead:
        teller.say(
            f"the daily budget is at {ahead[-1]}, which is in the future (a clock was wrong): all "
            "that is bought until then counts under that day. 'batchsora doctor --reset-day' moves "
            "it to today"
        )


def settle_host(store: Store, teller: Asker, *, moved: bool) -> None:
    """Make sure that no other machine buys from a copy of this database; keep whose it is now.

    Args:
        store: opened under the runner's lock, before a run began in it.
        teller: asks, where somebody can answer.
        moved: a person said already that it was moved here.

    Raises:
        DatabaseUnusableError: it was used elsewhere, and nobody said that this is no copy of it.
    """
    other = other_host(store.read(accounts.read_account))
    if other is not None and not moved:
        said = (
            f"this database was last used on {other}; if a run there is still at work, both buy "
            "the same rows"
        )
        if not (teller.can_ask() and teller.confirm(f"{said}. Continue here?")):
            raise DatabaseUnusableError(
                f"{said}, so nothing was bought. When nothing is at work there, 'batchsora run "
                "--moved' continues here (a container keeps one name by BATCHSORA_HOST)"
            )
    here = this_host(os.environ)
    store.write(lambda connection: accounts.keep_host(connection, here))
