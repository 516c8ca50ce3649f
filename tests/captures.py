"""Writes what a run shows on terminals of three widths into docs/running.md: ``make captures``.

A night of forty rows is run in a real terminal (tmux) against the sandbox, under a budget that
does not suffice, with a video that fails and requests whose answers are lost.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from pictures import write_manifest

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

TARGET = Path(__file__).resolve().parent.parent / "docs" / "running.md"
BEGIN, END = "<!-- captures -->", "<!-- end captures -->"
WIDTHS = (120, 80, 60)
PATIENCE = 120.0  # seconds
FAILS = {"a paper kite at dawn, slow dolly shot": ["violates our content policy"] * 9}
RUN = "batchsora run night.csv --budget 3 --max-in-flight 8 --grace 20"


class Tmux:
    """A terminal in a server of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._socket = str(folder / "tmux")
        self._tmux = shutil.which("tmux") or sys.exit("it needs tmux")
        words = [f"{name}={value}" for name, value in {**environment, "PS1": "$ "}.items()]
        command = shlex.join(["env", *words, "sh"])
        self._do(
            "new-session", "-d", "-x", str(WIDTHS[0]), "-y", "30", "-c", str(folder),
            command,
        )  # fmt: skip

    def _do(self, *words: str) -> str:
        done = subprocess.run(
            [self._tmux, "-S", self._socket, *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def type(self, line: str) -> None:
        """Type a line."""
        self._do("send-keys", "-l", line)
        self._do("send-keys", "Enter")

    def shown(self) -> list[str]:
        """Return what stands on the terminal."""
        return [line.rstrip() for line in self._do("capture-pane", "-p").splitlines() if line]

    def until(self, true: Callable[[list[str]], object]) -> list[str]:
        """Wait until the terminal shows something."""
        end = time.monotonic() + PATIENCE
        while not true(found := self.shown()):
            if time.monotonic() > end:
                raise SystemExit("\n".join(["the terminal never showed it:", *found]))
            time.sleep(0.1)
        return found

    def resize(self, columns: int) -> None:
        """Make the terminal another one."""
        self._do("resize-window", "-x", str(columns))

    def clear(self) -> None:
        """Empty the screen, as a resized one keeps parts of longer lines."""
        self._do("send-keys", "-R")

    def close(self) -> None:
        """End it."""
        self._do("kill-server")


def progress(lines: list[str]) -> str:
    """Return the newest line of a run's progress."""
    found = [line for line in lines if re.match(r"\d+/30 ", line)]
    return found[-1] if found else ""


def captured(terminal: Tmux, world: World) -> str:
    """Run, and return what is to stand in the manual."""
    blocks = []
    terminal.type(RUN)
    terminal.until(lambda lines: re.search(r"failed, . unconf.* left \d", progress(lines)))
    for width in WIDTHS:
        terminal.resize(width)
        terminal.clear()
        line = progress(terminal.until(progress))
        blocks.append(_block(f"At {width} columns:", [line]))
    terminal.resize(WIDTHS[1])
    terminal.clear()
    world.time_scale *= 20
    lines = terminal.until(lambda lines: lines[-1:] == ["$"])
    start = next(n for n, line in enumerate(lines) if line.startswith("night: "))
    blocks.append(_block("Its end, at 80 columns:", lines[start:-1]))
    return "\n".join(blocks)


def _block(title: str, lines: Sequence[str]) -> str:
    return "\n".join(["", title, "", "```text", *lines, "```"])


def main() -> None:
    """Make the captures, and put them into the manual."""
    world = World(time_scale=40.0, failures=FAILS)
    with (
        tempfile.TemporaryDirectory(prefix="batchsora-captures-") as folder,
        SandboxServer(world, faults=Faults(drop=0.15, lag=3600)) as api,
    ):
        write_manifest(Path(folder, "night.csv"))
        terminal = Tmux(
            Path(folder),
            {
                "RUNBLOB_API_KEY": "captures",
                "BATCHSORA_BASE_URL": api.url,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
        )
        try:
            found = captured(terminal, world)
        finally:
            terminal.close()
    before, _, rest = TARGET.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    TARGET.write_text(f"{before}{BEGIN}{found}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
