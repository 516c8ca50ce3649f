"""Outages and refusals that last: on virtual time, whole runs."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.provider import (
    About,
    ForbiddenError,
    Generation,
    GenerationRequest,
    InDoubt,
    ProviderError,
    Rejected,
    SubmitOutcome,
    Throttled,
    ThrottledError,
    UnreachableError,
)
from jobs.model.states import FailureKind, Reason
from jobs.services.runner import Owner

HOUR = 3600.0


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine at known prices, whose invariants are checked at every commit."""
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    made.agreed()
    return made


def rows(engine: Engine, count: int) -> None:
    engine.load([spec(f"r{i}", row=i) for i in range(count)])


def answering(engine: Engine, outcome: Callable[[float], SubmitOutcome | None]) -> list[float]:
    """Answer every POST by the time since the start; gives the times of the POSTs."""
    times: list[float] = []
    usual = engine.provider.submit

    async def submit(request: GenerationRequest, key: str, may: Callable[[], bool]) -> Any:
        now = asyncio.get_running_loop().time()
        found = outcome(now)
        if found is None:
            return await usual(request, key, may)
        times.append(now)
        await asyncio.sleep(0.2)
        return found

    engine.provider.submit = submit  # type: ignore[method-assign]
    return times


def said(engine: Engine, at: float) -> Callable[[Any], None]:
    """Look what the batch waits for at a moment of the run."""

    def plan(_: object) -> None:
        asyncio.get_running_loop().call_later(at, look)

    def look() -> None:
        engine.said = str(engine.status().waiting_for)  # type: ignore[attr-defined]

    return plan


@pytest.mark.parametrize(
    "doubt", [InDoubt("no answer in time"), InDoubt("502", gateway=True)], ids=["silence", "502"]
)
def test_an_hour_without_submissions_leaves_five_doubts_at_most(
    engine: Engine, doubt: InDoubt
) -> None:
    """Reads work, no POST does: few doubts, no row is harmed, the run ends and says why."""
    times = answering(engine, lambda _: doubt)
    rows(engine, 40)
    ending = engine.run(rate=5)
    assert ending.reason is Reason.UNREACHABLE
    assert doubt.reason in ending.message
    assert len(times) <= 5
    states = Counter(job.state for job in engine.jobs().values())
    assert set(states) == {"queued", "in_doubt"}  # nothing that is known tells what became of them
    assert states["in_doubt"] == len(times)
    assert engine.budget("batch:1").held_micros == len(times) * 120_000


def test_an_outage_that_ends_costs_a_few_minutes(engine: Engine) -> None:
    """When submissions are taken again, all rows are bought, each once."""
    times = answering(engine, lambda now: InDoubt("502", gateway=True) if now < 600 else None)
    rows(engine, 20)
    assert engine.run(rate=5).reason is Reason.FINISHED
    assert engine.status().jobs["completed"] == 20
    assert len(engine.provider.made) == 20
    assert len(times) <= 5
    assert engine.status().waiting_for is None


def test_lost_answers_are_no_outage(engine: Engine) -> None:
    """Every answer is lost, but the list shows what was made: submissions continue at once."""
    engine.provider.script = {f"prompt of r{i}": ["made"] for i in range(20)}
    rows(engine, 20)
    assert engine.run(rate=5).reason is Reason.FINISHED
    assert len(engine.provider.made) == 20
    newest = max(made.created_at for made in engine.provider.made)
    assert (newest - engine.provider.made[0].created_at).total_seconds() < HOUR / 2


@pytest.mark.parametrize("wait", [None, 0.0, 30.0, HOUR])
def test_a_429_for_ever_ends_and_is_said(engine: Engine, wait: float | None) -> None:
    """After an hour without an acceptance the run ends, resumable; until then it is told."""
    answering(engine, lambda _: Throttled(wait, "slow down, please"))
    rows(engine, 3)
    ending = engine.run(during=said(engine, 300.0))
    assert ending.reason is Reason.UNREACHABLE
    assert "slow down, please" in ending.message
    assert "slow down, please" in engine.said  # type: ignore[attr-defined]
    assert "until" in engine.said  # type: ignore[attr-defined]
    assert {job.state for job in engine.jobs().values()} == {"queued"}
    assert {job.attempts for job in engine.jobs().values()} == {0}


