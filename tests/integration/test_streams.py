"""Standard streams that are closed, full, or read by nobody: commands do what they are for."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.cli import failures, main
from batchsora.cli.common import Cli
from batchsora.cli.streams import Output
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.store import Store, views

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is full")

RUN = "run --budget 1 --buy-again --rate 0 --poll-interval 0.05 --no-download"
BUG = "That is a bug"


@pytest.fixture(scope="module")
def api() -> Iterator[SandboxServer]:
    """A quick provider."""
    with SandboxServer(World(time_scale=2000.0)) as server:
        yield server


@pytest.fixture(scope="module")
def night(api: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database after a night whose budget was enough for two of three rows."""
    folder = tmp_path_factory.mktemp("night")
    rows = "id,prompt\nr0,a kite\nr1,a boat\nr2,\u6d77 a dune \U0001f469\n"
    (folder / "night.csv").write_text(rows, encoding="utf-8")
    line = RUN.replace("--budget 1", "night.csv --budget 0.24")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RUNBLOB_API_KEY", "streams-test")
        patch.setenv("BATCHSORA_BASE_URL", api.url)
        with pytest.raises(SystemExit) as ended:
            main(line.split())
    assert ended.value.code == 4
    return folder


@pytest.fixture
def here(
    night: Path, api: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SandboxServer:
    """A folder as that night left it, and its provider."""
    monkeypatch.chdir(shutil.copytree(night, tmp_path / "here"))
    monkeypatch.setenv("RUNBLOB_API_KEY", "streams-test")
    monkeypatch.setenv("BATCHSORA_BASE_URL", api.url)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    return api


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Have a shell start a command, with its streams as the line says."""
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = f"{shlex.quote(sys.executable)} -m batchsora {line}"
    return subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=100,
        stdin=subprocess.DEVNULL, env={**usual, **environment},
    )  # fmt: skip


def states() -> dict[str, int]:
    """Count the jobs of the batch by their state."""
    with Store(Path("batchsora.db")) as store:
        (batch,) = store.read(
            lambda c: [views.batch_status(c, row) for row in views.find_batches(c)]
        )
    return {state: count for state, count in batch.jobs.items() if count}


@pytest.mark.posix  # it is typed into a POSIX shell
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("cancel r2 <&-", 2, "use --yes"),
        ("login --no-check <&-", 2, "no token on standard input"),
        ("jobs --json >&-", 0, ""),
        ("show nope 2>&-", 2, ""),
        ("jobs --nope 2>&-", 2, ""),
        ("status <&- 2>&-", 0, "completed"),
        ("wait r0 2>&-", 0, "r0: completed"),
        ("--help >&-", 0, ""),
    ],
)
def test_closed_streams_are_no_bug(line: str, code: int, says: str) -> None:
    """A command ends as it would have ended, and says what it can where somebody listens."""
    done = shell(line)
    assert done.returncode == code, done.stderr
    assert says in " ".join((done.stdout + done.stderr).split())
    assert BUG not in done.stderr
    assert "Traceback" not in done.stderr
    assert states() == {"completed": 2, "queued": 1}


@pytest.mark.posix  # it is typed into a POSIX shell
def test_a_run_needs_no_stream(here: SandboxServer) -> None:
    """As a daemon may start it; and one video is bought and waited for in the same way."""
    made = len(here.world.made)
    assert shell(f"{RUN} <&- >&- 2>&-").returncode == 0
    assert states() == {"completed": 3}
    done = shell("generate 'a fox' --yes --wait --poll-interval 0.05 2>&-")
    assert done.returncode == 0
    assert "adhoc-1: completed" in done.stdout
    assert len(here.world.made) == made + 2


@pytest.mark.posix  # it is typed into a POSIX shell
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Or else a database could be printed into, by whatever writes to stdout."""
    program = (
        "import os\n"
        "from batchsora.cli.streams import standard_streams\n"
        "with standard_streams():\n"
        "    number = os.open('found.txt', os.O_CREAT | os.O_WRONLY)\n"
        "    print('printed')\n"
        "    same = [os.fstat(n).st_rdev == os.stat(os.devnull).st_rdev for n in range(3)]\n"
        "    os.write(number, repr((number > 2, same)).encode())\n"
    )
    command = f"exec {shlex.quote(sys.executable)} -c {shlex.quote(program)} <&- >&- 2>&-"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True, env=environment)
    assert (tmp_path / "found.txt").read_text() == "(True, [True, True, True])"


def test_a_slow_reader_of_a_pipe_that_does_not_wait_gets_all() -> None:
    """A program that shares the terminal may have made it so."""
    side, number = os.pipe()
    os.set_blocking(number, False)
    found: list[bytes] = []

    def read() -> None:
        while part := os.read(side, 1000):
            found.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    words = bytes(range(256)) * 2000
    output = Output(number)
    assert output.write(words) == len(words)
    assert output.failure is None
    os.close(number)
    reader.join()
    os.close(side)
    assert b"".join(found) == words


@pytest.mark.posix  # it is typed into a POSIX shell
@needs_full
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("line", ["jobs", "jobs --json", "show r0 -q", "--help"])
def test_a_full_disk_is_said_in_a_line(line: str) -> None:
    """Exit 2, as when any other file can't be written; it is no bug, and no traceback."""
    done = shell(f"{line} >/dev/full")
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert "No space left on device" in said
    assert "done all the same" in said


