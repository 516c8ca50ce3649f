"""``doctor``: each check says what it found and what to do, and changes nothing."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.older import make_0008
from support.shell import Said, Shell

from batchsora.composition.exit_codes import Exit
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.settings import Settings, Token
from batchsora.usecases import doctor
from batchsora.usecases.doctor import Check, State, exit_of_checks
from jobs.database import owners
from jobs.database.lock import runner_lock
from jobs.database.schema import HEAD
from jobs.model.clock import SystemClock

TOKEN = "tok-doctor-77c0"
OFFLINE = ("--base-url", "http://127.0.0.1:9")
QUICK = ("--yes", "--poll-interval", "0.05", "--rate", "0", "--no-download")


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Call commands in an empty folder, with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    shell = Shell(capfd)

    def call(*arguments: str) -> Said:
        said = shell(*arguments)
        assert TOKEN not in said.out + said.err
        return said

    return call


Call = Callable[..., Said]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    """The provider, at the address in the environment."""
    with SandboxServer(World(time_scale=2000.0, token=TOKEN)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


def checks(said: Said) -> dict[str, Any]:
    """Give the checks by name; of several of a name the worst."""
    found: dict[str, Any] = {}
    for check in said.json["checks"]:
        states = ("ok", "warning", "problem")
        old = found.get(check["check"])
        if old is None or states.index(old["state"]) < states.index(check["state"]):
            found[check["check"]] = check
    return found


def state(said: Said, name: str) -> str:
    return str(checks(said)[name]["state"])


def bought(call: Call) -> None:
    Path("night.csv").write_text("id,prompt\na,a kite\n")
    assert call("run", "night.csv", *QUICK).code == 0


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.usefixtures("api")
def test_all_is_well(call: Call) -> None:
    """Exit 0, each check a line, and each listed thing is looked at."""
    bought(call)
    before = contents()
    said = call("doctor", "--json")
    assert said.code == 0
    found = checks(said)
    assert set(found) == {
        "configuration", "token", "API", "clock", "balance", "database", "integrity", "owner",
        "runner", "disk space", "writing", "versions", "libraries", "terminal",
    }  # fmt: skip
    assert {name for name, one in found.items() if one["state"] == "problem"} == set()
    assert found["token"]["found"] == "in RUNBLOB_API_KEY"
    assert found["balance"]["found"] == "$99.88"
    assert found["owner"]["found"].startswith("this account at http://127.0.0.1:")
    assert found["database"]["found"].endswith(f"version {HEAD}")
    assert contents() == before
    text = call("doctor")
    assert text.code == 0
    lines = text.out.partition("\n\n")[0].splitlines()
    for line, check in zip(lines, said.json["checks"], strict=True):
        assert line.startswith(f"{check['state']:<8} {check['check']:<13} ")
        assert check["remedy"] in line
    assert "flag > environment > manifest > file > default" in text.out
    assert "\x1b" not in text.out


def test_it_works_with_nothing_at_all(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no token, no database: answers, remedies, exit codes, and nothing written."""
    said = call(*OFFLINE, "doctor", "--json")
    assert said.code == 8
    assert (state(said, "API"), state(said, "database")) == ("problem", "ok")
    monkeypatch.delenv("RUNBLOB_API_KEY")
    said = call("doctor", "--json")
    assert said.code == 2
    found = checks(said)
    assert found["token"]["state"] == "problem"
    assert "batchsora login" in found["token"]["remedy"]
    assert found["API"]["state"] == "warning"
    assert os.listdir() == []  # noqa: PTH208 - names


def test_a_refused_token_is_6(call: Call, api: SandboxServer) -> None:
    """And the clock is compared all the same."""
    api.world.token = "another"
    said = call("doctor", "--json")
    assert said.code == 6
    assert "renew" in checks(said)["API"]["remedy"]
    assert state(said, "clock") == "ok"


@pytest.mark.usefixtures("api")
def test_another_address_is_2(call: Call, api: SandboxServer) -> None:
    """What answers there is not the API."""
    said = call("--base-url", f"{api.url}/elsewhere", "doctor", "--json")
    assert said.code == 2
    assert "--base-url" in checks(said)["API"]["remedy"]


