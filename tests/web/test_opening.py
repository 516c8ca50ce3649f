"""Where the address that opens the page is shown: in a terminal, else in a file of the owner's."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.shell import entrance, started
from support.site import Folder, enter, soon

from batchsora.web.entering import LEFT_AFTER, PAGE, PREFIX, Opening

COMMAND = (sys.executable, "-m", "batchsora", "web", "--no-browser", "--port", "0")
TICKET = re.compile(r"http://127\.0\.0\.1:\d+/enter/[\w-]{43}")


def test_a_live_ticket_is_in_no_output_that_others_may_read(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`batchsora web > page.log 2>&1` at umask 022: the log names a file for its owner alone."""
    world.enter(monkeypatch)
    log = world.path / "page.log"
    with log.open("wb") as out:
        log.chmod(0o644)
        process = subprocess.Popen(
            COMMAND, cwd=world.path, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        assert soon(lambda: "newest address" in log.read_text())
        (file,) = (world.path / ".batchsora").glob("open-*.txt")
        assert f"is in {file}\n" in log.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o077 == 0
        first = file.read_text().strip()
        with httpx.Client(base_url=first.partition("/enter/")[0]) as http:
            enter(http, first)
            assert "prompts" in http.get("/").text
        # the next one stands there when the first is used
        assert soon(lambda: log.read_text().count("newest address") == 2)
        second = file.read_text().strip()
        assert second != first
        assert TICKET.fullmatch(second)
        assert not TICKET.search(log.read_text())
        process.terminate()
        process.wait(30)
        assert not file.exists()
        assert not TICKET.search(log.read_text())
    finally:
        process.kill()
        process.wait()


@contextmanager
def in_a_terminal(folder: Path) -> Iterator[Iterator[str]]:
    """Start the page in a terminal; gives what stands there, line by line."""
    import pty  # noqa: PLC0415 - Windows has none

    ours, theirs = pty.openpty()
    process = subprocess.Popen(COMMAND, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        with os.fdopen(ours, encoding="utf-8") as lines:
            yield iter(lines)
    finally:
        process.kill()
        process.wait()


@pytest.mark.posix  # there are no pseudo-terminals on Windows
def test_in_a_terminal_the_address_is_shown(world: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is in no file."""
    world.enter(monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    with in_a_terminal(world.path) as lines:
        for _ in range(2):
            address = next(found[0] for line in lines if (found := TICKET.search(line)))
            assert httpx.get(address).status_code == 200
    assert list((world.path / ".batchsora").glob("*open-*")) == []


def test_two_pages_over_one_database_have_a_file_each(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither takes the other's address away."""
    world.enter(monkeypatch)
    with started(world.path, "--port", "0") as one, started(world.path, "--port", "0") as other:
        addresses = {entrance(one), entrance(other)}
        files = (world.path / ".batchsora").glob("open-*.txt")
        assert {file.read_text().strip() for file in files} == addresses
        assert len(addresses) == 2


def test_what_had_the_name_of_the_file_is_replaced(tmp_path: Path) -> None:
    """A link is not written through, a file that all may read is not written into."""
    shown: list[str] = []
    for plant in (Path.symlink_to, Path.hardlink_to):
        readable = tmp_path / "readable"
        readable.write_text("theirs")
        readable.chmod(0o644)
        file = tmp_path / "open-1.txt"
        plant(file, readable)
        new = Opening("http://127.0.0.1:1/", shown.append, None, browser=False, file=file)
        new("first")
        assert readable.read_text() == "theirs"
        assert stat.S_IMODE(file.lstat().st_mode) == 0o600
        assert file.read_text() == "http://127.0.0.1:1/enter/first\n"
        new.close()
        assert [one.name for one in tmp_path.iterdir()] == ["readable"]
    assert shown == [f"the newest address that opens the page is in {file}"] * 2


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The ticket is shown nowhere: whoever is inside stays there, and a terminal helps."""
    shown: list[str] = []
    (tmp_path / "open-1.txt").mkdir()
    for file in (tmp_path / "open-1.txt", tmp_path / "gone" / "open-1.txt"):
        Opening("http://127.0.0.1:1/", shown.append, None, browser=False, file=file)("first")
        assert str(file) in shown[-1]
        assert "start the page in a terminal" in shown[-1]
    assert not any("first" in line for line in shown)
    assert [one.name for one in tmp_path.iterdir()] == ["open-1.txt"]


def test_what_a_killed_page_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of the owner's that is only called so, and one that is in use, stay."""
    opened: list[str] = []
    monkeypatch.setattr("batchsora.web.entering.open_browser", opened.append)
    kept = {"old": True, "empty": True, "own": False, "young": False}
    for name, left in kept.items():
        folder = tmp_path / f"{PREFIX}{name}"
        folder.mkdir()
        if name != "empty":
            (folder / PAGE).touch()
        if name == "own":
            (folder / "notes.txt").touch()
        before = 0.0 if name == "young" else LEFT_AFTER + 60
        then = tmp_path.stat().st_mtime - before
        os.utime(folder, (then, then))
        kept[name] = not left
    ours = Opening("http://127.0.0.1:8/", print, tmp_path, browser=True)
    ours("a-ticket")
    (address,) = opened
    assert Path(address.removeprefix("file://")).exists()
    assert {name: (tmp_path / f"{PREFIX}{name}").exists() for name in kept} == kept
    ours.close()
    assert not Path(address.removeprefix("file://")).exists()
