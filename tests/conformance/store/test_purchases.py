"""Purchases: one turn reserves the money and writes the intents; answers land once."""

from datetime import timedelta
from typing import Any

import pytest
from support.engine import spec
from support.steps import PRICE, Decided, Steps

from jobs.model.states import Blocked
from jobs.ports.purchases import Lost, Recovery, Turn

# -- taking over, serving, leaving


def test_an_empty_table_is_taken_over_with_nothing_left_behind(steps: Steps) -> None:
    assert steps.begin() == Recovery(0, 0)
    assert steps.store.purchases.newest_attempt() == 0
    assert steps.store.purchases.lost(steps.run_id) is None
    assert steps.leave().served == []


def test_what_a_dead_run_was_sending_is_in_doubt_with_its_money(steps: Steps) -> None:
    """Once: the third run finds nothing more of it."""
    steps.load("a", "b", "c")
    steps.begin()
    claims = steps.claim()
    steps.accept(claims["a"])
    steps.run_id = "second"
    assert steps.begin().doubts == 2
    assert steps.states() == {"a": "pending", "b": "in_doubt", "c": "in_doubt"}
    assert steps.money() == (PRICE, 2 * PRICE)
    assert set(steps.store.purchases.doubts()) == {claims[key].attempt_id for key in "bc"}
    steps.run_id = "third"
    assert steps.begin().doubts == 0


def test_a_run_whose_table_was_taken_over_buys_nothing_more(steps: Steps) -> None:
    """Its next turn says so, and its end leaves everything to the other one."""
    steps.load("a", "b")
    steps.begin()
    steps.claim(1)
    steps.store.purchases.take_over("other", steps.now, None)
    steps.store.purchases.serve([1], steps.now)
    seen = steps.turn()
    assert (seen.lost, seen.claimed.claims) == (Lost.TAKEN, ())
    assert steps.store.purchases.lost(steps.run_id) is Lost.TAKEN
    steps.leave()
    assert steps.status().active
    assert steps.store.purchases.lost("other") is None


def test_begin_takes_the_table_from_whoever_has_it(steps: Steps) -> None:
    """Nothing is served then, and nothing handed over."""
    steps.load("a")
    steps.begin()
    steps.store.control.begin()
    assert steps.store.purchases.lost(steps.run_id) is Lost.TAKEN
    assert not steps.status().active


def test_leaving_puts_in_doubt_what_is_under_way(steps: Steps) -> None:
    """And says which batches were served; the next run finds no open submission."""
    steps.load("a")
    steps.begin()
    steps.claim()
    left = steps.leave()
    assert (left.served, left.handed, left.surplus) == ([1], [], 0)
    assert steps.states() == {"a": "in_doubt"}
    assert steps.money() == (0, PRICE)
    steps.run_id = "second"
    assert steps.begin().doubts == 0


# -- turns


def test_a_turn_reserves_the_money_of_each_claim(steps: Steps) -> None:
    """The claim says what to send; nothing is charged yet."""
    steps.load(spec("a", prompt="a kite", duration=10, campaign="k"), "b")
    steps.begin()
    claims = steps.claim()
    one = claims["a"]
    assert (one.request.prompt, one.kind, one.batch_id) == ("a kite", "fake/sora/10", 1)
    assert one.send_before == steps.now + timedelta(seconds=10)
    assert one.idempotency_key != claims["b"].idempotency_key
    assert steps.money() == (0, 2 * PRICE)
    assert steps.status().campaigns["k"].held == PRICE
    (attempt,) = steps.attempts("a")
    assert (attempt.state, attempt.hold_micros) == ("open", PRICE)
    assert attempt.idempotency_key == one.idempotency_key
    assert steps.store.purchases.newest_attempt() == max(c.attempt_id for c in claims.values())


@pytest.mark.parametrize(("want", "claimed"), [(0, 0), (1, 1), (2, 2), (9, 3)])
def test_a_turn_claims_at_most_what_is_wanted(steps: Steps, want: int, claimed: int) -> None:
    steps.load("a", "b", "c")
    steps.begin()
    seen = steps.turn(want)
    assert len(seen.claimed.claims) == claimed
    assert steps.status().jobs["submitting"] == claimed
    assert seen.left.sending == claimed
    assert seen.left.ready is (claimed < 3)


