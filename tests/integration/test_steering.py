"""``retry cancel pause resume rm show jobs``: living with a batch, against the sandbox."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.cli.failures import exit_of
from batchsora.presentation.errors import message
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database.tables import BATCH, JOB
from jobs.model.clock import SystemClock
from jobs.store import Store, steering

RUN = ("--rate", "0", "--poll-interval", "0.05", "--no-download", "--retries", "0")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider that fails what it is told to, and a folder with a manifest of four rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "steering-test")
    lines = [
        "id,prompt,campaign",
        "r0,a red kite,summer",
        "r1,a red boat,summer",
        "r2,a blue kite,winter",
        "r3,a blue boat,winter",
    ]
    Path("night.csv").write_text("\n".join(lines))
    return World(
        time_scale=2000.0,
        failures={
            "a red boat": ["internal error"],
            "a blue boat": ["violates our content policy"],
        },
    )


def call(*arguments: str, answer: str | None = None) -> Result:
    """Run a command in this process; its exit code is the process's."""
    done = CliRunner().invoke(
        group, list(arguments), obj=Cli(), input=answer, standalone_mode=False
    )
    done.exit_code = exit_of(done.exception) if done.exception else int(done.return_value or 0)
    return done


def document(*arguments: str, code: int = 0) -> Any:
    """Run a command and read its document."""
    done = call(*arguments, "--json")
    assert done.exit_code == code, (done.stderr, done.exception)
    return json.loads(done.stdout)


def states() -> dict[str, str]:
    """Map every job to its state."""
    return {job["job"]: job["status"] for job in document("jobs")}


@pytest.fixture
def ran(api: SandboxServer) -> SandboxServer:
    """A night after which one row failed by itself, and one by its content."""
    assert call("run", "night.csv", "--budget", "5", *RUN).exit_code == 3
    assert states() == {"r0": "completed", "r1": "failed", "r2": "completed", "r3": "failed"}
    return api


@pytest.mark.usefixtures("ran")
def test_retry_says_what_it_costs_and_leaves_alone_what_would_fail_again(world: World) -> None:
    """A dry run changes nothing; the word buys only what another attempt may get past."""
    dry = call("retry", "--dry-run")
    assert dry.exit_code == 0
    assert "1 job(s) would be bought again for about $0.12" in dry.stdout
    assert "the budgets leave $4.52 in night" in dry.stdout
    assert "'batchsora retry --kind content'" in dry.stderr
    assert states()["r1"] == "failed"
    assert call("retry").exit_code == 2  # no terminal to confirm on
    assert states()["r1"] == "failed"
    world.failures.clear()
    done = document("retry", "--yes")
    assert (done["retried"], done["cost"], done["refused"]) == (["r1"], "0.12", [])
    assert call("run", *RUN).exit_code == 3
    assert states() == {"r0": "completed", "r1": "completed", "r2": "completed", "r3": "failed"}
    assert len(world.made) == 5


@pytest.mark.usefixtures("ran")
def test_a_failed_row_is_bought_with_another_prompt(world: World) -> None:
    """Its manifest goes on saying the old one, and only an edit there changes it again."""
    assert call("retry", "r1", "r3", "--prompt", "x", "--yes").exit_code == 2
    assert "characters" in message(call("retry", "r3", "--prompt", "x" * 4001, "--yes").exception)
    assert call("retry", "r3", "--prompt", "  ", "--yes").exit_code == 2
    assert call("retry", "r3", "--prompt", "a calm blue boat", "--yes").exit_code == 0
    # a load of the same manifest changes nothing of it, before it is bought and after
    assert call("run", "night.csv", *RUN).exit_code == 3  # r1 still failed
    assert call("run", "night.csv", *RUN).exit_code == 3
    assert states()["r3"] == "completed"
    assert [made.prompt for made in world.made].count("a calm blue boat") == 1
    assert [made.prompt for made in world.made].count("a blue boat") == 1
    story = document("show", "r3")
    assert [attempt["prompt"] for attempt in story["attempts"]] == [
        "a blue boat",
        "a calm blue boat",
    ]
    # an edit in the manifest is an edit of a paid row, as ever
    rows = Path("night.csv").read_text().replace("a blue boat", "a green boat")
    Path("night.csv").write_text(rows)
    said = call("run", "night.csv", *RUN)
    assert "--redo-changed" in said.stderr
    assert call("run", "night.csv", "--redo-changed", "--yes", *RUN).exit_code == 3
    assert [made.prompt for made in world.made].count("a green boat") == 1


