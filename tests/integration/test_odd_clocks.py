"""Videos that never end, by odd clocks: a run gives them up when its patience ends."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.provider import Made

from jobs.model.provider import Generation, GenerationPhase
from jobs.model.states import Reason

PATIENCE = 300.0
TOO_LONG = timedelta(hours=1)


class NeverEndedError(Exception):
    """The run waits on."""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine whose account never finishes a video."""
    made = Engine(tmp_path)
    made.load([spec("r0")])
    return made


def show(engine: Engine, view: Callable[[Generation], Generation]) -> None:
    """Let every generation stay under way, and end the test when the run waits for too long."""
    usual = type(engine.provider)._view.__get__(engine.provider)
    began = engine.clock.monotonic()

    def shown(made: Made) -> Generation:
        if engine.clock.monotonic() - began > TOO_LONG.total_seconds():
            raise NeverEndedError
        seen = usual(made)
        return view(
            Generation(seen.id, GenerationPhase.PROCESSING, prompt=seen.prompt,
                       created_at=seen.created_at, percent=50)
        )  # fmt: skip

    engine.provider._view = shown  # type: ignore[method-assign]


def test_a_time_that_is_told_anew_with_each_look(engine: Engine) -> None:
    """The provider writes the time of its answer where that of the generation should stand."""
    engine.provider.clock_ahead = timedelta(0)
    show(engine, lambda seen: replace(seen, created_at=engine.clock.now()))
    assert engine.run(generation_timeout=PATIENCE).reason is Reason.FINISHED


def test_a_date_that_stands_still(engine: Engine) -> None:
    """The provider's own clock, by its answers, is always that of the first one."""
    began = engine.clock.now()
    at = property(lambda _: began + timedelta(minutes=1) - engine.clock.now())
    kind = type(engine.provider)
    engine.provider.__class__ = type("Still", (kind,), {"clock_ahead": at})
    show(engine, lambda seen: seen)
    assert engine.run(generation_timeout=PATIENCE).reason is Reason.FINISHED


@pytest.mark.parametrize("days", [1, 20_000])
def test_a_clock_that_is_set_once_while_no_time_is_told(engine: Engine, days: int) -> None:
    """A machine without a clock of its own is told the time in the middle of a run."""
    engine.clock.start -= timedelta(days=days)

    def view(seen: Generation) -> Generation:
        engine.clock.skew = timedelta(days=days)
        return replace(seen, created_at=None)

    show(engine, view)
    assert engine.run(generation_timeout=PATIENCE).reason is Reason.FINISHED


def test_plain_clocks_end_it(engine: Engine) -> None:
    """The same video is given up in time where no clock is odd."""
    engine.provider.clock_ahead = timedelta(0)
    show(engine, lambda seen: seen)
    assert engine.run(generation_timeout=PATIENCE).reason is Reason.FINISHED
