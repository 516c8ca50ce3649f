"""What a workbook's result columns say, ``jobs --json`` says as well."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.composition.databases import existing_store
from batchsora.result_columns import RESULT_NAMES
from batchsora.sandbox.world import World
from jobs.ports.selection import Verdict
from jobs.store import browsing, views

TWICE = ("price", "file", "submitted_at", "completed_at")
"""Written otherwise in JSON: no price is ``0.00``, the path is whole, times have their zone."""


@pytest.fixture
def world() -> World:
    return World(time_scale=2000.0)


@pytest.mark.usefixtures("api")
def test_each_result_of_each_row(call: Shell) -> None:
    """Of a row whose video is a favourite, and of one that nobody judged."""
    Path("night.csv").write_text("id,prompt\na,a heron\nb,a kite\n", encoding="utf-8")
    said = call("run", "night.csv", "--budget", "1", "--rate", "0", "--poll-interval", "0.05", "-q")
    assert said.code == 0, said.err
    with existing_store(Path("batchsora.db").absolute()) as store:
        attempt = store.read(lambda c: views.find_job(c, "a", "night")).attempt_id
        now = datetime(2026, 1, 1, tzinfo=UTC)
        store.write(lambda c: browsing.judge(c, attempt, Verdict.FAVOURITE, now))
    assert call("export", "-o", "out.csv", "--batch", "night").code == 0
    with Path("out.csv").open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    told = call("--json", "jobs", "--batch", "night").json
    assert [one["job"] for one in told] == ["a", "b"]
    for row, one in zip(written, told, strict=True):
        for name in RESULT_NAMES:
            assert name in one
            if name not in TWICE:
                assert row[name] == str("" if one[name] is None else one[name]), name
        assert Path(row["file"]).absolute() == Path(one["file"])
    assert told[0]["verdict"] == "favourite"
    assert told[1]["verdict"] is None
    assert {len(one["sha256"]) for one in told} == {64}
    assert {one["model"] for one in told} == {"sora"}
