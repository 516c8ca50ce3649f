"""Loading a CSV of a million rows, whole processes: ``python benchmarks load --rows 1000000``.

The measure is ``.import`` of SQLite's own command line, of the finished values, into the same
table with the same indexes. The others read the CSV that a person has, and check every cell.
"""

import argparse
import csv
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from peers import Peers

from jobs.database import schema

ROUNDS = 3
FEWER = 20
"""The way of one object a row loads so many times fewer rows, or nobody would wait for it."""

OURS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from jobs.database import schema
schema.upgrade(Path(sys.argv[2]))
from batchsora.usecases.load import LoadOptions, load_manifest
from jobs.ports.control import Terms
from batchsora.manifest.read import open_manifest
from jobs.store import Store
with Store(Path(sys.argv[2])) as store:
    manifest = open_manifest(Path(sys.argv[1]))
    options = LoadOptions(quiet=True, held_back=None)
    load_manifest(store, manifest, options, Terms(), datetime.now(UTC))
"""
OBJECTS = """
import csv, sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from sqlmodel import Session, create_engine
from jobs.database import schema
from jobs.database.tables import Batch, Job
schema.upgrade(Path(sys.argv[2]))
with Session(create_engine(f"sqlite:///{sys.argv[2]}")) as session, open(sys.argv[1]) as file:
    now = datetime.now(UTC)
    session.add(Batch(id=1, name="b", columns=[], created_at=now))
    session.commit()
    for number, row in enumerate(islice(csv.DictReader(file), int(sys.argv[3]))):
        wanted = dict(batch_id=1, key=row["id"], row=number, fingerprint=row["id"], kind="k",
            prompt=row["prompt"], orientation=row["orientation"], duration=row["duration"],
            cells=row, state="queued", image=None, created_at=now)
        session.add(Job.model_validate(wanted))
    session.commit()
"""


def write_manifest(path: Path, rows: int) -> None:
    """Write what a person has."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "prompt", "orientation", "duration"])
        for number in range(rows):
            prompt = f"a paper kite over dune {number}, soft morning light, slow dolly shot"
            writer.writerow(
                [
                    f"row-{number:07}",
                    prompt,
                    ("9:16", "16:9")[number % 2],
                    (10, 15)[number % 3 == 0],
                ]
            )


def write_values(database: Path, path: Path) -> None:
    """Write the finished values of a loaded table."""
    with closing(sqlite3.connect(database)) as connection, path.open("w", newline="") as file:
        csv.writer(file).writerows(connection.execute("SELECT * FROM job"))


def run(command: list[str]) -> tuple[float, int]:
    """Run a process; gives its seconds, and the bytes of its peak.

    Raises:
        RuntimeError: it failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024


def ways(folder: Path, rows: int, peers: Peers) -> dict[str, tuple[int, Callable[[], list[str]]]]:
    """Say how each is started, and how many rows it loads."""
    manifest, values, database = (str(folder / name) for name in ("in.csv", "values.csv", "new.db"))

    def shell() -> list[str]:
        schema.upgrade(Path(database))  # in both others it is a part of the process: 1 s here
        checks = "PRAGMA ignore_check_constraints = ON"  # what is empty in CSV is NULL for us
        return ["sqlite3", database, "PRAGMA journal_mode = WAL", checks, ".mode csv",
                f".import {values} job"]  # fmt: skip

    few = rows // FEWER
    python = [sys.executable, "-c"]
    utils = str(peers.python.with_name("sqlite-utils"))
    return {
        "sqlite3 .import": (rows, shell),
        "batchsora": (rows, lambda: [*python, OURS, manifest, database]),
        f"sqlite-utils {peers.version('sqlite-utils')}": (
            rows,
            lambda: [utils, "insert", database, "job", manifest, "--csv", "--pk", "id"],
        ),
        "an object a row": (few, lambda: [*python, OBJECTS, manifest, database, str(few)]),
    }


def main() -> None:
    """Print rows a second, their ratios and the memory: medians of interleaved rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_known_args()[0].rows
    peers = Peers()
    if problem := peers.install():
        sys.exit(f"the peers can't be installed: {problem}")
    rates, peaks = defaultdict(list), defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_manifest(folder / "in.csv", rows)
        run([sys.executable, "-c", OURS, str(folder / "in.csv"), str(folder / "first.db")])
        write_values(folder / "first.db", folder / "values.csv")
        for _ in range(ROUNDS):
            for way, (count, command) in ways(folder, rows, peers).items():
                for left in folder.glob("new.db*"):
                    left.unlink()
                seconds, peak = run(command())
                rates[way].append(count / seconds)
                peaks[way].append(peak)
    measure = statistics.median(rates["sqlite3 .import"])
    print(f"\nload {rows:,} rows, whole processes, medians of {ROUNDS} rounds")
    for way, found in rates.items():
        rate = statistics.median(found)
        peak = statistics.median(peaks[way]) / 1e6
        print(f"  {way:22} {rate:9,.0f} rows/s  {rate / measure:5.2f}  {peak:4.0f} MB")
