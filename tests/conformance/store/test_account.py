"""The account: whose generations these are, and what a reading of its balance lets be bought."""

from datetime import timedelta

import pytest
from support.steps import PRICE, Steps

from jobs.model.clock import Moment
from jobs.ports.account import Ownership

ORIGIN, TOKEN = "https://api.example.com", "tok-one"


def test_a_new_table_is_nobodys(steps: Steps) -> None:
    account = steps.store.account
    assert account.ownership(ORIGIN, TOKEN) == Ownership(None, None)
    assert account.charged() == 0
    assert account.list_lag("sora") is None
    assert account.covers_holds() is False
    assert dict(account.listed([]).known) == {}
    assert not account.listed([]).offset.known


@pytest.mark.parametrize("role", ["account", "control"])
def test_it_is_bound_by_a_hash_that_holds_no_token(steps: Steps, role: str) -> None:
    """Bound anew, it is the other's; the kept row shows the token nowhere."""
    if role == "account":
        steps.wait(steps.store.account.bind(ORIGIN, TOKEN))
    else:
        steps.store.control.bind(ORIGIN, TOKEN)
    ownership = steps.store.account.ownership
    assert ownership(ORIGIN, TOKEN) == Ownership(ours=True, origin=ORIGIN)
    assert ownership(ORIGIN, "tok-two").ours is False
    assert ownership("https://else.example.com", TOKEN).ours is False
    kept = steps.store.queries.account()
    assert TOKEN not in repr(kept)
    assert kept.api_origin == ORIGIN
    steps.wait(steps.store.account.bind(ORIGIN, "tok-two"))
    assert ownership(ORIGIN, "tok-two").ours is True
    assert ownership(ORIGIN, TOKEN).ours is False


def test_another_token_may_show_that_it_is_of_the_same_account(steps: Steps) -> None:
    """By the newest generations of ours; a submission in doubt is told of as well."""
    steps.store.control.bind(ORIGIN, TOKEN)
    assert list(steps.store.account.ownership(ORIGIN, "tok-two").witnesses) == []
    steps.load("a", "b", "c", "d")
    steps.begin()
    names = [steps.accept(one) for one in steps.claim(4).values()]
    found = steps.store.account.ownership(ORIGIN, "tok-two")
    assert list(found.witnesses) == names[:0:-1]  # the newest three, the newest first
    assert found.unsettled is False
    steps.load("a", "b", "c", "d", "e")
    steps.lose("e")
    assert steps.store.account.ownership(ORIGIN, "tok-two").unsettled is True


def test_no_binding_stands_whose_commit_fails(steps: Steps) -> None:
    with steps.kind.failing_commit(steps.store):
        steps.wait(steps.store.account.bind(ORIGIN, TOKEN))
    assert steps.store.account.ownership(ORIGIN, TOKEN).ours is None


def test_where_it_is_used_and_by_whom_is_kept(steps: Steps) -> None:
    """What is not said was not changed."""
    control, queries = steps.store.control, steps.store.queries
    control.keep_place("host-a", seal="sealed", bind=(ORIGIN, TOKEN))
    control.keep_place("host-b")
    kept = queries.account()
    assert (kept.host, kept.seal, kept.api_origin) == ("host-b", "sealed", ORIGIN)


def test_a_reading_counts_from_the_mark_that_was_taken_before_it(steps: Steps) -> None:
    """What was charged meanwhile may be in it or not: it counts against it."""
    steps.load("a", "b", "c")
    steps.begin()
    steps.buy("a", want=1)
    steps.balance(2 * PRICE, mark=0)  # the request left before the purchase was charged
    assert steps.store.account.covers_holds()
    assert len(steps.claim()) == 1
    assert steps.store.account.covers_holds()
    steps.balance(PRICE, mark=0)
    assert not steps.store.account.covers_holds()
    assert steps.turn().claimed.lacks_money
    kept = steps.store.queries.account()
    assert (kept.balance_micros, kept.balance_at) == (PRICE, steps.now)


def test_a_reading_is_clean_while_nothing_was_under_way_or_charged(steps: Steps) -> None:
    """Else it does not show what was charged for a doubt before."""
    steps.load("a", "b")
    steps.begin()
    assert steps.balance(1_000_000)
    claim = steps.claim(1)["a"]
    assert not steps.balance(1_000_000)  # under way
    steps.accept(claim)
    assert not steps.balance(1_000_000, mark=0)  # charged meanwhile
    assert steps.balance(1_000_000 - PRICE, began=Moment(steps.now), ahead=timedelta(0))
    steps.lose("b")
    assert steps.balance(1_000_000 - PRICE)  # a doubt alone is what it may show


def test_the_floor_is_ours_and_no_part_of_the_holds(steps: Steps) -> None:
    """The provider knows nothing of it: the reading covers holds beneath it."""
    steps.load("a")
    steps.begin()
    steps.claim()
    steps.cap(floor=10 * PRICE)
    steps.balance(PRICE)
    assert steps.store.account.covers_holds()
    assert steps.store.queries.account().floor_micros == 10 * PRICE


def test_generations_of_ours_are_found_among_many(steps: Steps) -> None:
    """More than any statement takes at once; those of others are left out."""
    steps.load("a", "b")
    steps.begin()
    names = steps.buy("a", "b")
    many = [f"gen-else-{n}" for n in range(1200)]
    known = steps.store.account.listed([*many, *names.values()]).known
    assert set(known) == set(names.values())
    one = known[names["a"]]
    assert (one.generation_id, one.prompt, one.bought) == (names["a"], "prompt of a", True)
    assert one.accepted_at == steps.now
    owners = steps.store.queries.owners([*many, names["b"]])
    assert {name: one.key for name, one in owners.items()} == {names["b"]: "b"}
