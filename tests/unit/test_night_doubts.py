"""Whole runs on virtual time: answers that are lost, and what settles them."""

from datetime import timedelta
from typing import Any

import pytest
from support.engine import Engine, spec
from support.loop import run_virtual
from support.nights import PRICE, attempts, load, money, states, stop
from support.policies import policy

from jobs.model.provider import (
    GenerationRequest,
    InDoubt,
    RefusalCause,
    ThrottledError,
    TokenRefusedError,
    UnreachableError,
)
from jobs.services.run_outcome import Reason
from jobs.services.runner import Runner

DROPPED = InDoubt("the connection dropped")


def lost(engine: Engine, *keys: str, how: Any = DROPPED) -> None:
    """Let the first answer for some rows be lost."""
    engine.provider.script |= {f"prompt of {key}": [how] for key in keys}


def keys_sent(engine: Engine, prompt: str) -> list[str]:
    """Return the idempotency keys that a prompt was sent under."""
    return [key for sent, key in engine.provider.posts if sent == prompt]


@pytest.fixture
def waiting(engine: Engine) -> Engine:
    """Three videos, and a doubt that the run has left for later."""
    lost(engine, "n2")
    load(engine, 4)
    engine.run(during=stop(9))
    assert states(engine)["n2"] == "in_doubt"
    return engine


# -- settled in a run


def test_a_lost_answer_is_found_in_the_list(engine: Engine) -> None:
    """Paid for, and never sent again; at the price of its kind."""
    lost(engine, "n1", "n3", how="made")
    load(engine, 6)
    assert engine.run().reason is Reason.FINISHED
    assert set(states(engine).values()) == {"completed"}
    assert money(engine) == (6 * PRICE, 0)
    assert len(engine.provider.posts) == len(engine.provider.made) == 6
    assert [one.price_estimated for one in engine.attempts()].count(True) == 2


def test_what_was_never_made_is_sent_again_after_the_grace(engine: Engine) -> None:
    """Under the same key: should it have been made, that is answered."""
    lost(engine, "n0")
    load(engine, 4)
    assert engine.run().reason is Reason.FINISHED
    assert attempts(engine, "n0") == ["void", "completed"]
    first, second = [one for one in engine.attempts() if one.prompt == "prompt of n0"]
    assert second.intent_at - first.doubt_since >= timedelta(seconds=180)
    assert len(set(keys_sent(engine, "prompt of n0"))) == 1
    assert money(engine) == (4 * PRICE, 0)


def test_equal_rows_whose_answers_are_lost_are_told_by_count(engine: Engine) -> None:
    """Two were sent and one was made: one is adopted, the other waits for a person."""
    engine.provider.script["the same"] = ["made", DROPPED]
    rows = [spec(f"s{n}", prompt="the same", row=n) for n in range(2)]
    engine.load([*rows, *(spec(f"n{n}", row=5 + n) for n in range(4))])
    assert engine.run().reason is Reason.FINISHED
    assert [one.prompt for one in engine.provider.made].count("the same") == 1
    assert sorted(states(engine).values()) == ["completed"] * 5 + ["in_doubt"]
    assert money(engine) == (5 * PRICE, PRICE)


def test_nothing_is_settled_by_a_list_that_knows_nothing(engine: Engine) -> None:
    """The only row: nothing shows that the list is true, so a person must say."""
    lost(engine, "n0")
    load(engine, 1)
    assert engine.run(grace=60).reason is Reason.FINISHED
    (doubt,) = engine.status().doubts
    assert doubt.unproven
    assert (money(engine), len(engine.provider.posts)) == ((0, PRICE), 1)


@pytest.mark.parametrize(
    "error", [UnreachableError("503"), ThrottledError("429", 5.0)], ids=["503", "429"]
)
def test_a_list_that_can_not_be_read_leaves_the_doubt_and_ends_the_run(
    engine: Engine, error: Exception
) -> None:
    """The other rows are finished by single looks; why it waits is told."""
    lost(engine, "n0")
    load(engine, 3)
    engine.provider.list_errors = [error] * 9999
    ending = engine.run(grace=60, unreachable_patience=900.0)
    assert ending.reason in (Reason.FINISHED, Reason.UNREACHABLE)
    assert states(engine) == {"n0": "in_doubt", "n1": "completed", "n2": "completed"}
    assert money(engine) == (2 * PRICE, PRICE)


def test_a_token_that_is_refused_while_a_doubt_is_looked_for_ends_the_run(
    engine: Engine,
) -> None:
    lost(engine, "n0")
    load(engine, 2)
    engine.provider.list_errors = [TokenRefusedError("401")] * 99
    assert engine.run(grace=60).reason is Reason.TOKEN
    assert states(engine)["n0"] == "in_doubt"


