"""The configuration file: what counts, what is refused, and what it can never do."""

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support.shell import MemoryKeyring, Said, Shell, using

from batchsora.cli import COMMANDS, group
from batchsora.cli.configured import option_of
from batchsora.config import KEYS, LARGEST
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.usecases.scaffold import configuration

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--no-download")
TOKEN = "tok-configuration-5e1f"


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """Call commands in an empty folder, with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    return Shell(capfd)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """The provider, at the address in the environment."""
    with SandboxServer(World(time_scale=2000.0)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


def configure(text: str | bytes, name: str = "batchsora.toml") -> Path:
    path = Path(name)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def manifest(rows: int, budget: str | None = None) -> str:
    jobs = "".join(f"  - {{id: r{i}, prompt: a kite over dune {i}}}\n" for i in range(rows))
    head = "" if budget is None else f"budget: {budget}\n"
    Path("night.yaml").write_text(f"{head}jobs:\n{jobs}")
    return "night.yaml"


def setting(said: Said, name: str) -> tuple[str | None, str]:
    (row,) = [row for row in said.json["settings"] if row["setting"] == name]
    return row["value"], row["source"]


def cap(call: Shell) -> str | None:
    (batch,) = call("status", "--json").json["batches"]
    found: str | None = batch["money"]["cap"]
    return found


def test_flags_go_before_the_environment_the_manifest_and_the_file(
    call: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``doctor`` shows each value with its source, in this order."""
    offline = ("--base-url", "http://127.0.0.1:9", "--json", "doctor")
    assert setting(call(*offline), "budget") == (None, "default")
    assert setting(call(*offline), "db") == ("batchsora.db", "default")
    configure('db = "file.db"\nbudget = 3.00\nrate = 7\n')
    assert setting(call(*offline), "budget") == ("3.00", "file")
    assert setting(call(*offline), "rate") == ("7", "file")
    assert setting(call(*offline), "db") == ("file.db", "file")
    assert setting(call(*offline, manifest(1, "2.00")), "budget") == ("2.00", "manifest")
    monkeypatch.setenv("BATCHSORA_RUN_BUDGET", "1.50")
    monkeypatch.setenv("BATCHSORA_DB", "environment.db")
    assert setting(call(*offline, "night.yaml"), "budget") == ("1.50", "environment")
    assert setting(call(*offline), "db") == ("environment.db", "environment")
    assert setting(call(*offline, "--db", "flag.db"), "db") == ("flag.db", "flag")
    assert setting(call("--db", "flag.db", *offline), "db") == ("flag.db", "flag")
    assert setting(call("--db", "first.db", *offline, "--db", "last.db"), "db")[0] == "last.db"


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("in_manifest", "in_environment", "flag", "counts"),
    [
        (None, None, None, "0.30"),
        ("0.25", None, None, "0.25"),
        ("0.25", "0.36", None, "0.36"),
        ("0.25", "0.36", "0.48", "0.48"),
        (None, None, "0.48", "0.48"),
    ],
)
def test_the_budget_that_counts_is_the_one_that_is_kept(
    call: Shell,
    monkeypatch: pytest.MonkeyPatch,
    in_manifest: str | None,
    in_environment: str | None,
    flag: str | None,
    counts: str,
) -> None:
    """Each source is as good a consent as a flag, and is the cap of what is bought."""
    monkeypatch.setenv("BATCHSORA_CONFIG", str(configure("budget = 0.30\n")))
    if in_environment:
        monkeypatch.setenv("BATCHSORA_RUN_BUDGET", in_environment)
    flags = ("--budget", flag) if flag else ()
    said = call("run", manifest(5, in_manifest), *flags, *QUICK)
    assert said.code == 4, said.err
    assert cap(call) == counts


