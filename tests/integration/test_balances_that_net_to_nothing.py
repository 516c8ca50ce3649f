"""A lost answer that the list never shows, and a balance that seems not to have fallen for it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.provider import FailureKind, Generation, GenerationPhase, InDoubt
from jobs.provider import GenerationRequest as Request

Make = Callable[..., Engine]
LOST = "prompt of r4"
DROPPED = InDoubt("the connection dropped")
PRICE = 120_000


def failed(kind: FailureKind, message: str = "no") -> Generation:
    return Generation("", GenerationPhase.FAILED, failure=kind, message=message)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an engine at known prices whose fifth answer is lost, though it was made."""

    def engine(rows: int = 12, answer: Any = "made", **provider: Any) -> Engine:
        made = Engine(tmp_path, Invariants(), **provider)
        made.announce(s10=PRICE)
        made.provider.script = {LOST: [answer]}
        made.load([spec(f"r{n}", row=n) for n in range(rows)])
        return made

    return engine


def hide(engine: Engine) -> None:
    """Let the list never show what was made of the lost answer."""
    engine.provider.hides = {"gen-4": 10**9}


def waits(engine: Engine) -> bool:
    """Check that the lost one was sent once and keeps its money."""
    (attempt,) = [a for a in engine.attempts() if a.prompt == LOST]
    assert attempt.state == "in_doubt"
    assert engine.budget("batch:1").held_micros == PRICE
    return [prompt for prompt, _ in engine.provider.posts].count(LOST) == 1


def test_the_balance_shows_a_purchase_late(make: Make) -> None:
    """The newest is not in it yet, the lost one is: together it looks right."""
    engine = make(balance_late=100)
    hide(engine)
    engine.run(rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("after", [300.0, 400.0, 700.0])
def test_a_failure_is_given_back_late(make: Make, after: float) -> None:
    """Not given back at first, it is when the lost one was charged."""
    engine = make(takes=20.0)
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    engine.provider.gives_back = {"gen-0": after}
    hide(engine)
    engine.run(rate=0.01)
    assert waits(engine)


def test_failures_of_one_kind_alone_are_given_back(make: Make) -> None:
    """Content is not, the provider's own failure is: what was learned of one says nothing."""
    engine = make(takes=20.0)
    engine.provider.ends = {
        "prompt of r0": [failed(FailureKind.CONTENT)],
        "prompt of r6": [failed(FailureKind.UNKNOWN)],
    }
    engine.provider.gives_back = {"gen-6": 20.0}
    hide(engine)
    engine.run(rate=0.01)
    assert waits(engine)


def test_a_failure_that_nobody_has_looked_at_yet_is_given_back(make: Make) -> None:
    """What has not ended as far as we know may have failed, and be paid back already."""
    engine = make(takes=10_000.0)
    engine.provider.gives_back = {"gen-7": 200.0}
    hide(engine)
    engine.provider.hides["gen-7"] = 10**9
    engine.run(rate=0.01, generation_timeout=3000.0)
    assert waits(engine)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_others_make_is_paid_by_somebody_else(make: Make, count: int) -> None:
    """The list shows the whole team's work, and our balance pays for ours alone."""
    engine = make()
    hide(engine)

    def also(request: Request) -> None:
        if request.prompt == "prompt of r6":
            for number in range(count):
                other = engine.provider.make(Request(f"a colleague's {number}", "9:16", 10))
                engine.provider.free.add(other.id)

    engine.provider.on_post = also
    engine.run(rate=0.05)
    assert waits(engine)


def test_the_list_rewrites_the_lost_prompt_alone(make: Make) -> None:
    """It counts as somebody else's, which would explain why the balance fell."""
    engine = make()
    engine.provider.rewrites = {"gen-4": "Cinematic, wide: an egret stands among tall grasses"}
    engine.run(rate=0.05)
    assert waits(engine)


def test_a_failure_of_somebody_else_is_given_back(make: Make) -> None:
    """It was bought before the run, and fails while the lost one is charged."""
    engine = make()
    other = engine.provider.make(Request("a colleague's", "9:16", 10))
    engine.provider.ends = {other.prompt: [failed(FailureKind.CONTENT)]}
    engine.provider.gives_back = {other.id: 150.0}
    engine.provider.hides = {"gen-5": 10**9}
    engine.run(rate=0.05)
    assert waits(engine)


NEVER_MADE = {"answer": DROPPED}


def bought_again(engine: Engine) -> bool:
    """Check that what was never made was shown so, and every row ended."""
    states = [a.state for a in engine.attempts() if a.prompt == LOST]
    return states == ["void", "completed"]


def test_what_was_never_made_is_bought_again_once_the_rest_has_ended(make: Make) -> None:
    """While others go on the balance can't tell; the run waits for that, however long it takes."""
    engine = make(**NEVER_MADE, takes=1200.0)
    engine.run(rate=0.05, grace=60)
    assert bought_again(engine)


def test_a_balance_that_is_late_is_waited_for(make: Make) -> None:
    """Within the grace after the last purchase."""
    engine = make(**NEVER_MADE, balance_late=100)
    engine.run(rate=0.05)
    assert bought_again(engine)


def test_failures_that_are_all_given_back_leave_nothing_open(make: Make) -> None:
    """Where each was seen in the balance, it says what it must."""
    engine = make(**NEVER_MADE, takes=20.0)
    engine.provider.ends = {f"prompt of r{n}": [failed(FailureKind.CONTENT)] for n in (0, 2, 6)}
    engine.provider.gives_back = {"gen-0": 21.0, "gen-2": 21.0, "gen-5": 21.0}
    engine.run(rate=0.01)
    assert bought_again(engine)


def test_a_kind_of_failure_that_was_never_given_back_is_learned_in_a_day(make: Make) -> None:
    """A failure leaves a doubt of the same night open; of later nights it does not."""
    engine = make(rows=4)
    engine.provider.ends = {f"prompt of r{n}": [failed(FailureKind.CONTENT)] for n in (0, 6)}
    engine.run()
    engine.clock.start += timedelta(hours=26)
    engine.provider.script = {LOST: [DROPPED]}
    engine.load([spec(f"r{n}", row=n) for n in range(4, 12)], batch="later")
    engine.run([2], rate=0.05)
    assert bought_again(engine)


def test_a_failure_of_the_same_night_leaves_it_to_a_person(make: Make) -> None:
    """Nobody knows yet whether it is given back."""
    engine = make(**NEVER_MADE)
    engine.provider.ends = {"prompt of r6": [failed(FailureKind.CONTENT)]}
    engine.run(rate=0.05)
    (attempt,) = [a for a in engine.attempts() if a.prompt == LOST]
    assert attempt.state == "in_doubt"
    assert "balance" in attempt.unproven
