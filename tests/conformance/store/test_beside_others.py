"""What turns heed of others: who buys the same on this account, other batches, other rows."""

from datetime import timedelta

import pytest
from support.engine import spec
from support.steps import PRICE, Steps

from jobs.evidence.elsewhere import Elsewhere
from jobs.evidence.looked_for import LookedFor
from jobs.model.provider import GenerationPhase, InDoubt, RefusalCause, Refused, Throttled
from jobs.model.states import HeldBack
from jobs.ports.purchases import Claim
from jobs.ports.selection import Sought

MINUTE = timedelta(minutes=1)


def seen(steps: Steps, **prompts: str) -> None:
    """Let a page of the list show generations of others, by their names."""
    steps.elsewhere.note(
        [
            steps.shown(name.replace("_", "-"), prompt, phase=GenerationPhase.PENDING)
            for name, prompt in prompts.items()
        ],
        None,
        (),
    )


def test_what_others_buy_meanwhile_is_held_back(steps: Steps) -> None:
    """With the generation that is the reason; a person may say to buy it all the same."""
    steps.elsewhere = Elsewhere(steps.now - MINUTE)
    steps.load("a", "b")
    steps.begin()
    seen(steps, gen_x="prompt of a")
    turn = steps.turn()
    assert [one.job_key for one in turn.claimed.claims] == ["b"]
    assert turn.claimed.others == ["gen-x"]
    job = steps.job("a")
    assert (job.held_back, job.held_back_by) == (HeldBack.ELSEWHERE, "gen-x")
    steps.later(minutes=1)
    steps.store.control.retry([job.id], None, now=steps.now)
    assert list(steps.claim()) == ["a"]


def test_what_turned_out_to_be_ours_holds_nothing_back(steps: Steps) -> None:
    steps.elsewhere = Elsewhere(steps.now - MINUTE)
    steps.load("a")
    steps.begin()
    name = steps.buy("a")["a"]
    steps.elsewhere.note([steps.shown(name, "prompt of a")], None, ())
    steps.end("a")
    steps.store.control.redo(steps.number("a"), steps.now)
    assert list(steps.claim()) == ["a"]


@pytest.mark.parametrize("copies", [2, 3])
def test_a_copy_of_the_database_that_buys_too_stops_the_batch(steps: Steps, copies: int) -> None:
    """Several prompts that both have bought are no chance; what was dealt with is told."""
    keys = ["a", "b", "c"][:copies]
    steps.elsewhere = Elsewhere(steps.now - MINUTE, copies=True)
    steps.load("a", "b", "c", "d", "e")
    steps.begin()
    for key in steps.buy("a", "b", "c", want=3):
        steps.elsewhere.bought("sora", f"prompt of {key}", 1)
    seen(steps, **{f"gen_{key}": f"prompt of {key}" for key in keys})
    turn = steps.turn()
    held = steps.status().held_back
    if copies < 3:
        assert (held, set(steps.states().values())) == ({}, {"pending", "submitting"})
        return
    assert held == {HeldBack.ELSEWHERE: 2}
    assert len(turn.claimed.others) == 1
    assert {batch for _, batch in turn.claimed.copies.values()} == {1}
    assert {name for name, _ in turn.claimed.copies.values()} == {"gen-a", "gen-b", "gen-c"}
    steps.elsewhere.forget(turn.claimed.copies)
    steps.store.control.retry(steps.number("d", "e"), None, now=steps.now)
    assert set(steps.claim()) == {"d", "e"}


@pytest.fixture
def beside(steps: Steps) -> Steps:
    """Two batches of one run that ask for the same, after a look at our own past."""
    steps.looked_for = LookedFor(past=True)
    steps.load("a", batch="first")
    steps.load(spec("b", prompt="prompt of a", row=1), spec("c", row=2), batch="second")
    steps.begin(1, 2)
    return steps


def keep(steps: Steps) -> dict[str, Claim]:
    """Take a turn, and remember what it found."""
    turn = steps.turn()
    if turn.claimed.found is not None:
        steps.looked_for.keep(turn.claimed.found)
    return {one.job_key: one for one in turn.claimed.claims}


def test_batches_of_one_run_do_not_buy_the_same_twice(beside: Steps) -> None:
    """The second one's row waits for the answer, and is held back then."""
    first = keep(beside)
    assert set(first) == {"a", "c"}
    assert beside.states("second")["b"] == "queued"
    name = beside.accept(first["a"])
    assert keep(beside) == {}
    job = beside.job("b")
    assert (job.held_back, job.held_back_by) == (HeldBack.PAID_BEFORE, name)


def test_what_the_first_batch_did_not_get_is_bought_for_the_second(beside: Steps) -> None:
    first = keep(beside)
    beside.settle(first["a"], Throttled(1.0))
    beside.store.control.cancel(beside.number("a"), beside.now)
    # what was left waiting is looked for, and free
    waiting = beside.looked_for.waiting
    beside.looked_for.looked(waiting, {})
    assert set(keep(beside)) == {"b"}


def test_a_doubt_of_the_first_batch_holds_the_second_ones_row_back(beside: Steps) -> None:
    """It may be paid for: nothing is bought beside it."""
    first = keep(beside)
    beside.settle(first["a"], InDoubt("no answer"))
    assert keep(beside) == {}
    assert beside.job("b").held_back == HeldBack.PAID_BEFORE


def test_a_row_that_was_tried_before_is_looked_for_first(steps: Steps) -> None:
    """Until it is known what there is of it."""
    steps.load("a", "b")
    steps.begin()
    steps.lose("a", want=1)
    steps.void("a")
    newest = steps.store.purchases.newest_attempt()
    steps.looked_for = LookedFor({}, newest)
    assert set(keep(steps)) == {"b"}
    assert steps.looked_for.waiting == steps.number("a")
    wishes = steps.store.queries.wishes(_sought(steps, "a"))
    steps.looked_for.looked(steps.number("a"), wishes)
    assert set(keep(steps)) == {"a"}


def _sought(steps: Steps, *keys: str) -> Sought:
    return Sought((), jobs=steps.number(*keys))


ALONE = {
    "throttled": Throttled(1.0, "slow down"),
    "refused in words about the account": Refused(RefusalCause.FUNDS, "no credit", sure=False),
}


@pytest.mark.parametrize("outcome", ALONE.values(), ids=ALONE)
def test_a_row_that_alone_is_refused_fails_at_no_cost(
    steps: Steps, outcome: Throttled | Refused
) -> None:
    """Others are accepted after each of its tries: it is the row, not the account."""
    others = [f"r{n:02}" for n in range(30)]
    steps.load("a", *others)
    steps.begin()
    tries = 0
    while steps.job("a").state != "failed":
        claims = steps.claim(2)
        assert claims
        bad = claims.pop("a", None)
        if bad is not None:
            steps.settle(bad, outcome)
            tries += 1
        for one in claims.values():
            steps.accept(one)
        steps.later(seconds=10)
    assert 2 < tries < 20
    job = steps.job("a")
    assert (job.error_kind, job.charged_micros) == ("validation", 0)
    assert steps.money() == (PRICE * steps.status().jobs["pending"], 0)


def test_a_refusal_that_everybody_hears_fails_nobody(steps: Steps) -> None:
    """Nothing is accepted between: the account is busy, and each row waits."""
    steps.load("a", "b")
    steps.begin()
    for _ in range(12):
        for one in steps.claim().values():
            steps.settle(one, Throttled(1.0, "slow down"))
        steps.later(minutes=10)
    assert set(steps.states().values()) == {"queued"}
    assert steps.money() == (0, 0)
