"""Edits of paid rows as people make them, against a running total of what was bought."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from support.engine import Engine, spec
from support.invariants import Invariants
from support.refused import refused

from jobs.database.tables import ATTEMPT
from jobs.model.errors import LoadError
from jobs.model.provider import Generation, GenerationPhase
from jobs.model.retry import RetryPolicy
from jobs.model.spec import JobSpec
from jobs.model.states import FailureKind
from jobs.ports.loading import OnChange
from jobs.ports.selection import Sought
from jobs.store import holding, past, steering


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
    with refused(LoadError, match="--redo-changed"):
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
    with refused(LoadError, match="--redo-changed"):
        engine.load([unnamed("p0", 0), unnamed("p1!!", 1)])


def test_a_skipped_row_does_not_hide_an_edit(engine: Engine) -> None:
    """``--skip-invalid`` leaves a row out; another row's edit is asked about all the same."""
    engine.load([unnamed(f"p{n}", n) for n in range(3)])
    engine.run()
    with refused(LoadError, match="--redo-changed"):
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


def waiting(engine: Engine) -> dict[str, str | None]:
    """Map the rows that were paid for already, by a look at our own past, to the reason."""
    found = engine.store.read(lambda c: past.find(c, Sought([1])))
    keys = {job.id: job.key for job in engine.jobs().values()}
    return {keys[one.job_id]: one.paid.generation_id for one in found}


@pytest.mark.parametrize("back", [named, unnamed, lambda p, n: spec(f"x-{n}", p, row=n)])
@pytest.mark.parametrize("first", [named, unnamed])
@pytest.mark.parametrize("loads", [1, 3])
def test_a_row_that_leaves_and_comes_back_buys_nothing(
    engine: Engine,
    first: Callable[[str, int], JobSpec],
    back: Callable[[str, int], JobSpec],
    loads: int,
) -> None:
    """Under whatever id, and after any number of loads without it."""
    engine.load([first(f"p{n}", n) for n in range(3)])
    engine.run()
    for _ in range(loads):
        engine.load([first("p0", 0)])
    report = engine.load([first("p0", 0), back("p1", 1), back("p2", 2)])
    assert report.added == 0
    engine.run()
    assert sorted(bought(engine)) == ["p0", "p1", "p2"]
    jobs = engine.jobs().values()
    assert [job.state for job in jobs if job.in_manifest] == ["completed"] * 3


def test_rows_that_come_back_are_counted(engine: Engine) -> None:
    """Two left, three equal ones come: one is new. What failed is no video."""
    engine.provider.ends = {"q": [BROKEN]}
    engine.load([named("p", 0), named("p", 1), named("q", 2)])
    engine.run(retry=RetryPolicy(0))
    engine.load([])
    report = engine.load([spec(f"x-{n}", p, row=n) for n, p in enumerate("pppq")])
    assert report.added == 2
    engine.run()
    assert sorted(bought(engine)) == ["p", "p", "p", "q", "q"]


def test_a_row_under_way_that_leaves_and_comes_back_buys_nothing(engine: Engine) -> None:
    """It is paid for, and not finished yet."""
    runners: list[Any] = []
    engine.provider.on_post = lambda _: runners[0].stop()
    engine.load([named("p", 0)])
    engine.run(during=runners.append)
    assert engine.jobs()["id-0"].state == "pending"
    engine.load([])
    assert engine.load([spec("x", "p")]).added == 0
    engine.run(during=runners.append)
    assert bought(engine) == ["p"]
    assert engine.jobs()["x"].state == "completed"


def test_swapped_ids_are_paid_for(engine: Engine) -> None:
    """With ``--redo-changed`` each row asks for what the other one has."""
    engine.load([named("p", 0), named("q", 1)])
    engine.run()
    made = {prompt: a.generation_id for a in engine.attempts() for prompt in [a.prompt]}
    engine.load([spec("id-0", "q"), spec("id-1", "p", row=1)], on_change=OnChange.REDO)
    assert waiting(engine) == {"id-0": made["q"], "id-1": made["p"]}


def test_a_row_that_is_edited_back_before_it_is_bought_has_its_video(engine: Engine) -> None:
    """Nor is it bought where another row took its place, or a person wants it twice."""
    engine.load([named("p", 0)])
    engine.run()
    made = engine.attempts()[0].generation_id
    engine.load([named("q", 0)], on_change=OnChange.REDO)
    assert waiting(engine) == {}
    engine.load([named("p", 0)])
    assert waiting(engine) == {"id-0": made}
    engine.store.write(lambda c: holding.overrule(c, Sought([1]), engine.clock.now()))
    assert waiting(engine) == {}


def test_an_unfinished_redo_by_hand_is_bought(engine: Engine) -> None:
    """A person wants another video of the same row."""
    engine.load([named("p", 0)])
    engine.run()
    engine.store.write(lambda c: steering.redo(c, [1], engine.clock.now()))
    assert waiting(engine) == {}


