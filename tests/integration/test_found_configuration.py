"""A ``batchsora.toml`` that merely lies in the working folder is anybody's: what it can't do."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shell import Said, Shell

from batchsora.config import KEYS, Found
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--no-download")
STRANGER = "https://stranger.example"


@pytest.fixture
def world() -> World:
    return World(time_scale=2000.0)


@pytest.fixture
def call(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    world: World,
) -> Iterator[Shell]:
    """Call commands in a folder that somebody sent: a sheet and, soon, a configuration."""
    folder = tmp_path / "sent"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-mine")
    Path("night.csv").write_text("id,prompt\na,a kite\nb,a boat\n")
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield Shell(capfd)


def configure(text: str) -> None:
    Path("batchsora.toml").write_text(text)


def refused(said: Said, key: str) -> None:
    """It ended before anything was done, and told what to type."""
    assert said.code == 2, said.err
    assert f"{key} = " in said.words
    assert "--config batchsora.toml" in said.words
    assert f"--{key}" in said.words


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f'callback-base = "{STRANGER}"', "callback-base"),
        ('download = "../outside"', "download"),
        ('download = "/tmp/outside-of-it"', "download"),
        ('download = "~/outside"', "download"),
        ('download = "link/inside"', "download"),
        ('db = "../other.db"', "db"),
        ('db = "link/other.db"', "db"),
        ('db = "sqlite:////tmp/other.db"', "db"),
        ('token-file = "token"', "token-file"),
        ("budget = 5", "budget"),
        ('refunds = "all"', "refunds"),
        ("grace = 0.05", "grace"),
        ("retries = 20", "retries"),
        ('time-zone = "Asia/Tokyo"', "time-zone"),
        ('[run]\ncallback-base = "https://stranger.example"', "callback-base"),
    ],
)
def test_what_could_be_used_against_its_reader_needs_a_word(
    call: Shell, world: World, tmp_path: Path, line: str, key: str
) -> None:
    """Nothing is bought, sent or written, until the file is named or the option is given."""
    (tmp_path / "elsewhere").mkdir()
    Path("link").symlink_to(tmp_path / "elsewhere")
    Path("token").write_text("tok-of-a-stranger")
    configure(line + "\n")
    consent = () if key == "budget" else ("--yes",)
    refused(call("run", "night.csv", *consent, "--poll-interval", "0.05"), key)
    assert world.made == []
    assert not Path("batchsora.db").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_found_budget_is_a_cap_and_no_consent(call: Shell, world: World) -> None:
    """Nor does it become one by being kept: the second try ends as the first."""
    configure("budget = 0.12\n")
    for _ in range(2):
        refused(call("run", "night.csv", *QUICK), "budget")
        assert call("run", "night.csv", "--json", *QUICK).json["error"]["problem"]
    assert world.made == []
    # with a consent of its own the cap holds
    assert call("run", "night.csv", "--yes", *QUICK).code == 4
    assert len(world.made) == 1


@pytest.mark.parametrize("how", ["flag", "environment", "option"])
def test_a_person_s_word_lets_it_count(
    call: Shell, world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The file named on the line or in the environment, or the option given instead."""
    configure("budget = 5\n")
    words = ("run", "night.csv", *QUICK)
    if how == "flag":
        words = ("--config", "batchsora.toml", *words)
    elif how == "environment":
        monkeypatch.setenv("BATCHSORA_CONFIG", "batchsora.toml")
    else:
        words = (*words, "--budget", "1")
    assert call(*words).code == 0
    assert len(world.made) == 2


def test_the_database_and_the_folder_may_be_inside(call: Shell) -> None:
    """A file beside a sheet may say where in this folder things are; other commands agree."""
    configure('db = "own.db"\ndownload = "own"\nrate = 0\npoll-interval = 0.05\n')
    assert call("run", "night.csv", "--yes").code == 0
    assert sorted(one.name for one in Path("own/night").iterdir()) == ["a.mp4", "b.mp4"]
    assert call("status").code == 0
    assert not Path("batchsora.db").exists()


@pytest.mark.parametrize("command", ["status", "jobs", "balance", "download", "web", "reconcile"])
def test_no_command_opens_a_database_elsewhere(call: Shell, tmp_path: Path, command: str) -> None:
    """Each would show, change or spend from what lies outside of the folder."""
    assert call("--db", str(tmp_path / "mine.db"), "run", "night.csv", "--yes", *QUICK).code == 0
    configure('db = "../mine.db"\n')
    refused(call(command), "db")


def test_doctor_says_what_does_not_count(call: Shell) -> None:
    """It goes on all the same: it is what helps with such a file."""
    configure(f'callback-base = "{STRANGER}"\n')
    said = call("doctor", "--json")
    found = [check for check in said.json["checks"] if STRANGER in check["found"]]
    assert [check["state"] for check in found] == ["problem"]
    configure('db = "../mine.db"\n')
    said = call("doctor", "--json")
    assert said.code == 2
    assert any("db = " in check["found"] for check in said.json["checks"])


def test_the_page_begins_with_the_same_rule(call: Shell) -> None:
    """Its runs read the same file: what they would refuse is said when the page is started."""
    configure(f'callback-base = "{STRANGER}"\n')
    refused(call("web", "--no-browser", "--port", "0"), "callback-base")


def test_each_key_says_what_it_may_do_when_it_was_merely_found() -> None:
    """A new key must decide; what only narrows, paces or names files within needs no word."""
    free = {key for key, known in KEYS.items() if known.found is Found.COUNTS}
    assert free == {
        "day-budget",
        "max-price",
        "min-balance",
        "wait-for-funds",
        "max-in-flight",
        "rate",
        "poll-interval",
        "request-timeout",
        "generation-timeout",
        "download-rate",
        "file-name",
    }


@pytest.mark.parametrize(
    "text",
    [
        "a." * 15_000 + "a = 1\n",
        "[a" + ".a" * 4_000 + "]\n" + "".join(f"b{n} = 1\n" for n in range(4_000)),
    ],
    ids=["a dotted key of 30 KB", "a deep table of 40 KB"],
)
def test_it_is_refused_before_it_takes_the_machine(call: Shell, text: str) -> None:
    """The library keeps every beginning of such a key: it took gigabytes."""
    configure(text)
    tracemalloc.start()
    said = call("status")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (said.code, peak < 50_000_000) == (2, True)
    assert "batchsora.toml, line 1" in said.words
