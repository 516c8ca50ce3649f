"""What counts as never made turns up: while its row is sent again, or after its row was edited."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.refused import refused
from support.slow import Slow
from support.voids import hide, lose, stop_after

from jobs.model.errors import LoadError
from jobs.model.provider import Generation, GenerationPhase, Throttled
from jobs.model.states import FailureKind
from jobs.ports.loading import OnChange
from jobs.ports.selection import Sought
from jobs.store import latecomers, past
from jobs.store.latecomers import Appeared

PRICE = 120_000
BAD = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="no")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants(caps=False))
    made.announce(s10=PRICE)
    made.provider = Slow(made.clock)
    return made


def voided(engine: Engine) -> int:
    """Row ``a`` was made, its answer lost, the list hides it: it counts as never made."""
    engine.provider.script = {"x": ["made"]}
    engine.load([spec("a", "x")])
    number = lose(engine)
    hide(engine)
    engine.provider.script = {}
    return number


def turns_up(engine: Engine, void: int) -> Appeared | None:
    generation = engine.provider.made[0].id
    return engine.store.write(
        lambda c: latecomers.reappear(c, void, generation, engine.clock.now())
    )


def send_again(engine: Engine, key: str, **how: Any) -> None:
    """Send a row again five minutes later, and see the run to its end."""
    provider = engine.provider
    assert isinstance(provider, Slow)
    engine.load([spec(key, "x")])
    provider.armed = True
    for name, value in how.items():
        setattr(provider, name, value)
    engine.clock.start += timedelta(minutes=5)
    engine.run(during=stop_after(2 * 3600.0))
    assert engine.jobs()[key].state == "completed"


same_row_or_another = pytest.mark.parametrize("key", ["a", "b"])
throttled_or_not = pytest.mark.parametrize("throttles", [0, 1])


@same_row_or_another
@throttled_or_not
def test_while_its_key_is_sent_again(engine: Engine, key: str, throttles: int) -> None:
    """One generation, charged once: it is the row's video, and nothing is told as paid twice."""
    voided(engine)
    send_again(engine, key, throttles=throttles, honours=True)
    assert len(engine.provider.made) == 1
    assert not any(latecomers.is_surplus(one.error) for one in engine.attempts())
    assert engine.budget("batch:1").charged_micros == PRICE


@same_row_or_another
def test_while_its_replacement_is_refused(engine: Engine, key: str) -> None:
    """The replacement came to nothing (429): the video that is there is the row's."""
    voided(engine)
    send_again(engine, key, throttles=1)
    assert len(engine.provider.made) == 1
    assert engine.budget("batch:1").charged_micros == PRICE


@same_row_or_another
def test_while_its_replacement_is_accepted(engine: Engine, key: str) -> None:
    """Both are there and charged: the list tells of the first, and it is told as paid twice."""
    voided(engine)
    send_again(engine, key)
    assert len(engine.provider.made) == 2
    assert sum(latecomers.is_surplus(one.error) for one in engine.attempts()) == 1
    assert engine.budget("batch:1").charged_micros == 2 * PRICE


def test_another_row_asks_for_what_an_edited_row_has(engine: Engine) -> None:
    """Row ``a`` asks for ``y`` by now, and has the video of ``x``, which turned up."""
    void = voided(engine)
    engine.load([spec("a", "y")])
    assert turns_up(engine, void) is Appeared.ADOPTED
    engine.provider.hides.clear()
    engine.run()
    assert engine.jobs()["a"].state == "completed"
    both = [spec("a", "y"), spec("b", "x", row=1)]
    with refused(LoadError, match="b wants the video of a: 'x'"):
        engine.load(both)
    engine.load(both, on_change=OnChange.REDO)
    engine.store.write(lambda c: past.hold(c, Sought((1,))))
    engine.run()
    assert [prompt for prompt, _ in engine.provider.posts].count("x") == 1


@pytest.mark.parametrize("between", ["throttled", "failed"])
def test_a_row_keeps_its_key_whatever_it_asked_for_between(engine: Engine, between: str) -> None:
    """Edited, sent as that, and edited back: it asks for the same in the same spelling."""
    voided(engine)
    key = engine.attempts()[0].idempotency_key
    if between == "throttled":
        engine.provider.script = {"y": [Throttled(3600.0)]}
    else:
        engine.provider.ends = {"y": [BAD]}
    engine.load([spec("a", "y")])
    engine.run(during=stop_after(900.0))
    engine.provider.script = {}
    engine.load([spec("a", "x")])
    engine.run()
    assert engine.jobs()["a"].state == "completed"
    assert [sent for prompt, sent in engine.provider.posts if prompt == "x"] == [key, key]
