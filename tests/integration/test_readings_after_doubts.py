"""The reading of the balance after a lost answer: taken alone, made up for, and in no run's way."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.money import Micros
from jobs.model.provider import ForbiddenError, InDoubt, Throttled, ThrottledError, UnreachableError
from jobs.model.provider import GenerationRequest as Request
from jobs.model.states import Reason
from jobs.ports.account import BalanceRead
from jobs.store import accounts

PRICE = 120_000
LOST = "prompt of r4"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Give an engine at known prices, whose balance has agreed before."""
    made = Engine(tmp_path, Invariants(), clock_ahead=timedelta(0), latency=0.2, takes=60.0)
    made.announce(s10=PRICE)
    made.agreed()
    return made


def hide(engine: Engine, *prompts: str, off: float = 0.0, after: int = 0) -> None:
    """Hide the first of each prompt; charge less than is told from so many made on."""
    make_one = engine.provider.make

    def make(request: Request, key: str = "foreign") -> Any:
        made = make_one(request, key)
        tries = [m.prompt for m in engine.provider.made].count(request.prompt)
        if request.prompt in prompts and tries == 1:
            engine.provider.hides[made.id] = 10**9
        elif len(engine.provider.made) > after and engine.provider.hides:
            made.price = round(made.price * (1 - off))
        return made

    engine.provider.make = make  # type: ignore[method-assign]


def slow(engine: Engine, seconds: float) -> None:
    """Let every submission take so long before it leaves: an image goes up, say."""
    submit = engine.provider.submit

    async def later(*args: Any) -> Any:
        await asyncio.sleep(seconds)
        return await submit(*args)

    engine.provider.submit = later  # type: ignore[method-assign]


def sent(engine: Engine, prompt: str) -> int:
    """Count how often a prompt was sent."""
    return [one for one, _ in engine.provider.posts].count(prompt)


@pytest.mark.parametrize(
    ("rate", "off", "after"),
    [(1.0, 0.1, 20), (1.0, 0.5, 20), (5.0, 0.1, 30), (0.5, 0.5, 10), (0.05, 0.5, 10)],
)
def test_a_discount_begins_while_others_are_under_way(
    engine: Engine, rate: float, off: float, after: int
) -> None:
    """What is under way may have been charged, and would excuse what the lost one cost."""
    engine.provider.script = {LOST: ["made"]}
    hide(engine, LOST, off=off, after=after)
    slow(engine, 5.0)
    engine.load([spec(f"r{n}", row=n) for n in range(after + round(1 / off))])
    engine.run(rate=rate)
    assert sent(engine, LOST) == 1


def test_nothing_leaves_until_the_balance_was_read_alone(engine: Engine) -> None:
    """After a lost answer those under way come to their end, then it is read, then others leave."""
    engine.provider.script = {LOST: ["made"]}
    slow(engine, 5.0)
    events: list[tuple[str, int]] = []
    under_way = 0
    submit, balance = engine.provider.submit, engine.provider.balance

    async def counted(request: Request, *args: Any) -> Any:
        nonlocal under_way
        under_way += 1
        events.append(("begins", under_way))
        answer = await submit(request, *args)
        under_way -= 1
        events.append(("lost" if isinstance(answer, InDoubt) else "ends", under_way))
        return answer

    async def read() -> Micros:
        events.append(("read", under_way))
        return await balance()

    engine.provider.submit = counted  # type: ignore[method-assign]
    engine.provider.balance = read  # type: ignore[method-assign]
    engine.load([spec(f"r{n}", row=n) for n in range(30)])
    ending = engine.run(rate=2.0)
    lost = events.index(next(event for event in events if event[0] == "lost"))
    assert events[lost][1] > 0, "others were under way"
    rest = events[lost + 1 :]
    begins = rest.index(next(event for event in rest if event[0] == "begins"))
    assert ("read", 0) in rest[:begins]
    assert ending.reason is Reason.FINISHED


