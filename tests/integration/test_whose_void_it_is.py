"""What counts as never made goes to a row that asks for it, where its own asks for it no more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from support.engine import Engine, spec
from support.invariants import Invariants
from support.voids import hide, lose, stop_after

from jobs.model.provider import Generation, GenerationPhase
from jobs.model.states import FailureKind
from jobs.ports.loading import OnChange
from jobs.store import latecomers, outcomes, steering, takeovers, voids
from jobs.store.latecomers import Appeared

PRICE = 120_000
BAD = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="no")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants(caps=False))
    made.announce(s10=PRICE)
    return made


def voided(engine: Engine, *more: Any, prompt: str = "x") -> int:
    engine.provider.script = {prompt: ["made"]}
    engine.load([spec("a", prompt), *more])
    return lose(engine)


def has(engine: Engine, key: str, attempt: int) -> bool:
    """Check that an attempt is a row's, and its last."""
    job = engine.jobs()[key]
    (found,) = [one for one in engine.attempts() if one.id == attempt]
    assert (found.job_id == job.id) == (job.attempt_id == attempt)
    return bool(found.job_id == job.id)


def cancelled(engine: Engine) -> None:
    job = engine.jobs()["a"]
    engine.store.write(lambda c: steering.cancel(c, [job.id], engine.clock.now()))


def reworded(engine: Engine) -> None:
    cancelled(engine)
    job = engine.jobs()["a"]
    assert engine.store.write(lambda c: steering.reword(c, job.id, "y"))


def removed(engine: Engine) -> None:
    assert engine.store.write(lambda c: steering.remove(c, 1, engine.clock.now())) == 1


@pytest.mark.parametrize("leave", [cancelled, reworded, removed])
def test_an_equal_row_has_it_as_soon_as_its_own_gives_it_up(
    engine: Engine, leave: Callable[[Engine], None]
) -> None:
    void = voided(engine)
    engine.load([spec("b", "x", campaign="c")], "other")
    assert has(engine, "a", void)
    leave(engine)
    assert has(engine, "b", void)
    assert (engine.jobs()["a"].attempts, engine.jobs()["b"].attempts) == (0, 1)
    found = engine.store.write(lambda c: latecomers.reappear(c, void, "late", engine.clock.now()))
    assert found is Appeared.ADOPTED
    assert engine.jobs()["b"].state == "pending"
    # it is charged under the caps that it was reserved under: those of its new row may be full
    assert engine.budget("batch:1").charged_micros == PRICE


def test_a_row_that_asks_for_it_keeps_it_beside_its_equals(engine: Engine) -> None:
    void = voided(engine)
    engine.load([spec("b", "x", row=0), spec("a", "x", row=1)])
    assert has(engine, "a", void)


@pytest.mark.parametrize("came", [" x", "x\n"])
def test_another_spelling_asks_for_the_same(engine: Engine, came: str) -> None:
    """The body differs, so it has a key of its own; that it is paid for twice is told."""
    void = voided(engine)
    engine.load([spec("b", came)])
    assert has(engine, "b", void)
    hide(engine)
    engine.provider.script = {}
    engine.run()
    assert len({key for _, key in engine.provider.posts}) == 2
    found = engine.store.write(lambda c: latecomers.reappear(c, void, "late", engine.clock.now()))
    assert found is Appeared.SURPLUS


def test_the_same_spelling_comes_before_another(engine: Engine) -> None:
    void = voided(engine)
    engine.load([spec("b", " x", row=0), spec("c", "x", row=1)])
    assert has(engine, "c", void)


def test_each_goes_to_one_row(engine: Engine) -> None:
    engine.provider.script = {"x": ["made", "made"]}
    engine.load([spec("a", "x"), spec("b", "x", row=1)])
    engine.run(during=stop_after(0.5))
    found = [one.id for one in engine.attempts() if one.state == "in_doubt"]
    assert len(found) == 2
    for number in found:
        engine.store.write(lambda c, n=number: outcomes.void(c, n, "said", engine.clock.now()))
    engine.load([spec(key, "x", row=n) for n, key in enumerate("cde")])
    assert [engine.jobs()[key].attempts for key in "abcde"] == [0, 0, 1, 1, 0]


