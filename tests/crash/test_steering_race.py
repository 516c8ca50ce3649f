"""People steer while a run goes on in another process: whatever they do, nothing is paid twice."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from crash.night import Night, manifest

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.cli.failures import exit_of
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

ROWS = 40
DEEDS = 50
SEED = 1
RUN = (
    "--budget", "90", "--rate", "30", "--poll-interval", "0.1", "--grace", "1.5", "--retries", "0",
)  # fmt: skip


def call(*arguments: str) -> int:
    """Run a command in this process, beside the runner."""
    done = CliRunner().invoke(group, list(arguments), obj=Cli(), standalone_mode=False)
    return exit_of(done.exception) if done.exception else int(done.return_value or 0)


def test_commands_race_with_a_live_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry, cancel, pause, resume, generate, resolve and edits, in any order and at any moment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "race-test")
    chance = random.Random(SEED)
    world = World(seed=SEED, time_scale=900.0, fail=0.3)
    with SandboxServer(world, faults=Faults(drop=0.1, error=0.1, broken=0.1)) as api:
        monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
        night = Night(tmp_path, api.url)
        sheet = manifest(tmp_path / "night.csv", ROWS)
        with night.start("run", "night.csv", "--no-download", *RUN) as running:
            running.until(lambda: world.made)
            codes = Counter(_deed(chance, sheet, ROWS) for _ in range(DEEDS))
            call("resume", "night")
            running.communicate(timeout=120)
            assert running.returncode in (0, 3, 7)
        assert codes[1] == 0, "a bug"
        _to_the_end(night)
        _nothing_is_paid_twice(night, world)


def _deed(chance: random.Random, sheet: Path, rows: int) -> int:
    job = f"r{chance.randrange(rows)}"
    deed = chance.choice(
        [
            ("cancel", job, "--yes"),
            ("retry", job, "--yes"),
            ("retry", "--yes"),
            ("pause", "night"),
            ("resume", "night"),
            ("resolve", job, "--never-made", "--grace", "1.5"),
            ("generate", f"a heron no. {chance.randrange(3)}", "--grace", "1.5", "--yes"),
            ("run", "night.csv", *RUN),  # an edit, and a second runner: refused beside the first
        ]
    )
    if deed[0] == "run":
        text = sheet.read_text().replace(f"{job},a lantern", f"{job},one lantern")
        sheet.write_text(text)
    return call(*deed)


def _to_the_end(night: Night) -> None:
    """Run until every row has ended; where videos failed, what was never made waits for a word."""
    for _ in range(4):
        if night.command("run", "--no-download", *RUN).returncode in (0, 3):
            return
        for key, batch in night.rows(
            "SELECT job.key, batch.name FROM job JOIN batch ON batch.id = job.batch_id"
            " WHERE job.state = 'in_doubt'"
        ):
            words = ("resolve", key, "--batch", batch, "--never-made", "--grace", "1.5")
            assert call(*words) == 0, key
    pytest.fail(f"it does not come to an end: {night.states()}")


def _nothing_is_paid_twice(night: Night, world: World) -> None:
    made: list[Any] = [item for item in world.made if not item.foreign]
    unfailed = Counter(item.prompt for item in made if item.failure is None)
    wanted = Counter(prompt for (prompt,) in night.rows("SELECT prompt FROM job"))
    assert unfailed <= wanted, unfailed - wanted
    known = {found for (found,) in night.rows("SELECT generation_id FROM attempt")}
    assert {item.id for item in made} <= known, "lost"
    ((charged, held),) = night.rows(
        "SELECT charged_micros, held_micros FROM budget WHERE key = 'account'"
    )
    assert (charged, held) == (sum(item.price for item in made), 0)
