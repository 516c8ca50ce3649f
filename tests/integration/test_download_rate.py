"""``--download-rate``: as a flag, in the environment, in the file and from a program."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.shell import Said, Shell

from batchsora.keywords import run_options
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.usecases.from_options import download_policy

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """The provider, at the address in the environment."""
    with SandboxServer(World(time_scale=2000.0)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


def shown(said: Said) -> Any:
    (row,) = [row for row in said.json["settings"] if row["setting"] == "download-rate"]
    return row["value"], row["source"]


@pytest.mark.usefixtures("api")
def test_files_come_with_a_limit(call: Shell) -> None:
    """A run, a later download and a single video take it."""
    Path("night.csv").write_text("id,prompt\nr0,a kite\nr1,a boat\n")
    assert call("run", "night.csv", *QUICK, "--download-rate", "50M").code == 0
    assert len(list(Path("videos/night").glob("*.mp4"))) == 2
    Path("videos/night/r0.mp4").unlink()
    said = call("download", "--download-rate", "50M", "--json")
    assert (said.code, said.json["fetched"]) == (0, 1)
    said = call(
        "generate", "a fox", "--budget", "1", "--poll-interval", "0.05", "--download", "one",
        "--download-rate", "0",
    )  # fmt: skip
    assert said.code == 0
    assert len(list(Path("one").glob("*.mp4"))) == 1


def test_flag_environment_and_file(call: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order, as bytes a second."""
    offline = ("--base-url", "http://127.0.0.1:9", "doctor", "--json")
    assert shown(call(*offline)) == (None, "default")
    Path("batchsora.toml").write_text('download-rate = "2M"\n')
    assert shown(call(*offline)) == ("2097152", "file")
    Path("batchsora.toml").write_text("download-rate = 500000\n")
    assert shown(call(*offline)) == ("500000", "file")
    monkeypatch.setenv("BATCHSORA_RUN_DOWNLOAD_RATE", "1K")
    assert shown(call(*offline)) == ("1024", "environment")


@pytest.mark.parametrize(
    "line", [("run",), ("download",), ("generate", "a fox")], ids=["run", "download", "generate"]
)
@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("fast", "'fast' is not a rate in bytes per second; write it like 2M or 500K"),
        ("-5M", "'-5M' is not a rate"),
        ("100", "'100' must be 0 (no limit), or from 1K"),
    ],
)
def test_nonsense_is_refused(call: Shell, line: tuple[str, ...], rate: str, words: str) -> None:
    """On the line and in the file, before anything is done."""
    said = call(*line, f"--download-rate={rate}")
    assert said.code == 2
    assert words in said.words
    Path("batchsora.toml").write_text(f'download-rate = "{rate}"\n')
    said = call(*line)
    assert said.code == 2
    assert words in said.words
    assert "batchsora.toml" in said.words


def test_the_file_takes_no_other_kinds(call: Shell) -> None:
    """A flag is no rate."""
    Path("batchsora.toml").write_text("download-rate = true\n")
    said = call("run")
    assert said.code == 2
    assert 'download-rate = true: must be bytes a second, like "2M" or 500000' in said.words


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ("fast", ValueError, "download_rate: 'fast' is not a rate"),
        (-1, ValueError, "download_rate: -1 is not a rate"),
        (True, TypeError, "download_rate: write it like"),
        ([], TypeError, "download_rate: write it like"),
    ],
)
def test_nonsense_of_a_program_is_refused(given: Any, error: type[Exception], says: str) -> None:
    """As strictly as on the command line."""
    with pytest.raises(error, match=says):
        run_options({"download_rate": given})


@pytest.mark.parametrize(("given", "rate"), [("2M", 2 * 1024**2), (5000, 5000), (0, 0), (None, 0)])
def test_a_program_says_it_too(given: Any, rate: int) -> None:
    """As a text or a number; None is no limit."""
    options = run_options({"download_rate": given})
    policy = download_policy(options, Path("videos"), private_files=False)
    assert policy.rate == rate
