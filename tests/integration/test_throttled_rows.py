"""Rows that are throttled: each for its own sake, or all of them because too much was asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.refusing import told

from jobs.model.provider import GenerationRequest, SubmitOutcome, Throttled
from jobs.model.states import Reason
from jobs.store import handing, steering

WORDS = (
    (400, "Concurrent camera movements are not supported"),
    (403, "Too many requests in one description: split it"),
    (422, "Frame rate limit of 30 fps exceeded"),
    (429, "Request too large on tokens per min (TPM): Limit 30000, Requested 41234"),
)
ROWS = 14
MANY = 40


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine at known prices. The nights check the books of what is throttled at each commit."""
    made = Engine(tmp_path)
    made.announce(s10=120_000)
    made.agreed()
    return made


def rows(engine: Engine, count: int = ROWS) -> None:
    engine.load([spec(f"r{n}", row=n) for n in range(count)])


def completed(engine: Engine) -> int:
    return sum(job.state == "completed" for job in engine.jobs().values())


@pytest.mark.parametrize(("status", "words"), WORDS)
def test_one_row_that_is_refused_in_words_of_hurry_stops_nobody(
    engine: Engine, words: str, status: int
) -> None:
    """All others are bought in one run, whatever becomes of the one that is never taken."""
    rows(engine)
    prompt = "prompt of r0"
    engine.provider.script[prompt] = [told(words, status, prompt)] * 200
    engine.run(max_in_flight=4)
    assert completed(engine) == len(engine.provider.made) == ROWS - 1


def test_rows_that_are_throttled_each_time_fail_when_others_were_accepted_between(
    engine: Engine,
) -> None:
    """In the provider's words and at no cost; a retry begins to count anew, and may be taken."""
    rows(engine)
    keys = ["r0", "r1"]
    for key in keys:
        engine.provider.script[f"prompt of {key}"] = [Throttled(None, "30000 tokens a minute")] * 99
    assert engine.run(max_in_flight=1).reason is Reason.FINISHED
    jobs = engine.jobs()
    assert {key for key in jobs if jobs[key].state == "failed"} == set(keys)
    assert completed(engine) == len(engine.provider.made) == ROWS - 2
    for key in keys:
        assert (jobs[key].error_kind, jobs[key].charged_micros) == ("validation", 0)
        assert "30000 tokens a minute" in jobs[key].error
        engine.provider.script[f"prompt of {key}"] = [Throttled(None, "again")] * 3
    engine.store.write(lambda c: steering.retry(c, [jobs[key].id for key in keys]))
    assert engine.run(max_in_flight=1).reason is Reason.FINISHED
    assert completed(engine) == ROWS


def test_a_row_that_is_throttled_while_nothing_else_is_accepted_never_fails(engine: Engine) -> None:
    """Run after run: it may be everybody's."""
    rows(engine, 2)
    for key in ("r0", "r1"):
        engine.provider.script[f"prompt of {key}"] = [Throttled(None, "slow down")] * 200
    for _ in range(2):
        assert engine.run(max_in_flight=1).reason is Reason.UNREACHABLE
        assert {job.state for job in engine.jobs().values()} == {"queued"}
    engine.provider.script.clear()
    assert engine.run().reason is Reason.FINISHED
    assert completed(engine) == 2


def test_a_throttled_row_that_a_person_handed_over_stops_nobody(engine: Engine) -> None:
    """It goes first once or twice, and then behind the rows of the run."""
    rows(engine, 7)
    engine.load([spec("own")], "other")
    engine.provider.script["prompt of own"] = [Throttled(None, "slow down")] * 200
    (own,) = [job.id for job in engine.jobs().values() if job.key == "own"]
    engine.store.write(lambda c: handing.hand_over(c, [own]))
    engine.run(max_in_flight=1)
    assert completed(engine) == len(engine.provider.made) == 7


def limit(engine: Engine, busy: Callable[[], bool]) -> None:
    """Let the provider throttle whoever comes while it is busy."""
    usual = engine.provider.submit

    async def limited(request: GenerationRequest, key: str, may: Any) -> SubmitOutcome:
        return Throttled(None, "too many") if busy() else await usual(request, key, may)

    engine.provider.submit = limited  # type: ignore[method-assign]


def few_at_once(engine: Engine, most: int) -> Callable[[], bool]:
    """Return whether so many videos are under way."""

    def busy() -> bool:
        now, takes = engine.clock.now(), engine.provider.takes
        ages = [(now - one.created_at).total_seconds() for one in engine.provider.made]
        return sum(age < takes for age in ages) >= most

    return busy


def few_a_time(engine: Engine, most: int, seconds: float) -> Callable[[], bool]:
    """Return whether so many were taken in so many seconds."""

    def busy() -> bool:
        now = engine.clock.now()
        ages = [(now - one.created_at).total_seconds() for one in engine.provider.made]
        return sum(age < seconds for age in ages) >= most

    return busy


@pytest.mark.parametrize(
    ("most", "seconds", "at_once"), [(1, 20.0, 16), (3, 60.0, 2), (8, 300.0, 16)]
)
def test_no_row_fails_where_the_account_is_asked_too_often(
    engine: Engine, most: int, seconds: float, at_once: int
) -> None:
    """So many are taken in so many seconds, whichever they are: all rows are bought in the end."""
    limit(engine, few_a_time(engine, most, seconds))
    rows(engine)
    assert engine.run(max_in_flight=at_once).reason is Reason.FINISHED
    assert completed(engine) == len(engine.provider.made) == ROWS


@pytest.mark.parametrize(
    ("most", "takes", "rate"), [(1, 22.0, 1.0), (1, 22.0, 0.5), (4, 45.0, 5.0)]
)
def test_no_row_fails_where_the_account_makes_few_at_once(
    engine: Engine, most: int, takes: float, rate: float
) -> None:
    """The row that is let forward after an acceptance comes just when the place is taken again."""
    engine.provider.takes = takes
    limit(engine, few_at_once(engine, most))
    rows(engine, MANY)
    assert engine.run(rate=rate).reason is Reason.FINISHED
    assert completed(engine) == len(engine.provider.made) == MANY
