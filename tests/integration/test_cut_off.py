"""Submissions that our own end cut off, while something of the provider's went wrong or did not."""

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual
from support.policies import policy as policy_with

from jobs.model.provider import GenerationRequest as Request
from jobs.model.provider import InDoubt
from jobs.services.runner import Runner

LOST, FREE = "prompt of r4", "prompt of r3"
PRICE = 120_000


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Give an engine at known prices, whose balance has agreed before."""
    made = Engine(tmp_path, Invariants(), clock_ahead=timedelta(0))
    made.announce(s10=PRICE)
    made.agreed()
    made.load([spec(f"r{n}", row=n) for n in range(12)])
    return made


def fate(engine: Engine, *, free: Collection[str] = (), off: float = 0.0) -> None:
    """Hide what is made of the lost one first; charge less after it, and nothing for some."""
    make_one = engine.provider.make

    def make(request: Request, key: str = "foreign") -> Any:
        made = make_one(request, key)
        mine = [m for m in engine.provider.made if m.prompt == LOST]
        if mine == [made]:
            engine.provider.hides[made.id] = 10**9
        elif mine:
            made.price = round(made.price * (1 - off))
        if request.prompt in free:
            engine.provider.free.add(made.id)
        return made

    engine.provider.make = make  # type: ignore[method-assign]


def hang(engine: Engine, *, unsent: Collection[str] = ()) -> None:
    """Answer neither of two; both are made, but those that never leave."""
    submit = engine.provider.submit

    async def hanging(request: Request, key: str, may_send: Callable[[], bool]) -> Any:
        first = request.prompt not in [m.prompt for m in engine.provider.made]
        if request.prompt in (FREE, LOST) and first and may_send():
            if request.prompt in unsent:
                await asyncio.sleep(50)
            engine.provider.posts.append((request.prompt, key))
            engine.provider.make(request, key)
            await asyncio.sleep(50)
            return InDoubt("no answer in time")
        return await submit(request, key, may_send)

    engine.provider.submit = hanging  # type: ignore[method-assign]


def cancelled(engine: Engine, after: float, **policy: Any) -> None:
    """End a run at once, as a second Ctrl-C does."""

    async def main() -> None:
        parts = (engine.store, engine.provider, engine.owner, policy_with(**policy), engine.clock)
        run = asyncio.create_task(Runner(*parts, engine.chance).run((1,)))
        await asyncio.sleep(after)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    run_virtual(main())
    engine.clock.start = engine.clock.now() - engine.clock.skew
    engine.clock._last = 0.0


class KilledError(Exception):
    """Ends a run where it is raised."""


def killed_at(engine: Engine, name: str, prompt: str, sent: int) -> None:
    """Kill a run at a checkpoint of one submission, when so many were sent."""

    def checkpoint(at: str) -> None:
        if at == name and len(engine.provider.posts) == sent:
            raise KilledError

    with pytest.raises(KilledError):
        engine.run(checkpoint=checkpoint, rate=1.0, max_in_flight=5)
    (attempt,) = [a for a in engine.attempts() if a.prompt == prompt]
    assert (attempt.state, attempt.cut_off) == ("in_doubt", True)


def sent(engine: Engine, prompt: str) -> int:
    """Count how often a prompt was sent."""
    return [one for one, _ in engine.provider.posts].count(prompt)


def test_a_person_ends_a_run_whose_provider_hangs(engine: Engine) -> None:
    """Of two, one is found and was never charged, the other was, and is hidden."""
    fate(engine, free=[FREE])
    hang(engine)
    cancelled(engine, 14.0, rate=5.0, max_in_flight=5)
    doubts = [(a.state, a.cut_off) for a in engine.attempts()[3:5]]
    assert doubts == [("in_doubt", False), ("in_doubt", False)]
    engine.clock.start += timedelta(minutes=10)
    engine.run(rate=0.05)
    assert sent(engine, LOST) == 1


def test_killed_after_the_provider_dropped_the_connection(engine: Engine) -> None:
    """That it failed was not written yet; the same outage loses the next answer too."""
    fate(engine, free=[FREE])
    engine.provider.script = {FREE: ["made"], LOST: ["made"]}
    killed_at(engine, "answer-read", FREE, 4)
    engine.clock.start += timedelta(seconds=20)
    engine.run(rate=0.05)
    assert sent(engine, LOST) == 1


@pytest.mark.parametrize("off", [0.1, 0.5])
def test_one_that_was_never_sent_explains_no_charge_of_the_next(engine: Engine, off: float) -> None:
    """The first reading does not show it: what a later one shows is another's, and stays seen."""
    fate(engine, off=off)
    engine.provider.script = {LOST: ["made"]}
    killed_at(engine, "request-leaving", FREE, 3)
    engine.clock.start += timedelta(seconds=20)
    engine.load([spec(f"r{n}", row=n) for n in range(5 + round(1 / off))])
    engine.run(rate=0.05)
    assert sent(engine, LOST) == 1


