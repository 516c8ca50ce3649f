"""A database as an older version of batchsora left it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config

from jobs.database import schema

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


def make_0015(path: Path) -> None:
    """Make it by the migrations until then, and copy what it had."""
    old = path.with_name(f"{path.name}.0015")
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_folder()))
    config.attributes["database"] = old
    command.upgrade(config, "0015")
    with closing(sqlite3.connect(old)) as file, file:
        file.execute("ATTACH ? AS newer", (str(path),))
        tables = [
            name
            for (name,) in file.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")
        ]
        tables.remove("alembic_version")
        for table in (*(name for name in tables if name != "event"), "event"):
            columns = [
                {column[1] for column in file.execute(f"PRAGMA {base}.table_info({table})")}
                for base in ("main", "newer")
            ]
            names = ", ".join(f'"{name}"' for name in columns[0] & columns[1])
            file.execute(f"DELETE FROM {table}")  # noqa: S608 - of ours, as below
            file.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM newer.{table}")  # noqa: S608
        lag = "json_extract(list_lags, '$.sora') FROM newer.account"
        file.execute(f"UPDATE account SET list_lag = (SELECT {lag})")  # noqa: S608
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    with closing(sqlite3.connect(old)) as file:
        file.execute("PRAGMA journal_mode = DELETE")
    old.replace(path)


def make_0014(path: Path) -> None:
    """Take away which run is to stop and what is archived, which revision 0015 adds."""
    make_0015(path)
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