def test_an_open_token_file_is_a_warning(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is the command to type."""
    monkeypatch.delenv("RUNBLOB_API_KEY")
    Path("token").write_text(TOKEN)
    Path("token").chmod(0o644)
    said = call(*OFFLINE, "--token-file", "token", "doctor", "--json")
    assert checks(said)["token"]["remedy"] == "chmod 600 token"
    Path("token").chmod(0o600)
    assert state(call(*OFFLINE, "--token-file", "token", "doctor", "--json"), "token") == "ok"
    Path("token").write_text("two words")
    said = call(*OFFLINE, "--token-file", "token", "doctor", "--json")
    assert (said.code, state(said, "token")) == (2, "problem")


@pytest.mark.usefixtures("api")
def test_a_little_balance_is_a_warning(call: Call, api: SandboxServer) -> None:
    """It does not pay for one video."""
    api.world.balance = 100_000
    said = call("doctor", "--json")
    assert (said.code, state(said, "balance")) == (0, "warning")


@pytest.mark.parametrize(
    ("seconds", "expected", "words"),
    [
        (0.3, State.OK, "as the API's"),
        (12, State.OK, "12 s behind the API's"),
        (3600, State.WARNING, "3600 s behind"),
        (-90, State.WARNING, "90 s ahead of"),
    ],
)
def test_the_clock_is_compared(seconds: float, expected: State, words: str) -> None:
    """Half a minute is what may be wrong."""
    check = doctor._clock(timedelta(seconds=seconds))
    assert (check.state, words in check.found) == (expected, True)


def change(statement: str, *values: object) -> None:
    with closing(sqlite3.connect("batchsora.db")) as connection, connection:
        connection.execute(statement, values)


@pytest.mark.usefixtures("api")
def test_versions_of_the_database(call: Call) -> None:
    """An older one is upgraded by the next run, a newer one is exit 5, a foreign one too."""
    bought(call)
    make_0008(Path("batchsora.db"))
    said = call("doctor", "--json")
    assert (said.code, state(said, "database")) == (0, "warning")
    change("UPDATE alembic_version SET version_num = '9999'")
    said = call("doctor", "--json")
    assert said.code == 5
    assert "upgrade batchsora" in checks(said)["database"]["remedy"]
    with closing(sqlite3.connect("foreign.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    assert call("--db", "foreign.db", "doctor", "--json").code == 5
    Path("text.db").write_text("no database" * 500)
    said = call("--db", "text.db", "doctor", "--json")
    assert (said.code, state(said, "database")) == (5, "problem")
    Path("empty.db").touch()
    assert call("--db", "empty.db", "doctor").code == 0
    assert call("--db", ".", "doctor").code == 5


@pytest.mark.usefixtures("api")
def test_damage_is_5(call: Call) -> None:
    """A page that was overwritten is found, and the remedy says what is safe."""
    bought(call)
    content = bytearray(Path("batchsora.db").read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8192] = b"\xff" * 8192
    Path("batchsora.db").write_bytes(content)
    said = call("doctor", "--json")
    assert said.code == 5
    remedies = " ".join(check["remedy"] for check in said.json["checks"])
    assert "--adopt-existing" in remedies


@pytest.mark.usefixtures("api")
def test_whose_the_database_is(
    call: Call, api: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another API's is exit 5; another token's is for the next run to see."""
    bought(call)
    monkeypatch.setenv("RUNBLOB_API_KEY", "renewed")
    api.world.token = "renewed"
    said = call("doctor", "--json")
    assert (said.code, state(said, "owner")) == (0, "warning")
    monkeypatch.delenv("RUNBLOB_API_KEY")
    assert state(call("doctor", "--json"), "owner") == "ok"
    said = call("--base-url", "http://127.0.0.1:9", "doctor", "--json")
    assert (said.code, state(said, "owner")) == (5, "problem")


@pytest.mark.usefixtures("api")
def test_a_runner_is_seen_and_not_disturbed(call: Call) -> None:
    """Its lock stays its own, and its database is read beside it."""
    bought(call)
    with runner_lock(Path("batchsora.db"), SystemClock().now()):
        writer = sqlite3.connect("batchsora.db", isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE batch SET waiting_for = 'x'")
        said = call("doctor", "--json")
        writer.execute("ROLLBACK")
        writer.close()
    assert said.code == 0
    assert f"pid {os.getpid()}" in checks(said)["runner"]["found"]
    assert state(said, "integrity") == "ok"


def test_folders_that_can_not_be_used(call: Call, tmp_path: Path) -> None:
    """No folder for the database; no right to write, whoever runs the tests."""
    said = call(*OFFLINE, "--db", "no/such/x.db", "doctor", "--json")
    assert "mkdir -p" in checks(said)["folder"]["remedy"]
    said = call(*OFFLINE, "--db", "/proc/x.db", "doctor", "--json")
    assert (said.code, state(said, "writing")) == (5, "problem")
    Path("batchsora.toml").write_text('download = "/proc/videos"\n')
    said = call(*OFFLINE, "doctor", "--json")
    assert state(said, "writing") == "problem"
    found = list(doctor.look_at_folders(tmp_path / "a.db", tmp_path / "new" / "videos"))
    assert [check.state for check in found] == [State.OK, State.OK]
    assert not (tmp_path / "new").exists()


def test_settings_that_can_not_be_used(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad address, a bad value in the environment, a bad manifest: problems, not crashes."""
    said = call("--base-url", "ftp://x", "doctor", "--json")
    assert (said.code, state(said, "settings")) == (2, "problem")
    assert "API" not in checks(said)
    monkeypatch.setenv("BATCHSORA_RUN_RATE", "quick")
    said = call(*OFFLINE, "doctor", "--json")
    assert "quick" in checks(said)["settings"]["found"]
    Path("night.csv").write_text("")
    assert state(call(*OFFLINE, "doctor", "night.csv", "--json"), "manifest") == "problem"


def test_the_exit_is_the_first_in_the_order_of_the_design() -> None:
    """5, 8, 6, 2, and 0 where only warnings are."""
    order = [Exit.DATABASE, Exit.UNREACHABLE, Exit.TOKEN, Exit.USAGE]
    problems = [Check("x", State.PROBLEM, "", "", code) for code in reversed(order)]
    for code in order:
        assert exit_of_checks(problems) is code
        problems.pop()
    assert exit_of_checks([Check("x", State.WARNING, "", "", Exit.USAGE)]) is Exit.DONE


def test_without_a_token_the_api_is_not_asked() -> None:
    """There is nothing to send."""
    settings = Settings(Path("x.db"), "http://127.0.0.1:9")
    (check,) = doctor.look_at_api(settings, None)
    assert check.state is State.WARNING
    (check,) = doctor.look_at_api(settings, Token("x", "here"))
    assert check.exit is Exit.UNREACHABLE


def test_the_terminal_is_described() -> None:
    """What pytest captures is none, and has the usual width."""
    found = doctor.look_at_terminal({}).found
    assert "no terminal" in found
    assert "columns" in found


@pytest.mark.usefixtures("api")
def test_a_budget_day_in_the_future_is_told_and_moved(call: Call) -> None:
    """Under it a day's cap would last for months; what was spent counts today afterwards."""
    Path("night.csv").write_text("id,prompt\na,a kite\nb,a lamp\n")
    assert call("run", "night.csv", *QUICK, "--day-budget", "0.24").code == 0
    with closing(sqlite3.connect("batchsora.db")) as file, file:
        file.execute("UPDATE budget SET key = 'day:2099-05-01' WHERE key LIKE 'day:%'")
        file.execute("UPDATE attempt SET day = '2099-05-01'")
    assert state(call("doctor", "--json"), "daily budget") == "warning"
    Path("more.csv").write_text("id,prompt\nc,a boat\n")
    said = call("run", "more.csv", *QUICK)
    assert said.code == 4
    assert said.words.count("2099-05-01, in the future") == 1

    said = call("doctor", "--reset-day", "--json")
    assert said.code == 0, said.err
    assert "daily budget" not in checks(said)
    assert "what was spent on 2099-05-01 now counts today" in said.words
    with closing(sqlite3.connect("batchsora.db")) as file:
        query = "SELECT key, cap_micros, charged_micros FROM budget WHERE key LIKE 'day:%'"
        ((key, cap, charged),) = file.execute(query)
        days = {day for (day,) in file.execute("SELECT day FROM attempt")}
    assert (cap, charged) == (240_000, 240_000)
    assert days == {key.removeprefix("day:")}
    assert "2099" not in key
    again = call("doctor", "--reset-day")
    assert "nothing was changed" in again.words


@pytest.mark.usefixtures("api")
def test_a_second_name_and_another_machine_are_told(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run would stop at, before it does."""
    Path("night.csv").write_text("id,prompt\na,a kite\n")
    monkeypatch.setenv("BATCHSORA_HOST", "web_context-at-work")
    assert call("run", "night.csv", *QUICK).code == 0
    assert {"place", "host"}.isdisjoint(checks(call("doctor", "--json")))
    monkeypatch.setenv("BATCHSORA_HOST", "laptop")
    os.link("batchsora.db", "second.db")
    said = call("doctor", "--json")
    assert said.code == 5
    assert checks(said)["host"]["found"].startswith("it was last used on web_context-at-work (")
    assert state(said, "host") == "warning"
    assert state(said, "place") == "problem"


@pytest.mark.usefixtures("api")
def test_a_network_drive_is_told(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What writes refuses it; what looks still shows what is there."""
    Path("night.csv").write_text("id,prompt\na,a kite\n")
    assert call("run", "night.csv", *QUICK).code == 0
    table = tmp_path / "mountinfo"
    table.write_text("28 1 0:1 / / rw,relatime shared:1 - cifs //nas/a rw\n")
    monkeypatch.setattr(owners, "MOUNTS", table)
    said = call("doctor", "--json")
    assert said.code == 5
    assert "network drive (cifs)" in checks(said)["place"]["found"]
