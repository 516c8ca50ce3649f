"""Instructions of the processor, beside another checkout's: the same on a busy machine.

``python benchmarks instructions --base=FOLDER``. valgrind counts them; a count of a job or of a row
is the difference of two sizes, so that what starting costs is not in it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rig import environment

HERE = Path(__file__).resolve().parents[1]
RUN = """
import pathlib, sys
from support.engine import Engine, spec
engine = Engine(pathlib.Path("."))
engine.announce(s10=120_000)
engine.provider.balance_micros = 10**10
engine.provider.takes = 8.0
engine.load([spec(f"r{number}", row=number) for number in range(int(sys.argv[1]))])
engine.run(max_in_flight=64, rate=0)
if len(sys.argv) > 2:
    count = int(sys.argv[1])
    engine.load([spec(f"s{n}", prompt=f"prompt of r{n}", row=n) for n in range(count)])
engine.store.close()
"""
SIZES = (200, 1200)
VALGRIND = shutil.which("valgrind")


def main() -> None:
    """Print the instructions of this checkout and of another, and the ratio."""
    parser = argparse.ArgumentParser(prog="instructions")
    parser.add_argument("--base", type=Path, required=True, help="the other checkout's folder")
    asked, _ = parser.parse_known_args()
    if VALGRIND is None:
        sys.exit("instructions are counted by valgrind: apt-get install valgrind")
    trees = [HERE, asked.base.resolve()]
    print(f"{'':40}{'this':>16}{'base':>16}{'ratio':>8}")
    _show("a row, planned", [_each(tree, _planned) for tree in trees])
    _show("a job, loaded and run", [_each(tree, _run) for tree in trees])
    _show("the same, and its id changed", [_each(tree, _renumbered) for tree in trees])
    for command in ("status", "jobs"):
        _show(f"batchsora {command}", [_looked(tree, command) for tree in trees])


def _show(what: str, counts: list[int]) -> None:
    mine, base = counts
    print(f"{what:40}{mine:16,}{base:16,}{base / mine:8.3f}", flush=True)


def _each(tree: Path, counted: Callable[[Path, Path, int], int]) -> int:
    """Count what each further row takes."""
    counts = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            counts.append(counted(tree, Path(folder), size))
    return (counts[1] - counts[0]) // (SIZES[1] - SIZES[0])


def _run(tree: Path, folder: Path, size: int) -> int:
    return _count(tree, folder, ["-c", RUN, str(size)])


def _renumbered(tree: Path, folder: Path, size: int) -> int:
    return _count(tree, folder, ["-c", RUN, str(size), "renumber"])


def _planned(tree: Path, folder: Path, size: int) -> int:
    _sheet(folder, size)
    return _count(tree, folder, ["-m", "batchsora", "plan", "rows.csv"])


def _looked(tree: Path, command: str) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _sheet(folder, 30)
        run = ["run", "rows.csv", "--sandbox", "--yes", "--no-download"]
        look = ["-m", "batchsora", "--db", "jobs-sandbox.db", command]
        for once in (["-m", "batchsora", "--db", "jobs.db", *run], look):  # the look compiles
            subprocess.run(
                [sys.executable, *once],
                cwd=folder,
                env=_environment(tree),
                check=True,
                capture_output=True,
            )
        return _count(tree, folder, look)


def _sheet(folder: Path, size: int) -> None:
    rows = "".join(f"r{number},a heron no. {number}\n" for number in range(size))
    (folder / "rows.csv").write_text(f"id,prompt\n{rows}", "utf-8")


def _count(tree: Path, folder: Path, arguments: list[str]) -> int:
    done = subprocess.run(
        [
            str(VALGRIND), "--tool=cachegrind", "--cache-sim=no",
            f"--cachegrind-out-file={os.devnull}", sys.executable, *arguments,
        ],
        cwd=folder,
        env=_environment(tree),
        check=True,
        capture_output=True,
        text=True,
    )  # fmt: skip
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert found is not None, done.stderr[-500:]  # noqa: S101 - valgrind always says it
    return int(found[1].replace(",", ""))


def _environment(tree: Path) -> dict[str, str]:
    return {**environment(), "PYTHONPATH": f"{tree}:{tree / 'tests'}", "PYTHONHASHSEED": "0"}