def test_no_answer_to_anything_leaves_a_few_doubts(engine: Engine) -> None:
    """The run slows down at once, and ends when nothing is taken for its patience."""
    engine.provider.script = {f"prompt of n{n}": [InDoubt("502", gateway=True)] for n in range(40)}
    load(engine, 40)
    ending = engine.run(rate=5, unreachable_patience=300.0, grace=60)
    assert ending.reason in (Reason.UNREACHABLE, Reason.FINISHED)
    doubtful = [key for key, state in states(engine).items() if state == "in_doubt"]
    assert money(engine)[1] == len(doubtful) * PRICE
    assert engine.provider.made == [] or money(engine)[0] == engine.provider.charged


def test_a_doubt_that_says_the_money_is_gone_is_checked_by_the_balance(engine: Engine) -> None:
    lost(engine, "n0", how=InDoubt("a 502 about money", RefusalCause.FUNDS))
    load(engine, 3)
    assert engine.run().reason is Reason.FINISHED
    assert set(states(engine).values()) == {"completed"}


# -- voids that turn up


def test_what_turns_up_before_its_row_is_sent_again_is_the_rows(engine: Engine) -> None:
    """The list hid it for longer than the grace: the next run adopts it, and buys nothing."""
    lost(engine, "n0", how="made")
    load(engine, 4)
    hidden: list[str] = []

    def hide(request: GenerationRequest) -> None:
        if request.prompt == "prompt of n0" and not hidden:
            hidden.append(f"gen-{len(engine.provider.made)}")
            engine.provider.hides[hidden[0]] = 10**9

    engine.provider.on_post = hide
    engine.run(during=stop(20))
    (doubt,) = [one for one in engine.attempts() if one.state == "in_doubt"]
    assert engine.store.doubts.void(doubt.id, "said so", engine.clock.now())
    assert money(engine) == (3 * PRICE, 0)
    engine.provider.hides.clear()
    runs: list[Runner] = []
    assert engine.run(during=runs.append).reason is Reason.FINISHED
    assert (runs[0].reappeared, runs[0].left.surplus) == (1, 0)
    assert attempts(engine, "n0") == ["completed"]
    assert (money(engine), len(engine.provider.posts)) == ((4 * PRICE, 0), 4)


def test_what_turns_up_after_its_row_was_sent_again_is_told_as_paid_for_twice(
    engine: Engine,
) -> None:
    """A person said too soon that nothing was made; the list shows it an hour later."""
    lost(engine, "n0", how="made")
    load(engine, 4)
    engine.provider.hides["gen-0"] = 600.0
    engine.run(during=stop(20))
    (doubt,) = [one for one in engine.attempts() if one.state == "in_doubt"]
    assert engine.store.doubts.void(doubt.id, "said so", engine.clock.now())
    engine.provider.takes = 1200.0
    runs: list[Runner] = []
    assert engine.run(during=runs.append).reason is Reason.FINISHED
    assert (runs[0].reappeared, runs[0].left.surplus) == (0, 1)
    assert len(set(keys_sent(engine, "prompt of n0"))) == 1
    assert engine.store.queries.twice_micros() == PRICE
    assert money(engine) == (5 * PRICE, 0)
    assert engine.provider.charged == 5 * PRICE
    assert set(states(engine).values()) == {"completed"}


# -- settling without buying


def settle(engine: Engine, *, wait: bool, **changes: Any) -> None:
    """Settle what is in doubt, and buy nothing."""
    runner = Runner(
        engine.store,
        engine.provider,
        engine.owner,
        policy(**changes),
        engine.clock,
        engine.chance,
    )
    run_virtual(runner.settle(wait=wait))
    engine.clock.start = engine.clock.now()
    engine.clock._last = 0.0


@pytest.mark.parametrize("wait", [True, False])
def test_a_doubt_is_settled_without_buying(waiting: Engine, *, wait: bool) -> None:
    """With patience it is shown to be absent; one look alone leaves what needs time."""
    sent = len(waiting.provider.posts)
    settle(waiting, wait=wait)
    assert len(waiting.provider.posts) == sent
    assert states(waiting)["n2"] in (("queued", "in_doubt") if wait else ("in_doubt",))


def test_a_settling_that_finds_it_adopts_it(engine: Engine) -> None:
    lost(engine, "n2", how="made")
    load(engine, 4)
    engine.provider.lag = 30.0
    engine.run(during=stop(9))
    engine.provider.lag = 0.0
    settle(engine, wait=True)
    assert states(engine)["n2"] == "pending"
    assert money(engine) == (4 * PRICE, 0)
