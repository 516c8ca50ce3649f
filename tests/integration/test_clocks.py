"""A wall clock that was corrected shortens no grace and hides no budget."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.refused import refused

from jobs.model.errors import NotAllowedError
from jobs.model.provider import Generation, GenerationRequest, InDoubt, UnknownGenerationError
from jobs.reconciliation.by_word import resolve_never_made
from jobs.store import views

GRACE, DAY = timedelta(hours=2), timedelta(days=1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with a doubt that only a person can settle."""
    engine = Engine(tmp_path)
    engine.announce(s10=120_000)
    engine.provider.script = {"prompt of r0": [InDoubt("the connection broke")]}
    engine.load([spec("r0")])
    engine.run(grace=60)
    assert engine.jobs()["r0"].state == "in_doubt"
    yield engine
    engine.store.close()


def never_made(engine: Engine, *, force: bool = False) -> str:
    """Say that it was never made, and tell how the job is then."""
    job = engine.store.read(lambda c: views.find_job(c, "r0"))
    resolve_never_made(engine.store, engine.clock, job, grace=GRACE, force=force)
    return str(engine.jobs()["r0"].state)


def test_a_clock_set_forward_shortens_no_grace(engine: Engine) -> None:
    """A day by the wall clock, minutes by the machine's own: it may still turn up."""
    engine.clock.skew = DAY
    with refused(NotAllowedError, match="may still turn up until"):
        never_made(engine)
    engine.clock.start += GRACE
    assert never_made(engine) == "queued"


def test_a_clock_set_back_lengthens_none(engine: Engine) -> None:
    """The grace is over when its time has passed, whatever the wall clock says."""
    engine.clock.start += GRACE
    engine.clock.skew = -DAY
    assert never_made(engine) == "queued"


def test_after_a_restart_a_clock_that_went_back_is_not_believed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither clock tells then: a person looks at the account, and says so."""
    monkeypatch.setattr(engine.clock, "boot", lambda: "another:7.0")
    engine.clock.skew = -DAY
    with refused(NotAllowedError, match="it is unknown whether it may still turn up"):
        never_made(engine)
    assert never_made(engine, force=True) == "queued"


def test_after_a_restart_a_plausible_clock_is_believed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before: the grace by the wall clock."""
    monkeypatch.setattr(engine.clock, "boot", lambda: "another:7.0")
    with refused(NotAllowedError, match="may still turn up until"):
        never_made(engine)
    engine.clock.start += GRACE
    assert never_made(engine) == "queued"


def test_a_video_that_was_accepted_in_our_future_is_given_up_in_time(tmp_path: Path) -> None:
    """The clock was a day ahead then; nobody hears of it any more, nor does the list show it."""
    engine = Engine(tmp_path)
    engine.announce(s10=120_000)
    engine.clock.skew = DAY
    engine.provider.takes = 10.0**10
    engine.provider.hides = {"gen-0": 10.0**10}
    began = engine.clock.now() - DAY

    def set_back(_: GenerationRequest) -> None:
        asyncio.get_running_loop().call_later(5, setattr, engine.clock, "skew", timedelta(0))

    async def gone(generation_id: str) -> Generation:
        raise UnknownGenerationError(generation_id)

    engine.provider.on_post = set_back
    engine.provider.generation = gone  # type: ignore[method-assign]
    engine.load([spec("r0")])
    engine.run(generation_timeout=600.0)
    assert engine.jobs()["r0"].error_kind == "overdue"
    assert timedelta(seconds=600) < engine.clock.now() - began < timedelta(seconds=1500)
    engine.store.close()


def test_a_crash_leaves_the_same_clock(tmp_path: Path) -> None:
    """What was under way when a run broke off goes in doubt by the machine's own clock."""

    def die(name: str) -> None:
        if name == "request-leaving":
            raise KeyboardInterrupt

    engine = Engine(tmp_path)
    engine.announce(s10=120_000)
    engine.load([spec("r0")])
    with pytest.raises(KeyboardInterrupt):
        engine.run(checkpoint=die)
    (attempt,) = engine.attempts()
    assert attempt.doubt_clock is not None
    assert attempt.doubt_clock.startswith("virtual:")
    engine.store.close()
