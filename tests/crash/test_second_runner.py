"""Two runners by mistake at the same moment, and looking beside a live one."""

import json
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from crash.night import Night, compare, manifest
from support.blank import blank, make_own

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Made, World
from jobs.database.lock import current_runner
from jobs.store import Store

ROWS = 8
LOCKED = ("another run is active on", "wait for it, or stop it")


class Held(World):
    """A world whose videos are not done before the test says so."""

    def __init__(self) -> None:
        super().__init__(time_scale=0.001)
        self.all_bought = threading.Event()

    def add(self, item: Made) -> None:
        """Take a generation in."""
        super().add(item)
        if len(self.made) == ROWS:
            self.all_bought.set()

    def finish(self) -> None:
        """Let every video be done now, and those to come at once."""
        self.time_scale = 1e6
        for item in self.made:
            item.takes = 0.01


@pytest.mark.parametrize("named", ["batchsora.db", "link.db"])
def test_two_runs_started_at_the_same_moment(tmp_path: Path, named: str) -> None:
    """One works, the other ends with 5, naming the pid of the first; nothing is paid twice.

    Also where the second names the database by a link: the lock is the database's, not a name's.
    """
    world = Held()
    rows = str(manifest(tmp_path / "night.csv", ROWS))
    if named == "link.db":
        blank(tmp_path / "batchsora.db")
        with Store(tmp_path / "batchsora.db") as store:
            make_own(store)
        (tmp_path / "link.db").symlink_to("batchsora.db")
    with SandboxServer(world) as api, ThreadPoolExecutor() as pool:
        night = Night(tmp_path, api.url)
        arguments = ("run", rows, "--budget", "9", "--rate", "0", "--poll-interval", "0.1",
                     "--no-download", "--db")  # fmt: skip
        with night.start(*arguments, "batchsora.db") as one, night.start(*arguments, named) as two:
            ends = {pool.submit(running.communicate): running for running in (one, two)}
            done, _ = wait(ends, timeout=60, return_when=FIRST_COMPLETED)
            world.finish()
            (first,) = done
            _, said = first.result()
            loser = ends[first]
            winner = two if loser is one else one
            ((_, winners_words),) = (future.result(60) for future in ends if future is not first)
        assert loser.returncode == 5, said
        assert f"pid {winner.pid}" in said
        assert all(words in said for words in LOCKED)
        assert "Traceback" not in said
        assert winner.returncode == 0, winners_words
        compare(night, world)
        assert night.states() == {"completed": ROWS}
    assert len(world.made) == ROWS


def test_beside_a_live_runner_others_look_and_do_not_run(tmp_path: Path) -> None:
    """A second manifest is refused whole; ``status``, ``jobs`` and ``export`` answer meanwhile."""
    world = Held()
    rows = str(manifest(tmp_path / "night.csv", ROWS))
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        with night.start("run", rows, "--budget", "9", "--rate", "0", "--poll-interval", "0.1",
                         "--no-download") as live:  # fmt: skip
            assert world.all_bought.wait(60)
            other = night.run(str(manifest(tmp_path / "other.csv", 3, "a quiet harbour")))
            assert other.returncode == 5, other.stderr
            assert f"pid {live.pid}" in other.stderr
            assert all(words in other.stderr for words in LOCKED)
            (batch,) = night.json("status")["batches"]
            assert batch["batch"] == "night"
            assert f"pid {live.pid}" in batch["runner"]
            assert len(night.json("jobs")) == ROWS
            said = night.command("export", "-o", "half.json")
            assert said.returncode == 0, said.stderr
            assert len(json.loads((tmp_path / "half.json").read_text())) == ROWS
            assert live.poll() is None
            world.finish()
            _, words = live.communicate(timeout=60)
        assert live.returncode == 0, words
        compare(night, world)
        assert night.states() == {"completed": ROWS}
        assert current_runner(night.database) is None
    assert {item.prompt.rpartition(" ")[0] for item in world.made} == {"a lantern on water"}
