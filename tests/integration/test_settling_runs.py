"""Doubts settled from the list, by whole runs on virtual time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.provider import GenerationRequest, InDoubt, ThrottledError, UnreachableError
from jobs.model.states import Blocked, Reason
from jobs.reconciliation.by_word import resolve_never_made
from jobs.store import outcomes, views

Make = Callable[..., Engine]
DROPPED = InDoubt("the connection dropped")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an engine whose invariants are checked at every commit, at known prices."""

    def engine(*, caps: bool = True, **provider: Any) -> Engine:
        made = Engine(tmp_path, Invariants(caps=caps), **provider)
        made.announce(s10=120_000, s15=180_000)
        made.agreed()
        return made

    return engine


def posts(engine: Engine, prompt: str) -> list[str]:
    return [key for sent, key in engine.provider.posts if sent == prompt]


def test_a_lost_answer_is_found_in_the_list(make: Make) -> None:
    """Paid, and the answer lost: adopted at the kind's price, completed, never sent again."""
    engine = make()
    engine.provider.script = {"prompt of r1": ["made"]}
    engine.load([spec(f"r{i}", row=i) for i in range(4)])
    assert engine.run().reason is Reason.FINISHED
    assert engine.status().jobs["completed"] == 4
    (attempt,) = [a for a in engine.attempts() if a.prompt == "prompt of r1"]
    assert (attempt.price_micros, attempt.price_estimated) == (120_000, True)
    assert len(engine.provider.posts) == 4
    assert engine.budget("batch:1").held_micros == 0
    assert engine.budget("batch:1").charged_micros == engine.provider.charged


def test_what_was_never_made_is_sent_again_after_the_grace(make: Make) -> None:
    """Shown absent by the list: the hold is released, the replacement carries the same key."""
    engine = make()
    engine.provider.script = {"prompt of r0": [DROPPED]}
    engine.load([spec(f"r{i}", row=i) for i in range(4)])
    engine.run()
    assert engine.status().jobs["completed"] == 4
    first, second = [a for a in engine.attempts() if a.prompt == "prompt of r0"]
    assert first.state == "void"
    assert second.intent_at - first.doubt_since >= timedelta(seconds=180)
    assert len(set(posts(engine, "prompt of r0"))) == 1
    assert len(posts(engine, "prompt of r0")) == 2


def test_a_lone_doubt_without_anything_known_waits_for_a_person(make: Make) -> None:
    """A list and a balance that have shown nothing true yet prove nothing: never bought again."""
    engine = make()
    engine.provider.script = {"prompt of r0": [DROPPED]}
    engine.load([spec("r0")])
    assert engine.run(grace=60).reason is Reason.FINISHED
    (attempt,) = engine.attempts()
    assert attempt.state == "in_doubt"
    assert "knows" in attempt.unproven
    assert len(engine.provider.posts) == 1


@pytest.mark.parametrize(
    "settle",
    [
        lambda c, number, now: outcomes.void(c, number, "by word", now),
        lambda c, number, now: outcomes.adopt(c, number, "gen-late", now),
    ],
    ids=["void", "adopt"],
)
def test_a_doubt_that_is_settled_no_longer_says_why_it_was_not(
    make: Make, settle: Callable[[Connection, int, datetime], bool]
) -> None:
    """The reason is about the doubt: nothing shows it of an attempt that has left it."""
    engine = make()
    engine.provider.script = {"prompt of r0": [DROPPED]}
    engine.load([spec("r0")])
    engine.run(grace=60)
    (attempt,) = engine.attempts()
    assert attempt.unproven
    assert engine.store.write(lambda c: settle(c, attempt.id, engine.clock.now()))
    assert engine.attempts()[0].unproven is None


def test_the_last_doubt_is_void_by_two_clean_looks_at_a_known_lag(make: Make) -> None:
    """Nothing newer of ours: two graces pass, the list's lag was seen, the balance agrees."""
    engine = make(lag=5)
    engine.provider.script = {"prompt of r5": [DROPPED]}
    engine.load([spec(f"r{i}", row=i) for i in range(6)])
    engine.run(grace=60, rate=0.2)
    first, second = [a for a in engine.attempts() if a.prompt == "prompt of r5"]
    assert first.state == "void"
    assert second.intent_at - first.doubt_since >= timedelta(seconds=120)
    assert engine.status().jobs["completed"] == 6


