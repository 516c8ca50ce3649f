"""Databases of every older version, with rows in all states: an upgrade keeps all of it."""

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command
from alembic.config import Config

from batchsora.presentation.errors import upgrading
from jobs.database import schema
from jobs.model.states import AttemptState, FailureKind, HeldBack, JobState
from jobs.store import Store

AT: Final = "2026-01-05 20:00:00.000000"
PRICE: Final = 120_000
CREATED: Final = ("accepted", "completed", "failed", "abandoned")

ENDS: Final[dict[JobState, tuple[AttemptState | None, ...]]] = {
    JobState.QUEUED: (None, AttemptState.FAILED, AttemptState.REJECTED, AttemptState.VOID),
    JobState.SUBMITTING: (AttemptState.OPEN,),
    JobState.IN_DOUBT: (AttemptState.IN_DOUBT,),
    JobState.PENDING: (AttemptState.ACCEPTED,),
    JobState.PROCESSING: (AttemptState.ACCEPTED,),
    JobState.COMPLETED: (AttemptState.COMPLETED,),
    JobState.FAILED: (AttemptState.FAILED, AttemptState.REJECTED, AttemptState.ACCEPTED),
    JobState.CANCELLED: (None, AttemptState.COMPLETED),
}
"""How the last attempt of a job in each state may stand."""

FILLED: Final = {
    "job": {"held_back", "held_back_by", "held_beneath", "overruled_at", "handed",
            "filed_attempt_id"},
    "attempt": {"fingerprint", "prompt_key", "batch_id", "campaign", "video_url"},
}  # fmt: skip
"""What upgrades write into rows that were there."""


def at_revision(path: Path, revision: str) -> None:
    """Make an empty database of an older version."""
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_folder()))
    config.attributes["database"] = path
    command.upgrade(config, revision)


class Old:
    """Fills a database of an older version.

    Args:
        file: open.
    """

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        self._columns = {
            name: {column[1] for column in file.execute(f"PRAGMA table_info({name})")}
            for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        self.budgets: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.jobs = self.attempts = 0

    def add(self, table: str, **values: object) -> None:
        """Insert a row, as far as the version has its columns."""
        if table not in self._columns:
            return
        known = {name: value for name, value in values.items() if name in self._columns[table]}
        names = ", ".join(f'"{name}"' for name in known)
        marks = ", ".join("?" * len(known))
        self._file.execute(
            f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})",  # noqa: S608
            list(known.values()),
        )

    def job(self, batch: int, state: JobState, *attempts: AttemptState, **more: object) -> None:
        """Add a job and its attempts, the oldest first."""
        self.jobs += 1
        number, campaign = self.jobs, ("spring", None)[self.jobs % 2]
        done = state == JobState.COMPLETED
        address = f"http://x/{number}.mp4" if done else None
        for place, one in enumerate(attempts, 1):
            self.attempts += 1
            created = one in CREATED
            self.add(
                "attempt", id=self.attempts, job_id=number, state=one, kind="k",
                idempotency_key=str(self.attempts), prompt=f"p{number}", hold_micros=PRICE,
                day="2026-01-05", intent_at=AT, send_before=AT, price_estimated=0,
                generation_id=f"g{self.attempts}" if created else None,
                price_micros=PRICE if created else None, accepted_at=AT if created else None,
                next_look_at=AT if one == "accepted" else None, fingerprint=f"print {number}",
                ended_at=AT if one in ("completed", "failed", "void") else None,
                batch_id=batch, campaign=campaign, refunded_micros=0,
                video_url=address if place == len(attempts) else None,
            )  # fmt: skip
            keys = [f"batch:{batch}", "day:2026-01-05", "account"]
            for key in keys + ([f"campaign:{batch}:{campaign}"] if campaign else []):
                held = one in ("open", "in_doubt")
                self.budgets[key][0 if held else 1] += PRICE if held or created else 0
        values: dict[str, Any] = {
            "id": number, "batch_id": batch, "key": f"r{number}", "key_from_content": 0,
            "row": number, "fingerprint": f"print {number}", "kind": "k", "prompt": f"p{number}",
            "orientation": "9:16", "duration": 10, "priority": 0, "in_manifest": 1,
            "cells": '{"note": "n"}', "state": state, "campaign": campaign,
            "attempt_id": self.attempts if attempts else None, "attempts": len(attempts),
            "retries": 0, "charged_micros": PRICE * sum(one in CREATED for one in attempts),
            "created_at": AT, "video_url": address,
            "completed_at": AT if done else None, "handed": 0,
            "error_kind": FailureKind.SYSTEM if state == JobState.FAILED else None,
            "filed_attempt_id": self.attempts if done else None,
        } | more  # fmt: skip
        self.add("job", **values)
        if done:
            self.add(
                "artifact", attempt_id=self.attempts, job_id=number, path=f"/v/{number}.mp4",
                bytes=9, sha256="0", tries=1, fetched_at=AT,
            )  # fmt: skip

    def finish(self) -> None:
        """Add what is counted of all that."""
        for key, (held, charged) in self.budgets.items():
            self.add(
                "budget", key=key, cap_micros=10**7, held_micros=held, charged_micros=charged,
                refunded_micros=0,
            )  # fmt: skip
        if "tally" in self._columns:
            self._file.execute(
                "INSERT INTO tally SELECT batch_id, state,"
                " CASE state WHEN 'failed' THEN error_kind ELSE '' END, count(*)"
                " FROM job GROUP BY 1, 2, 3"
            )


