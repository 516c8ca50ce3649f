"""The command line on a pseudo-terminal: Ctrl-C, resizing, colours, questions, closed pipes."""

import errno
import itertools
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.cells import cell_len

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

pytest.importorskip("pty")  # there are no pseudo-terminals on Windows
import fcntl
import pty
import termios

PATIENCE = 60.0
"""Seconds after which a terminal that says nothing counts as hanging."""


class Terminal:
    """A command on a terminal of its own, of which it is the foreground process.

    Args:
        folder: where it runs.
        columns: how wide the terminal is.
        arguments: of the command.
        more: of the environment.
    """

    def __init__(self, folder: Path, columns: int, *arguments: str, **more: str) -> None:
        self.shown = ""
        self._pid, self._side = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            environment = {**os.environ, "TERM": "xterm-256color", **more}
            environment.pop("COLUMNS", None)
            command = [sys.executable, "-m", "batchsora", *arguments]
            os.execve(sys.executable, command, environment)  # noqa: S606
        self.resize(columns)

    def resize(self, columns: int) -> None:
        """Make the window another one."""
        fcntl.ioctl(self._side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._side, keys.encode())

    def until(self, words: str) -> None:
        """Read until something is shown."""
        end = time.monotonic() + PATIENCE
        while words not in self.shown:
            assert time.monotonic() < end, self.shown
            if not self._read():
                break
        assert words in self.shown, self.shown

    def ends(self) -> int:
        """Read to the end; gives the exit code, or the signal that killed it, less than 0."""
        while self._read():
            pass
        os.close(self._side)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    @property
    def lines(self) -> list[str]:
        """Give what was shown, without what drives the terminal."""
        return self.lines_after(0)

    def lines_after(self, place: int) -> list[str]:
        """Give what was shown after so many characters, without what drives the terminal."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown[place:])
        return [part for line in plain.splitlines() for part in line.split("\r") if part.strip()]

    def _read(self) -> bool:
        ready, _, _ = select.select([self._side], [], [], PATIENCE)
        assert ready, f"hanging: {self.shown}"
        try:
            found = os.read(self._side, 65536)
        except OSError as error:  # the other side is closed
            if error.errno != errno.EIO:
                raise
            return False
        self.shown += found.decode()
        return bool(found)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider that takes half a second a video, and a manifest."""
    monkeypatch.setenv("RUNBLOB_API_KEY", "terminal-test")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows = [f"r{n},a heron in reeds number {n}" for n in range(6)]
    (tmp_path / "night.csv").write_text("\n".join(["id,prompt", *rows]))
    return World(time_scale=1500.0)


LABELLED = re.compile(r" *\S+(?: \S+)?  +\S+| *\S+")
"""A line with one word behind its label, or with one word."""

RUN = ("run", "night.csv", "--rate", "0", "--poll-interval", "0.1", "--no-download")


@pytest.mark.usefixtures("api")
def test_a_person_is_asked_before_money_is_spent_without_a_cap(
    tmp_path: Path, world: World
) -> None:
    """Enter alone is a no, also for a later run that names no batch; an amount is the budget."""
    terminal = Terminal(tmp_path, 80, *RUN)
    terminal.until("Enter to stop")
    assert "6 video(s) of night to buy, for about $0.72" in " ".join(terminal.lines)
    terminal.type("\n")
    assert terminal.ends() == 2
    assert "nothing was bought; the rows are loaded" in terminal.shown
    everything = Terminal(tmp_path, 80, "run", "--yes")
    assert everything.ends() == 0
    assert "6 held back (loaded, but not asked for yet)" in " ".join(everything.lines)
    assert not world.made
    terminal = Terminal(tmp_path, 80, *RUN)
    terminal.until("Enter to stop")
    terminal.type("y\n")  # no amount
    terminal.until("write it like 6.00")
    terminal.type("$0.6\n")
    assert terminal.ends() == 4
    assert len(world.made) == 5
    assert any("5/6" in line for line in terminal.lines)
    again = Terminal(tmp_path, 80, *RUN)  # it is kept, so nobody is asked again
    assert again.ends() == 4
    assert "Enter to stop" not in again.shown
    more = " ".join(again.lines)
    assert "1 job(s) left, for about $0.12; blocked by budget of the batch ($0.60 of $0.60" in more
    assert "'batchsora run --batch night --budget 0.72'" in more


