"""What a run says at its end is what has to be typed: it is typed here, as it was said."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from crash.night import TOKEN, Night
from support.shell import Said, Shell
from support.stopping import CTRL_C

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--rate", "0", "--poll-interval", "0.05")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider, and four rows of two campaigns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    rows = [f"r{n},a heron in reeds {n},{('summer', 'late summer')[n % 2]}" for n in range(4)]
    Path("night 1.csv").write_text("\n".join(["id,prompt,campaign", *rows]))
    return World(time_scale=2000.0)


def named(said: Said, before: str) -> list[str]:
    """Return the words of the command that stands in quotes behind some words."""
    found = re.search(rf"(?:{before})'batchsora (.+)'$", said.err, re.MULTILINE)
    assert found is not None, said.err
    return shlex.split(found[1])


@pytest.mark.parametrize(
    ("cap", "bought"),
    [
        (("--budget", "0.24"), 2),
        (("--yes", "--cap", "late summer=0.12"), 3),
        (("--yes", "--day-budget", "0.36"), 3),
    ],
)
@pytest.mark.parametrize("more", [(), ("--db", "my jobs.db"), ("--config", "./b.toml")])
def test_a_stop_at_a_budget_names_the_command_that_buys_the_rest(
    call: Shell, api: SandboxServer, cap: tuple[str, ...], bought: int, more: tuple[str, ...]
) -> None:
    """With what is left, its cost and what the account has; quoted, and of the same database."""
    Path("b.toml").write_text('db = "configured.db"\n')
    run = ("run", "night 1.csv", *cap, *more, *QUICK, "--no-download")
    said = call(*run)
    assert said.code == 4
    assert len(api.world.made) == bought
    left = 4 - bought
    cost = f"{left} job(s) left, for about ${left * 0.12:.2f}; blocked by"
    assert cost in said.words
    assert f"${100 - bought * 0.12:.2f} free in the account" in said.words
    again = call(*named(said, "budget: |raise it to continue: "), *QUICK, "--no-download", "--yes")
    assert len(api.world.made) >= 4, again.err
    assert "blocked by" not in again.words


@pytest.mark.usefixtures("world")
def test_a_rehearsal_names_commands_of_the_rehearsal(call: Shell) -> None:
    said = call("run", "night 1.csv", "--sandbox", "--budget", "0.24", *QUICK)
    assert said.code == 4
    more = named(said, "raise it to continue: ")
    assert more == ["run", "--sandbox", "--batch", "night 1", "--budget", "0.48"]
    done = call(*more, *QUICK)
    assert done.code == 0
    assert "'batchsora status --sandbox' shows it" in done.words
    assert not Path("batchsora.db").exists()


def test_what_failed_and_what_is_done_name_their_commands(call: Shell, api: SandboxServer) -> None:
    """A failure that may pass: retry; all is there: the export."""
    api.world.failures = {"a heron in reeds 3": ["internal error"]}
    run = ("run", "night 1.csv", "--yes", *QUICK, "--retries", "0")
    said = call(*run)
    assert said.code == 3
    assert "'batchsora jobs --status failed --batch 'night 1'' shows why" in said.words
    assert "'batchsora retry --batch 'night 1'' buys them again" in said.words
    assert call("retry", "--batch", "night 1", "--yes").code == 0
    done = call("run", "--batch", "night 1", "--yes", *QUICK)
    assert done.code == 0, done.err
    assert "'batchsora export -o results.xlsx --batch 'night 1'' writes the results" in done.words
    assert call("export", "-o", "results.xlsx", "--batch", "night 1").code == 0


def states(call: Shell) -> Any:
    """Count the jobs of the rehearsal by state; nothing before it has begun."""
    said = call("status", "--sandbox", "--json")
    return said.json["batches"][0]["jobs"] if said.code == 0 and said.json["batches"] else {}


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("stage", ["pending", "completed"])
def test_an_interrupted_rehearsal_ends_with_its_files(
    call: Shell, tmp_path: Path, stage: str
) -> None:
    """Stopped while videos are made, or while files come, it ends with 130 and is continued."""
    night = Night(tmp_path, "http://127.0.0.1:9")
    slow = ("--sandbox", "--rate", "0", "--download-rate", "1K")
    with night.start("run", "night 1.csv", *slow) as running:
        wanted = 1 if stage == "pending" else 4
        running.until(lambda: states(call).get(stage, 0) >= wanted)
        running.send_signal(CTRL_C)
        said = running.communicate(timeout=60)[1]
    assert running.returncode == 130, said
    assert "nothing is lost" in said
    assert "'batchsora run --sandbox --batch 'night 1''" in said
    assert len(list(tmp_path.glob("sandbox-videos/**/*.mp4"))) < 4
    again = call("run", "--sandbox", "--batch", "night 1", "--rate", "0")
    assert again.code == 0, again.err
    assert len(list(tmp_path.glob("sandbox-videos/**/*.mp4"))) == 4
    assert states(call)["completed"] == 4
    assert call("balance", "--sandbox").out.strip() == "$99.52"