def test_what_is_paid_for_is_seen_to_its_end_before_a_429_ends_the_run(engine: Engine) -> None:
    """Three are bought, then nothing is taken: their videos are not left behind."""
    engine.provider.takes = 1.5 * HOUR
    answering(engine, lambda now: Throttled(None) if now > 1 else None)
    rows(engine, 20)
    ending = engine.run(generation_timeout=4 * HOUR, poll_interval=120.0)
    assert ending.reason is Reason.UNREACHABLE
    assert engine.status().jobs["completed"] == len(engine.provider.made) > 0


def test_a_long_retry_after_that_helps_is_waited_for(engine: Engine) -> None:
    """An hour was asked for, and then everything is taken."""
    answering(engine, lambda now: Throttled(HOUR) if now < 60 else None)
    rows(engine, 3)
    assert engine.run().reason is Reason.FINISHED
    assert engine.status().jobs["completed"] == 3


def test_silence_is_said_within_a_minute(engine: Engine) -> None:
    """Reads and writes fail: the status tells, and the run ends after its patience."""
    engine.provider.takes = 9 * HOUR

    async def silent(*_: Any) -> Any:
        raise UnreachableError("no route to host")

    async def unsent(*_: Any) -> Any:
        return InDoubt("no route to host")

    def plan(runner: Any) -> None:
        def cut() -> None:
            engine.provider.generation = silent  # type: ignore[method-assign]
            engine.provider.generations = silent  # type: ignore[method-assign]
            engine.provider.balance = silent  # type: ignore[method-assign]
            engine.provider.submit = unsent  # type: ignore[method-assign]

        asyncio.get_running_loop().call_later(10.0, cut)
        said(engine, 100.0)(runner)

    rows(engine, 200)
    assert engine.run(during=plan, rate=1, max_in_flight=99).reason is Reason.UNREACHABLE
    assert "no route to host" in engine.said  # type: ignore[attr-defined]
    assert engine.status().jobs["in_doubt"] <= 5


UNEXPECTED = "the API refused the request (400): request abc-{} is not valid"


def test_three_equal_refusals_without_a_reason_in_the_row_are_no_rows_fault(
    engine: Engine,
) -> None:
    """The two rows that had failed before are put back, and the next run buys all."""
    number = iter(range(999))
    answering(
        engine,
        lambda _: Rejected(FailureKind.VALIDATION, UNEXPECTED.format(next(number)), About.UNKNOWN),
    )
    rows(engine, 10)
    assert engine.run(rate=1).reason is Reason.REQUEST
    jobs = engine.jobs().values()
    assert {(job.state, job.attempts, job.error) for job in jobs} == {("queued", 0, None)}
    del engine.provider.submit
    assert engine.run().reason is Reason.FINISHED


def test_a_changed_token_is_known_by_another_generation_or_the_list(engine: Engine) -> None:
    """The newest generation answers 403 for ever: that does not lock the database."""
    rows(engine, 3)
    engine.run()
    usual = engine.provider.generation
    refused = {engine.provider.made[-1].id}

    async def generation(generation_id: str) -> Generation:
        if generation_id in refused:
            raise ForbiddenError("403")
        return await usual(generation_id)

    engine.provider.generation = generation  # type: ignore[method-assign]
    engine.owner = Owner("http://api.test", "renewed")
    assert engine.run().reason is Reason.FINISHED
    refused |= {made.id for made in engine.provider.made}
    engine.owner = Owner("http://api.test", "renewed again")
    assert engine.run().reason is Reason.FINISHED