def test_kept_rows_that_were_edited_back_are_paid_for(engine: Engine) -> None:
    """Rows without ids: the first text comes back by another edit."""
    engine.load([unnamed("p", 0)])
    engine.run()
    engine.load([unnamed("q", 0)], on_change=OnChange.REDO)
    engine.run()
    made = engine.attempts()[0].generation_id
    engine.load([unnamed("q", 0), named("p", 1)])
    assert waiting(engine) == {"id-1": made}


def moved_down(engine: Engine) -> list[JobSpec]:
    """Buy three rows, and put a new one before them: the ids stay where they were."""
    engine.load([named(f"p{n}", n) for n in range(3)])
    engine.run()
    return [named(prompt, n) for n, prompt in enumerate(["new", "p0", "p1", "p2"])]


def test_rows_that_moved_under_their_ids_stop_the_load(engine: Engine) -> None:
    """The last one would be bought again under the new id, and the new one by nobody."""
    rows = moved_down(engine)
    with refused(LoadError, match="--redo-changed"):
        engine.load(rows)
    assert len(engine.jobs()) == 3
    engine.load(rows, on_change=OnChange.REDO)
    assert sorted(waiting(engine)) == ["id-1", "id-2", "id-3"]


def test_rows_that_moved_are_bought_again_by_a_word(engine: Engine) -> None:
    """Once: the same sheet again asks nothing."""
    rows = moved_down(engine)
    for _ in range(2):
        engine.load(rows, on_change=OnChange.KEEP)
        engine.run()
    engine.load(rows)
    engine.run()
    assert bought(engine) == ["p0", "p1", "p2", "p2"]


def test_an_unpaid_row_is_not_edited_into_what_another_has(engine: Engine) -> None:
    """The rows swapped their prompts, and one of them is paid for."""
    engine.load([named("p0", 0)])
    engine.run()
    engine.load([named("p0", 0), named("p1", 1)])
    with refused(LoadError, match="moved under their ids"):
        engine.load([named("p1", 0), named("p0", 1)])
    assert engine.jobs()["id-1"].prompt == "p1"


def failed(engine: Engine, *specs: JobSpec, prompt: str = "old") -> None:
    """Buy rows, of which one fails for good, charged all the same."""
    engine.provider.ends = {
        prompt: [Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT)]
    }
    engine.load(specs)
    engine.run()
    assert [job.state for job in engine.jobs().values() if job.prompt == prompt] == ["failed"]


def test_the_edit_of_a_failed_row_is_followed(engine: Engine) -> None:
    """There is no video to pay for twice: the next run buys it, and the row keeps its past."""
    failed(engine, spec("a", "old"), spec("b", "other"))
    report = engine.load([spec("a", "new"), spec("b", "other")])
    assert (report.redone, report.edited) == (["a"], [])
    engine.run()
    assert sorted(bought(engine)) == ["new", "old", "other"]
    assert engine.jobs()["a"].state == "completed"
    engine.load([spec("a", "new"), spec("b", "other")])
    engine.run()
    assert len(bought(engine)) == 3


def test_so_is_that_of_a_failed_row_without_id(engine: Engine) -> None:
    """It is another row then; nothing has to be said, since nothing is bought twice."""
    failed(engine, unnamed("old", 0), unnamed("other", 1))
    engine.load([unnamed("new", 0), unnamed("other", 1)])
    engine.run()
    assert sorted(bought(engine)) == ["new", "old", "other"]
    assert not engine.jobs()["content-old"].in_manifest


def test_a_failed_row_that_is_not_edited_stays_failed(engine: Engine) -> None:
    """Loading a manifest again retries nothing."""
    failed(engine, spec("a", "old"))
    engine.load([spec("a", "old")])
    engine.load([spec("a", "old", row=7)])
    engine.run()
    assert bought(engine) == ["old"]


def test_a_failed_row_beside_a_video_that_left_is_asked_about(engine: Engine) -> None:
    """Which of two rows without id the new one is, nobody can tell."""
    failed(engine, unnamed("old", 0), unnamed("other", 1))
    with refused(LoadError, match="--redo-changed"):
        engine.load([unnamed("new", 0)])


def test_a_failed_row_whose_attempt_was_given_up_is_not_followed(engine: Engine) -> None:
    """Its generation may still become a video, and is paid for."""
    failed(engine, spec("a", "old"))
    engine.store.write(lambda c: c.execute(update(ATTEMPT).values(state="abandoned")))
    report = engine.load([spec("a", "new")])
    assert (report.redone, report.edited) == ([], ["a"])
    engine.run()
    assert bought(engine) == ["old"]


def test_a_paid_row_is_spelled_otherwise_and_its_equal_is_added(engine: Engine) -> None:
    """Nothing moved: it asks for its own video, and the new row for another one."""
    engine.load([spec("a", "x")])
    engine.run()
    engine.load([spec("a", "x "), spec("b", "x", row=1)])
    engine.run()
    assert bought(engine) == ["x", "x"]
