"""What counts as never made and turns up, and what a person says of doubts."""

from datetime import timedelta

import pytest
from support.engine import spec
from support.steps import PRICE, Steps

from jobs.evidence.account_list import Reading
from jobs.evidence.suspects import WATCHED, Appeared, Settlement
from jobs.model.provider import InDoubt
from jobs.ports.seen import GenerationOwner

MINUTE = timedelta(minutes=1)


@pytest.fixture
def lost(steps: Steps) -> Steps:
    """Two rows whose answers are lost."""
    steps.load("a", "b")
    steps.begin()
    steps.lose("a", "b")
    return steps


def attempt(steps: Steps, key: str) -> int:
    """Return a job's last attempt."""
    number = steps.job(key).attempt_id
    assert number is not None
    return number


# -- voids that turn up


def test_a_void_that_turns_up_is_the_rows(lost: Steps) -> None:
    """It is charged whatever the caps say, and buys nothing again."""
    lost.cap(batch=2 * PRICE)
    number = lost.void("a")
    seen = lost.shown("gen-late", "prompt of a")
    done = lost.reconcile(lambda _: Settlement(appeared=[(number, seen)]), seen)
    assert done.appeared == [(number, "gen-late", Appeared.ADOPTED)]
    assert lost.states()["a"] == "pending"
    assert lost.money() == (PRICE, PRICE)
    assert lost.claim() == {}
    again = lost.reconcile(lambda _: Settlement(appeared=[(number, seen)]), seen)
    assert again.appeared == [(number, "gen-late", None)]
    assert lost.money() == (PRICE, PRICE)


def test_a_void_that_turns_up_while_its_row_is_sent_waits(lost: Steps) -> None:
    """Its key may be under way: the answer to that tells."""
    number = lost.void("a")
    lost.claim()
    seen = lost.shown("gen-late", "prompt of a")
    done = lost.reconcile(lambda _: Settlement(appeared=[(number, seen)]), seen)
    assert done.appeared == [(number, "gen-late", None)]
    assert lost.attempts("a")[0].state == "void"


def test_a_void_that_turns_up_after_its_row_was_bought_again_is_paid_for_twice(
    lost: Steps,
) -> None:
    """It is told with its price; the run that ends tells of those that turned up in it."""
    number = lost.void("a")
    lost.buy("a")
    seen = lost.shown("gen-late", "prompt of a")
    done = lost.reconcile(lambda _: Settlement(appeared=[(number, seen)]), seen)
    assert done.appeared == [(number, "gen-late", Appeared.SURPLUS)]
    assert lost.money() == (2 * PRICE, PRICE)
    queries = lost.store.queries
    (twice,) = queries.paid_twice()
    told = (twice.key, twice.batch, twice.generation_id, twice.price_micros)
    assert told == ("a", "night", "gen-late", PRICE)
    assert queries.twice_micros() == lost.status().twice == PRICE
    assert lost.attempts("a")[0].is_surplus
    assert lost.leave([number]).surplus == 1


def test_what_was_paid_for_twice_is_the_rows_where_its_replacement_came_to_nothing(
    lost: Steps,
) -> None:
    """The replacement is refused and the row queued again: it has the video that turned up."""
    number = lost.void("a")
    again = lost.claim()["a"]
    lost.settle(again, InDoubt("no answer"))
    seen = lost.shown("gen-late", "prompt of a")
    done = lost.reconcile(lambda _: Settlement(appeared=[(number, seen)]), seen)
    assert done.appeared == [(number, "gen-late", Appeared.SURPLUS)]
    lost.void("a")
    lost.later(hours=2)
    assert lost.claim() == {}
    job = lost.job("a")
    assert (job.state, job.attempt_id, job.generation_id) == ("pending", number, "gen-late")
    assert lost.store.queries.twice_micros() == 0
    assert lost.money() == (PRICE, PRICE)