def test_higher_priority_goes_first_then_the_manifests_order(steps: Steps) -> None:
    rows = [spec("a", row=1), spec("b", row=2, priority=5), spec("c", row=3, priority=5)]
    steps.load(*rows)
    steps.begin()
    order = [next(iter(steps.claim(1))) for _ in rows]
    assert order == ["b", "c", "a"]


def test_the_window_counts_what_is_unfinished_everywhere(steps: Steps) -> None:
    """A paid generation that fills it says that room will come; a doubt takes a slot too."""
    steps.load("a", "b", "c")
    steps.begin()
    steps.lose("a", want=1)
    assert steps.claim(window=1) == {}
    past = steps.store.purchases.doubts()
    assert list(steps.claim(1, window=1, past_grace=past)) == ["b"]
    steps.accept(steps.attempts("b")[0].id)
    seen = steps.turn(window=1, past_grace=past)
    assert (len(seen.claimed.claims), seen.claimed.crowded) == (0, True)


def test_nothing_is_claimed_of_batches_that_nobody_serves(steps: Steps) -> None:
    steps.load("a")
    steps.load("b", batch="other")
    steps.begin(2)
    assert list(steps.claim()) == ["b"]
    assert steps.turn(0, tells_served=True).served == [2]


def test_nothing_is_claimed_of_a_paused_batch(steps: Steps) -> None:
    """The turn tells of it, unless the batch is not waited for."""
    steps.load("a")
    steps.begin()
    steps.store.control.pause("night")
    seen = steps.turn()
    assert (len(seen.claimed.claims), seen.left.paused, seen.left.ready) == (0, True, False)
    assert not steps.turn(not_awaited=[1]).left.paused


def caps() -> dict[str, tuple[dict[str, Any], Blocked]]:
    """Budgets with room for one of two rows, and what stands in the way of the second."""
    return {
        "batch": ({"batch": PRICE}, Blocked.BATCH_CAP),
        "campaign": ({"campaigns": {"k": PRICE + 1}}, Blocked.CAMPAIGN_CAP),
        "day": ({"day": 2 * PRICE - 1}, Blocked.DAY_CAP),
    }


@pytest.mark.parametrize(("said", "why"), caps().values(), ids=caps())
def test_no_claim_passes_a_budget(steps: Steps, said: dict[str, Any], why: Blocked) -> None:
    """What is reserved counts as spent; more room lets the other row be bought."""
    steps.load(spec("a", row=1, campaign="k"), spec("b", row=2, campaign="k"))
    steps.cap(**said)
    steps.begin()
    seen = steps.turn()
    assert [one.job_key for one in seen.claimed.claims] == ["a"]
    assert seen.claimed.blocked == {1: frozenset({why})}
    assert not seen.claimed.lacks_money
    steps.cap(batch=9 * PRICE, campaigns={"k": 9 * PRICE}, day=9 * PRICE)
    assert list(steps.claim()) == ["b"]


def test_no_claim_passes_the_balance_less_the_floor(steps: Steps) -> None:
    """The turn tells the balance where it stands in the way."""
    steps.load("a", "b")
    steps.cap(floor=PRICE)
    steps.begin()
    assert steps.balance(3 * PRICE - 1)
    seen = steps.turn()
    assert [one.job_key for one in seen.claimed.claims] == ["a"]
    assert seen.claimed.blocked == {1: frozenset({Blocked.BALANCE})}
    assert (seen.claimed.lacks_money, seen.balance) == (True, 3 * PRICE - 1)


def test_a_kind_above_the_highest_price_is_not_bought(steps: Steps) -> None:
    steps.load("a")
    steps.cap(max_price=PRICE - 1)
    steps.begin()
    assert steps.turn().claimed.blocked == {1: frozenset({Blocked.PRICE})}
    steps.cap(max_price=PRICE)
    assert list(steps.claim()) == ["a"]