def test_all_voids_of_a_request_go_together(engine: Engine) -> None:
    """The first of two turns up when their row was renamed and bought: it is paid for twice."""
    first = voided(engine)
    hide(engine)
    engine.provider.script = {"x": ["made"]}
    second = lose(engine, seconds=5.0)
    engine.load([spec("b", "x")])
    assert has(engine, "b", second)
    hide(engine)
    engine.provider.script = {}
    engine.run()
    assert len({key for _, key in engine.provider.posts}) == 1
    found = engine.store.write(lambda c: latecomers.reappear(c, first, "late", engine.clock.now()))
    assert found is Appeared.SURPLUS


def test_what_was_bought_again_is_nobody_elses(engine: Engine) -> None:
    void = voided(engine)
    hide(engine)
    engine.provider.script = {}
    engine.run()
    assert len(engine.attempts()) == 2
    assert engine.jobs()["a"].state == "completed"
    engine.load([spec("b", "x")], "other")
    engine.store.write(lambda c: steering.remove(c, 1, engine.clock.now()))
    assert not has(engine, "b", void)


def test_a_row_that_was_sent_itself_takes_none(engine: Engine) -> None:
    """It failed and waits for its retry: its own attempts say what may come."""
    engine.provider.ends = {"x": [BAD]}
    engine.load([spec("b", "x")], "other")
    engine.run()
    engine.provider.script = {"x": ["made"]}
    engine.load([spec("a", "x")])
    void = lose(engine, 2)
    job = engine.jobs()["b"]
    engine.store.write(lambda c: steering.retry(c, [job.id], now=engine.clock.now()))
    engine.store.write(lambda c: steering.remove(c, 2, engine.clock.now()))
    assert not has(engine, "b", void)


def test_a_row_that_had_another_video_may_have_it(engine: Engine) -> None:
    """Its own later purchase was of another prompt: nothing is paid for twice."""
    void = voided(engine, spec("b", "w", row=1))
    hide(engine)
    cancelled(engine)
    engine.run()
    assert engine.jobs()["b"].state == "completed"
    engine.load([spec("a", "v"), spec("b", "x", row=1)], on_change=OnChange.REDO)
    assert has(engine, "b", void)
    found = engine.store.write(lambda c: latecomers.reappear(c, void, "late", engine.clock.now()))
    assert found is Appeared.ADOPTED
    assert engine.jobs()["b"].state == "pending"


def test_a_row_that_left_and_comes_back_has_it_again(engine: Engine) -> None:
    void = voided(engine)
    engine.load([spec("b", "x")])
    assert has(engine, "b", void)
    engine.load([spec("a", "x")])
    assert has(engine, "a", void)


def test_what_takes_its_place_from_the_list_is_charged(engine: Engine) -> None:
    void = voided(engine)
    (made,) = engine.provider.made
    removed(engine)
    engine.load([spec("b", "x")], "other")
    generation = Generation(made.id, GenerationPhase.PENDING, created_at=engine.clock.now())
    job = engine.jobs()["b"]
    assert engine.store.write(
        lambda c: takeovers.take_over(c, job.id, generation, engine.clock.now())
    )
    assert has(engine, "b", void)
    assert engine.jobs()["b"].charged_micros == PRICE


def test_voids_are_found_by_their_index(engine: Engine) -> None:
    """A database of a million attempts has few: each load and each cancelling asks for them."""
    plans = engine.store.read(
        lambda c: c.execute(text(f"EXPLAIN QUERY PLAN {voids._VOIDS._sql}")).all()
    )
    told = [row.detail for row in plans]
    assert any("attempt USING INDEX ix_attempt_void" in one for one in told), told
    assert not any(one.startswith("SCAN") and "ix_attempt_void" not in one for one in told), told
