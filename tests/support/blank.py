"""A migrated database without rows; made once in each process, for tests that need hundreds."""

import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import update

from batchsora.composition.ownership import own_sealer
from jobs.database import schema
from jobs.database.tables import ACCOUNT
from jobs.store import Store, accounts
from support.compiled import share_statements


def blank(path: Path) -> None:
    """Write an empty database of the newest schema, as ``schema.upgrade`` makes it."""
    path.write_bytes(_blank())


def let_agree(store: Store, now: datetime, balance: int = 100_000_000) -> None:
    """Let the balance of a blank database have agreed with $10, as it has after some nights."""
    quiet = {"quiet_at": now, "quiet_balance_micros": balance, "quiet_charged_micros": 0}
    numbers = {"quiet_attempt": 0, "quiet_mishaps": 0, "agreed_micros": 10_000_000}
    store.write(lambda c: c.execute(update(ACCOUNT).values(**quiet, **numbers)))


def make_own(store: Store, environment: Mapping[str, str] = os.environ) -> None:
    """Seal a database as one that this account of the machine has made."""
    seal = own_sealer(environment).sealed(None)
    store.write(lambda c: accounts.keep(c, seal=seal))


@cache
def _blank() -> bytes:
    share_statements()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blank.db"
        schema.upgrade(path)
        return path.read_bytes()
