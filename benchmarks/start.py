"""Starting: what a person waits for at ``--help`` and at a look, beside importing click."""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rig import Spent, machine, options, spend

ROUNDS = 15
PROGRAM = str(Path(sys.executable).with_name("batchsora"))
COMPLETION = {
    "_BATCHSORA_COMPLETE": "bash_complete",
    "COMP_WORDS": "batchsora run --batch ",
    "COMP_CWORD": "3",
}
WAYS: dict[str, tuple[list[str], dict[str, str]]] = {
    'python -c "import click"': ([sys.executable, "-c", "import click"], {}),
    "batchsora --version": ([PROGRAM, "--version"], {}),
    "batchsora --help": ([PROGRAM, "--help"], {}),
    "batchsora run --help": ([PROGRAM, "run", "--help"], {}),
    "completing batchsora run --batch": ([PROGRAM], COMPLETION),
    "batchsora status": ([PROGRAM, "--db", "demo-sandbox.db", "status"], {}),
    "batchsora jobs": ([PROGRAM, "--db", "demo-sandbox.db", "jobs"], {}),
    "batchsora show": ([PROGRAM, "--db", "demo-sandbox.db", "show", "cat"], {}),
}


def main() -> None:
    """Print the medians of interleaved rounds, and their ratios to the first way."""
    asked = options("start", rounds=ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "demo.csv").write_text("id,prompt\ncat,a cat\n", "utf-8")
        run = [PROGRAM, "--db", "demo.db", "run", "demo.csv", "--sandbox", "--yes", "--no-download"]
        subprocess.run(run, cwd=folder, check=True, capture_output=True)
        took: dict[str, list[Spent]] = {way: [] for way in WAYS}
        for _ in range(asked.rounds):
            for way, (command, more) in WAYS.items():
                took[way].append(spend(command, folder, more))
    print(machine())
    print(f"{'':36}{'ms':>6}{'ratio':>8}{'CPU ms':>8}{'ratio':>8}")
    first = _medians(next(iter(took.values())))
    for way, runs in took.items():
        seconds, cpu = _medians(runs)
        print(
            f"{way:36}{seconds * 1000:6.0f}{seconds / first[0]:8.2f}"
            f"{cpu * 1000:8.0f}{cpu / first[1]:8.2f}"
        )


def _medians(runs: list[Spent]) -> tuple[float, float]:
    return (
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu for run in runs),
    )
