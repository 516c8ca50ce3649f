"""Runs the contestants in interleaved rounds, and prints medians and their ratios."""

import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from peers import Peers
from postgres import Postgres, binaries
from rig import CLIENT_CORE, BrokenError, Provider, Run, installed, machine, options, run

from .ceiling import print_ceiling
from .contestants import BARE, Contestant, contestants

JOBS = {64: 1280, 2000: 20_000}
"""How many jobs, by the window."""

NARROW = 64
ROUNDS = 3
PATIENCE = 240.0
MEBIBYTE = 1024**2


@dataclass(slots=True)
class Measured:
    """What a contestant did in all rounds.

    Attributes:
        database_cpu: seconds of its PostgreSQL, a run each.
        broke: why it did not do its jobs.
    """

    runs: list[Run] = field(default_factory=list)
    database_cpu: list[float] = field(default_factory=list)
    broke: str = ""


def main() -> None:
    """Print what was measured.

    Options: ``--rounds=N``, ``--window=N`` for one window alone, ``--peerless`` for batchsora and
    the bare loop alone.
    """
    asked = options("throughput", rounds=ROUNDS, window=0, peerless=False)
    if asked.window not in (0, *JOBS):
        sys.exit(f"--window is one of {', '.join(map(str, JOBS))}")
    peers = installed()
    print(f"{machine()}; 0.5 s from acceptance to completion, looks every 50 ms")
    print_ceiling(peers)
    with ExitStack() as stack:
        postgres = None if asked.peerless else _postgres(stack)
        found = [
            one
            for one in contestants(peers, alone=asked.peerless)
            if postgres is not None or not one.postgres
        ]
        for window in [asked.window] if asked.window else JOBS:
            able = [one for one in found if one.widest >= window]
            _print(window, able, _rounds(able, window, asked.rounds, peers, postgres))


def _postgres(stack: ExitStack) -> Postgres | None:
    """Start a PostgreSQL, or say why there is none."""
    folder = binaries()
    reason = "none is installed"
    if folder is not None:
        try:
            return stack.enter_context(Postgres(folder, CLIENT_CORE))
        except (RuntimeError, OSError, LookupError) as error:
            reason = str(error)
    print(f"left out, for want of a PostgreSQL: procrastinate, dbos: {reason}")
    return None


def _rounds(
    able: list[Contestant], window: int, rounds: int, peers: Peers, postgres: Postgres | None
) -> list[Measured]:
    """Let each run once a round; one that broke is not tried again."""
    measured = [Measured() for _ in able]
    for _ in range(rounds):
        for one, so_far in zip(able, measured, strict=True):
            if not so_far.broke:
                _once(one, so_far, window, peers, postgres)
    return measured


def _once(
    one: Contestant, so_far: Measured, window: int, peers: Peers, postgres: Postgres | None
) -> None:
    with tempfile.TemporaryDirectory() as folder, Provider(peers) as provider:
        command = one.command(window, postgres.database if postgres else None)
        jobs = JOBS[window] // (one.share if window > NARROW else 1)
        before = postgres.cpu() if postgres else 0.0
        try:
            so_far.runs.append(run(command, Path(folder), provider, jobs, PATIENCE))
        except BrokenError as error:
            so_far.broke = str(error)
            return
        after = postgres.cpu() if postgres and one.postgres else before
        so_far.database_cpu.append(after - before)


def _print(window: int, able: list[Contestant], measured: list[Measured]) -> None:
    jobs = JOBS[window]
    bare = {one.name: lines for one, lines in zip(able, measured, strict=True)}[BARE]
    print(f"\n{jobs} jobs, {window} in flight{'':<14} of the  requests   CPU s for 1,000 jobs")
    print(f"{'':34}jobs/s    bare loop  a job    tool  database    MB")
    for one, lines in zip(able, measured, strict=True):
        name = one.name + ("" if one.durable else " *")
        if lines.broke:
            print(f"{name:34}broke: {lines.broke[:80]}")
            continue
        rate = statistics.median(line.rate for line in lines.runs)
        ratio = "" if bare.broke else f"{rate / statistics.median(r.rate for r in bare.runs):.2f}"
        requests = statistics.median(line.requests_per_job for line in lines.runs)
        cpu = statistics.median(line.cpu * 1000 / line.jobs for line in lines.runs)
        database = statistics.median(lines.database_cpu) * 1000 / lines.runs[0].jobs
        beside = f"{database:.2f}" if one.postgres else ""
        memory = max(line.memory for line in lines.runs) / MEBIBYTE
        print(
            f"{name:34}{rate:6.0f}{ratio:>10}{requests:12.2f}{cpu:8.2f}{beside:>10}{memory:6.0f}",
            flush=True,
        )
    print("* keeps nothing that survives a power cut")