def test_a_void_follows_its_request_to_another_row(lost: Steps) -> None:
    """Its row asks for something else now, and another one for what it asked for."""
    number = lost.void("a")
    lost.later(seconds=1)
    since = lost.now - WATCHED
    assert lost.store.purchases.voided(since) == lost.number("a")
    lost.load(spec("a", prompt="another", row=1), "b", spec("c", prompt="prompt of a", row=3))
    assert lost.store.purchases.follow_voids(since) == lost.number("c")
    lost.store.control.follow_voids()
    assert [one.id for one in lost.attempts("c")] == [number]
    assert lost.attempts("a") == []
    assert lost.store.purchases.voided(lost.now) == []
    seen = lost.shown("gen-late", "prompt of a")
    lost.reconcile(lambda _: Settlement(appeared=[(number, seen)]), seen)
    assert lost.states() == {"a": "queued", "b": "in_doubt", "c": "pending"}


# -- by a person's word


def test_a_person_says_which_generation_it_is(lost: Steps) -> None:
    """Once; another job is told whose it is."""
    a, b = attempt(lost, "a"), attempt(lost, "b")
    doubts = lost.store.doubts
    assert doubts.adopt(a, "gen-x", lost.now) is True
    owner = GenerationOwner(a, "a", "night")
    assert doubts.owner_of("gen-x") == owner
    assert doubts.adopt(b, "gen-x", lost.now) == owner
    assert doubts.adopt(a, "gen-y", lost.now) is False
    assert doubts.adopt(10**6, "gen-z", lost.now) is False
    assert lost.states() == {"a": "pending", "b": "in_doubt"}
    assert lost.money() == (PRICE, PRICE)


def test_a_person_says_that_nothing_was_made(lost: Steps) -> None:
    """Once: the money is free, and the row queued again."""
    a = attempt(lost, "a")
    doubts = lost.store.doubts
    with lost.kind.failing_commit(lost.store):
        doubts.void(a, "said so", lost.now)
    assert lost.states()["a"] == "in_doubt"
    assert doubts.void(a, "said so", lost.now)
    assert not doubts.void(a, "said so", lost.now)
    assert not doubts.adopt(a, "gen-x", lost.now)
    (written,) = lost.attempts("a")
    assert (written.state, written.error, written.void_on_word) == ("void", "said so", True)
    assert lost.money() == (0, PRICE)


def test_what_a_search_for_a_doubt_finds_is_kept(lost: Steps) -> None:
    """Candidates that no attempt has; ours are counted out."""
    lost.load("a", "b", "c")
    name = lost.buy("c")["c"]
    a = attempt(lost, "a")
    seen = [lost.shown("gen-x", "prompt of a"), lost.shown(name, "prompt of c")]
    reading = Reading("sora", seen, lost.now, whole=True, to_the_end=True)
    found = lost.store.doubts.search(a, reading, seen, lost.now - MINUTE)
    assert (found.found, set(found.ours), found.any_ours) == (1, {name}, True)
    assert [one.generation_id for one in found.expected] == [name]
    (kept,) = lost.store.doubts.of_job(lost.job("a").id).candidates
    assert kept["generation_id"] == "gen-x"
    nothing = Reading("sora", [], lost.now, whole=True, to_the_end=True)
    assert lost.store.doubts.search(a, nothing, [], lost.now).found == 0


def test_an_audit_compares_charges_and_the_first_balance(lost: Steps) -> None:
    lost.balance(10_000_000)
    lost.load("a", "b", "c")
    name = lost.buy("c")["c"]
    found = lost.store.doubts.ledger([name, "gen-else"])
    assert found.ours == {name}
    assert (found.charged, found.held) == (PRICE, 2 * PRICE)
    assert (found.first_balance, found.first_charged) == (10_000_000, 0)
    assert lost.store.doubts.first_intent() == lost.now


def test_the_lists_lag_is_kept_by_its_longest(lost: Steps) -> None:
    lost.load("a", "b", "c")
    name = lost.buy("c")["c"]
    keep = lost.store.doubts.keep_lag
    assert lost.wait(keep("sora", [], lambda _: None)) == {}
    ours = lost.wait(keep("sora", [name, "gen-else"], lambda ours: 7.0 if ours else None))
    assert set(ours) == {name}
    assert lost.store.account.list_lag("sora") == 7.0
    lost.wait(keep("sora", [name], lambda _: None))
    assert lost.store.account.list_lag("sora") == 7.0
    lost.reconcile(lag=11.0)
    assert lost.store.account.list_lag("sora") == 11.0
