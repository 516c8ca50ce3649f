"""Waiting for money, and what counts as given back, by whole runs on virtual time."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.provider import ScriptedProvider

from jobs.model.ledger import Refunds
from jobs.model.provider import Generation, GenerationPhase, RefusalCause, Refused
from jobs.model.retry import RetryPolicy
from jobs.model.states import Blocked, FailureKind, Reason
from jobs.store import accounts, steering, views

PRICE = 120_000
BROKEN = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="render error")
REFUSED = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="policy")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine at a known price."""
    made = Engine(tmp_path, Invariants())
    made.announce(s10=PRICE)
    return made


def pay_in(engine: Engine, after: float, micros: int) -> Callable[[Any], None]:
    """Have somebody pay in while the run waits."""

    def plan(runner: Any) -> None:
        del runner

        def pay() -> None:
            engine.provider.balance_micros += micros

        asyncio.get_running_loop().call_later(after, pay)

    return plan


def test_a_run_without_money_ends_unless_it_may_wait(engine: Engine) -> None:
    """The balance covers one of three: 4 by default, with the balance named."""
    engine.provider.balance_micros = PRICE
    engine.load([spec(f"r{i}", row=i) for i in range(3)])
    ending = engine.run()
    assert ending.reason is Reason.BLOCKED
    assert ending.blocked == {1: frozenset({Blocked.BALANCE})}


@pytest.mark.parametrize("refuses", [False, True])
def test_a_run_that_may_wait_goes_on_when_money_comes(engine: Engine, *, refuses: bool) -> None:
    """Whether the balance says so or a 402 does, it is looked at ever more rarely, and goes on."""
    engine.provider.balance_micros = 10 * PRICE if refuses else PRICE
    if refuses:
        broke = Refused(RefusalCause.FUNDS, "INSUFFICIENT_CREDITS")
        engine.provider.script = {f"prompt of r{i}": [broke] for i in (1, 2)}
    engine.load([spec(f"r{i}", row=i) for i in range(3)])
    reads = count_balance_reads(engine.provider)
    seen: list[str | None] = []
    started = engine.clock.now()

    def plan(runner: Any) -> None:
        pay_in(engine, 4000.0, PRICE * 10)(runner)
        asyncio.get_running_loop().call_later(2000.0, lambda: seen.append(waiting_for(engine)))

    assert engine.run(during=plan, wait_for_funds=True).reason is Reason.FINISHED
    assert engine.status().jobs["completed"] == 3
    if not refuses:
        assert (engine.clock.now() - started).total_seconds() > 4000
        assert seen == ["balance ($0.00 at the last look)"]
        assert len(reads) < 25  # 30 s, a minute, two ... ten minutes, and those of a running run


def waiting_for(engine: Engine) -> str | None:
    (batch,) = engine.store.read(views.find_batches)
    found: str | None = batch.waiting_for
    return found


def count_balance_reads(provider: ScriptedProvider) -> list[None]:
    reads: list[None] = []
    balance = provider.balance

    async def counted() -> Any:
        reads.append(None)
        return await balance()

    provider.balance = counted  # type: ignore[method-assign]
    return reads


def test_a_floor_is_waited_for_too(engine: Engine) -> None:
    """``--min-balance``: what the account shall keep is no money to spend."""
    engine.provider.balance_micros = 5 * PRICE
    engine.store.write(lambda c: accounts.keep(c, floor_micros=4 * PRICE))
    engine.load([spec(f"r{i}", row=i) for i in range(2)])
    engine.run(during=pay_in(engine, 1000.0, PRICE), wait_for_funds=True)
    assert engine.status().jobs["completed"] == 2


@pytest.mark.parametrize(
    ("refunds", "completed", "refunded"),
    [(Refunds.NONE, 2, 0), (Refunds.SYSTEM, 3, PRICE), (Refunds.ALL, 4, 2 * PRICE)],
)
def test_what_is_given_back_makes_room_under_the_cap(
    engine: Engine, refunds: Refunds, completed: int, refunded: int
) -> None:
    """Four videos' budget, two failures: they count as spent unless the account knows better."""
    engine.provider.ends = {"prompt of r0": [BROKEN], "prompt of r1": [REFUSED]}
    engine.load([spec(f"r{i}", row=i) for i in range(6)])
    engine.cap(4 * PRICE)
    engine.store.write(lambda c: steering.set_refunds(c, 1, refunds))
    engine.run(retry=RetryPolicy(0))
    status = engine.status()
    assert status.jobs["completed"] == completed
    assert status.money.refunded == refunded
    assert status.money.used <= 4 * PRICE
    assert engine.budget("account").refunded_micros == 0


def test_a_provider_that_never_makes_anything_is_not_asked_for_ever(engine: Engine) -> None:
    """Each POST of one row is dropped while others are taken: five times, then it has failed."""
    engine.agreed()
    engine.provider.script = {"prompt of r0": ["late 1e9"] * 50}
    engine.load([spec(f"r{i}", row=i) for i in range(40)])
    assert engine.run(grace=30, max_in_flight=2).reason is Reason.FINISHED
    for night in range(2, 8):  # a doubt of which nothing newer tells waits for the next purchase
        if engine.jobs()["r0"].state == "failed":
            break
        engine.clock.start += timedelta(hours=1)
        rows = [spec(f"n{night}-{i}", f"night {night}, {i}", row=i) for i in range(3)]
        engine.load(rows, batch=f"night {night}")
        assert engine.run([1, night], grace=30, rate=0.02).reason is Reason.FINISHED
    job = engine.jobs()["r0"]
    assert (job.state, job.error_kind, job.charged_micros) == ("failed", "system", 0)
    assert len([prompt for prompt, _ in engine.provider.posts if prompt == "prompt of r0"]) == 5
    assert engine.budget("batch:1").held_micros == 0


def test_a_provider_that_takes_nothing_is_not_asked_for_ever(engine: Engine) -> None:
    """Every POST is dropped, and nothing is known that could show what became of them."""
    engine.provider.script = {"prompt of r0": ["late 1e9"] * 50}
    engine.load([spec("r0")])
    for _ in range(3):
        assert engine.run(grace=30).reason is Reason.FINISHED
        assert engine.jobs()["r0"].state == "in_doubt"
    assert len(engine.provider.posts) == 1
    assert engine.budget("batch:1").held_micros == 120_000
