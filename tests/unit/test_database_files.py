"""The file of a job table: what is opened, who holds it, and what becomes of one that is lost."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.blank import blank
from support.engine import Engine, spec

from jobs.database import schema
from jobs.database.lock import current_runner, is_held, lasting_runner, runner_lock
from jobs.model.errors import (
    DatabaseAlteredError,
    DatabaseLockedError,
    DatabaseUnusableError,
    DatabaseVersionError,
    EngineError,
)
from jobs.ports.purchases import Lost
from jobs.queries.lists import existing_lists
from jobs.services.run_outcome import Reason
from jobs.store import Store

NOW = datetime(2026, 1, 5, tzinfo=UTC)
PRICE = 120_000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Make an empty job table."""
    blank(tmp_path / "jobs.db")
    return tmp_path / "jobs.db"


def change(database: Path, statement: str) -> None:
    """Let another program write into the file."""
    with closing(sqlite3.connect(database)) as file:
        file.execute(statement)
        file.commit()


# -- what is opened


def test_a_table_of_this_version_is_opened_for_questions(database: Path) -> None:
    """Nothing can be written through it."""
    schema.check_version(database)
    assert schema.version(database) == schema.HEAD
    with existing_lists(database) as lists:
        assert lists.batches() == []
        assert lists.account().token_hash is None


FOREIGN: dict[str, tuple[Callable[[Path], object], type[EngineError]]] = {
    "no file": (lambda path: path.unlink(), DatabaseUnusableError),
    "an empty file": (lambda path: path.write_bytes(b""), DatabaseUnusableError),
    "no database": (lambda path: path.write_bytes(b"a text" * 999), DatabaseUnusableError),
    "another program's": (
        lambda path: (path.unlink(), change(path, "CREATE TABLE notes (x)")),
        DatabaseUnusableError,
    ),
    "a trigger more": (
        lambda path: change(
            path, "CREATE TRIGGER t AFTER INSERT ON job BEGIN DELETE FROM job; END"
        ),
        DatabaseAlteredError,
    ),
    "an index less": (
        lambda path: change(path, "DROP INDEX uq_attempt_live"),
        DatabaseAlteredError,
    ),
    "a column more": (
        lambda path: change(path, "ALTER TABLE job ADD COLUMN note TEXT"),
        DatabaseAlteredError,
    ),
    "a newer version": (
        lambda path: change(path, "UPDATE alembic_version SET version_num = '9999'"),
        DatabaseVersionError,
    ),
    "an odd account": (
        lambda path: change(path, "UPDATE account SET time_zone = 7, balance_at = 'soon'"),
        DatabaseUnusableError,
    ),
}


@pytest.mark.parametrize(("spoil", "error"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_ours_is_not_read(
    database: Path, spoil: Callable[[Path], object], error: type[EngineError]
) -> None:
    """Its definitions may never end; each is told as what it is."""
    spoil(database)
    with pytest.raises(error), existing_lists(database):
        pytest.fail("it was opened")


# -- who holds it


def test_one_runner_at_a_time_holds_a_table(database: Path) -> None:
    """The second is refused while the first lives; it says who it is, and is forgotten."""
    assert not is_held(database)
    assert current_runner(database) is None
    with runner_lock(database, NOW, patience=0.0):
        who = current_runner(database)
        assert who is not None
        assert (who.pid, who.brief) == (os.getpid(), False)
        assert str(os.getpid()) in str(who)
        assert lasting_runner(database) == who
        assert is_held(database)
        with pytest.raises(DatabaseLockedError), runner_lock(database, NOW, patience=0.01):
            pytest.fail("two runners")
    assert not is_held(database)
    assert current_runner(database) is None


def test_a_brief_runner_serves_nothing_for_long(database: Path) -> None:
    with runner_lock(database, NOW, brief=True):
        assert current_runner(database) is not None
        assert lasting_runner(database) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"pid": "x"}'])
def test_an_unreadable_name_of_a_runner_is_nobody(database: Path, text: str) -> None:
    database.with_name("jobs.db.runner").write_text(text)
    assert current_runner(database) is None


def test_a_runner_that_was_killed_is_nobody(database: Path) -> None:
    """On this machine its pid tells; of another machine's nothing does."""
    beside = database.with_name("jobs.db.runner")
    with runner_lock(database, NOW):
        told = json.loads(beside.read_text())
    dead = told | {"pid": 2**22 + 1}
    beside.write_text(json.dumps(dead))
    assert current_runner(database) is None
    beside.write_text(json.dumps(dead | {"host": "elsewhere"}))
    assert current_runner(database) is not None


def test_a_lock_that_can_not_be_taken_says_what_to_do(database: Path) -> None:
    database.with_name("jobs.db.lock").mkdir()
    with pytest.raises(DatabaseUnusableError), runner_lock(database, NOW, patience=0.0):
        pytest.fail("it was locked")


# -- what becomes of the file


def lose(path: Path, how: Lost) -> None:
    """Let something happen to a file that is open."""
    if how is Lost.LINKED:
        os.link(path, path.with_name("second.db"))
        return
    path.rename(path.with_name("moved.db"))
    if how is Lost.REPLACED:
        blank(path)


@pytest.mark.parametrize(
    "how",
    [  # Windows renames and deletes no file that is open
        pytest.param(Lost.GONE, marks=pytest.mark.posix),
        pytest.param(Lost.REPLACED, marks=pytest.mark.posix),
        Lost.LINKED,
    ],
)
def test_a_run_whose_file_is_lost_buys_nothing_more(tmp_path: Path, how: Lost) -> None:
    """What it bought is kept beside the name; it is told where."""
    engine = Engine(tmp_path)
    engine.announce(s10=PRICE)
    engine.load([spec(f"r{n}", row=n) for n in range(30)])
    sent: list[int] = []

    def spoil() -> None:
        lose(engine.path, how)
        sent.append(len(engine.provider.posts))

    ending = engine.run(during=lambda _: asyncio.get_running_loop().call_later(4.5, spoil), rate=2)
    assert ending.reason is Reason.DATABASE
    assert len(engine.provider.posts) <= sent[0] + 2
    engine.store.close()
    copies = list(tmp_path.glob("test.db.rescued-*"))
    assert len(copies) == (0 if how is Lost.LINKED else 1)
    for copy in copies:
        assert ending.breach is not None
        assert (ending.breach.lost, ending.breach.copy) == (how, copy)
        with Store(copy) as rescued:
            status = rescued.queries.statuses()[0]
        assert status.money.charged == len(engine.provider.made) * PRICE


def test_a_copy_has_the_last_commit(database: Path, tmp_path: Path) -> None:
    with Store(database) as store:
        store.control.keep_place("here")
        store.copy_to(tmp_path / "copy.db")
        store.control.keep_place("there")
    with Store(tmp_path / "copy.db") as copy:
        assert copy.queries.account().host == "here"


def test_what_is_rehearsed_is_taken_back(database: Path) -> None:
    with Store(database) as store:
        store.control.keep_place("here")
        store.rehearse(lambda c: c.exec_driver_sql("UPDATE account SET host = 'there'"))
        assert store.queries.account().host == "here"
        store.refuse_wrong_fields()
