"""What shows and steers real runs also shows and steers a rehearsal, with ``--sandbox``."""

from pathlib import Path

import click
import pytest

from batchsora.cli import COMMANDS, group
from tests.support.shell import Shell

WITHOUT = {
    "init", "models", "login", "logout", "doctor", "sandbox", "demo", "schema", "completion",
}  # fmt: skip
"""Commands that open no database, or only to check the setup."""


@pytest.fixture
def rehearsed(call: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a shell in a folder with a rehearsal, and without a token."""
    monkeypatch.delenv("RUNBLOB_API_KEY")
    Path("night.csv").write_text("id,prompt\nr1,a red kite\nr2,a lake\n", encoding="utf-8")
    assert call("run", "night.csv", "--sandbox", "--rate", "0").code == 0
    return call


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT))
def test_every_command_with_a_database_knows_it(name: str) -> None:
    """A new one must as well."""
    with click.Context(group) as context:
        command = group.get_command(context, name)
    assert command is not None
    assert any("--sandbox" in param.opts for param in command.params)


def test_a_rehearsal_is_looked_at_and_finished(rehearsed: Shell) -> None:
    """Lists, files, exports, the report and the balance are the rehearsal's."""
    assert "batchsora status --sandbox" in rehearsed("run", "night.csv", "--sandbox").words
    assert rehearsed("status", "--sandbox", "--json").json["batches"][0]["batch"] == "night"
    assert [job["job"] for job in rehearsed("jobs", "--sandbox", "--json").json] == ["r1", "r2"]
    assert rehearsed("show", "r1", "--sandbox").code == 0
    Path("sandbox-videos/night/r1.mp4").unlink()
    assert rehearsed("download", "--sandbox", "--json").json["fetched"] == 1
    assert Path("sandbox-videos/night/r1.mp4").exists()
    assert rehearsed("export", "--sandbox", "-o", "out.csv").code == 0
    assert rehearsed("report", "--sandbox", "-o", "r.html").code == 0
    assert rehearsed("retry", "--sandbox", "--dry-run").code == 0
    assert rehearsed("reconcile", "--sandbox", "--no-wait").code == 0
    assert rehearsed("balance", "--sandbox").out.strip() == "$99.76"
    assert not Path("batchsora.db").exists()
    assert not Path("videos").exists()


def test_the_real_database_is_named_not_the_rehearsals(rehearsed: Shell) -> None:
    """Or there would be a rehearsal of a rehearsal, which is empty."""
    said = rehearsed("status", "--sandbox", "--db", "batchsora-sandbox.db")
    assert said.code == 2
    assert "leave out --sandbox, or use --db batchsora.db" in said.words
    assert rehearsed("status", "--sandbox", "--db", "batchsora.db").code == 0
    assert rehearsed("status", "--db", "batchsora-sandbox.db").code == 0


def test_who_forgets_it_is_told(rehearsed: Shell) -> None:
    """There is no real run yet, but there is a rehearsal."""
    said = rehearsed("status")
    assert said.code != 0
    assert "--sandbox" in said.words
