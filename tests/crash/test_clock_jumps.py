"""The wall clock jumps, both ways: a laptop that slept, a clock that was set."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import EPOCH

from jobs.model.states import Blocked, Reason
from jobs.store import accounts

NIGHT = timedelta(hours=9)
DAY = timedelta(days=1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine whose invariants are checked at every commit."""
    engine = Engine(tmp_path, Invariants())
    engine.announce(s10=120_000)
    yield engine
    engine.store.close()


def at(point: str, count: int, engine: Engine, jump: timedelta) -> Callable[[str], None]:
    """Let the wall clock jump when a checkpoint is passed the so-manieth time."""
    left = [count]

    def checkpoint(name: str) -> None:
        if name == point:
            left[0] -= 1
            if left[0] == 0:
                engine.clock.skew += jump

    return checkpoint


def all_once(engine: Engine, rows: int) -> None:
    """Hold that every row was bought once, completed, and is charged once."""
    bought = Counter(made.prompt for made in engine.provider.made)
    assert len(bought) == rows
    assert set(bought.values()) == {1}
    assert engine.status().jobs["completed"] == rows
    budget = engine.budget("batch:1")
    assert (budget.charged_micros, budget.held_micros) == (rows * 120_000, 0)


@pytest.mark.parametrize("point", ["intent-written", "request-leaving"])
def test_who_slept_between_intent_and_request_sends_nothing(engine: Engine, point: str) -> None:
    """The lid closes when eight intents are written: none of them is sent late, all are released.

    They keep their keys, and are sent once each after the sleep, on new intents.
    """
    engine.load([spec(f"r{i}", row=i) for i in range(8)])
    sent: list[tuple[str, bool]] = []

    def on_post(request: object) -> None:
        (attempt,) = [
            a for a in engine.attempts() if a.state == "open" and a.prompt == request.prompt
        ]  # type: ignore[attr-defined]
        sent.append((attempt.idempotency_key, engine.clock.now() < attempt.send_before))

    engine.provider.on_post = on_post
    ending = engine.run(checkpoint=at(point, 3, engine, NIGHT), rate=0)
    assert ending.reason is Reason.FINISHED
    assert all(in_time for _, in_time in sent)
    assert len(sent) == len({key for key, _ in sent}) == 8
    released = [attempt for attempt in engine.attempts() if attempt.state == "rejected"]
    assert len(released) >= 5
    assert {attempt.idempotency_key for attempt in released} <= {key for key, _ in sent}
    all_once(engine, 8)


@pytest.mark.parametrize("jump", [NIGHT, DAY, -timedelta(minutes=5)], ids=["night", "day", "back"])
@pytest.mark.parametrize(
    "point", ["intent-written", "answer-read", "outcome-written", "look-read", "look-written"]
)
def test_a_jump_anywhere_pays_for_nothing_twice(
    engine: Engine, point: str, jump: timedelta
) -> None:
    """Whatever the clock says: each row is bought once, and a later run completes what is left."""
    engine.load([spec(f"r{i}", row=i) for i in range(8)])
    engine.cap(8 * 120_000)
    engine.run(checkpoint=at(point, 2, engine, jump), max_in_flight=4)
    engine.clock.skew = timedelta(0)  # the run took it over into the clock's start
    engine.clock.start += timedelta(minutes=10)
    assert engine.run().reason is Reason.FINISHED
    all_once(engine, 8)


def test_a_days_cap_is_not_opened_again_by_a_clock_set_back(engine: Engine) -> None:
    """Today's cap is spent: an earlier date gives no room, and tomorrow's gives one cap's worth."""
    engine.store.write(lambda c: accounts.set_cap(c, f"day:{EPOCH.date()}", 240_000))
    engine.load([spec(f"r{i}", row=i) for i in range(9)])
    bought = []
    for jump in (timedelta(0), -DAY, -3 * DAY, DAY, -2 * DAY, timedelta(hours=25)):
        engine.clock.start = EPOCH + jump
        assert Blocked.DAY_CAP in engine.run(max_in_flight=2).blocked[1]
        bought.append(len(engine.provider.made))
    assert bought == [2, 2, 2, 4, 4, 4]
    assert engine.budget("day:2026-01-05").charged_micros == 240_000
    assert engine.budget("day:2026-01-06").charged_micros == 240_000


def test_a_clock_set_back_over_midnight_counts_on_the_later_day(engine: Engine) -> None:
    """It is five past midnight, then ten to: what is bought then is under the new day's cap."""
    engine.clock.start = EPOCH.replace(hour=0, minute=5) + DAY
    engine.store.write(lambda c: accounts.set_cap(c, f"day:{EPOCH.date() + DAY}", 360_000))
    engine.load([spec(f"r{i}", row=i) for i in range(9)])
    back = at("outcome-written", 2, engine, -timedelta(minutes=15))
    ending = engine.run(checkpoint=back, rate=1)
    assert Blocked.DAY_CAP in ending.blocked[1]
    assert len(engine.provider.made) == 3
    assert {attempt.day for attempt in engine.attempts()} == {"2026-01-06"}
