"""A rehearsal says what a run would buy, and writes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engine import spec
from support.steps import Steps
from support.stores import STORES

from jobs.model.provider import Rejected
from jobs.model.states import FailureKind
from jobs.services.rehearsal import UNLIMITED, Fits, Purse, Rehearsed, rehearse
from jobs.store import Store

KIND = "fake/sora/10"


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[Steps]:
    """Make a table with a video of a first batch, and a second batch that asks for it too."""
    kind = STORES["sqlite"]
    made = Steps(kind.make(tmp_path), kind, tmp_path)
    made.price()
    made.load("a", batch="first")
    made.begin(1)
    made.buy("a")
    made.end("a")
    rows = [spec("b", prompt="prompt of a", row=1), spec("c", row=2, campaign="k")]
    made.load(*rows, *(spec(key, row=n) for n, key in enumerate("defg", 3)), batch="second")
    made.store.purchases.serve([2], made.now)
    yield made
    made.close()


def rehearsed(
    steps: Steps, *, rows: int = 99, paused: bool = False, purse: Purse = UNLIMITED
) -> Rehearsed:
    """Rehearse a run of the second batch."""
    assert isinstance(steps.store, Store)
    before = steps.store.queries.jobs()
    found = rehearse(
        steps.store, 2, lambda all_: list(all_)[:rows], steps.now, purse, paused=paused
    )
    assert steps.store.queries.jobs() == before
    return found


def test_what_was_paid_for_is_not_bought(steps: Steps) -> None:
    """Nor what is paid for, failed, cancelled or in doubt already."""
    steps.store.control.overrule(steps.store.loading.note([2], named=True), steps.now)
    steps.store.control.hold_paid_before(steps.store.loading.note([2], named=True))
    steps.store.control.cancel(steps.number("d"), steps.now)
    claims = steps.claim(4)
    steps.accept(claims["c"])
    steps.settle(claims["e"], Rejected(FailureKind.CONTENT, "no"))
    steps.run_id = "second"
    steps.begin(2)  # what was being sent is in doubt
    found = rehearsed(steps)
    assert found.done == 1
    assert (found.waiting["cancelled"], found.waiting["failed"]) == (1, 1)
    assert found.waiting["unconfirmed"] == len(steps.store.purchases.doubts()) == 2


def test_a_run_would_buy_what_nothing_holds_back(steps: Steps) -> None:
    found = rehearsed(steps)
    assert dict(found.open) == {KIND: 5}
    assert {name: dict(kinds) for name, kinds in found.campaigns.items()} == {"k": {KIND: 1}}
    assert [one.batch for one in found.paid_before] == ["first"]
    assert dict(found.waiting) == {"paid_before": 1}
    assert found.done == 0


def test_a_pick_leaves_the_others_out(steps: Steps) -> None:
    found = rehearsed(steps, rows=2)
    assert dict(found.open) == {KIND: 1}
    assert found.waiting["left_out"] == 4


def test_a_paused_batch_asks_for_nothing(steps: Steps) -> None:
    found = rehearsed(steps, paused=True)
    assert (dict(found.open), found.paid_before) == ({}, [])
    assert found.waiting["paused"] == 6


@pytest.mark.parametrize(
    ("purse", "fits"),
    [
        (Purse(None, {}, {KIND: 12}), Fits(5, 60, None)),
        (Purse(60, {}, {KIND: 12}), Fits(5, 60, None)),
        (Purse(35, {}, {KIND: 12}), Fits(2, 24, (4, "e"))),
        (Purse(0, {}, {KIND: 12}), Fits(0, 0, (2, "c"))),
        (Purse(None, {"k": 11}, {KIND: 12}), Fits(4, 48, (2, "c"))),
        (Purse(36, {"k": 12}, {KIND: 12}), Fits(3, 36, (5, "f"))),
        (UNLIMITED, None),
    ],
)
def test_what_fits_is_bought_in_order(steps: Steps, purse: Purse, fits: Fits | None) -> None:
    """A row of a campaign without room is passed over; without a price nothing is known."""
    assert rehearsed(steps, purse=purse).fits == fits
