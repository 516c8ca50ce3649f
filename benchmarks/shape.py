"""What a job costs against how many there are, and against how many are in flight."""

import math
import tempfile
from pathlib import Path

from peers import Peers
from rig import Provider, Run, installed, machine, options, ours, run

SIZES = (1_000, 10_000, 100_000)
LONG = 1_000_000
WINDOW = 1_000
QUICK = 0.1
"""Seconds from acceptance to completion where the number of jobs is what matters."""

WINDOWS = {10: 500, 100: 3_000, 1_000: 10_000, 10_000: 30_000}
"""How many jobs, by how many are in flight."""

FASTEST = 500
"""Jobs a second that are bought whatever the window: so many seconds they take to be in flight."""

PATIENCE = 3600.0
WIDTH = 40
FLAT = 1.25
"""A cost that grew by less over the whole range counts as flat."""


def main() -> None:
    """Print a table and a plot for each, and whether the cost grows.

    Options: ``--long`` for a million jobs as well.
    """
    asked = options("shape", long=False)
    peers = installed()
    print(machine())
    sizes = (*SIZES, LONG) if asked.long else SIZES
    print(f"\nbatchsora by the number of jobs, {WINDOW} in flight, {QUICK} s to completion")
    _print([(jobs, _measured(peers, jobs, WINDOW, QUICK)) for jobs in sizes])
    print("\nbatchsora by the jobs in flight, with looks every tenth of the time to completion")
    _print(
        [
            (window, _measured(peers, jobs, window, max(0.5, window / FASTEST)))
            for window, jobs in WINDOWS.items()
        ]
    )


def _measured(peers: Peers, jobs: int, window: int, seconds: float) -> Run:
    poll = max(0.05, seconds / 10)
    command = [*ours("ours.py"), "--window", str(window), "--poll", str(poll)]
    with tempfile.TemporaryDirectory() as folder, Provider(peers, seconds) as provider:
        return run(command, Path(folder), provider, jobs, PATIENCE)


def _print(runs: list[tuple[int, Run]]) -> None:
    print(f"{'':>9}{'jobs/s':>8}{'CPU ms':>9}{'requests':>10}{'KB to disk':>12}{'MB':>6}   CPU ms")
    costs = [done.cpu * 1000 / done.jobs for _, done in runs]
    for (number, done), cost in zip(runs, costs, strict=True):
        bar = "█" * max(1, round(WIDTH * cost / max(costs)))
        print(
            f"{number:9,}{done.rate:8.0f}{cost:9.2f}{done.requests_per_job:10.2f}"
            f"{done.written / done.jobs / 1024:12.1f}{done.memory / 1024**2:6.0f}   {bar}"
        )
    (first, _), (last, _) = runs[0], runs[-1]
    factor = costs[-1] / costs[0]
    power = math.log(factor) / math.log(last / first)
    verdict = "does not grow" if factor < FLAT else "GROWS"
    print(f"the cost of a job {verdict}: x{factor:.2f} from {first:,} to {last:,}, n^{power:.2f}")
