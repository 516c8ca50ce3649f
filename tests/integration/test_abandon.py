"""``abandon`` and ``retry --abandon``: a way out of what does not end; dry runs tell the truth."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, update
from support.blank import blank
from support.loop import EPOCH
from support.shell import call

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database.tables import ATTEMPT, BATCH, JOB
from jobs.model.retry import Patience
from jobs.model.states import JobState
from jobs.store import Store, steering

RUN = ("--rate", "0", "--poll-interval", "0.05", "--no-download", "--retries", "0")
IMPATIENT = (*RUN, "--generation-timeout", "0.2")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider whose videos take their time, and a folder with a manifest of two rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "abandon-test")
    Path("night.csv").write_text("id,prompt\nr0,a red kite\nr1,a red boat\n")
    return World(time_scale=1.0)


def document(*arguments: str, code: int = 0) -> Any:
    done = call(*arguments, "--json")
    assert done.exit_code == code, (done.stderr, done.exception)
    return json.loads(done.stdout)


def states() -> dict[str, str]:
    return {job["job"]: job["status"] for job in document("jobs")}


@pytest.fixture
def stuck(api: SandboxServer) -> SandboxServer:
    """A night after which nothing has ended."""
    assert call("run", "night.csv", "--budget", "5", *IMPATIENT).exit_code == 3
    assert states() == {"r0": "failed", "r1": "failed"}
    return api


@pytest.mark.usefixtures("stuck")
def test_a_dry_run_promises_nothing_that_retry_refuses(world: World) -> None:
    """What is paid for and may still finish is refused by both, with the way out."""
    for words in (["retry", "r0"], ["retry", "--kind", "overdue"]):
        dry = document(*words, "--dry-run", code=2)
        assert dry["retried"] == []
        assert "'batchsora abandon' gives it up" in dry["refused"][0]["reason"]
        assert document(*words, "--yes", code=2)["refused"] == dry["refused"]
    assert "batchsora abandon r0" in document("show", "r0")["next"]
    assert len(world.made) == 2


@pytest.mark.usefixtures("stuck")
def test_what_is_given_up_stays_spent_and_is_bought_again_by_retry(world: World) -> None:
    """A question says what it costs; then retry does what its dry run says."""
    dry = call("abandon", "r0", "--dry-run")
    assert dry.exit_code == 0
    assert "$0.12 stays spent" in dry.stdout
    assert "buying again costs about $0.12" in dry.stdout
    assert call("abandon", "r0").exit_code == 2  # no terminal to confirm on
    assert document("show", "r0")["attempts"][0]["status"] == "accepted"
    done = document("abandon", "r0", "--yes")
    assert (done["abandoned"], done["spent"], done["refused"]) == (["r0"], "0.12", [])
    assert document("abandon", "r0", "--yes", code=2)["refused"][0]["reason"].startswith(
        "its generation has ended"
    )
    story = document("show", "r0")
    assert (story["attempts"][0]["status"], story["attempts"][0]["price"]) == ("abandoned", "0.12")
    assert "batchsora retry r0" in story["next"]
    assert document("retry", "r0", "--dry-run")["retried"] == ["r0"]
    assert document("retry", "r0", "--yes")["retried"] == ["r0"]
    world.time_scale = 2000.0
    call("run", *RUN)
    assert states()["r0"] == "completed"
    assert [made.prompt for made in world.made].count("a red kite") == 2
    assert document("status")["batches"][0]["money"]["charged"] == "0.36"


@pytest.mark.usefixtures("stuck")
def test_retry_abandons_in_one_step(world: World) -> None:
    """It says what stays spent and what is bought, and does both."""
    assert call("retry", "--abandon", "--yes").exit_code == 2  # which?
    dry = call("retry", "r1", "--abandon", "--dry-run")
    assert "1 job(s) would be bought again for about $0.12" in dry.stdout
    assert "$0.12 for 1 that may still finish stays spent" in dry.stdout
    assert document("show", "r1")["attempts"][0]["status"] == "accepted"
    assert document("retry", "r1", "--abandon", "--yes")["retried"] == ["r1"]
    assert states() == {"r0": "failed", "r1": "queued"}
    assert document("retry", "--kind", "overdue", "--abandon", "--yes")["retried"] == ["r0"]
    assert len(world.made) == 2


@pytest.mark.usefixtures("stuck")
def test_a_late_video_is_found_by_a_later_run(world: World) -> None:
    """Given up, and finished after all: the next run takes it, and nothing is bought again."""
    assert call("abandon", "r0", "r1", "--yes").exit_code == 0
    for made in world.made:
        made.takes = 0.01
    done = call("run", *RUN)
    assert done.exit_code == 0, done.stderr
    assert states() == {"r0": "completed", "r1": "completed"}
    assert len(world.made) == 2


@pytest.mark.usefixtures("api")
def test_what_is_young_or_unpaid_is_not_given_up(world: World) -> None:
    """A video that takes its usual time is no way to buy two."""
    assert call("generate", "a swan", "--yes").exit_code == 0
    (young,) = document("abandon", "adhoc-1", "--yes", code=2)["refused"]
    assert "a run still waits for it" in young["reason"]
    assert states() == {"adhoc-1": "pending"}
    assert call("run", "night.csv", "--budget", "0", *RUN).exit_code == 4
    reasons = [one["reason"] for one in document("abandon", "r0", "--yes", code=2)["refused"]]
    assert reasons == ["it is queued already"]
    assert call("abandon", "nobody", "--yes").exit_code == 2
    assert len(world.made) == 1


ATTEMPTS = ("open", "in_doubt", "accepted", "rejected", "void", "completed", "failed", "abandoned")
CURRENT = {
    JobState.QUEUED: (None, "rejected", "void", "failed", "abandoned"),
    JobState.SUBMITTING: ("open",),
    JobState.IN_DOUBT: ("in_doubt",),
    JobState.PENDING: ("accepted",),
    JobState.PROCESSING: ("accepted",),
    JobState.COMPLETED: ("completed",),
    JobState.FAILED: ("accepted", "failed", "rejected", "void", "abandoned"),
    JobState.CANCELLED: (None, "rejected", "void", "failed"),
}
"""The states that a job's current attempt may have."""


