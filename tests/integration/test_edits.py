"""Edits of paid rows as people make them, against a running total of what was bought."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.errors import LoadError
from jobs.provider import Generation, GenerationPhase
from jobs.retry import RetryPolicy
from jobs.spec import JobSpec
from jobs.states import FailureKind
from jobs.store.loading import OnChange


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine at a known price."""
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    return made


def named(prompt: str, row: int) -> JobSpec:
    return spec(f"id-{row}", prompt, row=row)


def unnamed(prompt: str, row: int) -> JobSpec:
    return spec(f"content-{prompt}", prompt, row=row, key_from_content=True)


def bought(engine: Engine) -> list[str]:
    return [prompt for prompt, _ in engine.provider.posts]


@pytest.mark.parametrize(("before", "after"), [(unnamed, named), (named, unnamed)])
def test_an_id_column_that_comes_or_goes_buys_nothing(
    engine: Engine, before: Callable[[str, int], JobSpec], after: Callable[[str, int], JobSpec]
) -> None:
    """The same videos under other keys are the same rows, with their history."""
    engine.load([before(f"p{n}", n) for n in range(3)])
    engine.run()
    report = engine.load([after(f"p{n}", n) for n in range(3)])
    assert (report.added, report.cancelled) == (0, [])
    engine.run()
    assert sorted(bought(engine)) == ["p0", "p1", "p2"]
    assert all(job.state == "completed" and job.in_manifest for job in engine.jobs().values())
    assert set(engine.jobs()) == {after(f"p{n}", n).key for n in range(3)}


def test_a_row_that_got_an_id_together_with_an_edit_stops_the_load(engine: Engine) -> None:
    """It may be an edit of the one that vanished: nothing is bought without a word."""
    engine.load([unnamed("p0", 0), unnamed("p1", 1)])
    engine.run()
    with pytest.raises(LoadError, match="--redo-changed"):
        engine.load([named("p0", 0), named("p1, but better", 1)])
    assert len(engine.jobs()) == 2


def test_repeated_rows_are_recognised_one_by_one(engine: Engine) -> None:
    """Three variants of one prompt get three ids, and a fourth is new."""
    engine.load([spec(f"content#{n}", "p", row=n, key_from_content=True) for n in range(3)])
    engine.run()
    report = engine.load([named("p", n) for n in range(4)])
    assert report.added == 1
    engine.run()
    assert len(bought(engine)) == 4


def test_a_redone_row_stays_in_the_manifest(engine: Engine) -> None:
    """So that the next edit of it is asked about, too."""
    engine.load([unnamed("p0", 0), unnamed("p1", 1)])
    engine.run()
    engine.load([unnamed("p0", 0), unnamed("p1!", 1)], on_change=OnChange.REDO)
    engine.run()
    assert bought(engine) == ["p0", "p1", "p1!"]
    assert all(job.in_manifest for job in engine.jobs().values())
    with pytest.raises(LoadError, match="--redo-changed"):
        engine.load([unnamed("p0", 0), unnamed("p1!!", 1)])


def test_a_skipped_row_does_not_hide_an_edit(engine: Engine) -> None:
    """``--skip-invalid`` leaves a row out; another row's edit is asked about all the same."""
    engine.load([unnamed(f"p{n}", n) for n in range(3)])
    engine.run()
    with pytest.raises(LoadError, match="--redo-changed"):
        engine.load([unnamed("p0", 0), unnamed("p1!", 1)], whole=False)
    engine.load([unnamed("p0", 0)], whole=False)
    assert all(job.in_manifest for job in engine.jobs().values())


BROKEN = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="render error")


def waiting_for_its_retry(engine: Engine) -> None:
    """Have a row fail on the provider's side, and stop before it is bought again."""
    engine.provider.ends = {"old": [BROKEN]}
    engine.load([spec("a", "old")])

    runners: list[Any] = []

    def stop_at_the_failure(name: str) -> None:
        if name == "look-written" and engine.jobs()["a"].retries:
            runners[0].stop()

    engine.run(
        during=runners.append,
        checkpoint=stop_at_the_failure,
        retry=RetryPolicy(2, base=5000.0, ceiling=5000.0),
    )
    assert engine.jobs()["a"].state == "queued"


def test_a_row_that_waits_for_its_retry_follows_an_edit(engine: Engine) -> None:
    """Nothing of it is under way: what is bought next is what the manifest says now."""
    waiting_for_its_retry(engine)
    engine.load([spec("a", "new")])
    engine.run()
    assert bought(engine) == ["old", "new"]


def test_a_row_that_left_the_manifest_is_not_retried(engine: Engine) -> None:
    """It was paid for once and failed; deleted from the manifest, it is not bought again."""
    waiting_for_its_retry(engine)
    engine.load([spec("b", "another")])
    engine.run()
    assert bought(engine) == ["old", "another"]
    assert engine.jobs()["a"].state == "cancelled"
