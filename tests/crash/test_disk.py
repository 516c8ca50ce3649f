"""A disk that fills up, can't be written, or is not there, under real processes."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from crash.disks import Disk, NoDiskError, small_disk
from crash.night import Night, Said, compare, manifest

from batchsora.composition.ownership import own_sealer
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database import schema

ROWS = 50
FREE = "free some space"
WIDE = ("--max-in-flight", "64")
"""So that doubts leave room for the rest."""

READ_ONLY = ("writable", "--db")

Mount = Callable[[str], Disk]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount disks of a size; skips where that is not allowed."""
    with ExitStack() as stack:

        def make(size: str) -> Disk:
            folder = tmp_path / "disk"
            folder.mkdir()
            try:
                return stack.enter_context(small_disk(folder, size))
            except NoDiskError as error:
                pytest.skip(str(error))

        yield make


def on(disk: Disk, url: str) -> Night:
    """Work on a disk."""
    return Night(disk.folder, url, disk.prefix, disk.seen_as)


def refused(said: Said, *words: str) -> None:
    """Hold that a command ended with 5, named the database and a remedy, and nothing else."""
    assert said.returncode == 5, (said.stdout, said.stderr)
    for word in ("batchsora.db", *words):
        assert word in said.stderr


@pytest.mark.parametrize(("room", "late"), [("400k", 0.0), ("600k", 0.0), ("500k", 1.0)])
def test_a_disk_that_fills_up_during_a_run_loses_nothing(
    tmp_path: Path, mount: Mount, room: str, late: float
) -> None:
    """Exit 5 in words that name file and remedy; with space again the next run goes on."""
    disk = mount(room)
    world = World(time_scale=3000.0)
    with SandboxServer(world, faults=Faults(late=late, late_seconds=0.3)) as api:
        night = on(disk, api.url)
        refused(night.run(str(manifest(tmp_path / "night.csv", ROWS))), "full", FREE)
        made = len(world.made)
        assert 0 < made < ROWS
        compare(night, world)
        disk.remount("size=64m")
        after = night.run(*WIDE)
        assert after.returncode in (0, 7), after.stderr
        compare(night, world)
    assert len(world.made) > made
    left = night.states()
    assert set(left) <= {"completed", "in_doubt"}
    assert left["in_doubt"] <= 16
    assert sum(left.values()) == ROWS


def test_on_a_full_disk_nothing_begins_and_nothing_is_half_loaded(
    tmp_path: Path, mount: Mount
) -> None:
    """No space for a database, for a manifest, or to look: exit 5 each time, nothing is bought."""
    disk = mount("8m")
    world = World(time_scale=3000.0)
    with SandboxServer(world) as api:
        night = on(disk, api.url)
        rows = str(manifest(tmp_path / "night.csv", 3))
        filler = disk.fill(leave=0)
        refused(night.run(rows), FREE)
        filler.unlink()
        assert night.run(rows).returncode == 0
        filler = disk.fill(leave=40_000)
        refused(night.run(str(manifest(tmp_path / "big.csv", 2000, "a long story" * 50))), FREE)
        assert len(night.rows("SELECT id FROM job")) == 3
        shown = night.command("status")
        assert shown.returncode in (0, 5), shown.stderr
        compare(night, world)
    assert len(world.made) == 3


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    """A quota or a limit, met in the middle of a run: the same promises, without any mount."""
    world = World(time_scale=3000.0)
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        rows = str(manifest(tmp_path / "night.csv", ROWS))
        limit = ("prlimit", "--fsize=350000")
        if shutil.which("prlimit") is None:
            pytest.skip("no prlimit (util-linux)")
        refused(night.run(rows, prefix=limit), "quota")
        made = len(world.made)
        assert 0 < made < ROWS
        compare(night, world)
        assert night.run(*WIDE).returncode in (0, 7)
        compare(night, world)
    assert len(world.made) > made


def test_a_disk_that_became_read_only(tmp_path: Path, mount: Mount) -> None:
    """As after an error of the disk: exit 5 for every command, and all is there when it is back."""
    disk = mount("8m")
    world = World(time_scale=3000.0)
    with SandboxServer(world) as api:
        night = on(disk, api.url)
        rows = str(manifest(tmp_path / "night.csv", 2))
        assert night.run(rows).returncode == 0
        disk.remount("ro")
        refused(night.run(str(manifest(tmp_path / "night.csv", 4))), *READ_ONLY)
        assert night.command("status").returncode in (0, 5)
        disk.remount("rw")
        assert night.run(rows).returncode == 0
        compare(night, world)
    assert len(world.made) == 4


def bound_by_permissions() -> tuple[str, ...]:
    """Start a command that permissions bind, also where root runs the tests."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores permissions, and there is no setpriv (util-linux)")
    without = "-dac_override,-dac_read_search"
    return ("setpriv", "--bounding-set", without, "--inh-caps", "-all")


@pytest.mark.posix  # modes say who may write
@pytest.mark.parametrize("locked", ["folder", "file"])
def test_a_folder_or_file_without_permission(tmp_path: Path, locked: str) -> None:
    """Not ours to write: exit 5 with the remedy, nothing is bought; afterwards the run goes on."""
    prefix = bound_by_permissions()
    world = World(time_scale=3000.0)
    place = tmp_path / "place"
    place.mkdir()
    with SandboxServer(world) as api:
        night = Night(place, api.url)
        rows = str(manifest(tmp_path / "night.csv", 2))
        database = place / "batchsora.db"
        schema.upgrade(database, seal=lambda: own_sealer(os.environ).sealed(None))
        database.chmod(0o400 if locked != "folder" else 0o600)
        place.chmod(0o500 if locked != "file" else 0o700)
        refused(night.run(rows, prefix=prefix), *READ_ONLY)
        assert night.command("status", prefix=prefix).returncode in (0, 5)
        assert world.made == []
        place.chmod(0o700)
        database.chmod(0o600)
        assert night.run(rows).returncode == 0
        compare(night, world)
    assert len(world.made) == 2


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The words name it: a wrong option for a run, no database for who only looks."""
    world = World()
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        rows = str(manifest(tmp_path / "night.csv", 1))
        said = night.run(rows, "--db", "nowhere/batchsora.db")
        assert (said.returncode, "nowhere" in said.stderr, "--db" in said.stderr) == (2, True, True)
        refused(night.command("status", "--db", "nowhere/batchsora.db"), "nowhere", "--db")
        a_folder = night.run(rows, "--db", str(tmp_path))
        assert (a_folder.returncode, str(tmp_path) in a_folder.stderr) == (5, True)
    assert world.made == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.csv"]