@st.composite
def databases(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw jobs in any state that the engine leaves them in."""
    rows = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        state = draw(st.sampled_from(list(JobState)))
        rows.append(
            {
                "id": number,
                "state": state,
                "live": draw(st.sampled_from(CURRENT[state])),
                "held_back": draw(st.sampled_from([None, "left_out", "exists"]))
                if state is JobState.QUEUED
                else None,
                "in_manifest": draw(st.booleans()),
                "age": draw(st.sampled_from([0, 60, 1799, 1800, 90_000])),
            }
        )
    return rows


def fill(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write such a database."""
    connection.execute(
        insert(BATCH).values(id=1, name="night", columns=[], created_at=EPOCH, refunds="none")
    )
    for row in rows:
        number, state, live = row["id"], row["state"], row["live"]
        connection.execute(
            insert(JOB).values(
                id=number, batch_id=1, key=f"r{number}", key_from_content=False, row=number,
                fingerprint="f", kind="k", prompt="p", orientation="9:16", duration=10, cells={},
                state=state, created_at=EPOCH, held_back=row["held_back"],
                in_manifest=row["in_manifest"], charged_micros=0,
                error_kind="overdue" if state is JobState.FAILED else None,
                video_url="u" if state is JobState.COMPLETED else None,
            )
        )  # fmt: skip
        if live is None:
            continue
        sent = EPOCH - timedelta(seconds=row["age"])
        charged = live in ("accepted", "completed", "failed", "abandoned")
        connection.execute(
            insert(ATTEMPT).values(
                id=number, job_id=number, state=live, idempotency_key=str(number), kind="k",
                prompt="p", hold_micros=1, day="2026-01-05", intent_at=sent, send_before=sent,
                generation_id=f"g{number}" if charged else None,
                price_micros=1 if charged else None,
                accepted_at=sent if charged else None,
            )
        )  # fmt: skip
        connection.execute(update(JOB).where(JOB.c.id == number).values(attempt_id=number))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walk") / "walk.db"
    blank(path)
    return path


class UndoneError(Exception):
    """Ends a transaction as if it had never been."""


@given(rows=databases(), abandoning=st.booleans())
def test_every_dry_run_says_what_the_deed_does(
    empty: Path, rows: list[dict[str, Any]], *, abandoning: bool
) -> None:
    """In whatever database: the list of the dry run is what the deed moves, and nothing else."""
    terms = Patience(EPOCH, timedelta(minutes=30)) if abandoning else None
    ids = [row["id"] for row in rows]

    def work(connection: Connection) -> None:
        fill(connection, rows)
        before = steering.standings(connection, ids)
        promised = {
            number
            for number, why in steering.may_be_retried(connection, ids, terms).items()
            if why is None
        }
        assert set(steering.retry(connection, ids, terms)) == promised
        after = steering.standings(connection, ids)
        for number in ids:
            moved = before[number] != after[number]
            assert moved == (number in promised)
            if moved:
                assert after[number].state is JobState.QUEUED
                assert after[number].live is None
                assert not after[number].held_back
        raise UndoneError

    def giving_up(connection: Connection) -> None:
        fill(connection, rows)
        patience = Patience(EPOCH, timedelta(minutes=30))
        promised = {
            number
            for number, why in steering.may_be_given_up(connection, ids, patience).items()
            if why is None
        }
        assert set(steering.abandon(connection, ids, patience)) == promised
        for number, job in steering.standings(connection, ids).items():
            if number in promised:
                assert (job.state, job.live) == (JobState.FAILED, None)
        raise UndoneError

    with Store(empty) as store:
        for one in (work, giving_up):
            with pytest.raises(UndoneError):
                store.write(one)
