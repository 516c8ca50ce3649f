"""Every fault of the sandbox on a batch in real processes that are killed again and again.

``python tests/crash/faults.py --rows 200 --kills 5 --rate 0.3`` plays each fault alone and all of
them together, and prints what it came to; the exit status is 1 when a promise did not hold.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.blank import blank, let_agree, make_own

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Made, World
from jobs.store import Store

PRICE = 120_000
ALONE = (
    "drop", "lost", "error", "broken", "late", "throttle", "garbled", "flaky", "foreign", "fail",
)  # fmt: skip
LOSE_ANSWERS = ("drop", "broken", "late", "garbled")
"""Faults whose generations are made all the same, and found in the list."""

TOGETHER = "all together"
ENDS = ("completed", "failed")
MOST_RUNS = 6
"""Runs after the last kill, until nothing is left to do, or one changes nothing."""


class Bell(World):
    """A world that rings at the n-th generation."""

    at = 10**9

    def add(self, item: Made) -> None:
        """Take a generation in."""
        super().add(item)
        if len(self.made) >= self.at:
            RUNG.set()


RUNG = threading.Event()


@dataclass(frozen=True)
class Result:
    """What a batch came to."""

    fault: str
    kills: int
    codes: tuple[int, ...]
    states: Counter[str]
    generations: int
    twice: int
    lost: int
    charged: int
    real: int
    cap: int
    left_in_doubt: int

    @property
    def good(self) -> bool:
        """Say whether the promises held."""
        over = self.charged > self.cap or self.real > self.cap
        # all together others buy, failures may be given back and nothing is bought later; beside a
        # lost answer that is found another one may have been charged, and so may one that never
        # arrived beside what a kill cut off: these rightly wait for a person
        waits = (TOGETHER, *LOSE_ANSWERS, *(["lost"] if self.kills else []))
        stuck = self.left_in_doubt and self.fault not in waits
        return not (self.twice or self.lost or over or stuck)


def faults_of(name: str, rate: float) -> Faults:
    """Give one fault its rate, or share it among all of them."""
    quick = {"late_seconds": 3.0, "lag": 0.5}
    if name != TOGETHER:
        return Faults(**{**quick, name: rate})
    share = rate / 3
    each = dict.fromkeys(ALONE, share) | {"cut": rate, "flaky": rate, "foreign": rate, "fail": rate}
    return Faults(**{**quick, **each})


def play(name: str, folder: Path, *, rows: int, kills: int, rate: float, seed: int) -> Result:
    """Run a batch to its end through so many SIGKILLs."""
    chance = random.Random(f"{seed} {name}")
    lines = ["id,prompt", *(f"r{n},a heron in reeds number {n}" for n in range(rows))]
    (folder / "night.csv").write_text("\n".join(lines))
    world = Bell(seed=seed, time_scale=3000.0)
    blank(folder / "batchsora.db")
    with Store(folder / "batchsora.db") as store:
        let_agree(store, datetime.now(UTC))  # as after some nights: it is no new database
        make_own(store, environment(folder))
    codes: list[int] = []
    done = 0
    with SandboxServer(world, faults=faults_of(name, rate)) as api:
        marks = sorted(chance.randrange(5, max(6, int(rows * 0.9))) for _ in range(kills))
        for mark in marks:
            RUNG.clear()
            world.at = max(mark, len(world.made) + 1)
            running = start(folder, api.url)
            while not RUNG.wait(0.05) and running.poll() is None:
                pass
            if running.poll() is None:
                running.kill()
                done += 1
            running.wait()
        before = states(folder)
        for _ in range(MOST_RUNS):
            running = start(folder, api.url)
            codes.append(running.wait(600))
            left = states(folder)
            if codes[-1] in (0, 3, 4) or left == before:
                break
            before = left
        return judge(name, folder, api.url, world, codes, done)


def start(folder: Path, url: str) -> "subprocess.Popen[bytes]":
    """Start or resume the batch, as its user would."""
    with (folder / "said.log").open("ab") as said:
        return subprocess.Popen(
            [
                sys.executable, "-m", "batchsora", "run", "night.csv", "--yes", "--budget", CAP,
                "--rate", "60", "--max-in-flight", "24", "--poll-interval", "0.4",
                "--request-timeout", "1.5", "--grace", "4", "--retries", "0", "--no-download",
            ],
            cwd=folder,
            env=environment(folder, url),
            stderr=said,
        )  # fmt: skip


CAP = "60"


def environment(folder: Path, url: str = "") -> dict[str, str]:
    """Give a process its token, its API, and a place for its account's secret."""
    own = {"RUNBLOB_API_KEY": "fault-test", "BATCHSORA_BASE_URL": url}
    return {**os.environ, **own, "XDG_STATE_HOME": str(folder / "state")}


def ask(folder: Path, url: str, *arguments: str) -> Any:
    """Ask the command line for JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "batchsora", *arguments, "--json"],
        cwd=folder, env=environment(folder, url), capture_output=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def states(folder: Path) -> Counter[str]:
    """Count the jobs by their state."""
    with closing(sqlite3.connect(folder / "batchsora.db")) as connection:
        return Counter(dict(connection.execute("SELECT state, count(*) FROM job GROUP BY state")))


def judge(name: str, folder: Path, url: str, world: World, codes: list[int], kills: int) -> Result:
    """Compare our books with what the provider really charged."""
    jobs = ask(folder, url, "jobs")
    (batch,) = ask(folder, url, "status")["batches"]
    ours = [item for item in world.made if not item.foreign]
    unfailed = Counter(item.prompt for item in ours if item.failure is None)
    known = {job["generation_id"] for job in jobs}
    doubted = {job["prompt"] for job in jobs if job["status"] == "in_doubt"}
    with_history = {item.id for item in ours if item.failure is not None}  # an earlier attempt's
    lost = [
        item for item in ours if item.id not in known | with_history and item.prompt not in doubted
    ]
    return Result(
        fault=name,
        kills=kills,
        codes=tuple(codes),
        states=Counter(job["status"] for job in jobs),
        generations=len(ours),
        twice=sum(times - 1 for times in unfailed.values() if times > 1),
        lost=len(lost),
        charged=micros(batch["money"]["charged"]) + micros(batch["money"]["held"]),
        real=sum(item.price for item in ours),
        cap=micros(batch["money"]["cap"]),
        left_in_doubt=batch["jobs"]["in_doubt"],
    )


def micros(usd: str) -> int:
    """Read an amount."""
    return round(float(usd) * 1_000_000)


def main() -> int:
    """Play them all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{'fault':14}{'kills':>6}{'made':>6}{'twice':>6}{'lost':>6}{'doubt':>6}{'$':>8}  states")
    bad = 0
    for name in (*ALONE, "cut", TOGETHER):
        with tempfile.TemporaryDirectory() as folder:
            found = play(
                name, Path(folder),
                rows=asked.rows, kills=asked.kills, rate=asked.rate, seed=asked.seed,
            )  # fmt: skip
        bad += not found.good
        ends = ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))
        print(
            f"{name:14}{found.kills:6}{found.generations:6}{found.twice:6}{found.lost:6}"
            f"{found.left_in_doubt:6}{found.real / 1e6:8.2f}  {ends} {found.codes}",
            flush=True,
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