@pytest.mark.usefixtures("api")
def test_a_person_is_asked_about_what_was_paid_for_before(tmp_path: Path, world: World) -> None:
    """The same rows under another name: no leaves them waiting, yes takes the videos."""
    terminal = Terminal(tmp_path, 80, *RUN, "--yes")
    assert terminal.ends() == 0
    (tmp_path / "night.csv").rename(tmp_path / "again.csv")
    again = ("run", "again.csv", *RUN[2:])
    for answer, code in (("n", 4), ("y", 0)):
        terminal = Terminal(tmp_path, 80, *again)
        terminal.until("Take over those videos, at no cost?")
        terminal.type(f"{answer}\n")
        assert terminal.ends() == code
        assert "Enter to stop" not in terminal.shown
        assert len(world.made) == 6
    assert "6 taken over" in terminal.shown


@pytest.mark.usefixtures("api")
def test_ctrl_c_and_a_resize_in_the_middle_lose_nothing(tmp_path: Path, world: World) -> None:
    """What is under way is finished, the bar follows the window, and the next run goes on."""
    world.time_scale = 60.0
    terminal = Terminal(tmp_path, 100, *RUN, "--budget", "5")
    terminal.until("6 under way")
    terminal.resize(38)
    before = len(terminal.shown)
    terminal.until("$0.72/$5.00")  # shorter than "$0.72 of $5.00"
    terminal.type("\x03")  # Ctrl-C
    terminal.until("nothing is lost")
    assert terminal.ends() == 130
    shown = [line for line in terminal.lines_after(before) if line.startswith("0/6")]
    assert shown
    assert all(len(line.removesuffix("^C").rstrip()) < 38 for line in shown), shown
    world.time_scale = 1e6
    again = Terminal(tmp_path, 80, *RUN)
    assert again.ends() == 0
    assert len(world.made) == 6


@pytest.mark.usefixtures("api")
def test_one_video_is_watched(tmp_path: Path) -> None:
    """The bar shows the place in the queue, the percent, and the end."""
    words = ("generate", "a sunset", "--wait", "--poll-interval", "0.05", "--yes")
    terminal = Terminal(tmp_path, 80, *words)
    assert terminal.ends() == 0
    text = " ".join(terminal.lines)
    assert "adhoc-1 completed" in text
    assert "100/100" in text
    assert all(len(line) <= 80 for line in terminal.lines), terminal.lines


@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("", 2), ("y", 0)])
def test_one_video_without_a_budget_is_asked_about(
    tmp_path: Path, world: World, api: SandboxServer, answer: str, code: int
) -> None:
    """Its price is named, and Enter alone is a no."""
    assert api.url
    terminal = Terminal(tmp_path, 100, "generate", "a sunset", "--poll-interval", "0.05")
    terminal.until("[y/N]")
    assert "Buy this video for about $0.12? There is no budget" in " ".join(terminal.lines)
    assert not world.made
    terminal.type(f"{answer}\n")
    assert terminal.ends() == code
    assert ("nothing was bought" in " ".join(terminal.lines)) is (code != 0)
    assert len(world.made) == (code == 0)


@pytest.mark.usefixtures("api")
def test_lines_fit_the_terminal_whatever_its_width(tmp_path: Path) -> None:
    """Nothing runs over the edge but what can't be cut, which stands beside its label."""
    assert Terminal(tmp_path, 80, *RUN, "--budget", "0.24").ends() == 4
    commands = (("status",), ("show", "r0"), ("jobs",), ("generations",), ("reconcile",))
    for columns, command in itertools.product((40, 60, 80, 120), commands):
        terminal = Terminal(tmp_path, columns, *command)
        assert terminal.ends() == 0
        wide = [line for line in terminal.lines if cell_len(line) > columns]
        assert [line for line in wide if not LABELLED.fullmatch(line)] == [], command
        address = re.search(r"^  video +http://\S+\.mp4\r?$", terminal.shown, re.MULTILINE)
        assert (address is not None) == (command[0] == "show")


@pytest.mark.usefixtures("api")
def test_chinese_fits_the_terminal(tmp_path: Path) -> None:
    """A prompt without blanks takes as many lines as it needs, each two cells a character."""
    prompt = "\u6d77\u8fb9\u7684\u4e00\u53ea\u732b\u5728\u770b\u6d6a" * 6
    (tmp_path / "night.csv").write_text(f"id,prompt\nr0,{prompt}\n", encoding="utf-8")
    assert Terminal(tmp_path, 80, *RUN, "--budget", "0.24").ends() == 0
    terminal = Terminal(tmp_path, 50, "show", "r0")
    assert terminal.ends() == 0
    shown = [line for line in terminal.lines if "\u770b" in line or "\u6d6a" in line]
    assert len(shown) == 4
    assert all(cell_len(line) <= 50 for line in shown)
    assert "".join("".join(shown).split()).endswith(prompt)


