"""A backup was restored, and what it does not know of was bought after it was made."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update
from support.engine import Engine, spec
from support.looking import failed, looked, others, posts, slow_engine
from support.loop import run_virtual

from jobs.database.tables import JOB
from jobs.model.provider import FailureKind, ForbiddenError, UnreachableError
from jobs.model.retry import RetryPolicy
from jobs.model.states import HeldBack
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier
from jobs.services import late_look
from jobs.store import handing, steering


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return slow_engine(tmp_path)


def night(engine: Engine, **policy: Any) -> None:
    """Look and run, as `batchsora run` does."""
    work = looked(engine, [1])
    retry = RetryPolicy(2, 1.0, 2.0)
    engine.run(looked_at=engine.clock.now(), looked_for=work.looked_at, retry=retry, **policy)


def stopped(engine: Engine, after: float = 60, **policy: Any) -> None:
    engine.run(
        during=lambda runner: asyncio.get_running_loop().call_later(after, runner.stop), **policy
    )


def test_an_unconfirmed_one_of_the_backup_is_found_fails_and_has_a_newer_one(
    engine: Engine,
) -> None:
    """Since the backup it was adopted, had failed, and was bought again."""
    engine.load([spec("r0")])
    engine.provider.script = {"prompt of r0": ["made"]}
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)]}
    engine.provider.hides = {"gen-0": 3000.0}
    stopped(engine, 60)
    assert engine.jobs()["r0"].state == "in_doubt"  # the backup is of this moment
    engine.clock.start += timedelta(minutes=60)
    others(engine, "prompt of r0")  # what the lost database bought again
    engine.clock.start += timedelta(minutes=60)
    night(engine)
    assert posts(engine, "prompt of r0") == 1, engine.jobs()["r0"]


@pytest.mark.parametrize(
    ("error", "times"), [(UnreachableError("no"), 6), (ForbiddenError("no"), 1)]
)
def test_the_look_fails_once_where_nothing_is_queued(
    engine: Engine, error: Exception, times: int
) -> None:
    """The only row is under way in the backup; since then it failed and was bought again."""
    engine.load([spec("r0")])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)]}
    stopped(engine)
    assert engine.jobs()["r0"].state in ("pending", "processing")
    engine.clock.start += timedelta(minutes=20)
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(minutes=20)
    engine.provider.list_errors = [error] * times
    night(engine)
    assert posts(engine, "prompt of r0") == 1, engine.jobs()["r0"]


def test_the_newer_one_is_matched_to_a_row_that_differs(engine: Engine) -> None:
    """A queued row has the same prompt and another duration: it waits, and r0 is bought again."""
    engine.load([spec("r0"), spec("r1", "prompt of r0", row=1, duration=15)])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)]}
    stopped(engine, rate=0.005)
    jobs = engine.jobs()
    assert jobs["r0"].state in ("pending", "processing")
    assert jobs["r1"].state == "queued"
    engine.clock.start += timedelta(minutes=20)
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(minutes=20)
    night(engine)
    assert posts(engine, "prompt of r0") == 1, (engine.jobs()["r0"], engine.jobs()["r1"])


@pytest.mark.parametrize("looked", [True, False])
@pytest.mark.parametrize("beside", ["before a run", "handed over", "its own run", "resumed"])
def test_a_row_that_failed_is_retried_and_has_a_newer_one(
    engine: Engine, beside: str, *, looked: bool
) -> None:
    """Retried before a run it is looked for; beside one, that run looks before it buys it.

    So does a run that made no look when it began, as those of ``generate`` and ``--buy-again``.
    """
    engine.load([spec("r0")])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    engine.run(retry=RetryPolicy(0))
    assert engine.jobs()["r0"].state == "failed"  # the backup is of this moment
    job = engine.jobs()["r0"].id
    engine.clock.start += timedelta(minutes=20)
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(minutes=20)
    engine.load([spec(f"s{n}", row=n) for n in range(6)], batch="other")

    def retried(connection: Connection) -> None:
        assert steering.retry(connection, [job], now=engine.clock.now())
        if beside == "resumed":  # it was queued in a batch that was paused until now
            connection.execute(update(JOB).values(named=False).where(JOB.c.id == job))
        if beside != "its own run":
            assert handing.offer(connection, [job])

    async def later() -> None:
        await asyncio.sleep(10)
        engine.store.write(retried)

    if beside == "before a run":
        engine.store.write(lambda c: steering.retry(c, [job], now=engine.clock.now()))
    work = run_virtual(find_earlier(engine.store, engine.provider, engine.clock, Sought([1, 2])))
    engine.store.adoption.hold_back(work)
    own = beside in ("before a run", "its own run")
    engine.run(
        [1, 2] if own else [2],
        during=None if beside == "before a run" else (lambda _: asyncio.ensure_future(later())),
        looked_at=engine.clock.now() if looked else None,
        looked_for=work.looked_at if looked or own else None,
        rate=0.05,
    )
    assert posts(engine, "prompt of r0") == 1, engine.jobs()["r0"]
    assert engine.jobs()["r0"].held_back == "exists"
    assert all(engine.jobs()[f"s{n}"].state == "completed" for n in range(6))


def test_a_retried_row_that_has_no_newer_one_is_bought_by_the_run_beside_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look serves all that are handed over together, and nothing else waits for it."""
    engine.load([spec(f"r{n}", row=n) for n in range(5)])
    failing = {f"prompt of r{n}": [failed(FailureKind.CONTENT)] for n in range(5)}
    engine.provider.ends = failing
    engine.run(retry=RetryPolicy(0))
    jobs = [job.id for job in engine.jobs().values()]
    engine.load([spec(f"s{n}", row=n) for n in range(6)], batch="other")
    looks: list[int] = []

    async def counted(*parts: Any) -> EarlierWork:
        looks.append(1)
        return await find_earlier(*parts)

    monkeypatch.setattr(late_look, "find_earlier", counted)

    def retried(connection: Connection) -> None:
        assert len(steering.retry(connection, jobs, now=engine.clock.now())) == len(jobs)
        assert handing.offer(connection, jobs)

    async def later() -> None:
        await asyncio.sleep(10)
        engine.store.write(retried)

    engine.run([2], during=lambda _: asyncio.ensure_future(later()), rate=0.05)
    assert {job.state for job in engine.jobs().values()} == {"completed"}
    assert len(looks) <= 2