@pytest.mark.usefixtures("ran")
def test_retry_by_kind_campaign_and_name() -> None:
    """What was asked for by kind, campaign or name is retried, whatever the failure."""
    assert document("retry", "--kind", "content", "--campaign", "summer", "--yes")["retried"] == []
    assert document("retry", "--kind", "content", "--dry-run")["retried"] == ["r3"]
    named = document("retry", "r0", "r1", "r3", "--yes", code=2)
    assert named["retried"] == ["r1", "r3"]
    assert named["refused"] == [{"job": "r0", "batch": "night", "reason": "it is completed"}]
    assert call("retry", "nobody").exit_code == 2


@pytest.mark.usefixtures("api")
def test_what_is_cancelled_is_not_bought_until_it_is_put_back(world: World) -> None:
    """Only the queue can be cancelled; loading the manifest again does not put it back."""
    assert call("run", "night.csv", "--budget", "5", "--first", "1", *RUN).exit_code in (0, 4)
    assert call("cancel").exit_code == 2
    done = document("cancel", "r0", "r1", "--yes", code=2)
    assert done["cancelled"] == ["r1"]
    assert done["refused"][0]["reason"] == "it is completed"
    assert document("cancel", "--campaign", "winter", "--yes")["cancelled"] == ["r2", "r3"]
    assert call("run", "night.csv", *RUN).exit_code == 0
    assert len(world.made) == 1
    assert document("retry", "r2", "--yes")["retried"] == ["r2"]
    assert call("run", *RUN).exit_code == 0
    assert states()["r2"] == "completed"
    assert len(world.made) == 2


@pytest.mark.usefixtures("api")
def test_a_paused_batch_is_left_alone_until_it_is_resumed(world: World) -> None:
    """A run that begins leaves it out and says so, as work that is left."""
    assert call("run", "night.csv", "--budget", "0.12", *RUN).exit_code == 4
    assert document("pause", "night") == {"batch": "night", "paused": True, "changed": True}
    assert document("pause", "night")["changed"] is False
    left = call("run", "--batch", "night", "--budget", "5", *RUN)
    assert left.exit_code == 4
    assert "'batchsora resume night' continues it" in left.stderr
    assert len(world.made) == 1
    assert document("status")["batches"][0]["paused"] is True
    assert "'batchsora run' buys them" in call("resume", "night").stdout
    assert call("run", *RUN).exit_code == 3
    assert len(world.made) == 4


@pytest.mark.usefixtures("ran")
def test_a_removed_batch_is_in_no_list_and_what_was_paid_stays_known(world: World) -> None:
    """Its name is free, for the same sheet as well; its generations are no strangers."""
    assert call("rm", "night").exit_code == 2  # no terminal to confirm on
    assert document("rm", "night", "--yes") == {"batch": "night", "cancelled": 0}
    assert document("jobs") == []
    assert document("status")["batches"] == []
    assert call("show", "r0").exit_code == 2
    assert document("reconcile", "--no-wait")["orphans"] == []
    assert call("run", "night.csv", "--budget", "0.12", *RUN).exit_code == 4
    assert len(world.made) == 5
    assert document("status")["batches"][0]["batch"] == "night"
    assert document("reconcile", "--no-wait")["charged"] == "0.60"


