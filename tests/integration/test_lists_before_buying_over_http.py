"""A backup is restored, and the list alters prompts or shows nothing: over real HTTP."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.reconciliation import adoption

RUN = ("run", "--budget", "5", "--poll-interval", "0.1", "--rate", "0", "--quiet")
WORDS = 'a heron & its <nest> in the reeds, seen from the FAR side of the lake, "at dawn"'
ROWS = 6


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """Call commands beside a manifest, with a token; nobody waits for a list that is behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-past")
    monkeypatch.setattr(adoption, "READ_AGAIN", ())
    with Path("night.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [[f"r{n}", f"Number {n}: {WORDS}"] for n in range(ROWS)]
        csv.writer(file).writerows([["id", "prompt"], *rows])
    return Shell(capfd)


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second."""
    return World(time_scale=2000.0)


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        ("", "already exist in this account"),
        ("list=altered:cut:60", "shows prompts cut after 60 characters"),
        ("list=altered:escape", "shows prompts HTML-escaped"),
        ("list=altered:lower", "shows prompts lower-cased"),
        ("echo=ellipsis:60", "shows prompts cut after 60 characters"),
        ("list=altered:enhance", "with other words than were sent, so it proves nothing"),
        ("list=altered:none", "without its prompt, so it proves nothing"),
        ("list=newest:1", "so it proves nothing: 3 row(s) were not found in it"),
        ("list=newest:0", "so it proves nothing: 4 row(s) were not found in it"),
    ],
)
def test_what_was_bought_after_the_backup_is_not_bought_again(
    call: Shell, world: World, monkeypatch: pytest.MonkeyPatch, manner: str, says: str
) -> None:
    """Rows wait, exit 4, and it says why and what to type; ``--buy-again`` buys them."""
    with SandboxServer(world, faults=Faults.parse(manner)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        call(*RUN, "night.csv", "--first", "2")
        assert len(world.made) == 2
        shutil.copy("batchsora.db", "backup.db")
        call(*RUN, "night.csv", "--buy-again")  # it has no other than its own purchases
        assert len(world.made) == ROWS
        said = call("--db", "backup.db", *RUN, "night.csv")
        twice = [p for p, n in Counter(made.prompt for made in world.made).items() if n > 1]
        assert not twice, said.err
        assert (said.code, len(world.made)) == (4, ROWS), said.err
        assert says in said.err
        assert "--buy-again buys them again" in said.err
        reason = "not looked for" if "proves nothing" in says else "in the account already"
        assert reason in call("--db", "backup.db", "status").out
        again = call("--db", "backup.db", *RUN, "night.csv", "--buy-again")
        assert (again.code, len(world.made)) == (0, 2 * ROWS - 2), again.err
