"""Ctrl-C while a large manifest is loaded: all of it is in the database, or nothing."""

from pathlib import Path

import pytest
from crash.night import Night, manifest

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database.lock import current_runner

INTERRUPTED = Path(__file__).with_name("interrupted.py")
ROWS = 200_000

pytestmark = pytest.mark.posix  # the system presses Ctrl-C at a time that it is told


def interrupt(night: Night, when: str) -> None:
    """Interrupt a load: exit 130 in words, and nothing half is left behind."""
    said = night.command(
        "run", "night.csv", "--budget", "1", program=(str(INTERRUPTED), when, "--")
    )
    assert said.returncode == 130, said.stderr
    assert "run it again" in said.stderr
    assert night.rows("SELECT count(*) FROM job") == [(0,)]
    assert night.rows("SELECT count(*) FROM batch") == [(0,)]
    assert current_runner(night.database) is None


@pytest.mark.parametrize("when", ["reading", "1", "200", "merging"])
def test_ctrl_c_during_a_load_leaves_nothing_half(tmp_path: Path, when: str) -> None:
    """While rows are read, at the first ones, in the midst of them, and as they come in."""
    manifest(tmp_path / "night.csv", ROWS)
    with SandboxServer(World()) as api:
        interrupt(Night(tmp_path, api.url), when)
        assert api.world.made == []


def test_the_next_run_loads_what_was_interrupted(tmp_path: Path) -> None:
    """At the last rows of a load; then again without Ctrl-C, and a first video is bought."""
    rows = 20_000
    manifest(tmp_path / "night.csv", rows)
    with SandboxServer(World(time_scale=3000.0)) as api:
        night = Night(tmp_path, api.url)
        interrupt(night, str(rows // 100))
        after = night.run("night.csv", "--first", "1")
        assert after.returncode == 0, after.stderr
        assert night.states() == {"queued": rows - 1, "completed": 1}
        assert len(api.world.made) == 1
