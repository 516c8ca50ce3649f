"""Databases on a network drive: what writes is refused, what only looks is let in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.shell import Said, Shell

from batchsora.cli.common import Cli
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database import owners

QUICK = ("--budget", "9", "--poll-interval", "0.05", "--rate", "0", "--no-download")
Call = Callable[..., Said]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Call commands in a folder with a manifest of three rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-places-51aa")
    Path("night.csv").write_text("id,prompt\na,a kite\nb,a lamp\nc,a boat\n")
    return Shell(capfd)


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The provider, at the address in the environment."""
    world = World(time_scale=2000.0)
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield world


def on_a_network_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Path("mountinfo")
    table.write_text("28 1 0:1 / / rw,relatime shared:1 - nfs4 nas:/volume1 rw,vers=4.2\n")
    monkeypatch.setattr(owners, "MOUNTS", table.absolute())


@pytest.mark.parametrize(
    "command",
    [
        ("run", "night.csv", *QUICK),
        ("run", *QUICK),
        ("generate", "a cat", "--budget", "1"),
        ("pause", "night"),
        ("cancel", "b", "--yes"),
        ("resume", "night"),
        ("rm", "night", "--yes"),
        ("reconcile",),
    ],
    ids=" ".join,
)
def test_what_writes_is_refused_on_a_network_drive(
    command: tuple[str, ...], call: Call, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 5 and the remedy; nothing is bought, written or locked there."""
    Path("two.csv").write_text("id,prompt\nz,a whale\n")
    assert call("run", "two.csv", "--first", "1", *QUICK).code == 0
    assert call("run", "night.csv", "--first", "1", *QUICK).code == 0
    before, bought = Path("batchsora.db").read_bytes(), len(world.made)
    Path("batchsora.db.lock").unlink()
    on_a_network_drive(monkeypatch)
    said = call(*command)
    assert said.code == 5, said.err
    assert "on a network drive (nfs4)" in said.words
    assert "name it with --db" in said.words
    assert len(world.made) == bought
    assert Path("batchsora.db").read_bytes() == before
    assert not Path("batchsora.db.lock").exists()


@pytest.mark.parametrize(
    "command", [("status",), ("jobs",), ("export", "-o", "x.csv"), ("export", "--in-place")]
)
def test_what_looks_is_let_in(
    command: tuple[str, ...], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is how a person sees what is there, and takes it along."""
    assert call("run", "night.csv", *QUICK).code == 0
    on_a_network_drive(monkeypatch)
    said = call(*command)
    assert said.code == 0, said.err


def used_elsewhere(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a row bought on another machine, and two left."""
    monkeypatch.setenv("BATCHSORA_HOST", "web_context-at-work")
    assert call("run", "night.csv", "--first", "1", *QUICK).code == 0
    monkeypatch.setenv("BATCHSORA_HOST", "laptop")


@pytest.mark.parametrize(
    "command",
    [
        ("run", "night.csv", *QUICK),
        ("run", "night.csv", *QUICK, "--yes"),
        ("generate", "a cat", "--budget", "1"),
    ],
    ids=" ".join,
)
def test_a_database_of_another_machine_waits_for_a_word(
    command: tuple[str, ...], call: Call, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unattended it buys nothing, each time, and names the machine; ``--moved`` says it once."""
    used_elsewhere(call, monkeypatch)
    for _ in range(2):
        said = call(*command)
        assert said.code == 5, said.err
        assert "last used on web_context-at-work (" in said.words
        assert "--moved" in said.words
    assert [item.prompt for item in world.made] == ["a kite"]
    assert call(*command, "--moved").code == 0
    assert len(world.made) > 1
    again = call("run", "night.csv", *QUICK)
    assert again.code == 0, again.err


def test_on_a_terminal_it_asks(call: Call, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No buys nothing; yes continues, and the machine is kept."""
    used_elsewhere(call, monkeypatch)
    asked: list[str] = []
    answers = [False, True]

    def confirm(_: Cli, question: str) -> bool:
        asked.append(question)
        return answers.pop(0)

    monkeypatch.setattr(Cli, "can_ask", lambda _: True)
    monkeypatch.setattr(Cli, "confirm", confirm)
    assert call("run", "night.csv", *QUICK).code == 5
    assert len(world.made) == 1
    assert call("run", "night.csv", *QUICK).code == 0
    assert len(world.made) == 3
    assert call("run", "night.csv", *QUICK).code == 0
    assert len(asked) == 2
    assert all("last used on web_context-at-work (" in question for question in asked)


def test_what_buys_nothing_is_not_asked(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking, settling and waiting are safe on any machine, and leave the name as it is."""
    used_elsewhere(call, monkeypatch)
    assert call("status").code == 0
    assert call("reconcile").code == 0
    assert call("wait", "a").code == 0
    assert call("run", *QUICK).code == 5