@pytest.mark.parametrize("unsent", [[], [FREE]])
def test_one_of_those_cut_off_was_charged_and_a_discount_follows(
    engine: Engine, unsent: list[str]
) -> None:
    """The first reading shows the charge; nothing is bought again until it is found."""
    fate(engine, off=0.5)
    hang(engine, unsent=unsent)
    cancelled(engine, 3.0, rate=5.0, max_in_flight=5)
    assert [a.cut_off for a in engine.attempts()[3:5]] == [True, True]
    engine.clock.start += timedelta(minutes=10)
    engine.load([spec(f"r{n}", row=n) for n in range(7)])
    engine.run(rate=0.05)
    assert sent(engine, LOST) == 1


def test_after_a_plain_kill_what_never_left_is_bought_again(engine: Engine) -> None:
    """One is found, and was charged; nothing of the provider's went wrong."""
    hang(engine, unsent=[LOST])
    cancelled(engine, 3.0, rate=5.0, max_in_flight=5)
    assert [a.cut_off for a in engine.attempts()[3:5]] == [True, True]
    engine.clock.start += timedelta(seconds=20)
    engine.run(rate=0.05)
    assert [a.state for a in engine.attempts() if a.prompt == FREE] == ["completed"]
    assert [a.seen_charged for a in engine.attempts() if a.prompt == FREE] == [True]
    assert [a.state for a in engine.attempts() if a.prompt == LOST] == ["void", "completed"]


def test_after_a_kill_a_lost_answer_settles_where_the_charge_was_seen(engine: Engine) -> None:
    """The one that was cut off is found, and the balance had fallen for it: it hides nothing."""
    engine.provider.script = {LOST: [InDoubt("the connection dropped")]}
    killed_at(engine, "answer-read", FREE, 4)
    engine.clock.start += timedelta(seconds=20)
    engine.run(rate=0.05)
    assert [a.state for a in engine.attempts() if a.prompt == FREE] == ["completed"]
    assert [a.state for a in engine.attempts() if a.prompt == LOST] == ["void", "completed"]


def test_one_that_had_hung_before_the_kill_was_not_cut_off(engine: Engine) -> None:
    """Others were bought since: that its answer was overdue, their times tell."""
    submit = engine.provider.submit

    async def hanging(request: Request, key: str, may_send: Callable[[], bool]) -> Any:
        await asyncio.sleep(50 if request.prompt == "prompt of r0" else 0)
        return await submit(request, key, may_send)

    engine.provider.submit = hanging  # type: ignore[method-assign]
    made: list[str] = []

    def checkpoint(at: str) -> None:
        made.append(at)
        if made.count("answer-read") == 8:
            raise KilledError

    def dies(*_: Any, **__: Any) -> None:
        """A killed process writes nothing at its end."""

    runner: list[Runner] = []

    def during(one: Runner) -> None:
        one._leave = dies  # type: ignore[method-assign]
        runner.append(one)

    with pytest.raises(KilledError):
        engine.run(checkpoint=checkpoint, during=during, rate=1.0)
    engine.clock.start += timedelta(hours=1)
    engine.run(rate=1.0)
    cut_off = {a.prompt: a.cut_off for a in engine.attempts() if a.doubt_since is not None}
    assert cut_off == {"prompt of r0": False, "prompt of r8": True}
