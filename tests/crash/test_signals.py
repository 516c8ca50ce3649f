"""Ctrl-C and SIGTERM to a real process in the middle of a run."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.stopping import CTRL_C, REACHABLE, STOPS

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Made, World
from jobs.store import Store, views

ROWS = 12


class Watched(World):
    """A world that rings when so many generations were made."""

    def __init__(self, bell_at: int, **fields: float) -> None:
        super().__init__(**fields)
        self._bell_at = bell_at
        self.bell = threading.Event()

    def add(self, item: Made) -> None:
        """Take a generation in."""
        super().add(item)
        if len(self.made) >= self._bell_at:
            self.bell.set()


def start(folder: Path, url: str, *more: str) -> "subprocess.Popen[str]":
    """Start a run in a process of its own."""
    lines = ["id,prompt", *(f"r{i},a heron in reeds {i}" for i in range(ROWS))]
    (folder / "night.csv").write_text("\n".join(lines))
    return subprocess.Popen(
        [sys.executable, "-m", "batchsora", "run", "night.csv", "--budget", "5", *more],
        cwd=folder,
        env={**os.environ, "RUNBLOB_API_KEY": "signal-test", "BATCHSORA_BASE_URL": url},
        stderr=subprocess.PIPE,
        text=True,
        **REACHABLE,
    )


def counts(folder: Path) -> dict[str, int]:
    """Count the jobs by state."""
    with Store(folder / "batchsora.db") as store:
        (batch,) = store.read(
            lambda c: [views.batch_status(c, row) for row in views.find_batches(c)]
        )
    return batch.jobs


@pytest.mark.parametrize("number", STOPS)
def test_the_first_signal_leaves_no_doubt_and_the_next_run_buys_the_rest(
    tmp_path: Path, number: signal.Signals
) -> None:
    """What is under way is written down, the run ends with 130, and resuming buys nothing twice."""
    world = Watched(3, time_scale=30.0)
    with SandboxServer(world) as api:
        with start(tmp_path, api.url, "--rate", "5") as running:
            assert world.bell.wait(60)
            running.send_signal(number)
            _, said = running.communicate(timeout=60)
        assert running.returncode == 130, said
        assert "run it again" in said
        jobs = counts(tmp_path)
        assert jobs["in_doubt"] == jobs["submitting"] == 0
        assert jobs["pending"] + jobs["processing"] == len(world.made) < ROWS
        world.time_scale = 5000.0
        for item in world.made:
            item.takes = 0.01
        with start(tmp_path, api.url, "--rate", "0", "--poll-interval", "0.1") as resumed:
            _, said = resumed.communicate(timeout=120)
        assert resumed.returncode == 0, said
    assert len(world.made) == ROWS
    assert len({item.prompt for item in world.made}) == ROWS


def test_the_second_signal_stops_at_once_and_says_what_is_in_doubt(tmp_path: Path) -> None:
    """A submission that is not answered is not waited for: it is in doubt, and keeps its hold."""
    world = Watched(1, time_scale=30.0)
    with SandboxServer(world, faults=Faults(late=1.0, late_seconds=300.0)) as api:
        with start(tmp_path, api.url) as running:
            assert world.bell.wait(60)
            running.send_signal(CTRL_C)
            assert running.stderr is not None
            for line in running.stderr:
                if "again: stop now" in line:
                    break
            running.send_signal(CTRL_C)
            running.stderr.read()
            running.wait(60)
        assert running.returncode == 130
        jobs = counts(tmp_path)
        assert jobs["in_doubt"] == len(world.made) >= 1
        held = world.ledger(datetime.now(UTC))["generations"]
        assert len(held) == jobs["in_doubt"]


def test_a_stop_that_is_asked_for_beside_a_signal_does_not_count_as_the_second(
    tmp_path: Path,
) -> None:
    """Only the terminal stops at once: who asks on the page leaves no submission unconfirmed."""
    world = Watched(1, time_scale=30.0)
    with SandboxServer(world, faults=Faults(late=1.0, late_seconds=3.0)) as api:
        with start(tmp_path, api.url) as running:
            assert world.bell.wait(60)
            running.send_signal(signal.SIGINT)
            assert running.stderr is not None
            for line in running.stderr:
                if "again: stop now" in line:
                    break
            with Store(tmp_path / "batchsora.db") as store:
                store.control.stop_run()
            rest = running.stderr.read()
            running.wait(60)
        assert running.returncode == 130
        assert "stopping now" not in rest
        jobs = counts(tmp_path)
        assert jobs["in_doubt"] == jobs["submitting"] == 0
