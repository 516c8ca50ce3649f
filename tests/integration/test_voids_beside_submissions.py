"""What counts as never made turns up while its row is sent, is in doubt, or was refused."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.engine import Engine, spec
from support.invariants import Invariants
from support.slow import Slow
from support.voids import hide, lose, stop_after

from jobs.database.tables import JOB
from jobs.evidence.suspects import WATCHED
from jobs.model.provider import GenerationRequest, InDoubt, Rejected, Throttled
from jobs.model.states import FailureKind, Reason
from jobs.ports.selection import Sought
from jobs.store import handing, latecomers, looks, outcomes, past, steering, views

PRICE = 120_000
VIDEO = "https://cdn.example/0.mp4"
ANSWERS: dict[str, dict[str, Any]] = {
    "accepted": {},
    "throttled": {"throttles": 1},
    "its key is honoured": {"honours": True},
    "throttled, then honoured": {"throttles": 1, "honours": True},
}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants(caps=False))
    made.announce(s10=PRICE)
    made.provider = Slow(made.clock)
    return made


def made_of(engine: Engine, prompt: str = "x") -> int:
    return sum(one.prompt == prompt for one in engine.provider.made)


def told_twice(engine: Engine) -> bool:
    return any(latecomers.is_surplus(one.error) for one in engine.attempts())


def timed(*later: tuple[float, Callable[[], object]]) -> Callable[[Any], None]:
    """Do things so many seconds after a run began."""

    def during(runner: Any) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(8 * 3600.0, runner.stop)
        for seconds, what in later:
            loop.call_later(seconds, what)

    return during


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("clocks", [False, True])
@pytest.mark.parametrize("minutes", [5, 12, 50])
def test_it_waits_for_the_answer(
    engine: Engine, answer: str, minutes: int, *, clocks: bool
) -> None:
    """However long ago it was sent: another doubt has the list read every few seconds.

    Only what was accepted as well is paid for twice.
    """
    how = ANSWERS[answer]
    provider = engine.provider
    rows = [spec("q", "y", row=2)]
    if clocks:  # they are known by an earlier purchase
        rows.append(spec("z", "before", row=1))
        engine.load(rows[1:])
        engine.run()
    provider.script = {"x": ["made"], "y": ["made"]}
    engine.load([spec("a", "x"), *rows[1:]])
    lose(engine)
    provider.hides = {one.id: 10**9 for one in provider.made if one.prompt == "x"}
    for name, value in how.items():
        setattr(provider, name, value)
    engine.clock.start += timedelta(minutes=minutes)
    engine.load([spec("a", "x"), *rows])
    priority = "UPDATE job SET priority = 5 WHERE key = 'q'"
    engine.store.write(lambda c: c.exec_driver_sql(priority))

    def arm(request: GenerationRequest) -> None:
        if request.prompt == "y":
            provider.hides[f"gen-{len(provider.made)}"] = 60.0
            provider.armed = True

    provider.on_post = arm
    engine.run(during=stop_after(8 * 3600.0), rate=0.2)
    assert engine.jobs()["a"].state == "completed"
    assert (made_of(engine), told_twice(engine)) == ((1, False) if how else (2, True))


def test_the_machine_sleeps_between_two_looks(engine: Engine) -> None:
    """The first look finds it, the second would have settled it: by then it is too old for one."""
    engine.provider.script = {"x": ["made"]}
    engine.load([spec("a", "x")])
    lose(engine)
    jumps = [WATCHED * 2]

    def asleep(name: str) -> None:
        if name == "doubts-settled" and jumps:
            engine.clock.skew += jumps.pop()

    ending = engine.run(checkpoint=asleep, during=stop_after(8 * 3600.0))
    assert not jumps
    assert ending.reason is Reason.FINISHED
    assert engine.jobs()["a"].state == "completed"


@pytest.mark.parametrize("key", ["a", "b"])
@pytest.mark.parametrize("minutes", [5, 20])
def test_its_replacement_is_in_doubt_and_was_never_made(
    engine: Engine, key: str, minutes: int
) -> None:
    """It counts as paid for twice for as long as nobody knows better; then it is the row's."""
    provider = engine.provider
    engine.load([spec("z", "before")], "first")
    engine.run((1,))
    engine.agreed()
    provider.script = {"x": ["made"]}
    engine.load([spec("a", "x")])
    lose(engine, 2)
    provider.hides = {one.id: 10**9 for one in provider.made if one.prompt == "x"}
    engine.load([spec(key, "x")])
    provider.script = {"x": [InDoubt("no answer in time")]}
    engine.clock.start += timedelta(minutes=minutes)
    engine.run((2,), during=timed((20.0, provider.hides.clear)))
    for one in engine.attempts():
        if one.state == "in_doubt":
            assert told_twice(engine)
            now = engine.clock.now()
            engine.store.write(lambda c, n=one.id, now=now: outcomes.void(c, n, "said so", now))
    engine.clock.start += timedelta(minutes=5)
    engine.run((2,), during=timed())
    assert engine.jobs()[key].state == "completed"
    assert (made_of(engine), told_twice(engine)) == (1, False)
    assert engine.budget("twice:2").charged_micros == 0
    assert engine.budget("batch:2").charged_micros == PRICE
    assert engine.jobs()[key].charged_micros == PRICE


