"""Which idempotency key a row is sent with again."""

from datetime import timedelta
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.slow import Slow
from support.voids import hide, lose, stop_after

from jobs.model.provider import Generation, GenerationPhase, Throttled
from jobs.model.states import FailureKind
from jobs.store import latecomers, steering

PRICE = 120_000
BAD = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="no")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A provider that answers a key that it knows with what it made then."""
    made = Engine(tmp_path, Invariants(caps=False))
    made.announce(s10=PRICE)
    made.provider = Slow(made.clock, honours=True)
    return made


@pytest.mark.parametrize("second", ["void", "rejected"])
@pytest.mark.parametrize("ends", ["failed", "completed"])
def test_one_whose_generation_is_known_is_not_sent_again(
    engine: Engine, second: str, ends: str
) -> None:
    """Sent twice under one key, of which the first turned up: its successor has a key of its own.

    Else it would be answered with the generation that the row had before, for ever.
    """
    engine.provider.script = {"x": ["made"]}
    engine.provider.ends = {"x": [BAD]} if ends == "failed" else {}
    engine.load([spec("a", "x")])
    void = lose(engine)
    hide(engine)
    if second == "void":
        engine.provider.script = {"x": ["made"]}
        engine.clock.start += timedelta(minutes=5)
        lose(engine, seconds=5.0)
    else:
        engine.provider.script = {"x": [Throttled(3600.0)]}
        engine.run(during=stop_after(30.0))
    engine.provider.script = {}
    engine.store.write(lambda c: latecomers.reappear(c, void, "gen-0", engine.clock.now()))
    engine.provider.hides.clear()
    engine.clock.start += timedelta(hours=2)
    engine.run(during=stop_after(3600.0))
    job = engine.jobs()["a"]
    assert job.state == ends
    again = steering.retry if ends == "failed" else steering.redo
    engine.store.write(lambda c: again(c, [job.id], now=engine.clock.now()))
    engine.clock.start += timedelta(hours=2)
    engine.run(during=stop_after(3 * 3600.0))
    assert engine.jobs()["a"].state == "completed"
    assert len(engine.provider.made) == 2


def test_a_row_that_was_refused_itself_sends_that_of_the_void_that_it_has(engine: Engine) -> None:
    """The video is paid for once; its own key was for nothing."""
    engine.provider.script = {"x": ["made"]}
    engine.load([spec("a", "x")])
    lose(engine)
    hide(engine)
    engine.load([spec("b", "x")], "other")
    engine.provider.script = {"x": [Throttled(3600.0)]}
    engine.run((2,), during=stop_after(30.0))
    engine.provider.script = {}
    engine.store.write(lambda c: steering.remove(c, 1, engine.clock.now()))
    engine.clock.start += timedelta(hours=2)
    engine.run((2,))
    assert engine.jobs()["b"].state == "completed"
    keys = [key for _, key in engine.provider.posts]
    assert keys[2] == keys[0] != keys[1]
    assert len(engine.provider.made) == 1
