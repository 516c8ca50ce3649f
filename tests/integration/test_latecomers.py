"""What comes late: a void whose generation turns up, a video of an attempt that was given up."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.provider import (
    Generation,
    GenerationPhase,
    InDoubt,
    Rejected,
    SubmitOutcome,
    UnreachableError,
)
from jobs.model.retry import Patience
from jobs.model.states import FailureKind, JobState, Reason
from jobs.ports.loading import OnChange
from jobs.store import holding, latecomers, looks, outcomes, past, steering
from jobs.store.latecomers import ADOPTED, LATE_OF_BEFORE, OF_BEFORE, SURPLUS, Appeared

Make = Callable[..., Engine]
PRICE = 120_000
LOST = InDoubt("the connection dropped")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an engine whose invariants are checked at every commit, at a known price."""

    def engine(**provider: Any) -> Engine:
        made = Engine(tmp_path, Invariants(caps=False), **provider)
        made.announce(s10=PRICE)
        return made

    return engine


def stop_after(seconds: float) -> Callable[[Any], object]:
    return lambda runner: asyncio.get_running_loop().call_later(seconds, runner.stop)


def voided(make: Make, state: JobState = JobState.QUEUED) -> Engine:
    """A row whose only attempt counts as never made, and that stands somewhere since.

    A person said so; nothing is served meanwhile.
    """
    engine = make()
    engine.provider.script = {"prompt of r0": ["made"]}
    engine.load([spec("r0")])
    engine.run(during=stop_after(0.5))
    (attempt,) = engine.attempts()
    assert attempt.state == "in_doubt"
    most = 1 if state is JobState.FAILED else None
    now = engine.clock.now()
    assert engine.store.write(lambda c: outcomes.void(c, attempt.id, "said so", now, most))
    if state is JobState.CANCELLED:
        engine.store.write(lambda c: steering.cancel(c, [attempt.job_id], now))
    assert engine.jobs()["r0"].state == state
    return engine


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.CANCELLED, JobState.FAILED])
def test_a_void_that_turns_up_is_the_rows_wherever_the_row_stands(
    make: Make, state: JobState
) -> None:
    """Nothing was bought again, so its video is the row's; a short run looks before it buys."""
    engine = voided(make, state)
    runners: list[Any] = []
    assert engine.run(during=runners.append).reason is Reason.FINISHED
    (attempt,) = engine.attempts()
    assert (attempt.state, attempt.error, attempt.price_micros) == ("completed", ADOPTED, PRICE)
    job = engine.jobs()["r0"]
    assert (job.state, job.error_kind, job.charged_micros) == ("completed", None, PRICE)
    assert (runners[0].reappeared, runners[0].left.surplus) == (1, 0)
    assert len(engine.provider.posts) == 1
    assert engine.status().twice == 0


def test_an_edited_rows_void_is_the_rows_and_the_edit_is_told(make: Make) -> None:
    """It is paid for, and made for the earlier text; the edit is reported as one of a paid row."""
    engine = voided(make)
    engine.load([spec("r0", "another prompt")])
    engine.run()
    (attempt,) = engine.attempts()
    assert (attempt.state, attempt.error) == ("completed", OF_BEFORE)
    assert engine.jobs()["r0"].state == "completed"
    assert len(engine.provider.posts) == 1
    assert engine.load([spec("r0", "another prompt")]).edited == ["r0"]
    assert engine.load([spec("r0")]).edited == []


LATER = (
    # what became of the replacement, and whether the void's generation is paid for twice
    ("rejected", False),
    ("void", False),
    ("in_doubt", True),
    ("accepted", True),
    ("completed", True),
    ("failed", True),
    ("abandoned", True),
)