@pytest.mark.usefixtures("api")
def test_who_says_no_is_told_that_nothing_was_changed(tmp_path: Path) -> None:
    """And a script is told it in a document, also where nobody answers."""
    assert Terminal(tmp_path, 80, *RUN, "--budget", "0.12").ends() == 4
    answers = [
        ("n\n", 2, "nothing was changed"),
        ("\x03", 130, "nothing is lost"),  # Ctrl-C
        ("\x04", 130, "nothing is lost"),  # Ctrl-D
    ]
    for keys, code, says in answers:
        terminal = Terminal(tmp_path, 80, "rm", "night", "--json")
        terminal.until("[y/N]")
        terminal.type(keys)
        assert terminal.ends() == code
        found = re.search(r"^\{.*^\}", terminal.shown.replace("\r", ""), re.DOTALL | re.MULTILINE)
        assert found is not None, terminal.shown
        assert says in json.loads(found[0])["error"]["problem"]
    terminal = Terminal(tmp_path, 80, "cancel", "--all")
    terminal.until("[y/N]")
    terminal.type("\n")
    assert terminal.ends() == 2
    assert "nothing was changed" in terminal.shown
    after = Terminal(tmp_path, 80, "status")
    assert after.ends() == 0
    assert "5 queued" in after.shown


@pytest.mark.usefixtures("api")
def test_the_question_is_about_the_rows_that_are_tried(tmp_path: Path, world: World) -> None:
    """Not about the whole campaign."""
    terminal = Terminal(tmp_path, 80, *RUN, "--sample", "2")
    terminal.until("Enter to stop")
    assert "2 video(s) of night to buy, for about $0.24" in " ".join(terminal.lines)
    terminal.type("1\n")
    terminal.ends()
    assert len(world.made) == 2


@pytest.mark.usefixtures("api")
def test_rows_that_left_the_manifest_are_asked_about(tmp_path: Path, world: World) -> None:
    """Unpaid ones are cancelled when a person says so; without a word nothing is loaded."""
    assert Terminal(tmp_path, 80, *RUN, "--budget", "0.12").ends() == 4
    rows = (tmp_path / "night.csv").read_text().splitlines()
    (tmp_path / "night.csv").write_text("\n".join(rows[:3]))
    terminal = Terminal(tmp_path, 80, *RUN, "--budget", "1")
    terminal.until("Cancel them?")
    assert "4 unpaid row(s) left the manifest (r2, r3, r4, r5)" in " ".join(terminal.shown.split())
    terminal.type("n\n")
    assert terminal.ends() == 2
    assert len(world.made) == 1
    terminal = Terminal(tmp_path, 80, *RUN, "--budget", "1")
    terminal.until("Cancel them?")
    terminal.type("y\n")
    assert terminal.ends() == 0
    assert len(world.made) == 2


@pytest.mark.usefixtures("api")
def test_colours_are_for_terminals_that_want_them(tmp_path: Path) -> None:
    """NO_COLOR is heeded, and a log file gets plain lines."""
    coloured = Terminal(tmp_path, 80, "doctor")
    coloured.ends()
    assert "\x1b[32m" in coloured.shown
    plain = Terminal(tmp_path, 80, "doctor", NO_COLOR="1")
    plain.ends()
    assert "\x1b[32m" not in plain.shown
    dumb = Terminal(tmp_path, 80, "doctor", TERM="dumb")
    dumb.ends()
    assert "\x1b[" not in dumb.shown
    logged = subprocess.run(
        [sys.executable, "-m", "batchsora", "run", "night.csv", "--budget", "1", *RUN[2:]],
        cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert logged.returncode == 0
    assert "\x1b" not in logged.stdout + logged.stderr
    assert "\r" not in logged.stderr
    assert "6/6" in logged.stderr
    for command in ("status", "jobs", "show r0"):
        states = Terminal(tmp_path, 80, *command.split())
        assert states.ends() == 0
        assert "\x1b[32mcompleted\x1b[0m" in states.shown, command


@pytest.mark.usefixtures("api")
def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    """As with ``batchsora jobs | head -1``: no traceback, no complaint."""
    assert Terminal(tmp_path, 80, *RUN, "--budget", "0.24").ends() == 4
    with subprocess.Popen(
        [sys.executable, "-m", "batchsora", "jobs", "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE) in (0, -signal.SIGPIPE)
