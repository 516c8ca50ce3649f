"""Rows that come and go around what counts as never made: whose it is, and under whose caps."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update
from support.engine import Engine, spec
from support.invariants import Invariants
from support.provider import Made, ScriptedProvider
from support.voids import hide, lose, stop_after

from jobs.database.tables import JOB
from jobs.model.provider import (
    Accepted,
    Generation,
    GenerationPhase,
    GenerationRequest,
    Micros,
    SubmitOutcome,
    Throttled,
    UnreachableError,
)
from jobs.model.states import HeldBack
from jobs.store import latecomers, outcomes, steering, takeovers
from jobs.store.latecomers import Appeared

PRICE = 120_000


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants(caps=False))
    made.announce(s10=PRICE)
    return made


def voided(engine: Engine, *more: Any) -> int:
    """Row ``a`` was made, its answer lost, the list hides it: it counts as never made."""
    engine.provider.script = {"x": ["made"]}
    engine.load([spec("a", "x"), *more])
    number = lose(engine)
    hide(engine)
    engine.provider.script = {}
    return number


def throttled(engine: Engine) -> int:
    """Sent again, row ``a`` is asked to wait: 429, known not to have been created."""
    number = voided(engine)
    engine.provider.script = {"x": [Throttled(3600.0)]}
    engine.run(during=stop_after(5.0))
    assert [one.state for one in engine.attempts()] == ["void", "rejected"]
    engine.provider.script = {}
    return number


def has(engine: Engine, key: str, attempt: int) -> bool:
    (found,) = [one for one in engine.attempts() if one.id == attempt]
    return bool(found.job_id == engine.jobs()[key].id)


def bought(engine: Engine, key: str, *batches: int) -> None:
    """Buy what a run buys, and see that it was the row."""
    engine.run(batches or (1,))
    assert engine.jobs()[key].state == "completed"


def turns_up(engine: Engine, void: int) -> Appeared | None:
    generation = engine.provider.made[0].id
    return engine.store.write(
        lambda c: latecomers.reappear(c, void, generation, engine.clock.now())
    )


def test_a_row_that_was_throttled_leaves_and_comes_back(engine: Engine) -> None:
    """Two were charged for one row: it is to be told."""
    void = throttled(engine)
    engine.load([spec("b", "x")])
    engine.load([spec("a", "x")])
    bought(engine, "a")
    assert len(engine.provider.made) == 2
    assert turns_up(engine, void) is Appeared.SURPLUS


def test_two_rows_never_send_one_key(engine: Engine) -> None:
    """A provider that honours keys answers the second with the video of the first."""
    throttled(engine)
    engine.load([spec("b", "x")])
    engine.load([spec("b", "x"), spec("a", "x", row=1)])
    before = len(engine.provider.posts)
    engine.run()
    keys = [key for _, key in engine.provider.posts[before:]]
    assert len(keys) == 2
    assert len(set(keys)) == 2


def test_two_rows_never_send_one_key_after_cancel_and_retry(engine: Engine) -> None:
    throttled(engine)
    engine.load([spec("b", "x")], "other")
    job = engine.jobs()["a"]
    engine.store.write(lambda c: steering.cancel(c, [job.id], engine.clock.now()))
    engine.store.write(lambda c: steering.retry(c, [job.id], now=engine.clock.now()))
    before = len(engine.provider.posts)
    engine.run((1, 2))
    keys = [key for _, key in engine.provider.posts[before:]]
    assert len(keys) == 2
    assert len(set(keys)) == 2


def test_a_row_that_was_only_throttled_may_have_it(engine: Engine) -> None:
    """What a 429 answered was not created: it is no reason to lose sight of the void."""
    engine.provider.script = {"x": [Throttled(3600.0)]}
    engine.load([spec("b", "x")], "other")
    engine.run((1,), during=stop_after(5.0))
    engine.provider.script = {"x": ["made"]}
    engine.load([spec("a", "x")])
    void = lose(engine, 2)
    hide(engine)
    engine.provider.script = {}
    engine.store.write(lambda c: steering.remove(c, 2, engine.clock.now()))
    bought(engine, "b")
    assert len(engine.provider.made) == 2
    assert turns_up(engine, void) is Appeared.SURPLUS


def test_a_row_that_leaves_and_comes_back_beside_one_that_nobody_asked_for(
    engine: Engine,
) -> None:
    """Before voids moved, it had its own again: the key, and "paid for twice"."""
    void = voided(engine, spec("z", "other", row=1))
    key = engine.attempts()[0].idempotency_key
    engine.load([spec("b", "x")], "other", held_back=HeldBack.UNASKED)
    engine.load([spec("z", "other", row=1)])
    engine.load([spec("a", "x"), spec("z", "other", row=1)])
    bought(engine, "a")
    assert [sent for prompt, sent in engine.provider.posts if prompt == "x"] == [key, key]
    assert turns_up(engine, void) is Appeared.SURPLUS


def test_cancelled_and_queued_again_beside_one_that_nobody_asked_for(engine: Engine) -> None:
    void = voided(engine)
    key = engine.attempts()[0].idempotency_key
    engine.load([spec("b", "x")], "other", held_back=HeldBack.UNASKED)
    job = engine.jobs()["a"]
    engine.store.write(lambda c: steering.cancel(c, [job.id], engine.clock.now()))
    engine.store.write(lambda c: steering.retry(c, [job.id], now=engine.clock.now()))
    bought(engine, "a")
    assert [sent for prompt, sent in engine.provider.posts] == [key, key]
    assert turns_up(engine, void) is Appeared.SURPLUS


def test_removed_and_loaded_again_beside_one_that_nobody_asked_for(engine: Engine) -> None:
    void = voided(engine)
    engine.load([spec("b", "x")], "other", held_back=HeldBack.UNASKED)
    engine.store.write(lambda c: steering.remove(c, 1, engine.clock.now()))
    engine.load([spec("a2", "x")], "night2")
    bought(engine, "a2", 3)
    assert len(engine.provider.made) == 2
    assert turns_up(engine, void) is Appeared.SURPLUS


def test_a_row_that_a_pick_leaves_out_comes_after_one_that_is_bought(engine: Engine) -> None:
    void = voided(engine)
    engine.load([spec("a", "x"), spec("l", "x", row=1), spec("d", "x", row=2)])
    left = update(JOB).where(JOB.c.key == "l").values(held_back=HeldBack.LEFT_OUT)
    engine.store.write(lambda c: c.execute(left))
    job = engine.jobs()["a"]
    engine.store.write(lambda c: steering.cancel(c, [job.id], engine.clock.now()))
    bought(engine, "d")
    assert len(engine.provider.made) == 2
    assert turns_up(engine, void) is Appeared.SURPLUS


def test_of_two_left_voids_the_row_has_that_of_its_own_batch(engine: Engine) -> None:
    engine.provider.script = {"x": ["made"]}
    engine.load([spec("o", "x")], "other")
    engine.load([spec("m", "x")])
    engine.run((1,), during=stop_after(0.5))
    (first,) = [one.id for one in engine.attempts() if one.state == "in_doubt"]
    engine.store.write(lambda c: outcomes.void(c, first, "said so", engine.clock.now()))
    hide(engine)
    engine.provider.script = {"x": ["made"]}
    second = lose(engine, 2, 5.0)
    hide(engine)
    assert has(engine, "o", first)
    assert has(engine, "m", second)
    job = engine.jobs()["o"]
    engine.store.write(lambda c: steering.cancel(c, [job.id], engine.clock.now()))
    engine.load([spec("n", "x")])
    assert has(engine, "n", second)


def found(engine: Engine, job_key: str, number: int) -> None:
    """Take over what the list shows of an attempt that counts as never made."""
    made = engine.provider.made[number]
    generation = Generation(made.id, GenerationPhase.PENDING, created_at=made.created_at)
    job = engine.jobs()[job_key]
    assert engine.store.write(
        lambda c: takeovers.take_over(c, job.id, generation, engine.clock.now())
    )


def test_what_a_void_made_is_charged_after_a_429(engine: Engine) -> None:
    throttled(engine)
    found(engine, "a", 0)
    assert engine.budget("batch:1").charged_micros == PRICE


def test_what_the_first_of_two_voids_made_is_charged(engine: Engine) -> None:
    voided(engine)
    engine.provider.script = {"x": ["made"]}
    lose(engine, seconds=5.0)
    assert [one.state for one in engine.attempts()][:2] == ["void", "void"]
    found(engine, "a", 0)
    assert engine.budget("batch:1").charged_micros == PRICE


@pytest.mark.parametrize("before", [voided, throttled])
def test_a_row_waits_where_its_void_can_not_be_looked_for(
    engine: Engine, before: Callable[[Engine], int]
) -> None:
    """Settled a moment ago; the list fails once: as written, the row waits until it can."""
    before(engine)
    engine.clock.start += timedelta(seconds=1)
    posts = len(engine.provider.posts)
    engine.provider.list_errors = [UnreachableError("gone")] * 3
    job = engine.jobs()["a"]
    engine.store.write(
        lambda c: c.execute(update(JOB).where(JOB.c.id == job.id).values(due_at=None))
    )
    engine.run(during=stop_after(2.0))
    assert len(engine.provider.posts) == posts


def call_never_made(connection: Connection, engine: Engine) -> None:
    """Call all that is in doubt never made, at most five times for a row."""
    for one in engine.attempts():
        if one.state == "in_doubt":
            outcomes.void(connection, one.id, "no", engine.clock.now(), 5)


def test_a_row_that_moves_after_each_429_is_exhausted_all_the_same(engine: Engine) -> None:
    """Five that came to nothing fail a row, whatever its id is by then."""
    engine.load([spec("z", "z", row=1)])
    sent = 0
    for turn in range(12):
        key = "ab"[turn % 2]
        engine.load([spec(key, "x"), spec(f"z{turn}", f"z{turn}", row=1)])
        if engine.jobs()[key].state == "failed":
            break
        engine.provider.script = {"x": ["made", Throttled(3600.0)]}
        engine.run(during=stop_after(1.0))
        engine.store.write(lambda c: call_never_made(c, engine))
        hide(engine)
        engine.run(during=stop_after(2.0))
        engine.clock.start += timedelta(hours=2)
        sent = [prompt for prompt, _ in engine.provider.posts].count("x")
    assert "failed" in {job.state for job in engine.jobs().values()}, sent


def test_a_void_does_not_go_where_its_charge_breaks_a_cap(engine: Engine) -> None:
    """Sent under the cap of ``night``, which has room; ``other`` may spend less than one video."""
    void = voided(engine)
    engine.cap(5_000_000, 1)
    engine.load([spec("b", "x")], "other")
    engine.cap(50_000, 2)
    job = engine.jobs()["a"]
    engine.store.write(lambda c: steering.cancel(c, [job.id], engine.clock.now()))
    engine.store.write(lambda c: steering.retry(c, [job.id], now=engine.clock.now()))
    bought(engine, "a")
    turns_up(engine, void)
    other = engine.budget("batch:2")
    assert other.charged_micros <= other.cap_micros


@dataclass
class Slow(ScriptedProvider):
    """Asks the second submission to wait, after a while in which the list shows the first."""

    slow: float = 0.0

    async def submit(self, request: GenerationRequest, key: str, may_send: Any) -> SubmitOutcome:
        if self.slow and may_send():
            slow, self.slow = self.slow, 0.0
            asyncio.get_running_loop().call_later(1.0, self.hides.clear)
            await asyncio.sleep(slow)
            return Throttled(60.0)
        return await super().submit(request, key, may_send)


@dataclass
class Honouring(ScriptedProvider):
    """Answers a key that it knows with the generation that it made then, charged once."""

    slow: float = 0.0
    throttles: int = 0

    async def submit(self, request: GenerationRequest, key: str, may_send: Any) -> SubmitOutcome:
        again = key in {one.key for one in self.made}
        if again and may_send() and self.slow:
            self.posts.append((request.prompt, key))
            self.show()
            await asyncio.sleep(self.slow)
            if self.throttles:
                self.throttles -= 1
                return Throttled(60.0)
            return Accepted(self.make(request, key).id, Micros(PRICE))
        return await super().submit(request, key, may_send)

    def make(self, request: GenerationRequest, key: str = "foreign") -> Made:
        for one in self.made:
            if one.key == key:
                return one
        return super().make(request, key)


@pytest.mark.parametrize("key", ["a", "b"])
@pytest.mark.parametrize("throttles", [0, 1])
def test_it_turns_up_while_its_key_is_sent_again(engine: Engine, key: str, throttles: int) -> None:
    """One generation, charged once: it is the row's video, and nothing is told as paid twice."""
    provider = Honouring(engine.clock)
    engine.provider = provider
    voided(engine)
    engine.load([spec(key, "x")])
    provider.slow, provider.throttles = 20.0, throttles
    provider.show = lambda: asyncio.get_running_loop().call_later(1.0, provider.hides.clear)
    engine.clock.start += timedelta(minutes=5)
    engine.run(during=stop_after(2 * 3600.0))
    assert len(provider.made) == 1
    jobs = {name: job.state for name, job in engine.jobs().items()}
    told = [(one.job_id, one.state, one.error) for one in engine.attempts()]
    assert not any(latecomers.is_surplus(one.error) for one in engine.attempts()), told
    assert jobs[key] == "completed", told
    assert engine.budget("batch:1").charged_micros == PRICE


def test_the_key_of_a_video_that_is_known_is_not_sent_for_another_row(engine: Engine) -> None:
    """Of two voids the first turned up; its row leaves, and the second goes to another row."""
    first = voided(engine)
    engine.provider.script = {"x": ["made"]}
    second = lose(engine, seconds=5.0)
    hide(engine)
    engine.provider.script = {}
    assert turns_up(engine, first) is Appeared.ADOPTED
    key = engine.attempts()[0].idempotency_key
    engine.run()
    assert engine.jobs()["a"].state == "completed"
    engine.load([spec("b", "x")], "other")
    engine.load([spec("z", "z")])
    assert second
    before = len(engine.provider.posts)
    bought(engine, "b", 2)
    assert (("x", key)) not in engine.provider.posts[before:]