@pytest.mark.usefixtures("api")
def test_a_cap_that_is_kept_is_not_raised_by_the_file(
    call: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a flag or a manifest once said stays with the batch; a note says why the file waits."""
    path = manifest(5)
    assert call("run", path, "--budget", "0.12", "--max-price", "0.20", *QUICK).code == 4
    path = str(configure("budget = 5\nmax-price = 1\nday-budget = 9\nmin-balance = 2\n"))
    monkeypatch.setenv("BATCHSORA_CONFIG", path)
    said = call("run", *QUICK)
    assert said.code == 4
    assert "budget: $0.12 is kept; the $5.00 of the configuration" in said.words
    assert "max-price: $0.20 is kept" in said.words
    assert cap(call) == "0.12"
    # where nothing was kept the file counts, and from then on it is kept
    configure("day-budget = 8\nmin-balance = 3\n")
    later = call("run", *QUICK).words
    assert "day-budget: $9.00 is kept; the $8.00" in later
    assert "min-balance: $2.00 is kept; the $3.00" in later
    assert call("run", "--budget", "2", "--day-budget", "3", *QUICK).code == 0
    assert cap(call) == "2.00"


@pytest.mark.usefixtures("api")
def test_a_table_counts_for_its_command_alone(call: Shell) -> None:
    """``[download]`` does not move where ``run`` puts its files."""
    configure('max-in-flight = 3\n[run]\ndownload = "shared"\n[download]\ndownload = "alone"\n')
    assert call("run", manifest(1), "--yes", "--poll-interval", "0.05").code == 0
    assert [path.name for path in Path("shared/night").iterdir()] == ["r0.mp4"]
    for video in Path("shared/night").iterdir():
        video.unlink()
    assert call("download").code == 0
    assert Path("alone/night/r0.mp4").is_file()
    configure('download = "both"\n')
    Path("alone/night/r0.mp4").unlink()
    assert call("download").code == 0
    assert Path("both/night/r0.mp4").is_file()
    # what is no option of a command is not for it
    assert call("status").code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("budgte = 6\n", "budgte: no such key; did you mean 'budget'?"),
        ("max_in_flight = 6\n", "max_in_flight: no such key; did you mean 'max-in-flight'?"),
        ("zzz = 6\n", "zzz: no such key; there are: db, base-url"),
        ("[rnu]\nrate = 6\n", "[rnu]: no such table; did you mean 'run'?"),
        ("[run]\nbudgte = 6\n", "[run] budgte: no such key; did you mean 'budget'?"),
        ("[run]\nrate = 90000\n", "[run] rate = 90000: 90000.0 is not in the range"),
        ("rate = true\n", "rate = true: must be a number"),
        ('rate = "5"\n', "rate = '5': must be a number"),
        ("max-in-flight = 2.5\n", "max-in-flight = 2.5: must be a whole number"),
        ("wait-for-funds = 1\n", "wait-for-funds = 1: must be true or false"),
        ("db = 5\n", "db = 5: must be a path in quotes"),
        ('db = "a\\u0000b"\n', "must be a path in quotes"),
        ('download = "\\u202e"\n', "must be a path in quotes"),
        (
            'budget = "six"\n',
            "budget = 'six': 'six' is not a valid amount in USD; write it like 6.00",
        ),
        ("budget = -1\n", "budget = -1: "),
        ("budget = nan\n", "budget = NaN: must be an amount"),
        ("budget = [6]\n", "budget = a list: must be an amount"),
        ("grace = inf\n", "grace = Infinity: must be a number"),
        ("rate = 1e999999999999999999999\n", "is not valid TOML: a number in it"),
        ("rate = 1e9999\n", "rate = 1E+9999: inf is not in the range"),
        (f"max-in-flight = 0x{'f' * 5000}\n", "a number that is too large: must be a whole"),
        (f"max-in-flight = {'9' * 5000}\n", "is not valid TOML"),
        ('time-zone = "Mars/North"\n', "'Mars/North' is not a time zone"),
        ('refunds = "some"\n', "refunds = 'some': 'some' is not one of 'none', 'system', 'all'"),
        ('base-url = "ftp://x"\n', "is not an http(s) address"),
        ('base-url = "http://[x"\n', "is not an http(s) address"),
        ("budget 6\n", "is not valid TOML"),
        ("rate = 1\nrate = 2\n", "is not valid TOML"),
        (f"rate = {'[' * 20000}\n", "nested too deeply"),
        (b"# \xff\n", "line 1: not UTF-8"),
        ("[status]\nrate = 1\n", "[status] rate = 1: 'batchsora status' has no option --rate"),
        (b"#" * (LARGEST + 1), "larger than 64 KB"),
    ],
)
def test_what_can_not_be_used_is_refused_with_file_key_and_remedy(
    call: Shell, text: str | bytes, words: str
) -> None:
    """Exit 2 before anything is done; the words name the file, the key, and what was found."""
    configure(text)
    command = ("status",) if b"[status]" in Path("batchsora.toml").read_bytes() else ("run",)
    said = call(*command)
    assert said.code == 2
    assert words in said.words
    assert "batchsora.toml" in said.words
    assert "Traceback" not in said.err
    assert call("run", "--help").code == 0
    assert os.listdir() == ["batchsora.toml"]  # noqa: PTH208 - names
    # the commands that help with it go on
    examined = call("--base-url", "http://127.0.0.1:9", "doctor", "--json")
    (check,) = [one for one in examined.json["checks"] if one["check"] == "configuration"]
    if "base-url" not in str(text):
        assert check["state"] == "problem"
        assert words in " ".join(check["found"].split())
    assert call("completion", "fish").code == 0


@pytest.mark.parametrize("key", ["token", "RUNBLOB_API_KEY", "api-key", "secret", "password"])
@pytest.mark.parametrize("table", ["", "[run]\n"])
def test_a_token_never_stands_in_the_file(call: Shell, key: str, table: str) -> None:
    """It is refused unseen, and the words tell where tokens go."""
    configure(f'{table}{key} = "sk-very-secret"\n')
    said = call("run")
    assert said.code == 2
    assert "batchsora login" in said.words
    assert "sk-very-secret" not in said.out + said.err


@pytest.mark.posix  # a pipe that lies in a folder
def test_only_a_regular_file_is_read(call: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe would be waited for without end; ``/dev/null`` means none at all."""
    os.mkfifo("pipe")
    Path("folder.toml").mkdir()
    for name, words in (
        ("pipe", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        ("folder.toml", "is a directory"),
        ("missing.toml", "No such file"),
    ):
        said = call("--config", name, "balance")
        assert (said.code, words.lower() in said.words.lower()) == (2, True), said.err
    configure("nonsense\n")
    monkeypatch.setenv("BATCHSORA_CONFIG", os.devnull)
    assert call("status").code == 5  # there is no database yet
    assert call("--config", "batchsora.toml", "status").code == 2
    assert call("status", "--config", "batchsora.toml").code == 2


def test_home_is_understood(call: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``~`` in a path is the home folder, as in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    configure('db = "~/jobs.db"\n')
    said = call("--base-url", "http://127.0.0.1:9", "doctor", "--json")
    assert setting(said, "db")[0] == str(tmp_path / "jobs.db")


def test_a_file_that_lay_there_can_not_send_the_token_elsewhere(
    call: Shell, tmp_path: Path
) -> None:
    """An address from a file that nobody named gets only a token that was kept for it."""
    world = World(time_scale=2000.0, token=TOKEN)
    backend = MemoryKeyring()
    with using(backend), SandboxServer(world) as server:
        (tmp_path / "token").write_text(TOKEN)
        configure(f'base-url = "{server.url}"\n')
        for command in (("balance",), ("login",), ("--token-file", "token", "balance")):
            said = call(*command)
            assert said.code == 2
            assert server.url in said.words
            assert "only found in the working folder" in said.words
        # named by a person, or with a token of its own, it counts
        assert call("--config", "batchsora.toml", "balance").code == 0
        assert call("--base-url", server.url, "balance").code == 0
        backend.kept["batchsora", server.url] = TOKEN
        assert call("balance").code == 0


def test_the_template_says_every_key_and_sets_none(call: Shell) -> None:
    """Each line that is taken out of its comment can be used as it stands."""
    assert tomllib.loads(configuration()) == {}
    opened = re.sub(r"(?m)^# (?=[\w-]+ = |\[)", "", configuration())
    found = set(re.findall(r"(?m)^([\w-]+) = ", opened))
    assert found == set(KEYS)
    configure(opened)
    said = call("--base-url", "http://127.0.0.1:9", "doctor", "--json")
    (check,) = [one for one in said.json["checks"] if one["check"] == "configuration"]
    assert (check["state"], check["found"]) == ("ok", "batchsora.toml")


def test_every_key_is_an_option_of_the_commands_that_it_is_for() -> None:
    """The table of keys does not drift from the command line, and holds no consent."""
    context = click.Context(group, **group.context_settings)
    for key, known in KEYS.items():
        for name in COMMANDS if known.shared is None else known.shared:
            command = group.get_command(context, name)
            assert command is not None
            assert option_of(command, key) is not None, (key, name)
    assert not set(KEYS) & {"yes", "buy-again", "redo-changed", "allow-outside", "log-file"}


def test_init_writes_what_can_be_run_at_once(call: Shell) -> None:
    """A configuration that changes nothing and a manifest whose rows are all valid."""
    said = call("init", "summer", "--json")
    assert said.code == 0
    assert said.json == {
        "written": ["summer/batchsora.toml", "summer/prompts.csv"],
        "kept": [],
    }
    assert "batchsora run prompts.csv --sandbox" in said.err
    os.chdir("summer")
    planned = call("plan", "prompts.csv", "--sandbox", "--json")
    assert planned.code == 0
    assert planned.json["jobs"] == 3
    Path("prompts.csv").write_text("mine")
    again = call("init")
    assert again.code == 0
    assert "was not changed" in again.err
    assert Path("prompts.csv").read_text() == "mine"


def test_init_says_why_it_can_not_write(call: Shell) -> None:
    """A file stands where the folder should be."""
    Path("summer").write_text("")
    assert call("init", "summer").code == 2
    assert call("init", "summer/inside").code == 2


@pytest.mark.usefixtures("api")
def test_the_log_file_has_everything_and_no_token(call: Shell) -> None:
    """JSON lines with time, level, logger and message; appended; only its owner reads it."""
    before = os.umask(0o022)
    try:
        said = call("--log-file", "night.log", "run", manifest(2), "--yes", *QUICK)
    finally:
        os.umask(before)
    assert said.code == 0
    assert stat.S_IMODE(Path("night.log").stat().st_mode) == 0o600
    first = [json.loads(line) for line in Path("night.log").read_text().splitlines()]
    assert all(set(line) >= {"time", "level", "logger", "message"} for line in first)
    assert all(line["time"].endswith("+00:00") for line in first)
    said_there = [line["message"] for line in first]
    for line in said.err.splitlines():
        assert line in said_there or re.match(r"\d+/\d+ ", line), line
    assert said_there[-1] == "ended with exit code 0"
    assert call("--log-file", "night.log", "show", "no-such").code == 2
    lines = [json.loads(line) for line in Path("night.log").read_text().splitlines()]
    assert lines[: len(first)] == first
    assert "no-such" in lines[-2]["message"]
    assert lines[-2]["level"] == "error"
    assert lines[-1]["message"] == "ended with exit code 2"
    assert TOKEN not in Path("night.log").read_text()


def test_the_log_file_can_not_drive_a_terminal(call: Shell) -> None:
    """Control characters are gone, also for those who print a message with another tool."""
    assert call("--log-file", "x.log", "run", "no\x1b[2J\u202e\nsuch.csv", "--sandbox").code == 2
    for line in Path("x.log").read_bytes().splitlines():
        assert line.isascii()
        for text in json.loads(line).values():
            assert not set(text) & {"\x1b", "\u202e"}


@pytest.mark.usefixtures("api")
def test_a_log_file_that_fails_stops_nothing_that_is_paid_for(call: Shell) -> None:
    """One that can't be opened stops the start; a full disk later only costs the log."""
    for name in ("missing/x.log", "/proc/x.log"):
        said = call("--log-file", name, "status")
        assert said.code == 2
        assert "log file" in said.err
    said = call("--log-file", "/dev/full", "run", manifest(1), "--yes", *QUICK)
    assert said.code == 0
    assert said.err.count("the run continues without it") == 1


@pytest.mark.usefixtures("api")
def test_quiet_says_only_what_explains_a_bad_end(call: Shell) -> None:
    """Nothing when all went well, the reasons when it did not, results always."""
    assert call("-q", "-v", "status").code == 2
    assert call("-q", "status", "-v").code == 2
    said = call("-q", "run", manifest(2), "--budget", "0.12", "--json", *QUICK)
    assert said.code == 4
    assert "--budget" in said.err
    assert said.json["exit"] == 4
    assert not re.search(r"(?m)^\d/2 ", said.err)
    said = call("run", "--budget", "2", "-q", *QUICK)
    assert (said.code, said.err) == (0, "")
    loud = call("run", "night.yaml", "--redo-changed", *QUICK)
    assert loud.err
    assert call("-q", "status").out


def test_the_manual_names_every_key(call: Shell, project: Path) -> None:
    """``docs/configuration.md`` lists the keys that there are, and its example can be used."""
    manual = (project / "docs" / "configuration.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"Keys are the options of the same names: ([^.]*)\.", manual)
    assert re.findall(r"`([\w-]+)`", listed) == list(KEYS)
    (example,) = re.findall(r"```toml\n(.*?)```", manual, re.DOTALL)
    configure(example)
    said = call("--base-url", "http://127.0.0.1:9", "doctor", "--json")
    assert setting(said, "budget") == ("6.00", "file")
