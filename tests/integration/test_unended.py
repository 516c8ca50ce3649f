"""What the engine makes of states it does not know, of files that do not come, and of odd times."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from support.engine import Engine, spec
from support.provider import Made

from jobs.database.tables import ATTEMPT
from jobs.model.provider import Generation, GenerationPhase
from jobs.model.states import UNENDED, FailureKind, Reason
from jobs.store import purchase_store, steering, update_store, views

Make = Callable[..., Engine]
ODD = Generation("", GenerationPhase.UNKNOWN, said_state="frobnicated")
BARE = Generation("", GenerationPhase.COMPLETED)
LATE = Generation("", GenerationPhase.PROCESSING, percent=99)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an engine whose account shows every generation as a test wants it."""

    def build(shown: Generation | None = None, **fields: Any) -> Engine:
        engine = Engine(tmp_path, **fields)
        show(engine, shown)
        engine.load([spec("r0")])
        return engine

    return build


def show(engine: Engine, shown: Generation | None, **more: Any) -> None:
    """Let the account show generations in a state, or as they are."""
    usual = type(engine.provider)._view.__get__(engine.provider)

    def view(made: Made) -> Generation:
        seen = usual(made)
        seen = seen if shown is None else replace(
            shown, id=seen.id, prompt=seen.prompt, created_at=seen.created_at
        )  # fmt: skip
        return replace(seen, **more)

    engine.provider._view = view  # type: ignore[method-assign]


def next_evening(engine: Engine) -> None:
    engine.clock.start += timedelta(minutes=20)


def job_of(engine: Engine) -> Any:
    return engine.store.read(lambda c: views.find_job(c, "r0"))


@pytest.mark.parametrize(
    ("shown", "kind", "words"),
    [
        (ODD, "unknown", "the provider says 'frobnicated' after 5 minutes"),
        (replace(ODD, said_state=None), "unknown", "nothing that batchsora understands"),
        (BARE, "no-file", "no usable URL of the video; it is paid"),
        (LATE, "overdue", "not finished after 5 minutes; it is paid"),
    ],
    ids=["word", "no word", "no address", "late"],
)
def test_when_patience_ends_the_job_fails_by_what_was_seen_last(
    make: Make, shown: Generation, kind: str, words: str
) -> None:
    """Each is paid once, says what is known, stays live, and is not bought again by ``retry``."""
    engine = make(shown)
    assert engine.run(generation_timeout=300.0).reason is Reason.FINISHED
    job = job_of(engine)
    assert (job.state, job.error_kind) == ("failed", kind)
    assert words in job.error
    assert "checks it first" in job.error
    assert job.attempt_state == "accepted"
    assert job.is_unended
    assert engine.store.read(lambda c: update_store.any_unended(c, 1))
    assert engine.store.write(lambda c: steering.retry(c, [job.id])) == []
    assert len(engine.provider.made) == 1


@pytest.mark.parametrize("shown", [ODD, BARE, LATE], ids=["word", "no address", "late"])
def test_a_later_run_writes_a_late_video_down(make: Make, shown: Generation) -> None:
    """Whatever patience ended with, the next run looks first and completes it at no cost."""
    engine = make(shown)
    engine.run(generation_timeout=300.0)
    show(engine, None)
    next_evening(engine)
    engine.run(generation_timeout=300.0)
    job = job_of(engine)
    assert (job.state, job.error_kind, job.error, job.said_state) == ("completed", None, None, None)
    assert not engine.store.read(lambda c: update_store.any_unended(c, 1))
    assert len(engine.provider.made) == 1


@pytest.mark.parametrize("shown", [ODD, BARE, LATE], ids=["word", "no address", "late"])
def test_a_later_run_writes_a_late_failure_down(make: Make, shown: Generation) -> None:
    """The provider's own reason replaces ours, and a person may then buy it again."""
    engine = make(shown)
    engine.run(generation_timeout=300.0)
    end = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="gpu on fire")
    show(engine, end)
    next_evening(engine)
    engine.run(generation_timeout=300.0)
    job = job_of(engine)
    assert (job.state, job.error_kind, job.error) == ("failed", "system", "gpu on fire")
    assert not job.is_unended
    assert len(engine.provider.made) == 1
    assert engine.store.write(lambda c: steering.retry(c, [job.id])) == [job.id]