@pytest.mark.usefixtures("api")
def test_a_batch_with_something_under_way_is_not_removed(world: World) -> None:
    """What is paid for must be fetched first."""
    world.time_scale = 1.0
    assert call("generate", "a kite", "--yes").exit_code == 0
    done = call("rm", "adhoc", "--yes")
    assert done.exit_code == 2
    assert "under way" in message(done.exception)
    assert states() == {"adhoc-1": "pending"}


@pytest.mark.usefixtures("ran")
def test_white_space_names_no_jobs() -> None:
    """A search for nothing must not cancel the whole queue."""
    Path("more.csv").write_text("prompt\nA swan\n")
    call("run", "more.csv", "--budget", "0", *RUN)
    done = call("cancel", "--search", "   ", "--yes")
    assert done.exit_code == 2
    assert "choose jobs" in message(done.exception)
    assert "queued" in states().values()


@pytest.mark.usefixtures("ran")
def test_jobs_are_filtered_sorted_and_counted() -> None:
    """By state, kind, campaign and words; failures by their words."""

    def keys(*arguments: str) -> list[str]:
        return [job["job"] for job in document("jobs", *arguments)]

    assert keys("--status", "failed", "--kind", "content") == ["r3"]
    assert keys("--campaign", "summer", "--search", "RED kite") == ["r0"]
    assert keys("--search", "policy") == ["r3"]
    assert keys("--search", "100%") == []
    assert keys("--sort", "completed")[0] in ("r0", "r2")
    assert call("jobs", "--batch", "nobody").exit_code == 2
    counted = document("jobs", "--group-by", "error")
    assert [(one["error_kind"], one["jobs"], one["example"]) for one in counted] == [
        ("content", 1, "r3"),
        ("system", 1, "r1"),
    ]
    assert "violates our content policy" in call("jobs", "--group-by", "error").stdout


@pytest.mark.usefixtures("ran")
def test_a_jobs_story(world: World) -> None:
    """Attempts, times, money, errors, and what to type next."""
    world.failures.clear()
    assert call("retry", "r1", "--yes").exit_code == 0
    assert "next: 'batchsora run' buys it" in call("show", "r1").stdout
    call("run", *RUN)
    story = document("show", "r1")
    assert [one["status"] for one in story["attempts"]] == ["failed", "completed"]
    assert [one["price"] for one in story["attempts"]] == ["0.12", "0.12"]
    assert story["price"] == "0.24"
    text = call("show", "r1").stdout
    assert "attempt 1: failed, $0.12" in text
    assert "because      internal error" in text
    assert "attempt 2: completed, $0.12" in text
    assert "batchsora retry r3" in call("show", "r3").stdout


@pytest.mark.usefixtures("ran")
def test_the_accounts_generations_name_their_rows(world: World) -> None:
    """A page, newest first, and one with everything that the API says of it."""
    page = document("generations", "--limit", "2", "--offset", "1")
    assert [one["job"] for one in page] == ["r2", "r1"]
    assert all(one["batch"] == "night" for one in page)
    one = document("generations", world.made[0].id)
    assert (one["job"], one["status"]) == ("r0", "completed")
    assert world.made[0].id in call("generations").stdout
    assert call("generations", "no-such-id").exit_code == 2
    assert call("generations", "../balance").exit_code == 2


@pytest.mark.usefixtures("ran")
def test_moving_jobs_is_guarded_by_their_state(tmp_path: Path) -> None:
    """Nothing that is under way, paid for or out of the manifest can be moved by a command."""
    with Store(tmp_path / "batchsora.db") as store:
        ids = store.read(lambda c: list(c.execute(JOB.select().order_by(JOB.c.id)).scalars()))
        assert store.write(lambda c: steering.cancel(c, ids, SystemClock().now())) == []
        store.write(lambda c: c.execute(JOB.update().values(in_manifest=False)))
        assert store.write(lambda c: steering.retry(c, ids)) == []
        store.write(lambda c: c.execute(JOB.update().values(in_manifest=True)))
        assert store.write(lambda c: steering.retry(c, ids)) == [ids[1], ids[3]]
        assert store.read(lambda c: c.execute(BATCH.select()).one().paused) is False
