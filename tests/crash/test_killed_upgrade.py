"""SIGKILL while a database of an older version is upgraded: it is as it was, or whole."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from crash.night import Night, compare, manifest
from support.older import make_0008
from support.stopping import KILLED

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database import schema

DYING, UPGRADING = (Path(__file__).with_name(name) for name in ("dying.py", "upgrading.py"))
ROWS = 4

POINTS = {
    "backup": "0008",
    "UPDATE account SET exceeded": "0008",
    "CREATE TEMP TABLE": schema.HEAD,
}
"""Statements at which it dies, and of which version the database is then."""


def contents(path: Path) -> dict[str, list[Any]]:
    """Read what people and providers know a row by."""
    with closing(sqlite3.connect(path)) as file:
        return {
            "job": file.execute(
                "SELECT id, key, state, attempt_id FROM job ORDER BY id"
            ).fetchall(),
            "attempt": file.execute(
                "SELECT id, job_id, state, generation_id, hold_micros, price_micros FROM attempt"
                " ORDER BY id"
            ).fetchall(),
            "budget": file.execute(
                "SELECT key, held_micros, charged_micros FROM budget ORDER BY key"
            ).fetchall(),
        }


@pytest.mark.parametrize("point", POINTS)
def test_killed_in_the_middle_of_an_upgrade(tmp_path: Path, point: str) -> None:
    """With unconfirmed submissions: it opens, nothing is lost, and the copy before it is there."""
    manifest(tmp_path / "night.csv", ROWS)
    world = World(time_scale=1500.0)
    with SandboxServer(world, faults=Faults(drop=0.5)) as api:
        night = Night(tmp_path, api.url)
        killed = night.run("night.csv", program=(str(DYING), "outcome-written", "1", "--"))
        assert killed.returncode == KILLED, killed.stderr
        make_0008(night.database)
        before = contents(night.database)
        assert {row[2] for row in before["attempt"]} & {"open", "in_doubt"}
        killed = night.run("night.csv", program=(str(UPGRADING), point, "--"))
        assert killed.returncode == KILLED, (killed.stdout, killed.stderr)
        assert night.rows("SELECT version_num FROM alembic_version") == [(POINTS[point],)]
        assert night.rows("PRAGMA integrity_check") == [("ok",)]
        assert contents(night.database) == before
        after = night.run("night.csv", "--grace", "1")
        assert after.returncode in (0, 7), after.stderr
        compare(night, world)
    copy = tmp_path / f"batchsora.db.before-{schema.HEAD}-from-0008"
    assert schema.version(copy) == "0008"
    assert contents(copy) == before