def test_a_balance_that_fails_for_ever_ends_the_run_although_the_list_answers(
    engine: Engine,
) -> None:
    """The list is read for a doubt; nothing is bought meanwhile, so waiting has no point."""
    engine.provider.script = {"prompt of r1": [InDoubt("no answer")]}
    rows(engine, 4)
    engine.provider.on_post = lambda _: engine.provider.balance_errors.extend(
        [UnreachableError("no")] * 10_000
    )
    ending = engine.run(rate=0.02)
    assert ending.reason is Reason.UNREACHABLE
    assert engine.clock.now() - engine.attempts()[0].intent_at < timedelta(hours=2)


@pytest.mark.parametrize(
    ("error", "reason", "overdue"),
    [
        (UnreachableError("502"), Reason.FINISHED, 4),
        (ForbiddenError("403"), Reason.FINISHED, 4),
        (ThrottledError("429"), Reason.UNREACHABLE, 0),
    ],
    ids=["502", "403", "429"],
)
def test_looks_that_all_fail_while_the_balance_answers_end_after_patience(
    engine: Engine, error: ProviderError, reason: Reason, overdue: int
) -> None:
    """An hour is an outage's; then each is its own trouble, and overdue as any other is."""
    engine.provider.takes = 99 * HOUR

    async def refuse(*_: Any) -> Any:
        raise error

    rows(engine, 5)
    engine.provider.script = {"prompt of r4": [InDoubt("lost")]}  # so that the balance is read
    engine.provider.generation = refuse  # type: ignore[method-assign]
    engine.provider.generations = refuse  # type: ignore[method-assign]
    began = engine.clock.now()
    assert engine.run(generation_timeout=HOUR / 2).reason is reason
    assert engine.clock.now() - began < timedelta(hours=3)
    kinds = Counter(job.error_kind for job in engine.jobs().values())
    assert kinds[FailureKind.OVERDUE] == overdue
    del engine.provider.generation, engine.provider.generations
    engine.clock.start += timedelta(hours=99)
    assert engine.run().reason is Reason.FINISHED
    assert len(engine.provider.made) == 4
    assert engine.status().jobs["completed"] == 4


def test_an_outage_of_looks_that_ends_in_time_gives_nothing_up(engine: Engine) -> None:
    """Half an hour without a look that is answered: nothing is overdue for it."""
    engine.provider.takes = HOUR / 3
    usual, usual_list = engine.provider.generation, engine.provider.generations

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        async def read(*given: Any) -> Any:
            if 60 < asyncio.get_running_loop().time() < 60 + HOUR / 2:
                raise UnreachableError("502")
            return await real(*given)

        return read

    rows(engine, 4)
    engine.provider.generation = failing(usual)  # type: ignore[method-assign]
    engine.provider.generations = failing(usual_list)  # type: ignore[method-assign]
    assert engine.run(generation_timeout=HOUR / 4).reason is Reason.FINISHED
    assert engine.status().jobs["completed"] == 4


@pytest.mark.parametrize("balance", [100_000_000, 500_000], ids=["enough", "too little"])
def test_a_balance_that_is_refused_after_the_first_reading_is_not_asked_for_all_the_time(
    engine: Engine, balance: int
) -> None:
    """What it said is what is known; it is asked again in its turn, and the run ends as ever."""
    engine.provider.balance_micros = balance
    asked: list[float] = []
    usual = engine.provider.balance

    async def read() -> Any:
        asked.append(asyncio.get_running_loop().time())
        assert len(asked) < 200, asked
        if len(asked) > 1:
            await asyncio.sleep(0.2)
            raise ForbiddenError("403")
        return await usual()

    engine.provider.balance = read  # type: ignore[method-assign]
    rows(engine, 20)
    ending = engine.run(rate=0.05, balance_interval=60.0)
    assert ending.reason in (Reason.FINISHED, Reason.BLOCKED)
    assert len(engine.provider.made) == min(20, balance // 120_000)
    assert all(b - a > 10 for a, b in itertools.pairwise(asked)), asked
