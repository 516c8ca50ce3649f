"""The database is taken away under a living run: nothing more is bought, and nothing is lost."""

import os
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from crash.night import Night, Running, compare, manifest

from batchsora.sandbox.account import Made
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

pytestmark = pytest.mark.posix  # a file that is open can be taken away

ROWS = 60
SLOWLY = ("--budget", "90", "--rate", "4", "--max-in-flight", "100",
          "--poll-interval", "0.1", "--no-download")  # fmt: skip


class Watched(World):
    """A world that says when a few videos are bought."""

    def __init__(self, few: int = 5, time_scale: float = 100.0) -> None:
        super().__init__(time_scale=time_scale)
        self.few = few
        self.some_bought = threading.Event()

    def add(self, item: Made) -> None:
        """Take a generation in."""
        super().add(item)
        if len(self.made) == self.few:
            self.some_bought.set()


def twice(world: World) -> dict[str, int]:
    """Count what was bought more than once."""
    prompts = Counter(item.prompt for item in world.made)
    return {prompt: count for prompt, count in prompts.items() if count > 1}


def known_in(database: Path) -> set[str]:
    """Read which generations a database knows of."""
    with closing(sqlite3.connect(database)) as file:
        found = file.execute("SELECT generation_id FROM attempt WHERE generation_id IS NOT NULL")
        return {generation for (generation,) in found}


def ended(running: Running) -> str:
    """Wait for a run to end, and read what it said."""
    _, said = running.communicate(timeout=90)
    assert "Traceback" not in said, said
    return said


def test_a_lock_file_removed_lets_a_second_run_in_and_the_first_stops(tmp_path: Path) -> None:
    """The first buys nothing more, ends with 5 and says so; no row is bought by both."""
    world = Watched()
    rows = str(manifest(tmp_path / "night.csv", ROWS))
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        with night.start("run", rows, *SLOWLY) as first:
            assert world.some_bought.wait(60)
            (tmp_path / "batchsora.db.lock").unlink()
            with night.start("run", *SLOWLY) as second:
                said = ended(first)
                assert second.poll() is None, "the first ran to its end"
                others = ended(second)
        assert first.returncode == 5, said
        assert "another run took over" in said
        assert second.returncode == 0, others
        compare(night, world)
        assert twice(world) == {}
        assert night.states() == {"completed": ROWS}


def deleted(database: Path) -> None:
    for file in database.parent.glob("batchsora.db*"):
        file.unlink()


def moved(database: Path) -> None:
    database.rename(database.with_name("yesterday.db"))


def replaced(database: Path) -> None:
    shutil.copyfile(database, database.with_name("backup.db"))
    database.with_name("backup.db").replace(database)


@pytest.mark.parametrize("lose", [deleted, moved, replaced])
def test_what_was_bought_stays_known_when_the_file_is_lost(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    """The run stops, and what it bought is in the file that it names, from which it continues."""
    world = Watched()
    rows = str(manifest(tmp_path / "night.csv", ROWS))
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        with night.start("run", rows, *SLOWLY) as running:
            assert world.some_bought.wait(60)
            lose(night.database)
            said = ended(running)
        assert running.returncode == 5, said
        assert "nothing more was submitted" in said
        assert len(world.made) < ROWS
        (rescued,) = tmp_path.glob("batchsora.db.rescued-????????-??????")
        assert f"--db {rescued}" in said
        assert {item.id for item in world.made} == known_in(rescued)
        assert rescued.stat().st_mode & 0o777 == 0o600

        done = night.command("run", "--db", str(rescued), *SLOWLY, "--rate", "0")
        assert done.returncode == 0, done.stderr
        assert len(world.made) == ROWS
        assert twice(world) == {}


def test_a_second_name_stops_the_run_and_keeps_the_next_one_out(tmp_path: Path) -> None:
    """By two names a database has two locks and two ledgers; with the name gone all is well."""
    world = Watched()
    rows = str(manifest(tmp_path / "night.csv", ROWS))
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        with night.start("run", rows, *SLOWLY) as running:
            assert world.some_bought.wait(60)
            os.link(night.database, tmp_path / "second.db")
            said = ended(running)
        assert running.returncode == 5, said
        assert "a second name" in said
        assert "is saved in batchsora.db" in said
        bought = len(world.made)
        assert bought < ROWS
        for name in ("batchsora.db", "second.db"):
            refused = night.command("run", "--db", name, *SLOWLY)
            assert refused.returncode == 5, refused.stderr
            assert "a second name" in refused.stderr
        assert len(world.made) == bought

        (tmp_path / "second.db").unlink()
        done = night.command("run", *SLOWLY, "--rate", "0")
        assert done.returncode == 0, done.stderr
        compare(night, world)
        assert night.states() == {"completed": ROWS}


def test_generate_says_it_too(tmp_path: Path) -> None:
    """One video, whose database is lost while it is made: never exit 0 over an empty ledger."""
    world = Watched(few=1, time_scale=0.001)
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        with night.start("generate", "a lantern", "--wait", "--budget", "1",
                         "--poll-interval", "0.1") as running:  # fmt: skip
            assert world.some_bought.wait(60)
            deleted(night.database)
            said = ended(running)
    assert running.returncode == 5, said
    (rescued,) = tmp_path.glob("batchsora.db.rescued-*")
    assert str(rescued) in said
    assert {item.id for item in world.made} == known_in(rescued)