@pytest.mark.parametrize(("said", "hold"), [({}, 1_000_000), ({"max_price": 300_000}, 300_000)])
def test_the_first_of_a_kind_without_a_price_goes_alone(
    steps: Steps, said: dict[str, Any], hold: int
) -> None:
    """It reserves the most that it may cost; the answer's price lets the others go."""
    steps.load("a", "b", "c", kind="fake/sora/99")
    steps.cap(**said)
    steps.begin()
    seen = steps.turn()
    assert [one.job_key for one in seen.claimed.claims] == ["a"]
    assert seen.claimed.blocked == {1: frozenset({Blocked.LEARNING})}
    assert steps.money() == (0, hold)
    assert steps.claim() == {}
    steps.accept(seen.claimed.claims[0], price=200_000)
    assert set(steps.claim()) == {"b", "c"}
    assert steps.money() == (200_000, 400_000)
    assert steps.store.queries.prices()["fake/sora/99"].last_micros == 200_000


def test_rows_of_one_prompt_that_differ_wait_for_each_other(steps: Steps) -> None:
    """The list shows prompts alone: two doubts could not be told apart there."""
    wide = {"orientation": "16:9"}
    steps.load(spec("a", prompt="same", row=1), spec("b", prompt="same", row=2, **wide))
    steps.begin()
    seen = steps.turn()
    assert [one.job_key for one in seen.claimed.claims] == ["a"]
    assert seen.claimed.blocked == {1: frozenset({Blocked.TWIN})}
    steps.accept(seen.claimed.claims[0])
    assert list(steps.claim()) == ["b"]


def test_what_is_decided_on_a_turn_is_written_with_it(steps: Steps) -> None:
    """What batches wait for, and whether the run takes up what is handed over."""
    steps.load("a")
    steps.begin()
    kept: list[Turn] = []
    decided = Decided({1: "the balance"}, serving=True)
    seen = steps.turn(0, decided=decided, keep=lambda turn, _: kept.append(turn))
    assert kept == [seen]
    assert steps.status().waiting_for == "the balance"
    assert steps.store.queries.is_served()
    steps.turn(0, decided=Decided({}))
    assert steps.status().waiting_for is None
    assert steps.store.queries.is_served()


def test_a_turn_whose_decision_fails_claims_nothing(steps: Steps) -> None:
    steps.load("a")
    steps.begin()

    class Wrong:
        @property
        def waits(self) -> None:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        steps.turn(decided=Wrong())  # type: ignore[arg-type]
    assert steps.states() == {"a": "queued"}
    assert steps.money() == (0, 0)


def test_nothing_of_a_turn_stands_whose_commit_fails(steps: Steps) -> None:
    """Neither intents nor money nor what was remembered; the next turn claims them."""
    steps.load("a", "b")
    steps.begin()
    kept: list[Turn] = []
    with steps.kind.failing_commit(steps.store):
        steps.turn(decided=Decided({1: "x"}, serving=True), keep=lambda t, _: kept.append(t))
    assert not kept
    assert steps.states() == {"a": "queued", "b": "queued"}
    assert steps.money() == (0, 0)
    assert steps.status().waiting_for is None
    assert set(steps.claim()) == {"a", "b"}


def test_another_process_sees_a_turn_once_it_is_durable(steps: Steps) -> None:
    steps.load("a")
    steps.begin()
    before = steps.store.change_mark()
    steps.claim()
    other = steps.elsewhere_seen()
    try:
        assert other.queries.job("a").state == "submitting"
        assert other.purchases.lost(steps.run_id) is None
        other.control.pause("night")
    finally:
        other.close()
    assert steps.store.change_mark() != before
    assert steps.turn().left.sending == 1


def test_what_batches_wait_for_is_forgotten_where_nothing_is_said(steps: Steps) -> None:
    steps.load("a")
    steps.load("b", batch="other")
    steps.begin(1)
    steps.store.purchases.wait({1: "balance", 2: "a look"}, steps.now)
    assert [steps.status(n).waiting_for for n in ("night", "other")] == ["balance", "a look"]
    steps.store.purchases.wait({}, steps.now)  # only what is served is spoken of
    assert [steps.status(n).waiting_for for n in ("night", "other")] == [None, "a look"]
