"""SIGKILL around the readings that settle a doubt: what is bought after it is paid for once."""

from collections import Counter
from pathlib import Path

import pytest
from crash.night import Night, compare, manifest
from crash.test_crashes import used_before
from support.stopping import KILLED

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

DYING = Path(__file__).with_name("dying.py")
ROWS = 8


@pytest.mark.parametrize(
    ("point", "faults"),
    [
        ("balance-read@in_doubt", Faults(drop=0.4)),
        ("balance-read@in_doubt", Faults(lost=0.2)),
        ("list-read@in_doubt", Faults(drop=0.4)),
        ("doubts-settled@void", Faults(lost=0.2)),
    ],
)
def test_killed_between_a_reading_and_what_follows(
    tmp_path: Path, point: str, faults: Faults
) -> None:
    """Before its write, and between the settling and the purchase: every row is paid for once."""
    used_before(tmp_path)
    manifest(tmp_path / "night.csv", ROWS)
    world = World(time_scale=1500.0)
    run = ("run", "night.csv", "--budget", "90", "--rate", "10", "--poll-interval", "0.1",
           "--grace", "1", "--no-download")  # fmt: skip
    with SandboxServer(world, faults=faults) as api:
        night = Night(tmp_path, api.url)
        killed = night.command(*run, program=(str(DYING), point, "1", "--"))
        assert killed.returncode == KILLED, (killed.stdout, killed.stderr)
        state = point.partition("@")[2]
        found = Counter(state for (state,) in night.rows("SELECT state FROM attempt"))
        assert found[state], found
        compare(night, world)
        after = night.command(*run)
        assert after.returncode in (0, 7), after.stderr
        compare(night, world)
        states = night.states()
        assert set(states) <= {"completed", "in_doubt"}
        # what waits for a person was never made: everything that was is some row's
        assert states["completed"] == len(world.made)
        assert states["completed"] >= ROWS // 2
