"""Power loss, as far as a test can play it: what is on the disk at any moment is copied and opened.

After SQLite's fsync what was written stays; of what was written since then any part may be missing,
old, or rubbish. ``test_sync_order.py`` holds that the fsync comes before the POST.
"""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.database.tables import ATTEMPT
from jobs.store import Store

SECTOR = 512
TABLES = ("job", "attempt", "budget", "batch", "price", "account")


def save(database: Path, folder: Path) -> Path:
    """Copy what a power cut would leave: the file and its log; shared memory is gone."""
    folder.mkdir()
    for name in (database.name, f"{database.name}-wal"):
        shutil.copyfile(database.with_name(name), folder / name)
    return folder / database.name


def content(database: Path) -> str:
    """Open a database as after a power cut, and read all of it; it must be whole."""
    with closing(sqlite3.connect(database)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        return _dump(file)


def _dump(file: sqlite3.Connection) -> str:
    return repr([file.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in TABLES])  # noqa: S608 - our own names


@dataclass
class Moment:
    """What was true when a copy was made."""

    copy: Path
    posts: list[tuple[str, str]]
    made: int
    accepted: set[str]


@dataclass
class Camera:
    """Copies the files at every moment that counts."""

    folder: Path
    engine: Engine | None = None
    moments: list[Moment] = field(default_factory=list)
    written: set[str] = field(default_factory=set)

    def take(self) -> None:
        """Make a copy now."""
        engine = self.engine
        if engine is None:
            return
        copy = save(engine.path, self.folder / f"moment{len(self.moments)}")
        provider = engine.provider
        self.moments.append(
            Moment(copy, list(provider.posts), len(provider.made), set(self.written))
        )

    def before_commit(self, connection: Connection) -> None:
        """Be the store's observer."""
        del connection
        self.take()

    def at_checkpoint(self, name: str) -> None:
        """Copy at every named point; what was written down before must be in all later copies."""
        if name == "outcome-written" and self.engine is not None:
            rows = self.engine.rows(select(ATTEMPT.c.generation_id))
            self.written |= {row.generation_id for row in rows if row.generation_id}
        self.take()


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Camera:
    """A night of a few rows, whose files were copied at many moments."""
    folder = tmp_path_factory.mktemp("night")
    camera = Camera(folder / "moments")
    camera.folder.mkdir()
    engine = Engine(folder, camera.before_commit, takes=20.0)
    engine.announce(s10=120_000)
    engine.load([spec(f"r{i}", row=i) for i in range(8)])
    engine.cap(1_200_000)
    camera.engine = engine
    engine.provider.on_post = lambda _: camera.take()
    engine.run(checkpoint=camera.at_checkpoint, max_in_flight=4)
    engine.store.close()
    return camera


def test_every_copy_has_the_intent_of_every_request_that_had_left(camera: Camera) -> None:
    """At every commit and every POST: the copy is whole, knows the POSTs and keeps the cap."""
    assert len(camera.moments) > 60
    assert camera.moments[-1].posts
    for moment in camera.moments:
        content(moment.copy)
        with Store(moment.copy, Invariants()) as store:
            store.write(lambda _: None)  # the invariants hold in what was found
            rows = store.read(lambda c: c.execute(select(ATTEMPT)).all())
        assert set(moment.posts) <= {(row.prompt, row.idempotency_key) for row in rows}
        assert moment.accepted <= {row.generation_id for row in rows}


@pytest.mark.parametrize("answered", [True, False], ids=["made", "never arrived"])
def test_from_any_copy_the_next_run_pays_for_nothing_twice(
    camera: Camera,
    tmp_path: Path,
    answered: bool,  # noqa: FBT001 - a table's column
) -> None:
    """Power fails at a POST; what was under way was made, or was not: either way once at most."""
    night = camera.engine
    assert night is not None
    chosen = [m for m in camera.moments if m.posts][:: len(camera.moments) // 7]
    assert len(chosen) > 4
    for number, moment in enumerate(chosen):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        for file in moment.copy.parent.iterdir():
            shutil.copyfile(file, folder / file.name)
        later = Engine(folder, Invariants(), takes=20.0)
        later.provider.made = night.provider.made[: moment.made]
        if answered:
            under_way = moment.posts[moment.made :]
            keys = {key for _, key in under_way}
            later.provider.made = later.provider.made + [
                made for made in night.provider.made[moment.made :] if made.key in keys
            ]
        before = len(later.provider.made)
        later.clock.start = night.clock.start
        later.run(max_in_flight=32)
        later.store.close()
        bought = Counter(made.prompt for made in later.provider.made)
        assert max(bought.values(), default=1) == 1
        assert len(later.provider.made) >= before


@dataclass(repr=False)
class Log:
    """A log of many commits: its bytes, how long it was after each, and what stood in it then."""

    base: bytes
    written: bytes
    after_checkpoint: bytes
    lengths: list[int]
    contents: list[str]

    def commits_within(self, length: int) -> int:
        """Count the commits that lie wholly in the first so many bytes."""
        return sum(end <= length for end in self.lengths)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Load and buy a few rows without a checkpoint, noting each commit."""
    folder = tmp_path_factory.mktemp("log")
    wal = folder / "test.db-wal"
    lengths: list[int] = []
    contents: list[str] = []

    def note(_: object = None) -> None:
        if wal.exists() and wal.stat().st_size not in lengths:
            lengths.append(wal.stat().st_size)
            with closing(sqlite3.connect(folder / "test.db")) as file:
                contents.append(_dump(file))

    engine = Engine(folder, note)  # called before a COMMIT, it sees what the one before it left
    base = engine.path.read_bytes()
    engine.announce(s10=120_000)
    engine.load([spec(f"r{i}", row=i) for i in range(4)])
    engine.run(max_in_flight=2)
    note()
    assert engine.path.read_bytes() == base, "a checkpoint came in between"
    written = wal.read_bytes()
    with closing(sqlite3.connect(engine.path)) as file:
        file.execute("PRAGMA wal_checkpoint(PASSIVE)")
    after = engine.path.read_bytes()
    engine.store.close()
    assert len(lengths) > 8
    return Log(base, written, after, lengths, contents)


def reopened(folder: Path, database: bytes, wal: bytes) -> str:
    """Open these bytes as a database and its log."""
    (folder / "a.db").write_bytes(database)
    (folder / "a.db-wal").write_bytes(wal)
    (folder / "a.db-shm").unlink(missing_ok=True)
    return content(folder / "a.db")


many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(number=st.integers(0, 10**6), beyond=st.integers(-9000, 9000))
def test_a_log_cut_off_anywhere_is_an_earlier_commit(
    log: Log, tmp_path: Path, number: int, beyond: int
) -> None:
    """Exactly what was committed within the bytes that are left: no more, no less, never a half."""
    near = log.lengths[number % len(log.lengths)] + beyond
    cut = min(max(near, log.lengths[0]), len(log.written))
    found = reopened(tmp_path, log.base, log.written[:cut])
    assert found == log.contents[log.commits_within(cut) - 1]


@many
@given(data=st.data())
def test_rubbish_after_the_last_sync_harms_no_commit_before_it(
    log: Log, tmp_path: Path, data: st.DataObject
) -> None:
    """Sectors after the synced end came in any order, or torn: what was synced is all there."""
    number = data.draw(st.integers(0, len(log.lengths) - 1))
    synced = log.lengths[number]
    tail = bytearray(log.written[synced:])
    for start in range(0, len(tail), SECTOR):
        fate = data.draw(st.sampled_from(["written", "zero", "rubbish"]))
        end = min(start + SECTOR, len(tail))
        if fate != "written":
            tail[start:end] = (b"\0" if fate == "zero" else b"\xa5") * (end - start)
        if start > 40 * SECTOR:
            del tail[end:]
            break
    found = reopened(tmp_path, log.base, log.written[:synced] + tail)
    assert found in log.contents[number:]


@many
@given(data=st.data())
def test_a_checkpoint_cut_off_anywhere_loses_nothing(
    log: Log, tmp_path: Path, data: st.DataObject
) -> None:
    """While the log is copied into the file, any sector may be old or new: the log heals it."""
    size = max(len(log.base), len(log.after_checkpoint))
    old, new = (side.ljust(size, b"\0") for side in (log.base, log.after_checkpoint))
    mixed = bytearray(old)
    written = data.draw(st.sets(st.integers(0, size // SECTOR - 1)))
    for sector in written:
        place = slice(sector * SECTOR, (sector + 1) * SECTOR)
        mixed[place] = new[place]
    assert reopened(tmp_path, bytes(mixed), log.written) == log.contents[-1]
