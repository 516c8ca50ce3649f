"""What becomes queued in a run is looked for as what it asks for then, and only if it was not."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from support.engine import Engine, spec
from support.looking import failed, looked, others, posts, reword, slow_engine
from support.loop import run_virtual

from jobs.model.provider import FailureKind
from jobs.model.retry import RetryPolicy
from jobs.model.states import HeldBack
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import find_earlier, take_over
from jobs.reconciliation.by_word import resolve_as
from jobs.store import handing, steering, takeovers, views


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return slow_engine(tmp_path)


def at(*steps: tuple[float, Callable[[], Any]]) -> Callable[[Any], Any]:
    """Do things at times of the run."""

    async def later(seconds: float, step: Callable[[], Any]) -> None:
        await asyncio.sleep(seconds)
        made = step()
        if asyncio.iscoroutine(made):
            await made

    return lambda _: [asyncio.ensure_future(later(*one)) for one in steps]


def retry(engine: Engine, job: int) -> Callable[[], Any]:
    def work(connection: Connection) -> None:
        assert steering.retry(connection, [job], now=engine.clock.now())
        assert handing.offer(connection, [job])

    return lambda: engine.store.write(work)


def test_a_row_that_was_retried_cancelled_and_retried_in_one_run(engine: Engine) -> None:
    """The look finds it cancelled, compares nothing, and counts it as looked for."""
    engine.load([spec("r0")])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    engine.run(retry=RetryPolicy(0))
    assert engine.jobs()["r0"].state == "failed"  # the backup is of this moment
    job = engine.jobs()["r0"].id
    engine.clock.start += timedelta(minutes=20)
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(minutes=20)
    engine.load([spec(f"s{n}", row=n) for n in range(30)], batch="other")
    engine.load([spec("t0")], batch="third")
    third = engine.jobs()["t0"].id
    engine.store.write(lambda c: steering.cancel(c, [third], engine.clock.now()))
    work = looked(engine, [2])
    cancel = lambda: engine.store.write(  # noqa: E731
        lambda c: steering.cancel(c, [job], engine.clock.now())
    )
    engine.run(
        [2],
        during=at(
            (10, retry(engine, third)),  # a look, so that the next one is 30 s later
            (20, retry(engine, job)),
            (25, cancel),
            (120, retry(engine, job)),
        ),
        looked_at=engine.clock.now(),
        looked_for=work.looked_at,
        rate=0.05,
    )
    assert posts(engine, "prompt of r0") == 1, engine.jobs()["r0"]


def test_a_row_that_was_bought_in_this_run_is_reworded_to_what_the_account_has(
    engine: Engine,
) -> None:
    """As the lost database did; the next run would find it (second half)."""
    engine.load([spec("r0"), *(spec(f"s{n}", row=n + 1) for n in range(90))])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)] * 2}
    others(engine, "prompt of r0")  # by the lost database; it failed
    engine.clock.start += timedelta(minutes=20)
    others(engine, "a calm prompt")
    engine.clock.start += timedelta(minutes=60)
    work = looked(engine, [1])
    job = engine.jobs()["r0"].id

    engine.run(
        [1],
        during=at((1500, lambda: reword(engine, job, "a calm prompt"))),
        looked_at=engine.clock.now(),
        looked_for=work.looked_at,
        rate=0.05,
    )
    assert posts(engine, "prompt of r0") == 1
    assert posts(engine, "a calm prompt") == 0, engine.jobs()["r0"]


def test_a_row_that_was_reworded_before_the_run_waits(engine: Engine) -> None:
    engine.load([spec("r0"), *(spec(f"s{n}", row=n + 1) for n in range(3))])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)] * 2}
    engine.run(retry=RetryPolicy(0))
    others(engine, "a calm prompt")
    engine.clock.start += timedelta(minutes=60)
    job = engine.jobs()["r0"].id
    engine.store.write(lambda c: steering.reword(c, job, "a calm prompt"))
    work = looked(engine, [1])
    engine.run([1], looked_at=engine.clock.now(), looked_for=work.looked_at)
    assert posts(engine, "a calm prompt") == 0, engine.jobs()["r0"]


def test_what_a_person_took_over_in_the_run_fails_and_has_a_newer_one(engine: Engine) -> None:
    """`resolve --generation` in another terminal: its attempt is new, and was bought by others."""
    engine.load([spec("r0"), spec("s0", row=1)])
    first = others(engine, "prompt of r0")
    first.takes = 40 * 60.0
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)]}
    engine.clock.start += timedelta(minutes=20)
    others(engine, "prompt of r0")  # two were wanted, or a person bought another one
    engine.clock.start += timedelta(minutes=10)
    work = looked(engine, [1])
    assert engine.jobs()["r0"].held_back == "exists"

    async def resolve() -> None:
        job = engine.store.read(lambda c: views.find_job(c, "r0"))
        await resolve_as(engine.store, engine.provider, engine.clock, job, first.id, force=False)

    engine.run(
        [1],
        during=at((5, resolve)),
        looked_at=engine.clock.now(),
        looked_for=work.looked_at,
        retry=RetryPolicy(2, 1.0, 2.0),
    )
    assert posts(engine, "prompt of r0") == 0, engine.jobs()["r0"]


@pytest.mark.parametrize(("rate", "lag"), [(0.05, 0.0), (1.0, 0.0), (0.05, 60.0)])
def test_a_retry_beside_a_busy_run_is_bought_where_the_list_is_faithful(
    engine: Engine, rate: float, lag: float
) -> None:
    """The list shows everything after its lag; only, the run goes on buying while it is read."""
    engine.provider.lag = lag
    engine.load([spec("r0")])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    engine.run(retry=RetryPolicy(0))
    job = engine.jobs()["r0"].id
    for n in range(400):
        others(engine, f"old {n}")
    engine.clock.start += timedelta(minutes=40)
    engine.load([spec(f"s{n}", row=n) for n in range(max(int(300 * rate), 20))], batch="other")
    work = looked(engine, [2])
    engine.run(
        [2],
        during=at((60, retry(engine, job))),
        looked_at=engine.clock.now(),
        looked_for=work.looked_at,
        rate=rate,
        max_in_flight=1000,
    )
    row = engine.jobs()["r0"]
    assert (row.state, row.held_back) == ("completed", None), engine.provider.list_reads


def test_a_row_that_was_looked_for_before_the_run_is_reworded_in_it(engine: Engine) -> None:
    """It waits for what was found; with another prompt it counts as looked for all the same."""
    engine.load([spec("r0"), *(spec(f"s{n}", row=n + 1) for n in range(10))])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    job = engine.jobs()["r0"].id
    engine.run(
        retry=RetryPolicy(0),
        during=lambda r: asyncio.get_running_loop().call_later(900, r.stop),
        rate=0.0015,
    )
    assert engine.jobs()["r0"].state == "failed"
    others(engine, "prompt of r0")
    others(engine, "a calm prompt")
    engine.clock.start += timedelta(minutes=60)
    engine.store.write(lambda c: steering.retry(c, [job], now=engine.clock.now()))
    work = looked(engine, [1])
    assert engine.jobs()["r0"].held_back == "exists"

    engine.run(
        [1],
        during=at((30, lambda: reword(engine, job, "a calm prompt"))),
        looked_at=engine.clock.now(),
        looked_for=work.looked_at,
        rate=0.05,
    )
    assert posts(engine, "a calm prompt") == 0, engine.jobs()["r0"]


def test_a_row_that_was_found_leaves_the_queue_and_comes_back(engine: Engine) -> None:
    """What held it back is forgotten with that, and nobody said to buy it."""
    engine.load([spec("r0"), *(spec(f"s{n}", row=n + 1) for n in range(10))])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    job = engine.jobs()["r0"].id
    engine.run(
        retry=RetryPolicy(0),
        during=lambda r: asyncio.get_running_loop().call_later(900, r.stop),
        rate=0.0015,
    )
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(minutes=60)
    engine.store.write(lambda c: steering.retry(c, [job], now=engine.clock.now()))
    work = looked(engine, [1])
    assert engine.jobs()["r0"].held_back == "exists"
    wishes = engine.store.read(lambda c: takeovers.wishes(c, work.compared, free=True))
    known = work.unchanged(wishes)

    def again() -> None:
        engine.store.write(lambda c: steering.cancel(c, [job], engine.clock.now()))
        retry(engine, job)()

    engine.run(
        [1],
        during=at((30, again)),
        looked_at=engine.clock.now(),
        looked_for=known,
        rate=0.05,
    )
    assert posts(engine, "prompt of r0") == 1
    assert engine.jobs()["r0"].held_back == "exists"


def test_a_look_releases_only_what_it_looked_at(engine: Engine) -> None:
    """A load edits the row between the look and its being written down: nobody asked for that."""
    engine.load([spec("r0"), spec("s0", row=1)])
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(hours=1)
    looked(engine, [1])
    assert engine.jobs()["r0"].held_back == "exists"
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    work = run_virtual(find_earlier(engine.store, engine.provider, engine.clock, Sought([1])))
    assert [row.job_id for row in work.released] == [engine.jobs()["r0"].id]
    engine.load([spec("r0", "another prompt"), spec("s0", row=1)], held_back=HeldBack.UNASKED)
    assert engine.jobs()["r0"].held_back == "unasked"
    engine.store.adoption.hold_back(work)
    assert engine.jobs()["r0"].held_back == "unasked"


def test_what_a_look_found_is_not_held_against_another_request(engine: Engine) -> None:
    """Nor is it taken over by a row that asks for something else by then."""
    engine.load([spec("r0"), spec("s0", row=1)])
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(hours=1)
    work = run_virtual(find_earlier(engine.store, engine.provider, engine.clock, Sought([1])))
    assert [one.takeable for one in work.matches] == [True]
    engine.load([spec("r0", "another prompt"), spec("s0", row=1)], held_back=HeldBack.UNASKED)
    engine.store.adoption.hold_back(work)
    assert take_over(engine.store, work, engine.clock.now()) == 0
    assert (engine.jobs()["r0"].state, engine.jobs()["r0"].held_back) == ("queued", "unasked")


def test_what_a_load_edits_before_it_is_handed_over_is_not_handed_over(engine: Engine) -> None:
    """`resume` and `retry` free a row in one transaction, and hand it over in the next."""
    engine.load([spec("s0")])
    engine.load([spec("r0")], batch="other")
    job = engine.jobs()["r0"].id

    def edited() -> None:
        engine.load([spec("r0", "another prompt")], batch="other", held_back=HeldBack.UNASKED)
        assert engine.store.write(lambda c: handing.offer(c, [job]))

    engine.run([1], during=at((1, edited)))
    assert [sent for sent, _ in engine.provider.posts] == ["prompt of s0"]
    assert not engine.jobs()["r0"].handed
