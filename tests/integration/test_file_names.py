"""Files are named by a pattern that is kept with the batch, and checked before anything is paid."""

from pathlib import Path

import pytest

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from tests.support.shell import Shell

PATTERN = "{campaign}/{id}-{prompt:9}"
QUICK = ("--rate", "0", "--poll-interval", "0.05")


@pytest.fixture
def table(call: Shell) -> Path:
    """Return a table of three rows, in the folder of the shell."""
    del call
    path = Path("night.csv")
    path.write_text(
        "id,prompt,campaign,Product\n"
        "r1,a red kite,summer,Tea\nr2,a blue lake,summer,tea\nr3,a moon,,Cake\n",
        encoding="utf-8",
    )
    return path


def files(folder: str) -> set[str]:
    top = Path(folder)
    return {path.relative_to(top).as_posix() for path in top.rglob("*.mp4")}


def test_files_are_named_and_later_runs_remember_how(table: Path, call: Shell) -> None:
    """Also 'download' and a run without the option; what is there stays where it is."""
    said = call("run", str(table), "--sandbox", "--file-name", PATTERN, "--first", "2", *QUICK)
    assert said.code == 0, said.err
    first = {"night/summer/r1-a_red_kit.mp4", "night/summer/r2-a_blue_la.mp4"}
    assert files("sandbox-videos") == first
    again = call("run", str(table), "--sandbox", *QUICK)
    assert again.code == 0, again.err
    assert f"--file-name '{PATTERN}'" in again.words
    assert files("sandbox-videos") == first | {"night/no_campaign/r3-a_moon.mp4"}
    Path("sandbox-videos/night/summer/r1-a_red_kit.mp4").unlink()
    assert call("download", "--sandbox", "--json").json["fetched"] == 1
    assert files("sandbox-videos") == first | {"night/no_campaign/r3-a_moon.mp4"}
    other = call("run", str(table), "--sandbox", "--file-name", "{id}", *QUICK)
    assert other.code == 0, other.err
    assert files("sandbox-videos") == first | {"night/no_campaign/r3-a_moon.mp4"}


def test_equal_names_are_told_by_plan_and_bought_by_no_run(
    table: Path, call: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they differ by case alone; both rows are named."""
    with SandboxServer(World(time_scale=2000.0)) as api:
        monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
        for command in (("plan",), ("run", "--budget", "5")):
            said = call(command[0], str(table), *command[1:], "--file-name", "{product}")
            assert said.code == 2
            assert "its file would be tea.mp4, like that of 'r1' in row 2" in said.words
            assert "row 3" in said.words
        assert not api.world.made
    assert not Path("videos").exists()


def test_an_unknown_field_is_refused_before_anything_is_loaded(table: Path, call: Shell) -> None:
    """With the one that was probably meant."""
    said = call("run", str(table), "--sandbox", "--file-name", "{campain}/{id}")
    assert said.code == 2
    assert "did you mean {campaign}?" in said.words
    assert call("status", "--sandbox", "--json").json["batches"] == []
    assert "--file-name needs MANIFEST" in call("run", "--file-name", "{id}", "--sandbox").words
    bad = call("plan", str(table), "--file-name", "../{id}")
    assert bad.code == 2
    assert "can't be a name" in bad.words


def test_a_plan_shows_names(table: Path, call: Shell) -> None:
    """Of its first files, for people and scripts; the configuration can say the pattern."""
    Path("batchsora.toml").write_text('file-name = "{row}-{product}"\n', encoding="utf-8")
    assert "2-Tea.mp4, 3-tea.mp4, 4-Cake.mp4" in call("plan", str(table), "--sandbox").out
    document = call("plan", str(table), "--sandbox", "--json").json
    assert document["file_names"] == ["2-Tea.mp4", "3-tea.mp4", "4-Cake.mp4"]
