"""Going on with a table of a million jobs, beside one that has a few: time and memory."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from peers import Peers
from rig import Provider, Spent, installed, machine, options, ours, spend

MANY, FEW = 1_000_000, 20
QUEUED = 10_000
ROUNDS = 3
PROGRAM = str(Path(sys.executable).with_name("batchsora"))
SETTINGS = {"RUNBLOB_API_KEY": "benchmark"}


@dataclass(frozen=True, slots=True)
class Reopened:
    """What going on with a table took.

    Attributes:
        first: seconds from the start of the process to the first POST.
        run: all of it, to the last job.
        status: what ``batchsora status`` took before.
    """

    first: float
    run: Spent
    status: Spent


def main() -> None:
    """Print the medians of interleaved rounds, and the ratios.

    Options: ``--rounds=N``, ``--jobs=N`` in the large table.
    """
    asked = options("reopen", rounds=ROUNDS, jobs=MANY)
    peers = installed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = _made(folder / "large.db", asked.jobs, asked.jobs - QUEUED)
        small = _made(folder / "small.db", FEW, 0)
        pairs = [(_reopen(small, peers), _reopen(large, peers)) for _ in range(asked.rounds)]
        size = large.stat().st_size / 1024**2
    print(machine())
    print(f"{asked.jobs} jobs ({QUEUED} queued, {size:.0f} MB) beside {FEW} queued ones")
    print(f"{'':40}{'few':>8}{'many':>8}{'ratio':>8}")
    for words, figures in (
        ("ms from the start to the first POST", lambda one: one.first * 1000),
        ("ms of batchsora status", lambda one: one.status.seconds * 1000),
        ("CPU ms of batchsora status", lambda one: one.status.cpu * 1000),
        ("MB at most, of the run", lambda one: one.run.memory / 1024**2),
        ("MB at most, of status", lambda one: one.status.memory / 1024**2),
    ):
        few, many = (statistics.median(map(figures, side)) for side in zip(*pairs, strict=True))
        print(f"{words:40}{few:8.0f}{many:8.0f}{many / few:8.2f}")


def _made(path: Path, jobs: int, done: int) -> Path:
    words = [*ours("table_of.py"), str(path), "--jobs", str(jobs), "--done", str(done)]
    subprocess.run(words, check=True)
    return path


def _reopen(database: Path, peers: Peers) -> Reopened:
    """Go on with a copy, which no run has touched yet."""
    with tempfile.TemporaryDirectory(dir=database.parent) as name, Provider(peers) as provider:
        folder = Path(name)
        shutil.copyfile(database, folder / "batchsora.db")
        os.sync()  # so that nobody's fsync waits for the copy
        status = spend([PROGRAM, "status"], folder, SETTINGS)
        run = spend(
            [
                PROGRAM, "--base-url", provider.url, "run", "--batch", "big", "--yes",
                "--no-download", "--quiet", "--rate", "0", "--max-in-flight", "1000",
                "--poll-interval", "0.05",
            ],
            folder,
            SETTINGS,
        )  # fmt: skip
        return Reopened(provider.counts()["first"] - run.began, run, status)
