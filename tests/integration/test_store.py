"""The store on real files: group commit, savepoints, locks between processes, query plans."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update
from support.refused import refused

from jobs.database import schema
from jobs.database.lock import current_runner, runner_lock
from jobs.database.tables import BUDGET
from jobs.model.errors import DatabaseLockedError, DatabaseUnusableError
from jobs.store import Store

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty database."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    with Store(path) as opened:
        yield opened


def add(amount: int):
    """Make a piece of work that holds an amount."""
    return lambda c: c.execute(update(BUDGET).values(held_micros=BUDGET.c.held_micros + amount))


def held(store: Store) -> int:
    """Read what is held."""
    return store.read(lambda c: c.execute(select(BUDGET.c.held_micros)).scalar_one())


def test_what_queues_in_one_turn_is_one_transaction(tmp_path: Path) -> None:
    """A hundred pieces of work that queue together cost one commit, not a hundred."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    commits: list[int] = []
    with Store(path, observer=lambda _: commits.append(1)) as store:

        async def main() -> None:
            await asyncio.gather(*(store.commit(add(1)) for _ in range(100)))

        asyncio.run(main())
        assert held(store) == 100
    assert len(commits) == 1


def test_a_piece_that_fails_takes_nothing_else_with_it(store: Store) -> None:
    """Its own changes are undone, its error reaches the one who asked, the others stand."""

    def half(connection: Connection) -> None:
        add(1000)(connection)
        raise KeyError("half done")

    async def main() -> list[object]:
        return await asyncio.gather(
            store.commit(add(1)), store.commit(half), store.commit(add(2)), return_exceptions=True
        )

    results = asyncio.run(main())
    assert isinstance(results[1], KeyError)
    assert held(store) == 3


def test_what_stands_is_told_before_anything_goes_on(store: Store) -> None:
    """Also where nobody waits any more; what was taken back is not told."""
    told: list[str] = []

    def wrong(_: Connection) -> str:
        raise RuntimeError("a bug")

    async def main() -> list[object]:
        cancelled = asyncio.create_task(store.commit(lambda _: "cancelled", told.append))
        failed = asyncio.create_task(store.commit(wrong, told.append))
        kept = asyncio.create_task(store.commit(lambda _: "kept", told.append))
        deaf = asyncio.create_task(store.commit(lambda _: "deaf", lambda _: told.index("never")))
        await asyncio.sleep(0)
        cancelled.cancel()
        return await asyncio.gather(cancelled, failed, kept, deaf, return_exceptions=True)

    found = asyncio.run(main())
    assert told == ["cancelled", "kept"]
    kinds = [asyncio.CancelledError, RuntimeError, str, ValueError]
    assert [type(one) for one in found] == kinds


def test_work_is_done_although_the_one_who_waits_is_cancelled(store: Store) -> None:
    """An answer that was paid for is written down whoever still wants to hear of it."""

    async def main() -> None:
        task = asyncio.create_task(store.commit(add(5)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert held(store) == 5


def test_what_was_done_is_told_before_any_other_task_runs(store: Store) -> None:
    """Once durable, and also where nobody waits any more; never of what was taken back.

    What the engine remembers of its purchases does not lag behind what others do meanwhile.
    """
    told: list[object] = []

    def half(connection: Connection) -> None:
        add(1000)(connection)
        raise KeyError("half done")

    async def first() -> None:
        told.append(("first", await store.commit(held_by)))

    def held_by(connection: Connection) -> int:
        add(1)(connection)
        return 1

    def then(result: object) -> None:
        told.append(("then", result, held(store)))

    async def main() -> None:
        waiting = asyncio.create_task(first())
        cancelled = asyncio.create_task(store.commit(held_by, then))
        failed = asyncio.create_task(store.commit(half, then))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(waiting, cancelled, failed, return_exceptions=True)

    asyncio.run(main())
    assert told == [("then", 1, 2), ("first", 1)]


def test_an_error_in_what_is_told_reaches_the_one_who_waits(store: Store) -> None:
    """The others are woken all the same: nobody waits for ever for what is durable."""

    def broken(result: object) -> None:
        raise KeyError(result)

    async def main() -> list[object]:
        told = store.commit(add(1), broken)
        return await asyncio.gather(told, store.commit(add(2)), return_exceptions=True)

    results = asyncio.run(main())
    assert isinstance(results[0], KeyError)
    assert held(store) == 3


def test_a_reader_sees_one_moment_and_is_not_blocked(store: Store) -> None:
    """While a writer is in the middle of a transaction, readers see the last commit."""
    seen: list[int] = []

    def work(connection: Connection) -> None:
        add(7)(connection)
        with Store(store.path) as other:
            seen.append(held(other))

    store.write(work)
    assert (seen, held(store)) == ([0], 7)


def test_every_commit_is_durable(store: Store) -> None:
    """WAL and synchronous=FULL: what was committed survives a power cut."""
    modes = store.write(
        lambda c: (
            c.exec_driver_sql("PRAGMA journal_mode").scalar_one(),
            c.exec_driver_sql("PRAGMA synchronous").scalar_one(),
            c.exec_driver_sql("PRAGMA foreign_keys").scalar_one(),
        )
    )
    assert modes == ("wal", 2, 1)


def test_a_file_that_can_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    """A full disk: the step says so, keeps nothing of it, and the next one works."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    with Store(path) as store:
        pages = store.write(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
        store._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        store._connection.rollback()

        def much(connection: Connection) -> None:
            connection.exec_driver_sql("UPDATE account SET api_origin = ?", ("x" * 500_000,))

        with refused(DatabaseUnusableError, match="full"):
            store.write(much)
        with refused(DatabaseUnusableError, match="full"):
            asyncio.run(store.commit(much))
        store._connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        store._connection.rollback()
        store.write(add(1))
        assert held(store) == 1


def test_two_runners_never_work_on_one_database(tmp_path: Path) -> None:
    """The second is told pid and host of the first; a SIGKILL frees the lock at once."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    code = (
        "import sys, pathlib, datetime\n"
        "from jobs.database.lock import runner_lock\n"
        "now = datetime.datetime.now(datetime.UTC)\n"
        "with runner_lock(pathlib.Path(sys.argv[1]), now):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            refused(DatabaseLockedError, match=rf"pid {other.pid} on "),
            runner_lock(path, NOW, patience=0.05),
        ):
            pytest.fail("two runners")
        runner = current_runner(path)
        assert runner is not None
        assert runner.pid == other.pid
        other.kill()
        other.wait()
    with runner_lock(path, NOW):
        assert current_runner(path) is not None
    assert current_runner(path) is None
