"""Handing over: what a person asks for beside a run, job by job, and the room that it has."""

import pytest
from support.steps import PRICE, Decided, Steps

from jobs.model.states import Blocked
from jobs.ports.control import Handing, Room


def offer(steps: Steps, how: Handing, *keys: str, ceiling: int = 1_000_000) -> tuple[bool, Room]:
    """Offer jobs to the runner."""
    found = steps.store.control.offer(steps.number(*keys), steps.now, how, ceiling)
    return found.served, found.room


def test_nothing_is_handed_over_where_nobody_serves(steps: Steps) -> None:
    steps.load("a")
    for how in Handing:
        assert offer(steps, how, "a") == (False, Room(some=True, blocked={}))
    assert steps.store.queries.served_batches() == []


@pytest.mark.parametrize(
    ("how", "asked", "taken"),
    [
        (Handing.NOTHING, True, False),
        (Handing.SERVED, True, False),
        (Handing.ASKED, True, True),
        (Handing.ASKED, False, False),
        (Handing.BY_NAME, False, True),
        (Handing.SINGLE, False, True),
    ],
)
def test_what_is_handed_over_is_bought_by_the_run_that_serves(
    *,
    steps: Steps,
    how: Handing,
    asked: bool,
    taken: bool,
) -> None:
    """Those rows alone, whichever batch they are of."""
    steps.load("mine")
    steps.load("a", "b", batch="other", asked=asked)
    steps.begin(1)
    steps.buy("mine")
    steps.turn(0, decided=Decided(serving=True))
    served, room = offer(steps, how, "a")
    assert served is (how is not Handing.NOTHING)
    assert room == Room(some=True, blocked={})
    assert steps.store.queries.served_batches() == ([1, 2] if taken else [1])
    if how is Handing.SINGLE or (taken and asked):
        seen = steps.turn()
        # a row that was queued before is looked for first; a single video is wanted anew
        assert [one.job_key for one in seen.claimed.claims] == (
            ["a"] if how is Handing.SINGLE else []
        )
    left = steps.leave()
    assert list(left.handed) == (steps.number("a") if taken else [])


def test_the_room_of_jobs_tells_what_is_in_their_way(steps: Steps) -> None:
    """By batch; room for one of them is room."""
    steps.load("a", batch="paused")
    steps.load("b", batch="capped")
    steps.load("c", batch="dear")
    steps.load("d", batch="free")
    steps.store.control.pause("paused")
    steps.cap(2, batch=PRICE - 1)
    steps.cap(3, max_price=PRICE - 1)
    _, room = offer(steps, Handing.NOTHING, "a", "b", "c")
    assert room.some is False
    assert room.blocked == {
        1: frozenset({Blocked.PAUSED}),
        2: frozenset({Blocked.BATCH_CAP}),
        3: frozenset({Blocked.PRICE}),
    }
    _, more = offer(steps, Handing.NOTHING, "d")
    assert (room | more) == Room(some=True, blocked=room.blocked)
    assert offer(steps, Handing.NOTHING) == (False, Room(some=True, blocked={}))


def test_the_run_that_begins_buys_what_was_handed_to_it_alone(steps: Steps) -> None:
    steps.load("a", "b")
    steps.store.purchases.take_over(steps.run_id, steps.now, None)
    steps.store.control.hand_over(steps.number("b"))
    assert steps.store.queries.served_batches() == [1]
    steps.turn()
    steps.looked_for.looked(steps.number("b"), steps.store.adoption.typed(steps.number("b")))
    assert list(steps.store.purchases.doubts()) == []
    assert steps.turn(0).left.ready
    assert not steps.turn(0, not_awaited=[1]).left.paused
    left = steps.leave()
    assert (list(left.served), list(left.handed)) == ([1], steps.number("b"))
    assert steps.store.queries.served_batches() == []