def test_what_is_seen_later_in_another_way_is_told_so(make: Make) -> None:
    """A job that was overdue, and is without a file now, says that it has no file."""
    engine = make(LATE)
    kinds = []
    for shown in (LATE, ODD, BARE, ODD):
        show(engine, shown)
        engine.run(generation_timeout=300.0)
        kinds.append((job_of(engine).error_kind, job_of(engine).said_state))
        next_evening(engine)
    assert kinds == [
        ("overdue", None),
        ("unknown", "frobnicated"),
        ("no-file", None),
        ("unknown", "frobnicated"),
    ]
    assert {kind for kind, _ in kinds} == set(UNENDED)
    assert engine.status().failed_kinds == {"unknown": 1}


def test_a_state_that_nobody_knows_is_shown_while_it_lasts(make: Make) -> None:
    """It is kept with the attempt at the first look, and gone when the state is known again."""
    engine = make(ODD)
    seen: list[tuple[str, Any]] = []

    def look(point: str) -> None:
        if point == "look-written" and not seen:
            seen.append((job_of(engine).state, job_of(engine).said_state))
            show(engine, None)

    engine.run(checkpoint=look)
    assert seen == [("pending", "frobnicated")]
    assert (job_of(engine).state, job_of(engine).said_state) == ("completed", None)


def test_a_failure_without_a_reason_is_not_bought_again(make: Make) -> None:
    """Nothing said is nothing understood."""
    engine = make(Generation("", GenerationPhase.FAILED))
    engine.run()
    job = job_of(engine)
    assert (job.error_kind, job.error) == ("unknown", "the provider gave no reason")
    assert len(engine.provider.made) == 1
    assert engine.store.write(lambda c: steering.retry(c, [job.id])) == [job.id]


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_kept_by_an_older_version_stops_nothing(make: Make, year: int) -> None:
    """Databases hold times of year 1 and 9999; a doubt beside them is settled all the same."""
    engine = make()
    engine.run()
    odd = datetime(year, 6, 1, tzinfo=UTC)
    engine.store.write(lambda c: c.execute(update(ATTEMPT).values(created_at=odd)))
    engine.load([spec("r0"), spec("r1", row=1)])
    engine.provider.script = {"prompt of r1": ["made"]}
    assert engine.run(grace=30.0).reason is Reason.FINISHED
    assert {job.state for job in engine.jobs().values()} == {"completed"}
    assert len(engine.provider.made) == 2


UPPER = "0B9F2C3D-1111-4222-8333-ABCDEFABCD0"


@pytest.mark.parametrize("start", [UPPER, UPPER.replace("-", "")], ids=["dashes", "none"])
def test_ids_kept_in_capitals_are_the_same_generations(make: Make, start: str) -> None:
    """A run finds those of an older version in the list, and nobody else can have them."""
    engine = make()
    engine.load([spec("r0"), spec("r1", row=1), spec("r2", row=2)])
    engine.run()
    names = [start + "1", start + "2", (start + "2").lower()]
    for attempt, name in zip(engine.attempts(), names, strict=True):
        engine.store.write(
            lambda c, number=attempt.id, name=name: c.execute(
                update(ATTEMPT).where(ATTEMPT.c.id == number).values(generation_id=name)
            )
        )
    for name in (names[0], names[0].lower()):
        owner = engine.store.read(lambda c, name=name: views.attempt_of_generation(c, name))
        assert owner.id == engine.attempts()[0].id
    engine.store.write(lambda c: purchase_store.recover(c, engine.clock.now()))
    kept = [attempt.generation_id for attempt in engine.attempts()]
    assert kept == [names[0].lower(), names[1], names[2]]
    assert engine.store.write(update_store.fold_ids) == 0
