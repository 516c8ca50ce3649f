"""Over which files an export writes: its own, as it was written, and nobody else's."""

import csv
import shutil
from pathlib import Path

import openpyxl
import pytest
from support.shell import Shell

from batchsora.sandbox.world import World

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")


pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second, and which refuses storms."""
    return World(time_scale=2000.0, failures={"A storm": ["content moderation: too wild"]})


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """Call commands in an empty folder, with a token in the environment."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-exports")
    return Shell(capfd)


def test_the_manifest_is_not_written_over(call: Shell) -> None:
    """An invalid row, and all else that an export of ours lacks, would be lost."""
    text = "id,prompt\na,A kite\nb,A heron, red, by the sea\nc,A storm\n"
    Path("m.csv").write_text(text)
    assert call("run", "m.csv", "--skip-invalid", *QUICK).code == 3
    for name in ("m.csv", "../work/m.csv"):
        said = call("export", "-o", name)
        assert said.code == 2
        assert "--in-place" in said.words
        assert "manifest of the batch 'm'" in said.words
    Path("other.csv").hardlink_to("m.csv")
    assert call("export", "-o", "other.csv").code == 2
    assert Path("m.csv").read_text() == text
    assert call("export", "--in-place").code == 0
    with Path("m.csv").open(newline="") as file:
        assert list(csv.reader(file))[2][:2] == ["b", "A heron"]


@pytest.mark.parametrize("target", ["m.xlsx", "other.csv", "notes.jsonl", "old.xlsx"])
def test_no_other_file_is_written_over(call: Shell, target: str) -> None:
    """Whatever else is there: sheets, formats, or rows of another batch."""
    book = openpyxl.Workbook()
    book.active.append(["id", "prompt"])  # type: ignore[union-attr]
    book.active.append(["a", "A storm"])  # type: ignore[union-attr]
    book.create_sheet("Budget")["A1"] = "=1+1"
    book.save("m.xlsx")
    shutil.copy("m.xlsx", "old.xlsx")
    Path("other.csv").write_text("prompt\nA boat\n")
    Path("notes.jsonl").write_text('{"mine": 1}\n')
    assert call("run", "m.xlsx", *QUICK).code == 3
    before = Path(target).read_bytes()
    for more in ((), ("--status", "failed")):
        said = call("export", "-o", target, *more)
        assert said.code == 2
        assert "--in-place" in said.words
        assert "nothing was written" in said.words
        assert Path(target).read_bytes() == before


@pytest.mark.parametrize("target", ["out.csv", "out.xlsx", "out.json"])
def test_an_export_is_renewed_until_somebody_works_in_it(call: Shell, target: str) -> None:
    """The same command each night; what a person changed since is theirs."""
    Path("m.csv").write_text("id,prompt\na,A kite\nb,A storm\n")
    assert call("run", "m.csv", *QUICK).code == 3
    for more in ((), ("--status", "failed"), ()):
        assert call("export", "-o", target, *more).code == 0
    Path("m.csv").write_text("id,prompt\na,A kite\nb,A boat\n")
    assert call("run", "m.csv", *QUICK, "--redo-changed").code == 0
    assert call("export", "-o", target).code == 0
    with Path(target).open("ab") as file:
        file.write(b"\n")
    said = call("export", "-o", target)
    assert said.code == 2
    assert "was changed since it was exported" in said.words


def test_an_export_of_another_batch_is_not_written_over(call: Shell) -> None:
    """The one of this batch is."""
    for name in ("one", "two"):
        Path(f"{name}.csv").write_text("prompt\nA kite\n" if name == "one" else "prompt\nA boat\n")
        assert call("run", f"{name}.csv", *QUICK).code == 0
        assert call("export", "--batch", name, "-o", f"{name}-out.csv").code == 0
    said = call("export", "--batch", "two", "-o", "one-out.csv")
    assert said.code == 2
    assert "not an export of this batch" in said.words
    assert call("export", "--batch", "one", "-o", "one-out.csv").code == 0


@pytest.mark.parametrize("there", [True, False])
def test_no_table_and_no_report_is_written_through_a_link(call: Shell, *, there: bool) -> None:
    """A link under the name that the documentation uses, in a folder that somebody sent."""
    Path("m.csv").write_text('id,prompt\nnight,"a kite\ntouch owned\n"\n')
    assert call("run", "m.csv", *QUICK).code == 0
    victim = Path("../.profile")
    if there:
        victim.write_text("# mine\n")
    for command in ("export", "report"):
        for name in ("results.csv", "results.xlsx", "results.json", "report.html"):
            Path(name).symlink_to(victim)
            said = call(command, "-o", name)
            assert said.code == 2, said.err
            assert victim.exists() == there
            Path(name).unlink()
    if there:
        assert victim.read_text() == "# mine\n"
    Path("run.log").symlink_to(victim)
    assert call("status", "--log-file", "run.log").code == 2
    assert victim.exists() == there


def test_a_place_that_can_not_be_written_is_named(call: Shell) -> None:
    """A folder that is missing, and a name that is too long: what to do, and no traceback."""
    Path("m.csv").write_text("prompt\nA kite\n")
    assert call("run", "m.csv", *QUICK).code == 0
    for command, suffix in (("export", "csv"), ("export", "xlsx"), ("report", "html")):
        said = call(command, "-o", f"{'n' * 300}.{suffix}")
        assert said.code == 2
        assert "File name too long. Give the file a shorter name." in said.words
        said = call(command, "-o", f"m.csv/x.{suffix}")
        assert said.code == 2
        assert "Traceback" not in said.err
        said = call(command, "-o", f"/proc/x.{suffix}")
        assert said.code == 2
        assert "can't be written" in said.words
        assert "Traceback" not in said.err