@pytest.mark.posix  # it is typed into a POSIX shell
@needs_full
@pytest.mark.usefixtures("here")
def test_what_was_done_on_a_full_disk_is_done() -> None:
    """The database says so; a code of the command's own goes before that of the disk."""
    assert shell("cancel r2 --yes >/dev/full 2>/dev/full").returncode == 2
    assert states() == {"completed": 2, "cancelled": 1}
    assert shell("retry r2 --yes >/dev/full", PYTHONUNBUFFERED="1").returncode == 2
    assert states() == {"completed": 2, "queued": 1}
    assert shell("run --no-download --json >/dev/full").returncode == 4
    assert shell("jobs 2>/dev/full").returncode == 0


@pytest.mark.posix  # it is typed into a POSIX shell
def test_a_run_goes_on_where_nobody_reads_its_words(here: SandboxServer) -> None:
    """As with ``batchsora run … 2>&1 | head -1``: all is bought, and the code is the run's own."""
    made = len(here.world.made)
    line = f"{{ {shlex.quote(sys.executable)} -m batchsora {RUN} -v 2>&1; echo $? >code; }} | true"
    subprocess.run(["/bin/sh", "-c", line], check=True, timeout=100)
    assert Path("code").read_text() == "0\n"
    assert states() == {"completed": 3}
    assert len(here.world.made) == made + 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("show nope", 2),
        ("jobs --nope", 2),
        ("jobs --json", 0),
        ("--help", 0),
        ("run --no-download --json", 4),
    ],
)
def test_the_code_stays_where_a_pipe_is_closed(line: str, code: int) -> None:
    """Both streams into a pipe whose reader is gone."""
    gone, side = os.pipe()
    os.close(gone)
    done = subprocess.run(
        [sys.executable, "-m", "batchsora", *line.split()],
        stdin=subprocess.DEVNULL, stdout=side, stderr=side, check=False, timeout=100,
    )  # fmt: skip
    os.close(side)
    assert done.returncode == code


@pytest.mark.posix  # it is typed into a POSIX shell
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_an_old_encoding_is_no_bug(encoding: str) -> None:
    """What it does not have is an escape sequence, and a document stays one."""
    done = shell("jobs --json", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[2]["prompt"] == "\u6d77 a dune \U0001f469"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("cancel r2 --json", "No terminal to confirm on"),
        ("rm night --json", "Nothing was changed"),
        ("retry r2 --batch nope --json", "nope"),
        ("jobs --json --status nope", "'nope' is not one of"),
        ("jobs --status nope --json", "'nope' is not one of"),
        ("--json jobs --status nope", "'nope' is not one of"),
        ("pause --json", "BATCH"),
        ("nope --json", "nope"),
        ("--json nope", "nope"),
        ("jobs --json --nope", "--nope"),
        ("jobs --nope --json", "--nope"),
        ("jobs --json surplus", "surplus"),
        ("jobs --config missing.toml --json", "missing.toml"),
        ("cancel --json", "choose jobs"),
        ("jobs --json -v -q", "not both"),
        ("run night.csv --name other --buy-again --json", "no terminal to confirm on"),
    ],
)
def test_a_script_always_gets_a_document(
    line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One JSON document on stdout, whatever is wrong and wherever ``--json`` stands."""
    done = Shell(capsys)(*line.split())
    assert done.code == 2
    assert says in done.json["error"]["problem"]
    assert says in done.words


@pytest.mark.usefixtures("here")
def test_a_document_is_for_those_who_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word behind two dashes is no option; the environment asks as well."""
    call = Shell(capsys)
    assert call("show", "--", "--json").out == ""
    assert call("jobs", "--status", "nope").out == ""
    monkeypatch.setenv("BATCHSORA_JOBS_JSON", "1")
    assert "nope" in call("jobs", "--status", "nope").json["error"]["problem"]


def test_there_is_one_document_whatever_happens_after_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A failure behind the result is told to people alone; without a result it is the document."""
    cli = Cli()
    cli.expect_json(["--json"])
    cli.result({"done": 1}, str)
    failures.show(KeyboardInterrupt(), cli)
    failures.explain(130, cli)
    assert json.loads(capsys.readouterr().out) == {"done": 1}
    for error in (KeyboardInterrupt(), RuntimeError("boom")):
        other = Cli()
        other.expect_json(["--json"])
        failures.show(error, other)
        failures.explain(1, other)
        assert json.loads(capsys.readouterr().out)["error"]["problem"]


class Failing:
    """A stream that a program put in place, and that fails."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        """Fail."""
        raise OSError(28, "No space left on device", text[:0])

    def isatty(self) -> bool:
        """Be no terminal."""
        return False

    def flush(self) -> None:
        """Do nothing."""


def test_telling_of_a_failure_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document of an error is given up where it can't be written."""
    cli = Cli()
    cli.expect_json(["--json"])
    cli.say("something was done")
    monkeypatch.setattr(sys, "stdout", Failing())
    failures.explain(2, cli)
    assert cli.answered
