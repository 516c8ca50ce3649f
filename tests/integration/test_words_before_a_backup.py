"""What a person said before a backup was made covers nothing that was bought after it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from support.engine import Engine, spec
from support.looking import looked, others, posts, slow_engine

from jobs.model.provider import UnreachableError
from jobs.ports.selection import Sought
from jobs.store import handing, holding, steering


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return slow_engine(tmp_path)


def say(engine: Engine, **past: float) -> None:
    """Say that the rows are to be bought whatever there is of them."""
    said = engine.clock.now() - timedelta(**past)
    engine.store.write(lambda c: holding.overrule(c, Sought([1]), said))


def rewrite(engine: Engine) -> None:
    """Let the list show prompts as the provider's own model has rewritten them."""
    pages = type(engine.provider).generations

    async def enhanced(_: str, limit: int, offset: int) -> Any:
        return [
            replace(one, prompt=f"Cinematic, 8k: {one.prompt}")
            for one in await pages(engine.provider, "sora", limit, offset)
        ]

    engine.provider.generations = enhanced  # type: ignore[method-assign]


def backed_up(engine: Engine) -> list[str]:
    """Buy some rows; the backup is of then, and the others are bought since; their keys."""
    engine.run(during=lambda r: asyncio.get_running_loop().call_later(60, r.stop), rate=0.01)
    queued = [key for key, job in engine.jobs().items() if job.state == "queued"]
    assert queued
    engine.clock.start += timedelta(hours=1)
    for key in queued:
        others(engine, f"prompt of {key}")
    engine.clock.start += timedelta(hours=1)
    return queued


@pytest.mark.parametrize("word", [False, True])
def test_a_word_of_before_the_backup_beside_a_list_that_proves_nothing(
    engine: Engine, *, word: bool
) -> None:
    """A word covers what there was by then; what the lost database bought later it does not."""
    engine.load([spec(f"r{n}", row=n) for n in range(4)])
    if word:
        say(engine)
    queued = backed_up(engine)
    rewrite(engine)
    work = looked(engine, [1])
    assert work.trouble
    engine.run([1], looked_at=engine.clock.now(), looked_for=work.looked_at)
    assert [posts(engine, f"prompt of {key}") for key in queued] == [0] * len(queued)


@pytest.mark.parametrize(
    ("minutes", "run", "bought"),
    [(5.0, False, True), (5.0, True, False), (90.0, False, False), (-5.0, False, False)],
)
def test_a_word_for_the_run_that_begins_is_enough_beside_a_list_that_proves_nothing(
    engine: Engine, minutes: float, *, bought: bool, run: bool
) -> None:
    """`retry JOB`, then `run`; within an hour, and one run."""
    engine.load([spec("k0")], batch="known")
    engine.run([1])
    rewrite(engine)
    engine.load([spec("r0")])
    work = looked(engine, [2])
    assert engine.jobs()["r0"].held_back == "not_looked"
    engine.clock.start += timedelta(hours=3)
    said = engine.clock.now() - timedelta(minutes=minutes)
    row = [engine.jobs()["r0"].id]
    assert engine.store.write(lambda c: holding.ask_for(c, row, said)) == row
    if run:
        engine.run([1])
    work = looked(engine, [2])
    engine.run([2], looked_at=engine.clock.now(), looked_for=work.looked_at)
    assert posts(engine, "prompt of r0") == bought


@pytest.mark.parametrize("word", [False, True])
def test_a_word_of_before_the_backup_where_the_look_in_a_run_fails(
    engine: Engine, *, word: bool
) -> None:
    """What is handed over is looked for in the run, and the list can't be read then."""
    engine.load([spec("r0")])
    engine.load([spec(f"s{n}", row=n) for n in range(20)], batch="other")
    if word:
        say(engine)
    job = [engine.jobs()["r0"].id]
    engine.store.write(lambda c: steering.cancel(c, job, engine.clock.now()))
    engine.clock.start += timedelta(hours=1)
    others(engine, "prompt of r0")
    engine.clock.start += timedelta(hours=1)

    def handed(connection: Connection) -> None:
        assert steering.retry(connection, job, now=engine.clock.now())
        assert handing.offer(connection, job)
        engine.provider.list_errors = [UnreachableError("503")] * 4

    work = looked(engine, [2])
    engine.run(
        [2],
        during=lambda _: asyncio.get_running_loop().call_later(30, engine.store.write, handed),
        looked_at=engine.clock.now(),
        looked_for=work.looked_at,
        rate=0.1,
    )
    assert posts(engine, "prompt of r0") == 0


@pytest.mark.parametrize("skew", [0, -8, 8])
def test_a_word_of_before_the_backup_where_times_are_of_another_zone(
    engine: Engine, skew: int
) -> None:
    """The list is honest, but its times are eight hours off, as those of our own show."""
    engine.provider.skew = timedelta(hours=skew)
    engine.provider.clock_ahead = timedelta(0)
    engine.load([spec(f"r{n}", row=n) for n in range(4)])
    say(engine)
    queued = backed_up(engine)
    work = looked(engine, [1])
    engine.run([1], looked_at=engine.clock.now(), looked_for=work.looked_at)
    assert [posts(engine, f"prompt of {key}") for key in queued] == [0] * len(queued)


@pytest.mark.parametrize("skew", [0, -8, 8])
def test_what_others_buy_meanwhile_where_times_are_of_another_zone(
    engine: Engine, skew: int
) -> None:
    """Somebody buys the last row half a minute after this run began."""
    engine.provider.skew = timedelta(hours=skew)
    engine.provider.clock_ahead = timedelta(0)
    engine.load([spec(f"q{n}", row=n) for n in range(3)], batch="before")
    engine.run()
    engine.load([spec(f"s{n}", row=n) for n in range(20)], batch="other")
    work = looked(engine, [2])
    engine.run(
        [2],
        during=lambda _: asyncio.get_running_loop().call_later(30, others, engine, "prompt of s15"),
        looked_at=engine.clock.now(),
        looked_for=work.looked_at,
        rate=0.02,
    )
    assert posts(engine, "prompt of s15") == 0