def night_with_a_last_doubt(make: Make, **provider: Any) -> Engine:
    """Have a night end with a doubt that nothing newer of ours can settle."""
    engine = make(**provider)
    engine.provider.script = {"prompt of r3": [DROPPED]}
    engine.load([spec(f"r{i}", row=i) for i in range(4)])
    engine.run(max_in_flight=1, rate=0.2, grace=60)
    assert engine.jobs()["r3"].state == "in_doubt"
    return engine


def test_the_last_doubt_of_a_night_is_settled_by_a_short_night_of_another_batch(
    make: Make,
) -> None:
    """What that buys shows that the list goes on; the row is then free, and not bought by it."""
    engine = night_with_a_last_doubt(make)
    engine.load([spec(f"o{i}", row=i) for i in range(2)], batch="other")
    assert engine.run([2], grace=60).reason is Reason.FINISHED
    assert engine.status(2).jobs["completed"] == 2
    (doubt,) = [a for a in engine.attempts() if a.prompt == "prompt of r3"]
    assert (doubt.state, engine.jobs()["r3"].state) == ("void", "queued")
    assert engine.budget("batch:1").held_micros == 0
    assert len(posts(engine, "prompt of r3")) == 1
    assert engine.run([1], grace=60).reason is Reason.FINISHED
    assert engine.status().jobs["completed"] == 4
    assert len(posts(engine, "prompt of r3")) == 2


