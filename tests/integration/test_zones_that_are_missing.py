"""A database whose daily budget counts the days of a time zone that this machine does not know."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.shell import call

from batchsora.presentation.errors import message
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--no-download")
ZONE = "Company/Night"
UNKNOWN = f"this machine does not know the time zone {ZONE} of the daily budget"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The provider of a database that came from a machine with newer zones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-owner-51aa")
    Path("a.csv").write_text("id,prompt\na,a boat\n")
    world = World(time_scale=2000.0)
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        assert call("run", "a.csv", "--budget", "0.01", *QUICK).exit_code == 4
        with closing(sqlite3.connect("batchsora.db")) as file, file:
            file.execute("UPDATE account SET time_zone = ?", (ZONE,))
        yield world


@pytest.mark.parametrize("command", [["status"], ["jobs"], ["export", "-o", "out.csv"]])
def test_it_can_be_looked_at(command: list[str], world: World) -> None:
    """Another machine's zones are no sign that somebody changed the file."""
    said = call(*command)
    assert said.exit_code == 0, (said.output, said.exception)
    assert not world.made


def test_nothing_is_bought_until_another_zone_is_said(world: World) -> None:
    """What a day is decides what it may cost; the error names the way on."""
    for words in (("run", "--budget", "1", *QUICK), ("generate", "a kite", "--budget", "1")):
        said = call(*words)
        assert said.exit_code == 5, (said.output, said.exception)
        assert UNKNOWN in message(said.exception)
        assert "run --time-zone" in message(said.exception)
    assert not world.made
    assert call("run", "--time-zone", "UTC", "--budget", "1", *QUICK).exit_code == 0
    assert len(world.made) == 1


def test_doctor_says_so_before_a_run_does(world: World) -> None:
    """What stands in the way of a run, and its remedy, are known without one."""
    said = call("doctor")
    assert said.exit_code == 5, said.output
    assert f"this machine does not know {ZONE}" in " ".join(said.output.split())
    assert "--time-zone" in said.output
    with closing(sqlite3.connect("batchsora.db")) as file, file:
        file.execute("UPDATE account SET time_zone = 'UTC'")
    assert "time zone  " not in call("doctor").output
    assert not world.made