@pytest.mark.parametrize(("later", "twice"), LATER)
def test_only_what_a_later_attempt_may_have_bought_is_paid_for_twice(
    make: Make, later: str, *, twice: bool
) -> None:
    """A replacement that is known not to have been created replaced nothing."""
    engine = voided(make)
    (void,) = engine.attempts()
    engine.provider.hides = {"gen-0": 10**6}  # turns up when this test says so
    answers: dict[str, SubmitOutcome] = {
        "rejected": Rejected(FailureKind.CONTENT, "no"),
        "void": LOST,
        "in_doubt": LOST,
    }
    engine.provider.script = {"prompt of r0": [answers.get(later)]}
    if later == "failed":
        failed = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="no")
        engine.provider.ends = {"prompt of r0": [failed, failed]}
    if later in ("completed", "failed", "rejected"):
        engine.run()
    else:
        engine.run(during=stop_after(1.0))
    replacement = engine.attempts()[-1]
    now = engine.clock.now()
    if later == "void":
        engine.store.write(lambda c: outcomes.void(c, replacement.id, "said so", now))
    elif later == "abandoned":
        patience = Patience(now, timedelta(0))
        assert engine.store.write(lambda c: steering.abandon(c, [void.job_id], patience))
    assert engine.attempts()[-1].state == later
    found = engine.store.write(lambda c: latecomers.reappear(c, void.id, "gen-0", now))
    assert found is (Appeared.SURPLUS if twice else Appeared.ADOPTED)
    first = engine.attempts()[0]
    assert (first.state, first.error) == (
        ("abandoned", SURPLUS) if twice else ("accepted", ADOPTED)
    )
    assert engine.status().twice == (PRICE if twice else 0)
    if not twice:
        job = engine.jobs()["r0"]
        assert (job.state, job.attempt_id) == ("pending", void.id)
    assert engine.store.write(lambda c: latecomers.reappear(c, void.id, "gen-0", now)) is None
    if twice:  # it stays told, whatever becomes of it
        kind = FailureKind.SYSTEM
        engine.store.write(lambda c: looks.fail(c, void.id, kind, "broken", now, None))
        assert engine.attempts()[0].error == f"{SURPLUS}; broken"
        (told,) = engine.store.read(lambda c: latecomers.paid_twice(c, 1))
        assert (told.key, told.generation_id) == ("r0", "gen-0")
        assert engine.jobs()["r0"].state != "queued"


def overdue(make: Make, takes: float = 10_000.0) -> Engine:
    """A row whose generation takes longer than anybody waits."""
    engine = make(takes=takes)
    engine.load([spec("r0")])
    engine.run(generation_timeout=600.0)
    assert engine.jobs()["r0"].error_kind == "overdue"
    return engine


def give_up(engine: Engine) -> list[int]:
    patience = Patience(engine.clock.now(), timedelta(minutes=30))
    return engine.store.write(lambda c: steering.abandon(c, [1], patience))


def test_what_is_given_up_stays_charged_and_may_be_bought_again(make: Make) -> None:
    """The charge stays, the slot is free, and only another word buys the row again."""
    engine = overdue(make)
    assert engine.store.write(lambda c: steering.retry(c, [1])) == []
    assert give_up(engine) == [1]
    assert give_up(engine) == []
    (attempt,) = engine.attempts()
    assert (attempt.state, attempt.price_micros) == ("abandoned", PRICE)
    assert engine.run(generation_timeout=600.0).reason is Reason.FINISHED
    assert len(engine.provider.posts) == 1  # a run alone buys nothing again
    assert engine.store.write(lambda c: steering.retry(c, [1])) == [1]
    engine.provider.takes = 300.0
    engine.run(generation_timeout=600.0)
    assert engine.jobs()["r0"].state == "completed"
    assert [a.state for a in engine.attempts()] == ["abandoned", "completed"]
    assert engine.budget("batch:1").charged_micros == 2 * PRICE


def test_what_is_given_up_and_finishes_after_all_is_the_rows(make: Make) -> None:
    """Later runs still look at it, and find the video; nothing is bought."""
    engine = overdue(make, takes=1500.0)
    assert give_up(engine) == [1]
    engine.clock.start += timedelta(seconds=1000)
    assert engine.run().reason is Reason.FINISHED
    (attempt,) = engine.attempts()
    job = engine.jobs()["r0"]
    assert (attempt.state, job.state, job.error) == ("completed", "completed", None)
    assert job.video_url == "http://videos/gen-0.mp4"
    assert len(engine.provider.posts) == 1


def test_a_late_video_finds_its_row_in_the_queue(make: Make) -> None:
    """Asked for again and not bought yet: the video that is there is enough."""
    engine = overdue(make)
    patience = Patience(engine.clock.now(), timedelta(minutes=30))
    assert engine.store.write(lambda c: steering.retry(c, [1], patience)) == [1]
    now = engine.clock.now()
    engine.store.write(lambda c: looks.complete(c, 1, "http://videos/late.mp4", now))
    job = engine.jobs()["r0"]
    assert (job.state, job.video_url) == ("completed", "http://videos/late.mp4")


