"""A database as an older version of batchsora left it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

SINCE_0008: Final = {
    "account": ("unsteady_ours", "exceeded", "cut_off_micros", "cut_off_attempt", "seal"),
    "attempt": ("cut_off", "seen_charged"),
}
"""Columns that later revisions add."""


def make_0008(path: Path) -> None:
    """Take away what revisions after 0008 add: whatever a run kept there is forgotten."""
    make_0011(path)
    with closing(sqlite3.connect(path)) as file, file:
        for table, names in SINCE_0008.items():
            for name in names:
                file.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        file.execute("UPDATE alembic_version SET version_num = '0008'")


def make_0010(path: Path) -> None:
    """Take away the seal, which revision 0011 adds, and what was added since."""
    make_0011(path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("ALTER TABLE account DROP COLUMN seal")
        file.execute("UPDATE alembic_version SET version_num = '0010'")


def make_0014(path: Path) -> None:
    """Take away which run is to stop and what is archived, which revision 0015 adds."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("ALTER TABLE account DROP COLUMN stop_run")
        file.execute("ALTER TABLE batch DROP COLUMN archived_at")
        file.execute("UPDATE alembic_version SET version_num = '0014'")


def make_0013(path: Path) -> None:
    """Take away what rows ask for in parameters, which revision 0014 adds."""
    make_0014(path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("ALTER TABLE job DROP COLUMN parameters")
        file.execute("UPDATE alembic_version SET version_num = '0013'")


def make_0012(path: Path) -> None:
    """Take away the events, which revision 0013 adds."""
    make_0013(path)
    with closing(sqlite3.connect(path)) as file, file:
        for trigger in ("job_event", "attempt_event", "attempt_found"):
            file.execute(f"DROP TRIGGER {trigger}")
        file.execute("DROP TABLE event")
        file.execute("UPDATE alembic_version SET version_num = '0012'")


def make_0011(path: Path) -> None:
    """Take away how requests are known however they are spelled, which revision 0012 adds."""
    make_0012(path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DROP INDEX ix_attempt_request_key")
        file.execute("ALTER TABLE attempt DROP COLUMN request_key")
        file.execute(
            "CREATE INDEX ix_attempt_fingerprint ON attempt (fingerprint)"
            " WHERE generation_id IS NOT NULL"
        )
        file.execute("UPDATE alembic_version SET version_num = '0011'")