def fetched_beside_a_doubt(engine: Engine) -> int:
    """Row ``a`` was sent again, in doubt; what it made before turned up, and is finished."""
    provider = engine.provider
    provider.script = {"x": ["made"]}
    engine.load([spec("a", "x")])
    void = lose(engine)
    hide(engine)
    provider.script = {"x": [InDoubt("no answer in time")]}
    engine.clock.start += timedelta(minutes=20)
    engine.run(during=stop_after(5.0))
    now = engine.clock.now()
    engine.store.write(lambda c: latecomers.reappear(c, void, "gen-0", now))
    engine.store.write(lambda c: looks.complete(c, void, VIDEO, now))
    return void


def test_what_it_made_was_fetched_meanwhile(engine: Engine) -> None:
    """The video is there: the row has it without another look."""
    void = fetched_beside_a_doubt(engine)
    now = engine.clock.now()
    (doubt,) = [one.id for one in engine.attempts() if one.state == "in_doubt"]
    engine.store.write(lambda c: outcomes.void(c, doubt, "said so", now))
    engine.run()
    job = engine.jobs()["a"]
    assert (job.state, job.attempt_id, job.video_url) == ("completed", void, VIDEO)
    assert (made_of(engine), told_twice(engine)) == (1, False)


def test_a_row_that_shares_it_keeps_it(engine: Engine) -> None:
    """It is another row's by now: its own is bought again."""
    fetched_beside_a_doubt(engine)
    now = engine.clock.now()
    engine.load([spec("b", "x")], "other")
    (found,) = engine.store.read(lambda c: past.find(c, Sought((2,))))
    assert engine.store.write(lambda c: past.share(c, found, now))
    (doubt,) = [one.id for one in engine.attempts() if one.state == "in_doubt"]
    engine.store.write(lambda c: outcomes.void(c, doubt, "said so", now))
    engine.run()
    assert engine.jobs()["a"].state == "completed"
    assert made_of(engine) == 2


@pytest.mark.parametrize("minutes", [5, 20])
def test_its_replacement_was_refused_and_is_queued_again(engine: Engine, minutes: int) -> None:
    """In the same run: the list is read before it is sent again."""
    provider = engine.provider
    provider.script = {"x": ["made"]}
    engine.load([spec("a", "x")])
    lose(engine)
    hide(engine)
    provider.script = {"x": [Rejected(FailureKind.CONTENT, "not now")]}
    engine.clock.start += timedelta(minutes=minutes)
    engine.load([spec("a", "x"), *(spec(f"o{i}", row=i + 1) for i in range(20))])
    job = engine.jobs()["a"].id

    def again() -> None:
        assert engine.jobs()["a"].state == "failed"
        engine.store.write(lambda c: steering.retry(c, [job], now=engine.clock.now()))
        assert engine.store.write(lambda c: handing.offer(c, [job]))

    engine.run(during=timed((10.0, provider.hides.clear), (20.0, again)), rate=0.5)
    assert engine.jobs()["a"].state == "completed"
    assert (made_of(engine), told_twice(engine)) == (1, False)


@pytest.mark.parametrize("shown", [False, True])
def test_a_single_video_is_looked_for_as_a_void_alone(engine: Engine, *, shown: bool) -> None:
    """What somebody made of the same prompt a day ago does not hold it back: it was typed anew."""
    provider = engine.provider
    provider.make(GenerationRequest(prompt="x", orientation="9:16", duration=10))
    engine.clock.start += timedelta(hours=30)
    now = engine.clock.now
    engine.load([spec(f"o{i}", row=i) for i in range(40)])

    def add(connection: Any) -> int:
        batch = views.open_batch(connection, None, "single", None, ["id", "prompt"], now())
        return steering.add(connection, batch, spec("s", "x"), "fake/sora/10", now())

    number = engine.store.write(add)

    def hand() -> None:
        engine.store.write(lambda c: handing.offer(c, [number], unasked=True))

    provider.script = {"x": ["made"]}
    provider.lag = 1e9
    engine.run((1,), during=lambda run: (timed((5.0, hand))(run), stop_after(20.0)(run)), rate=0.2)
    provider.lag = 0.0
    (doubt,) = [one.id for one in engine.attempts() if one.state == "in_doubt"]
    engine.store.write(lambda c: outcomes.void(c, doubt, "said so", now()))
    lost = {one.id: 10**9 for one in provider.made if one.prompt == "x" and one.id != "gen-0"}
    provider.hides = lost
    engine.clock.start += timedelta(minutes=5)
    provider.script = {"x": [Throttled(5.0)]}
    show = provider.hides.clear if shown else (lambda: None)
    engine.run((1,), during=timed((5.0, hand), (5.5, show)), rate=0.2)
    (single,) = [one for one in engine.rows(select(JOB)) if one.key == "s"]
    assert single.state == "completed"
    assert made_of(engine) == (2 if shown else 3)
