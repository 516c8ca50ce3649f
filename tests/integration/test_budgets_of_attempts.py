"""Money moves in the budgets that an attempt was reserved under, whatever becomes of its row."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.ledger import Refunds
from jobs.model.provider import Generation, GenerationPhase, InDoubt
from jobs.model.retry import RetryPolicy
from jobs.model.states import FailureKind, Reason
from jobs.store import steering

Make = Callable[..., Engine]
DROPPED = InDoubt("the connection dropped")
SUMMER, WINTER = "campaign:1:summer", "campaign:1:winter"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an engine whose invariants are checked at every commit, at known prices."""

    def engine(**provider: Any) -> Engine:
        made = Engine(tmp_path, Invariants(), **provider)
        made.announce(s10=120_000, s15=180_000)
        return made

    return engine


def moved_meanwhile(engine: Engine, answer: Any) -> None:
    """Run; while the first row is unconfirmed, its id and campaign are edited in the manifest."""
    engine.provider.script = {"the one": [answer]}
    others = [spec(f"o{n}", row=n, campaign="summer") for n in range(1, 8)]
    engine.load([spec("a", "the one", campaign="summer"), *others])

    def edit(request: Any) -> None:
        if request.prompt == "prompt of o3":
            engine.load([spec("b", "the one", campaign="winter"), *others])

    engine.provider.on_post = edit
    assert engine.run(rate=0.1, grace=60).reason is Reason.FINISHED
    assert engine.jobs()["b"].campaign == "winter"


@pytest.mark.parametrize("answer", ["made", DROPPED])
def test_a_row_that_changes_its_campaign_leaves_nothing_reserved(make: Make, answer: Any) -> None:
    """Adopted or void, its first attempt's money moves in the campaign that reserved it."""
    engine = make()
    engine.agreed()
    moved_meanwhile(engine, answer)
    assert engine.status().jobs["completed"] == 8
    again = answer is DROPPED  # the second attempt is reserved where the row is then
    assert engine.budget(SUMMER).held_micros == 0
    assert engine.budget(SUMMER).charged_micros == (7 if again else 8) * 120_000
    if again:
        assert engine.budget(WINTER).charged_micros == 120_000
        assert engine.budget(WINTER).held_micros == 0


def test_a_refund_opens_the_campaign_that_was_charged(make: Make) -> None:
    """What a campaign was never charged it is not given back either: its cap stays a cap."""
    engine = make()
    failed = Generation(
        "x", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="internal error"
    )
    engine.provider.ends = {"the one": [failed]}
    engine.load([spec("a", "the one", campaign="summer")])
    engine.store.write(lambda c: steering.set_refunds(c, 1, Refunds.ALL))
    engine.cap(240_000, campaign="summer")

    def edit(request: Any) -> None:
        if request.prompt == "prompt of o1":
            rows = [spec(f"w{n}", row=n + 5, campaign="winter") for n in range(4)]
            engine.load([spec("b", "the one", campaign="winter"), spec("o1", row=1), *rows])
            engine.cap(240_000, campaign="winter")

    engine.load([spec("a", "the one", campaign="summer"), spec("o1", row=1)])
    engine.provider.on_post = edit
    engine.run(rate=0.2, retry=RetryPolicy(0))
    assert engine.budget(SUMMER).refunded_micros == 120_000
    assert engine.budget(WINTER).refunded_micros == 0
    assert engine.budget(WINTER).charged_micros <= 240_000


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32))
def test_any_edit_at_any_moment_keeps_the_books(tmp_path_factory: Any, seed: int) -> None:
    """Ids and campaigns change between any two submissions: the totals stay the attempts."""
    chance = random.Random(seed)
    engine = Engine(tmp_path_factory.mktemp("edits"), Invariants())
    engine.announce(s10=120_000)
    names = [f"k{n}" for n in range(6)]
    prompts = {f"prompt {n}": [chance.choice([None, "made", DROPPED])] for n in range(6)}
    engine.provider.script = prompts  # type: ignore[assignment]

    def load() -> None:
        rows = [
            spec(names[n], f"prompt {n}", row=n, campaign=chance.choice([None, "summer", "winter"]))
            for n in range(6)
        ]
        engine.load(rows)

    def edit(_: Any) -> None:
        if chance.random() < 0.7:
            names[chance.randrange(6)] = f"n{chance.randrange(10**9)}"
            load()

    load()
    engine.provider.on_post = edit
    engine.run(rate=0.1, grace=20)
    engine.run(rate=0.1, grace=20)
    held = sum(a.hold_micros for a in engine.attempts() if a.state == "in_doubt")
    assert engine.budget("batch:1").held_micros == held
    made = [m for m in engine.provider.made if m.prompt.startswith("prompt ")]
    assert len({m.prompt for m in made}) == len(made)
