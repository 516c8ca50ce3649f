"""Reads that are throttled for ever (429) while everything else is answered: a run must end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.money import Micros
from jobs.model.provider import Generation, InDoubt, RefusalCause, ThrottledError
from jobs.model.states import Reason

LONG = 12 * 3600.0
"""Seconds after which a run that only waits should have ended: patience is an hour."""

WAITS = (None, 1.0, 5 * 86_400.0)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine at known prices whose second row's submission gets no answer."""
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    made.agreed()
    made.provider.script["prompt of r1"] = [InDoubt("the connection dropped")]
    made.load([spec(f"r{n}", row=n) for n in range(6)])
    return made


def run(engine: Engine, batch: int = 1) -> Reason | None:
    """Run; None when it still went on after a time in which it should have ended."""
    endless = False

    async def watch(runner: Any) -> None:
        nonlocal endless
        await asyncio.sleep(LONG)
        endless = True
        runner.health.stop()
        await asyncio.sleep(2 * LONG)
        runner.health.refuse(RefusalCause.TOKEN, "by the test")

    watching: list[asyncio.Task[None]] = []
    ending = engine.run([batch], during=lambda r: watching.append(asyncio.ensure_future(watch(r))))
    return None if endless else ending.reason


@pytest.mark.parametrize("retry_after", WAITS)
def test_a_list_that_is_throttled_for_ever_keeps_no_run_with_a_doubt(
    engine: Engine, retry_after: float | None
) -> None:
    """Neither that run, nor a later one, of another batch: the doubt waits for a person."""

    async def generations(family: str, limit: int, offset: int) -> Sequence[Generation]:
        del family, limit, offset
        raise ThrottledError("the list is for 10 requests an hour", retry_after)

    engine.provider.generations = generations  # type: ignore[method-assign]
    first = run(engine)
    engine.load([spec("other")], "other")
    second = run(engine, 2)
    assert engine.jobs()["other"].state == "completed"
    assert (first, second) == (Reason.FINISHED, Reason.FINISHED)


@pytest.mark.parametrize("retry_after", WAITS)
def test_a_balance_that_is_throttled_for_ever_after_a_doubt_ends_the_run(
    engine: Engine, retry_after: float | None
) -> None:
    """As one that is not answered does: nothing may be bought before it was read."""
    usual, reads = engine.provider.balance, 0

    async def balance() -> Micros:
        nonlocal reads
        reads += 1
        if reads > 1:
            raise ThrottledError("the balance is for 10 requests an hour", retry_after)
        return await usual()

    engine.provider.balance = balance  # type: ignore[method-assign]
    assert run(engine) is Reason.UNREACHABLE