@pytest.mark.parametrize("rate", [0.0, 5.0])
def test_lost_answers_again_and_again_stop_no_run(engine: Engine, rate: float) -> None:
    """One in five is lost and found: each is read for, and the run ends soon."""
    rows = 60
    engine.provider.script = {f"prompt of r{n}": ["made"] for n in range(0, rows, 5)}
    engine.load([spec(f"r{n}", row=n) for n in range(rows)])
    began = engine.clock.now()
    ending = engine.run(rate=rate, max_in_flight=64)
    assert ending.reason is Reason.FINISHED
    assert {job.state for job in engine.jobs().values()} == {"completed"}
    assert engine.clock.now() - began < timedelta(minutes=15)


def test_fifty_doubts_in_a_row_of_which_some_were_made(engine: Engine) -> None:
    """Every second one was made and is hidden: none of those is sent twice."""
    made = {f"prompt of r{n}" for n in range(0, 50, 2)}
    engine.provider.script = {
        f"prompt of r{n}": ["made" if n % 2 == 0 else InDoubt("dropped")] for n in range(50)
    }
    hide(engine, *made)
    engine.load([spec(f"r{n}", row=n) for n in range(60)])
    engine.run(rate=5.0)
    assert max(sent(engine, prompt) for prompt in made) == 1


@pytest.mark.parametrize(
    "errors",
    [[ThrottledError("slow", 5.0)] * 3, [UnreachableError("no")] * 3, [ForbiddenError("no")] * 2],
)
def test_it_fails_beside_a_429_for_the_next_row(
    engine: Engine, errors: Collection[Exception]
) -> None:
    """It is made up for: later ones cost half, and the lost one is sent once all the same."""
    engine.provider.script = {
        LOST: ["made"], "prompt of r5": [Throttled(5.0, "429"), Throttled(None, "429")],
    }  # fmt: skip
    hide(engine, LOST, off=0.5)

    def fail(request: Request) -> None:
        if request.prompt == LOST:
            engine.provider.balance_errors = list(errors)

    engine.provider.on_post = fail
    engine.load([spec(f"r{n}", row=n) for n in range(7)])
    engine.run(rate=0.05)
    assert sent(engine, LOST) == 1


def test_a_balance_that_stays_refused_after_a_lost_answer_stops_no_run(engine: Engine) -> None:
    """Three tries; the other rows are bought, and the lost one waits."""
    engine.provider.script = {LOST: ["made"]}
    hide(engine, LOST)
    slow(engine, 5.0)

    def fail(request: Request) -> None:
        if request.prompt == LOST:
            engine.provider.balance_errors = [ForbiddenError("no")] * 1000

    engine.provider.on_post = fail
    engine.load([spec(f"r{n}", row=n) for n in range(10)])
    engine.run(rate=2.0)
    states = [job.state for job in engine.jobs().values()]
    assert (states.count("completed"), states.count("in_doubt")) == (9, 1)


@pytest.mark.parametrize("answer", ["made", InDoubt("dropped")])
def test_nobody_tells_prices(tmp_path: Path, answer: Any) -> None:
    """Every acceptance comes without one: a doubt waits, and the cap holds."""
    engine = Engine(tmp_path, Invariants(), clock_ahead=timedelta(0), takes=60.0)
    engine.agreed()
    engine.provider.script = {f"prompt of r{n}": ["unpriced"] * 3 for n in range(12)}
    engine.provider.script[LOST] = [answer]
    hide(engine, LOST)
    engine.load([spec(f"r{n}", row=n) for n in range(12)])
    engine.cap(3_000_000)
    engine.run(rate=0.5)
    assert sent(engine, LOST) <= 1
    assert engine.provider.charged <= 3_000_000


def test_waiting_for_funds_beside_a_lost_answer(engine: Engine) -> None:
    """Money runs out just then, and $0.60 are paid in; later purchases cost half."""
    engine.provider.balance_micros = 720_000
    engine.store.write(
        lambda c: accounts.record_balance(c, BalanceRead(720_000, 0, engine.clock.now()))
    )
    engine.agreed()
    engine.provider.script = {LOST: ["made"]}
    hide(engine, LOST)
    balance = engine.provider.balance

    async def paid_in() -> Micros:
        return Micros(await balance() + (600_000 if engine.clock.monotonic() > 900 else 0))

    engine.provider.balance = paid_in  # type: ignore[method-assign]
    engine.load([spec(f"r{n}", row=n) for n in range(10)])
    engine.run(rate=0.05, wait_for_funds=True)
    assert sent(engine, LOST) == 1
