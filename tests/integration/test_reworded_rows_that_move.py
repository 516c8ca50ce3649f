"""A row that failed, was given other words by hand, and then moved or was spelled anew.

What its manifest asks for failed and is bought again by ``retry`` alone.
"""

from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.provider import Generation, GenerationPhase
from jobs.model.states import FailureKind
from jobs.ports.loading import OnChange
from jobs.ports.selection import Sought
from jobs.store import past, steering

BAD = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="no")
SPELLED = pytest.mark.parametrize(
    ("first", "then"), [("x", "x"), ("x", " x"), (" x", "x"), (" x", "x ")]
)
MOVED = pytest.mark.parametrize("key", ["r0", "r9"])


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    made.provider.ends = {"x": [BAD] * 3, " x": [BAD] * 3, "x ": [BAD] * 3}
    return made


def reworded(engine: Engine, first: str, words: str = "y") -> None:
    """Let the one row fail, and buy other words for it."""
    engine.load([spec("r0", first)])
    engine.run()
    job = engine.jobs()["r0"]
    assert job.state == "failed"
    engine.store.write(lambda c: steering.reword(c, job.id, words))
    engine.run()


def run(engine: Engine) -> int:
    engine.store.write(lambda c: past.hold(c, Sought((1,))))
    engine.run()
    return len(engine.provider.posts)


@SPELLED
@MOVED
def test_the_prompt_that_failed_is_not_bought_again(
    engine: Engine, key: str, first: str, then: str
) -> None:
    reworded(engine, first)
    engine.load([spec(key, then)])
    assert run(engine) == 2
    assert engine.jobs()[key].prompt == "y"


@SPELLED
@MOVED
def test_nor_where_the_other_words_failed_too(
    engine: Engine, key: str, first: str, then: str
) -> None:
    engine.provider.ends["y"] = [BAD] * 3
    reworded(engine, first)
    engine.load([spec(key, then)])
    assert run(engine) == 2
    assert engine.jobs()[key].state == "failed"


@SPELLED
def test_the_same_sheet_again_changes_nothing(engine: Engine, first: str, then: str) -> None:
    reworded(engine, first)
    engine.load([spec("r9", then)])
    report = engine.load([spec("r9", then)])
    assert (report.unchanged, report.added, report.edited) == (1, 0, [])


@SPELLED
def test_a_row_that_left_and_comes_back_has_the_video_of_its_words(
    engine: Engine, first: str, then: str
) -> None:
    reworded(engine, first)
    engine.load([spec("r5", "another")])
    assert run(engine) == 3
    engine.load([spec("r5", "another"), spec("r9", then, row=1)])
    assert run(engine) == 3
    assert engine.jobs()["r9"].prompt == "y"


def test_a_new_row_that_asks_for_something_else_is_bought(engine: Engine) -> None:
    reworded(engine, " x")
    engine.load([spec("r9", "z")])
    assert run(engine) == 3


@MOVED
@pytest.mark.parametrize("how", OnChange)
def test_the_words_of_a_video_that_come_into_the_manifest_are_no_edit(
    engine: Engine, key: str, how: OnChange
) -> None:
    """They are copied from an export, as a person does: the row has its video, and waits not."""
    reworded(engine, "x")
    report = engine.load([spec(key, "y")], on_change=how)
    assert (report.added, report.edited, report.redone) == (0, [], [])
    assert run(engine) == 2
    (job,) = engine.jobs().values()
    assert (job.key, job.state, job.manifest_fingerprint) == (key, "completed", None)
    assert engine.load([spec(key, "x")]).edited == [key]


def test_words_that_failed_too_are_not_bought_when_they_come_into_the_manifest(
    engine: Engine,
) -> None:
    engine.provider.ends["y"] = [BAD] * 3
    reworded(engine, "x")
    engine.load([spec("r0", "y")])
    assert run(engine) == 2
    assert engine.jobs()["r0"].state == "failed"
    engine.load([spec("r0", "z")])
    assert run(engine) == 3


def test_words_under_way_come_into_the_manifest(engine: Engine) -> None:
    """The row is not said to be busy with something else."""
    engine.load([spec("r0", "x")])
    engine.run()
    job = engine.jobs()["r0"]
    engine.store.write(lambda c: steering.reword(c, job.id, "y"))

    engine.run(during=lambda runner: setattr(engine.provider, "on_post", lambda _: runner.stop()))
    assert engine.jobs()["r0"].state in ("pending", "processing")
    assert engine.load([spec("r0", "y")]).busy == []
    engine.run()
    assert (engine.jobs()["r0"].state, len(engine.provider.posts)) == ("completed", 2)