def test_a_late_video_is_not_what_a_reworded_row_waits_for(make: Make) -> None:
    """A person gave it up and asked for something else."""
    engine = overdue(make)
    patience = Patience(engine.clock.now(), timedelta(minutes=30))
    assert engine.store.write(lambda c: steering.reword(c, 1, "another", patience))
    now = engine.clock.now()
    engine.store.write(lambda c: looks.complete(c, 1, "http://videos/late.mp4", now))
    assert engine.jobs()["r0"].state == "queued"


@pytest.mark.parametrize("spelled", ["prompt of r0", "prompt  of r0"])
@pytest.mark.parametrize("fails", [True, False])
def test_a_late_video_of_an_earlier_prompt_is_not_the_rows(
    make: Make, spelled: str, *, fails: bool
) -> None:
    """Given up, redone with another prompt, and that failed: then what was given up turns up."""
    engine = overdue(make)
    assert give_up(engine) == [1]
    failed = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="no")
    engine.provider.ends = {"another": [failed]}
    engine.load([spec("r0", "another")], on_change=OnChange.REDO)
    if fails:
        engine.provider.takes = 100.0
        engine.run()
        assert engine.jobs()["r0"].state == "failed"
    else:
        engine.store.write(lambda c: steering.cancel(c, [1], engine.clock.now()))
    now = engine.clock.now()
    engine.store.write(lambda c: looks.complete(c, 1, "http://videos/late.mp4", now))
    job, first = engine.jobs()["r0"], engine.attempts()[0]
    assert (job.state, job.video_url) == ("failed" if fails else "cancelled", None)
    assert (first.state, first.error) == ("completed", LATE_OF_BEFORE)
    engine.load([spec("b", spelled)], batch="copy")
    found = engine.store.read(lambda c: past.find(c, holding.Sought([2])))
    assert [one.paid.generation_id for one in found] == ["gen-0"]


def test_a_late_video_is_the_rows_however_it_is_spelled_by_then(make: Make) -> None:
    """White space that was edited asks for the same video."""
    engine = overdue(make)
    assert give_up(engine) == [1]
    engine.load([spec("r0", "prompt  of r0")], on_change=OnChange.REDO)
    now = engine.clock.now()
    engine.store.write(lambda c: looks.complete(c, 1, "http://videos/late.mp4", now))
    assert engine.jobs()["r0"].state == "completed"


def test_a_void_that_turns_up_is_the_rows_however_it_is_spelled_by_then(make: Make) -> None:
    """It was not made for another prompt, and there is no edit to report."""
    engine = voided(make)
    engine.load([spec("r0", "prompt  of r0")])
    engine.run()
    (attempt,) = engine.attempts()
    assert (attempt.state, attempt.error) == ("completed", ADOPTED)
    assert engine.load([spec("r0", "prompt  of r0")]).edited == []


def test_a_late_video_of_a_row_that_was_bought_again_changes_nothing(make: Make) -> None:
    """The replacement is under way: its end is the row's."""
    engine = overdue(make)
    patience = Patience(engine.clock.now(), timedelta(minutes=30))
    engine.store.write(lambda c: steering.retry(c, [1], patience))
    engine.run(during=stop_after(1.0))
    now = engine.clock.now()
    engine.store.write(lambda c: looks.complete(c, 1, "http://videos/late.mp4", now))
    job = engine.jobs()["r0"]
    assert (job.state, job.attempt_id, job.video_url) == ("pending", 2, None)


@pytest.mark.parametrize("failures", [4, 100])
@pytest.mark.parametrize("edited", [False, True])
def test_nothing_is_bought_in_place_of_a_void_that_could_not_be_looked_for(
    make: Make, failures: int, *, edited: bool
) -> None:
    """The list fails when the run begins: it is looked at again first, or the row waits."""
    engine = voided(make)
    if edited:
        engine.load([spec("r0", "another prompt")])
    engine.provider.list_errors = [UnreachableError("503")] * failures
    assert engine.run().reason is Reason.FINISHED
    job = engine.jobs()["r0"]
    waits = failures > 4
    assert (job.state, job.held_back) == (
        ("queued", "not_looked") if waits else ("completed", None)
    )
    assert len(engine.provider.posts) == 1


def test_a_row_is_bought_without_a_look_for_its_void_where_a_person_said_so(make: Make) -> None:
    """``--buy-again``, and a list that fails: the word is younger than the attempt."""
    engine = voided(make)
    now = engine.clock.now()
    engine.store.write(lambda c: holding.overrule(c, holding.Sought([1]), now))
    engine.provider.list_errors = [UnreachableError("503")] * 100
    assert engine.run().reason is Reason.FINISHED
    assert len(engine.provider.posts) == 2
