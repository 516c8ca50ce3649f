"""A night's manifest, run by real processes against a sandbox, and its books compared with ours."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from support.stopping import REACHABLE

from batchsora.sandbox.world import World

T = TypeVar("T")

TOKEN = "durability-test-token"
QUICK = ("--rate", "0", "--poll-interval", "0.1", "--no-download")
"""What makes a run as fast as the sandbox."""

PAUSE: Final = 0.02
"""Seconds between two looks at whether something is true."""

Said = subprocess.CompletedProcess[str]
_CHANGE_FOLDER = ("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh")


def manifest(path: Path, rows: int, prompt: str = "a lantern on water") -> Path:
    """Write a manifest whose prompts all differ, so that a prompt names its row."""
    lines = ["id,prompt", *(f"r{i},{prompt} {i}" for i in range(rows))]
    path.write_text("\n".join(lines))
    return path


class Running(subprocess.Popen[str]):
    """A process that does not outlive its context, whatever a test found out in there.

    Attributes:
        said: on stderr, where a test has kept it.
    """

    said = ""

    def until(self, true: Callable[[], T]) -> T:
        """Wait until something is true, and return it; fails where the process ends before.

        It asks a few times a second only: who asks without a pause takes the processor away from
        the process, and from the sandbox in this one.
        """
        while not (found := true()):
            with suppress(subprocess.TimeoutExpired):
                self.wait(PAUSE)
                raise AssertionError(f"it ended with {self.returncode}: {self.communicate()}")
        return found

    def __exit__(self, *error: object) -> None:
        self.kill()
        super().__exit__(*error)


class Night:
    """A folder with a database, and the sandbox that it buys from.

    Args:
        folder: where the commands run, as they see it.
        url: of the sandbox.
        prefix: what starts the commands, such as ``nsenter`` into a disk.
        seen_as: the same folder as this process sees it.
    """

    def __init__(
        self, folder: Path, url: str, prefix: Sequence[str] = (), seen_as: Path | None = None
    ) -> None:
        self.folder = folder
        self.url = url
        self._prefix = [*prefix, *_CHANGE_FOLDER, str(folder)]
        self._seen_as = folder if seen_as is None else seen_as
        self.database = folder / "batchsora.db"

    def start(
        self,
        *arguments: str,
        program: Sequence[str] = ("-m", "batchsora"),
        prefix: Sequence[str] = (),
    ) -> Running:
        """Start a command in a process of its own, which keeps the number that it is given."""
        return Running(
            [*self._prefix, *prefix, sys.executable, *program, *arguments],
            env={**os.environ, "RUNBLOB_API_KEY": TOKEN, "BATCHSORA_BASE_URL": self.url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **REACHABLE,
        )

    def command(
        self,
        *arguments: str,
        program: Sequence[str] = ("-m", "batchsora"),
        prefix: Sequence[str] = (),
    ) -> Said:
        """Run a command to its end; whatever happens, people are never shown a traceback."""
        with self.start(*arguments, program=program, prefix=prefix) as running:
            out, err = running.communicate(timeout=120)
        assert "Traceback" not in err, err
        assert "That is a bug" not in err, err
        return subprocess.CompletedProcess(arguments, running.returncode, out, err)

    def run(self, *arguments: str, **more: Any) -> Said:
        """Run or resume with a budget that covers everything."""
        return self.command("run", *arguments, "--budget", "90", *QUICK, **more)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read a copy of the database as it is, so that looking changes nothing."""
        with TemporaryDirectory() as folder:
            while not self._copy_to(Path(folder)):
                pass
            with closing(sqlite3.connect(Path(folder, "batchsora.db"))) as file:
                return file.execute(query).fetchall()

    def _copy_to(self, folder: Path) -> bool:
        """Copy the database; False where its WAL was taken into it meanwhile, and is gone."""
        for name in ("batchsora.db", "batchsora.db-wal"):
            if (self._seen_as / name).exists():
                try:
                    shutil.copyfile(self._seen_as / name, folder / name)
                except FileNotFoundError:
                    return False
        return True

    def states(self) -> Counter[str]:
        """Count the jobs by state."""
        return Counter(state for (state,) in self.rows("SELECT state FROM job"))

    def json(self, *arguments: str) -> Any:
        """Run a command that shows something, and read its document."""
        said = self.command(*arguments, "--json")
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)


def compare(night: Night, world: World) -> None:
    """Hold the promises against what the sandbox really made: nothing twice, nothing lost."""
    made = [item for item in world.made if not item.foreign]
    twice = {prompt: n for prompt, n in Counter(item.prompt for item in made).items() if n > 1}
    assert twice == {}, "paid twice"
    known = {found for (found,) in night.rows("SELECT generation_id FROM attempt")}
    unsettled = {
        prompt
        for (prompt,) in night.rows(
            "SELECT prompt FROM attempt WHERE state IN ('open', 'in_doubt')"
        )
    }
    lost = [item for item in made if item.id not in known and item.prompt not in unsettled]
    assert lost == [], "lost"
    (used,) = night.rows(
        "SELECT charged_micros + held_micros, cap_micros FROM budget WHERE key = 'batch:1'"
    ) or [(0, 0)]
    assert sum(item.price for item in made) <= used[0] <= used[1]
    assert night.rows("PRAGMA integrity_check") == [("ok",)]