def test_equal_rows_wait_by_count(engine: Engine) -> None:
    """One newer video: the queued row waits for it, and its equal that fails is bought again."""
    engine.load([spec("r0"), spec("r1", "prompt of r0", row=1)])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)]}
    stopped(engine, rate=0.005)
    engine.clock.start += timedelta(minutes=20)
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(minutes=20)
    night(engine)
    assert Counter(job.held_back for job in engine.jobs().values()) == {None: 1, "exists": 1}
    assert posts(engine, "prompt of r0") == 2


def test_waiting_buys_nothing_whatever_fails(engine: Engine) -> None:
    """``wait`` looks for nothing, because it buys nothing: the row is queued for the next run."""
    engine.load([spec("r0")])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)]}
    stopped(engine)
    engine.clock.start += timedelta(minutes=20)
    others(engine, "prompt of r0")
    engine.store.write(lambda c: handing.hand_over(c, [engine.jobs()["r0"].id]))
    engine.run([], buys=False, retry=RetryPolicy(2, 1.0, 2.0))
    assert (posts(engine, "prompt of r0"), engine.jobs()["r0"].state) == (1, "queued")
    night(engine)
    assert posts(engine, "prompt of r0") == 1


def test_a_single_video_is_bought_without_a_look(engine: Engine) -> None:
    """Who types it wants it anew, also where the account has one of that prompt."""
    engine.load([spec("a", "a kite")], held_back=HeldBack.UNASKED)
    others(engine, "a kite")
    engine.clock.start += timedelta(minutes=20)
    engine.store.write(lambda c: handing.hand_over(c, [engine.jobs()["a"].id]))
    engine.run([])
    assert engine.jobs()["a"].state == "completed"
    assert posts(engine, "a kite") == 1


@pytest.mark.parametrize("queued", [False, True])
def test_only_a_part_of_the_list_can_be_read(engine: Engine, *, queued: bool) -> None:
    """What is queued waits, as it may be beyond; what fails in this run is bought again."""
    engine.load([spec("r0"), *([spec("r1", row=1)] if queued else [])])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)]}
    stopped(engine, rate=0.005)
    assert engine.jobs()["r0"].state in ("pending", "processing")
    engine.clock.start += timedelta(minutes=20)
    others(engine, "prompt of r0")
    for number in range(40):
        others(engine, f"a colleague's {number}")
    engine.clock.start += timedelta(minutes=20)
    engine.provider.list_limit = 20
    pages = engine.provider.generations

    async def first_page(_: str, limit: int, offset: int) -> Any:
        del offset  # it heeds none
        return await pages("sora", limit, 0)

    engine.provider.generations = first_page  # type: ignore[method-assign]
    night(engine)
    if queued:
        assert engine.jobs()["r1"].held_back == "not_looked"
    assert posts(engine, "prompt of r0") == 1, engine.jobs()["r0"]