def test_a_doubt_of_another_batch_that_may_have_been_charged_is_not_waited_for_long(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays for a person: the run says what it waits for, and ends after two graces."""
    engine = night_with_a_last_doubt(make)
    engine.provider.balance_micros -= 120_000
    engine.load([spec("o0")], batch="other")
    began = engine.clock.now()
    assert engine.run([2], grace=60).reason is Reason.FINISHED
    assert engine.jobs()["r3"].state == "in_doubt"
    assert engine.clock.now() - began < timedelta(minutes=10)
    assert "1 unconfirmed submission(s) of other batches" in caplog.text


def test_a_balance_that_fell_by_more_keeps_the_doubt(make: Make) -> None:
    """The list never shows it, but it was charged: it stays in doubt, whatever else is shown."""
    engine = make()
    engine.provider.script = {"prompt of r1": ["made"]}
    engine.provider.hides = {"gen-1": 10**6}
    engine.load([spec(f"r{i}", row=i) for i in range(6)])
    engine.run(grace=20, rate=0.05)
    (attempt,) = [a for a in engine.attempts() if a.prompt == "prompt of r1"]
    assert attempt.state == "in_doubt"
    assert "balance" in attempt.unproven
    assert len(posts(engine, "prompt of r1")) == 1


@pytest.mark.parametrize("lag", [5, 45, 120])
@pytest.mark.parametrize("late", [0.5, 60, 170])
def test_late_acceptances_and_a_lagging_list(make: Make, lag: float, late: float) -> None:
    """Created up to a grace after the connection broke, and shown later still: paid once."""
    engine = make(lag=lag)
    engine.provider.script = {"prompt of r1": [f"late {late}"]}
    engine.load([spec(f"r{i}", row=i) for i in range(12)])
    engine.run(rate=0.2)
    assert len(posts(engine, "prompt of r1")) == 1
    assert engine.status().jobs["completed"] == 12


def test_a_list_that_fails_for_a_while_is_waited_for(make: Make) -> None:
    """Errors and throttling of the list settle nothing, and end nothing."""
    engine = make()
    engine.provider.script = {"prompt of r0": ["made"]}
    errors = [UnreachableError("503"), ThrottledError("429", 30.0), UnreachableError("500")]
    engine.provider.list_errors = errors * 4
    engine.load([spec("r0"), spec("r1", row=1)])
    engine.run()
    assert engine.status().jobs["completed"] == 2
    assert len(engine.provider.posts) == 2


@pytest.mark.parametrize("hours", [-14, -1, 1, 14])
@pytest.mark.parametrize(("answer", "sent"), [("made", 1), (DROPPED, 2)])
def test_the_providers_clock_may_be_wrong(make: Make, hours: int, answer: Any, sent: int) -> None:
    """Skew is measured from what we saw accepted, so that windows move with it."""
    engine = make(skew=timedelta(hours=hours))
    engine.provider.script = {"prompt of r2": [answer]}
    engine.load([spec(f"r{i}", row=i) for i in range(6)])
    engine.run(rate=1)
    assert engine.status().jobs["completed"] == 6
    assert len(posts(engine, "prompt of r2")) == sent


def test_somebody_elses_generation_of_the_same_prompt_is_left_to_a_person(make: Make) -> None:
    """Two candidates for one doubt: nothing adopted, the hold stays, the candidates are kept."""
    engine = make()
    engine.provider.script = {"prompt of r0": ["made"]}
    engine.load([spec("r0"), spec("r1", row=1)])
    engine.provider.on_post = lambda request: (
        engine.provider.make(request) if request.prompt == "prompt of r0" else None
    )
    assert engine.run().reason is Reason.FINISHED
    for _ in range(2):
        (doubt,) = [a for a in engine.attempts() if a.state == "in_doubt"]
        assert [c["generation_id"] for c in doubt.candidates] == ["gen-0", "gen-1"]
        assert engine.budget("batch:1").held_micros == 120_000
        engine.run()
    assert len(posts(engine, "prompt of r0")) == 1


def test_doubts_occupy_slots_for_their_grace(make: Make) -> None:
    """As many as there are slots: the rest is bought when that is over."""
    engine = make()
    engine.provider.script = {f"prompt of r{i}": ["made"] for i in range(4)}
    engine.provider.on_post = lambda request: (
        engine.provider.make(request) if request.prompt in engine.provider.script else None
    )
    engine.load([spec(f"r{i}", row=i) for i in range(8)])
    assert engine.run(max_in_flight=4).reason is Reason.FINISHED
    assert len(engine.provider.posts) == 8
    fourth, fifth = [a.intent_at for a in engine.attempts()][3:5]
    assert fifth - fourth > timedelta(seconds=180)
    assert engine.status().jobs["in_doubt"] == 4
    assert engine.budget("batch:1").held_micros == 4 * 120_000


@pytest.mark.parametrize("lost", ["r0", "r2"])
@pytest.mark.parametrize("answer", ["made", DROPPED])
def test_one_slot_and_a_doubt_in_it(make: Make, lost: str, answer: Any) -> None:
    """The next purchase settles it, so that one must be made: every row ends, paid once."""
    engine = make(takes=30.0)
    engine.provider.script = {f"prompt of {lost}": [answer]}
    engine.load([spec(f"r{i}", row=i) for i in range(5)])
    assert engine.run(max_in_flight=1, grace=60).reason is Reason.FINISHED
    assert engine.status().jobs["completed"] == 5
    assert len(engine.provider.made) == 5


def say_never_made(engine: Engine) -> int:
    """Say of all that is in doubt that it was never made; gives how many there were."""
    doubts = [job for job in engine.jobs().values() if job.state == "in_doubt"]
    for job in doubts:
        found = engine.store.read(lambda c, key=job.key: views.find_job(c, key))
        resolve_never_made(engine.store, engine.clock, found, grace=timedelta(0), force=False)
    return len(doubts)


def test_repeated_prompts_are_matched_by_count(make: Make) -> None:
    """Twelve rows of one prompt, some answers lost, some never made: each bought once."""
    engine = make()
    engine.provider.script = {"the same": [None, "made", DROPPED, "made", None, DROPPED, None]}
    engine.load([spec(f"r{i}", "the same", row=i) for i in range(12)])
    engine.run()
    assert engine.status().jobs["completed"] == len(engine.provider.made) == 10
    assert say_never_made(engine) == 2  # those that were found may not have been charged
    engine.run()
    assert engine.status().jobs["completed"] == len(engine.provider.made) == 12


def test_equal_prompts_with_different_parameters_are_not_in_doubt_together(make: Make) -> None:
    """The list shows no duration: while one of 10 s is unsettled, none of 15 s is sent."""
    engine = make()
    engine.provider.script = {"the same": ["made", None, "made", DROPPED]}
    engine.provider.prices = {"fake/sora/15": 180_000}
    rows = [spec(f"r{i}", "the same", row=i, duration=10 + 5 * (i % 2)) for i in range(8)]
    engine.load([*rows, *(spec(f"other {i}", row=10 + i) for i in range(4))])
    seen: list[set[tuple[str, str]]] = []

    def watch(request: Any) -> None:
        del request
        seen.append(
            {(a.prompt_key, a.fingerprint) for a in engine.attempts() if a.state in UNSETTLED}
        )

    engine.provider.on_post = watch
    engine.run(rate=0)
    assert say_never_made(engine) == 1
    engine.run(rate=0)
    assert all(len({key for key, _ in unsettled}) == len(unsettled) for unsettled in seen)
    assert engine.status().jobs["completed"] == 12
    made = [m.price for m in engine.provider.made if m.prompt == "the same"]
    assert sorted(made) == [120_000] * 4 + [180_000] * 4


UNSETTLED = ("open", "in_doubt")


def test_what_waits_for_its_twin_is_said(make: Make) -> None:
    """A doubt that only a person can settle keeps the other parameters of its prompt waiting."""
    engine = make()
    engine.provider.script = {"the same": ["made"]}
    engine.provider.on_post = engine.provider.make
    engine.load([spec("r0", "the same"), spec("r1", "the same", row=1, duration=15)])
    ending = engine.run()
    assert ending.reason is Reason.BLOCKED
    assert ending.blocked == {1: frozenset({Blocked.TWIN})}


def test_a_void_that_turns_up_before_its_replacement_is_adopted(make: Make) -> None:
    """The cap was lowered meanwhile, so nothing was sent: the late generation is the job's."""
    engine = make(caps=False, takes=30.0)
    engine.provider.script = {"prompt of r0": [DROPPED]}
    engine.load([spec("r0"), *(spec(f"r{i}", row=i) for i in range(1, 4))])
    engine.provider.on_post = lambda request: (
        engine.cap(360_000) if request.prompt == "prompt of r3" else None
    )
    engine.run(rate=1, grace=60)
    (attempt,) = [a for a in engine.attempts() if a.prompt == "prompt of r0"]
    assert attempt.state == "void"
    engine.clock.start += timedelta(seconds=300)
    engine.provider.make(GenerationRequest("prompt of r0", "9:16", 10))
    engine.run(grace=60)
    (attempt,) = [a for a in engine.attempts() if a.prompt == "prompt of r0"]
    assert attempt.state == "completed"
    assert attempt.price_micros == 120_000
    assert len(posts(engine, "prompt of r0")) == 1


def test_a_void_that_turns_up_after_its_replacement_is_charged_and_told(make: Make) -> None:
    """A list that hid it, and as much paid in just then: the surplus counts against the caps."""
    engine = make(takes=30.0)
    engine.provider.script = {"prompt of r0": ["made"]}
    engine.provider.hides = {"gen-0": 600.0}
    engine.load([spec(f"r{i}", row=i) for i in range(3)])
    runners: list[Any] = []
    engine.provider.on_post = lambda _: paid_in()

    def paid_in() -> None:
        if len(engine.provider.posts) == 1:
            engine.provider.balance_micros += 120_000

    engine.run(grace=60, during=runners.append)
    engine.clock.start += timedelta(seconds=600)
    engine.run(grace=60, during=runners.append)
    assert [runner.left.surplus for runner in runners] == [0, 1]
    first, second = [a for a in engine.attempts() if a.prompt == "prompt of r0"]
    assert (first.state, second.state) == ("abandoned", "completed")
    assert engine.budget("batch:1").charged_micros == engine.provider.charged == 4 * 120_000