def fill(path: Path, *, held_back: bool) -> None:
    """Leave a night in the database: every state, in a sheet, in a removed one, and one by one."""
    with closing(sqlite3.connect(path)) as file, file:
        old = Old(file)
        old.add(
            "account", id=1, api_origin="https://x", token_salt="s", token_hash="h",
            floor_micros=7, balance_micros=8, balance_at=AT, time_zone="Europe/Berlin",
            host="here", run_id="r", list_lag=1.5, exceeded=1,
        )  # fmt: skip
        old.add("price", kind="k", last_micros=PRICE, highest_micros=PRICE, source="learned",
                seen_at=AT)  # fmt: skip
        for number, name in enumerate(("night", "gone", "adhoc"), 1):
            old.add(
                "batch", id=number, name=name, columns='["note"]', active=0, paused=0,
                created_at=AT, refunds="none", source=f"/x/{name}.csv",
                removed_at=AT if name == "gone" else None,
            )  # fmt: skip
            for state, lasts in ENDS.items():
                for last in lasts:
                    old.job(number, state, *(() if last is None else (last,)))
                    old.job(number, state, AttemptState.FAILED, *(() if last is None else (last,)))
            if held_back:
                for reason in HeldBack:
                    old.job(number, JobState.QUEUED, held_back=reason)
        old.finish()


def contents(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Read every row of every table."""
    with closing(sqlite3.connect(path)) as file:
        file.row_factory = sqlite3.Row
        tables = file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: [dict(row) for row in file.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3")]  # noqa: S608
            for (name,) in tables
            if name not in ("alembic_version", "sqlite_sequence")
        }


@pytest.mark.parametrize("revision", [name for name in schema.KNOWN if name != schema.HEAD])
def test_an_upgrade_keeps_everything(tmp_path: Path, revision: str) -> None:
    """Rows, attempts, money, files and counts; and it is a whole database afterwards."""
    path = tmp_path / "a.db"
    at_revision(path, revision)
    fill(path, held_back=revision >= "0007")
    before = contents(path)
    schema.upgrade(path)
    after = contents(path)
    for table, rows in before.items():
        assert len(after[table]) == len(rows), table
        for old, new in zip(rows, after[table], strict=True):
            kept = old.keys() - FILLED.get(table, set()) - {"list_lag"}
            assert {name: new[name] for name in kept} == {name: old[name] for name in kept}, table
            for name in old.keys() & FILLED.get(table, set()) - {"held_back", "prompt_key"}:
                assert new[name] == old[name], (table, name)
    lag = before["account"][0].get("list_lag")
    assert json.loads(after["account"][0]["list_lags"]) == ({} if lag is None else {"sora": lag})
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        counted = file.execute(
            "SELECT batch_id, state, CASE state WHEN 'failed' THEN error_kind ELSE '' END, count(*)"
            " FROM job GROUP BY 1, 2, 3"
        ).fetchall()
        assert file.execute("SELECT * FROM tally WHERE jobs ORDER BY 1, 2, 3").fetchall() == counted
    attempts = {row["id"]: row for row in after["attempt"]}
    for job in after["job"]:
        if job["state"] == "completed":
            assert attempts[job["attempt_id"]]["video_url"] == job["video_url"]
            assert job["filed_attempt_id"] == job["attempt_id"]
    assert all(row["fingerprint"] and row["batch_id"] for row in after["attempt"])
    shown = {row["id"] for row in after["attempt"] if row["video_url"]}
    assert shown == {job["attempt_id"] for job in after["job"] if job["state"] == "completed"}


def test_an_upgrade_that_takes_long_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is at, that nothing is bought, and where the copy is; a quick one says nothing."""
    path = tmp_path / "a.db"
    said: list[schema.Upgrade] = []
    for patience in (600.0, 0.0):
        monkeypatch.setattr(schema, "PATIENCE", patience)
        path.unlink(missing_ok=True)
        at_revision(path, "0006")
        schema.upgrade(path, said.append)
        assert len(said) == (patience == 0.0)
    text = upgrading(said[0])
    assert "upgrading the database" in text
    assert f"{path}.before-{schema.HEAD}-from-0006" in text


@pytest.mark.parametrize("revision", ["0001", "0006", "0007"])
def test_single_videos_that_were_left_queued_are_bought_by_nobody(
    tmp_path: Path, revision: str
) -> None:
    """An unnamed run looks for rows of sheets, and does not buy what ``generate`` gave up."""
    path = tmp_path / "a.db"
    at_revision(path, revision)
    fill(path, held_back=False)
    if revision == "0007":  # what that upgrade had made of them
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("UPDATE job SET held_back = 'not_looked' WHERE state = 'queued'")
    schema.upgrade(path)
    with Store(path) as store:
        counts = [store.queries.statuses([batch])[0].held_back for batch in (1, 3)]
    queued = 2 * len(ENDS[JobState.QUEUED])
    assert counts == [{HeldBack.NOT_LOOKED: queued}, {HeldBack.UNASKED: queued}]
