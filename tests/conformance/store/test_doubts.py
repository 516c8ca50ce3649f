"""Doubts: what a reading of the list settles is written at once, and told once."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import pytest
from support.engine import spec
from support.steps import PRICE, Steps

from jobs.evidence.books import BalanceReading, Money
from jobs.evidence.suspects import WATCHED, ClockOffset, Settlement
from jobs.model.clock import Moment
from jobs.model.provider import InDoubt, Rejected
from jobs.model.states import FailureKind
from jobs.ports.doubts import DoubtSnapshot, MoneyBeside
from jobs.ports.updates import Completed, UnendedAttempt, Updates


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


# -- the suspects


def test_nothing_is_suspected_of_an_empty_table(steps: Steps) -> None:
    doubts = steps.store.doubts
    assert list(doubts.suspects(steps.now)) == []
    assert doubts.clock_offsets([]) == {}
    assert doubts.first_intent() is None
    assert doubts.owner_of("gen-x") is None
    assert steps.store.queries.doubts() == 0
    assert steps.reconcile().adopted == []


def test_what_is_under_way_or_in_doubt_is_suspected_and_voids_for_a_while(lost: Steps) -> None:
    lost.load("a", "b", "c")
    lost.claim()
    void = attempt(lost, "a")
    lost.later(minutes=5)
    lost.void("a")
    found = {one.id: one for one in lost.store.doubts.suspects(lost.now - WATCHED)}
    states = {number: one.state for number, one in found.items()}
    assert states == {void: "void", attempt(lost, "b"): "in_doubt", attempt(lost, "c"): "open"}
    assert (found[void].ended_at, found[void].price) == (lost.now, PRICE)
    assert found[void].replaced_at is None
    assert found[attempt(lost, "c")].sent_until >= found[attempt(lost, "c")].intent_at
    later = {one.id for one in lost.store.doubts.suspects(lost.now)}
    assert later == states.keys() - {void}
    lost.later(minutes=1)
    lost.claim()
    (again,) = [one for one in lost.store.doubts.suspects(lost.now - WATCHED) if one.id == void]
    assert again.replaced_at == lost.now
    assert lost.store.queries.doubts() == 3


def test_the_clocks_are_compared_by_acceptances_of_ours(steps: Steps) -> None:
    steps.load("a", "b")
    steps.begin()
    names = steps.buy("a", "b")
    numbers = [attempt(steps, key) for key in "ab"]
    offsets = steps.store.doubts.clock_offsets(numbers)
    assert set(offsets.values()) == {ClockOffset()}
    ahead = timedelta(hours=2)
    seen = steps.shown(names["a"], "prompt of a", created_at=steps.now + ahead)
    settled = steps.reconcile(lambda _: Settlement(), seen)
    told = ClockOffset(ahead, ahead, known=True, measured=True)
    assert set(steps.store.doubts.clock_offsets(numbers).values()) == {told}
    assert settled.snapshot.ours[names["a"]].attempt_id == numbers[0]
    assert steps.store.account.listed([]).offset == told


# -- what a reading settles


def test_a_doubt_that_the_list_shows_is_paid_for(lost: Steps) -> None:
    """At what it may have cost at most; the other doubt was not changed."""
    number = attempt(lost, "a")
    seen = lost.shown("gen-late", "prompt of a")
    done = lost.reconcile(lambda _: Settlement(adopt=[(number, seen)]), seen)
    assert done.adopted == [(number, "gen-late")]
    assert lost.states() == {"a": "pending", "b": "in_doubt"}
    (written,) = lost.attempts("a")
    assert (written.state, written.generation_id) == ("accepted", "gen-late")
    assert (written.price_micros, written.price_estimated) == (PRICE, True)
    assert lost.money() == (PRICE, PRICE)
    assert lost.store.updates.next_look() == lost.now
    again = lost.reconcile(lambda _: Settlement(adopt=[(number, seen)]), seen)
    assert again.adopted == []
    assert lost.money() == (PRICE, PRICE)


def test_one_generation_settles_one_doubt(lost: Steps) -> None:
    """Whichever comes first: another attempt never gets the same."""
    seen = lost.shown("gen-late")
    both = [(attempt(lost, key), seen) for key in "ab"]
    assert lost.reconcile(lambda _: Settlement(adopt=both), seen).adopted == [
        (both[0][0], "gen-late")
    ]
    assert lost.states() == {"a": "pending", "b": "in_doubt"}


def test_a_doubt_that_was_never_made_is_queued_again_under_its_key(lost: Steps) -> None:
    """The money is free; a second void of the same row waits longer."""
    first = lost.attempts("a")[0]
    lost.later(minutes=4)
    lost.void("a")
    assert lost.reconcile(lambda _: Settlement(void=[first.id])).voided == []
    job = lost.job("a")
    assert (job.state, job.due_at, lost.attempts("a")[0].state) == ("queued", None, "void")
    assert lost.money() == (0, PRICE)
    again = lost.claim()["a"]
    assert again.idempotency_key == first.idempotency_key
    lost.settle(again, InDoubt("no answer"))
    lost.later(minutes=4)
    lost.void("a")
    due = lost.job("a").due_at
    assert due is not None
    assert lost.now < due <= lost.now + timedelta(hours=1)
    assert lost.claim() == {}
    assert lost.turn(0).left.next_due == due


def test_a_row_is_not_sent_for_ever(lost: Steps) -> None:
    """After so many voids, between which something was accepted, it fails at no cost."""

    def void() -> str:
        number = attempt(lost, "a")
        done = lost.reconcile(lambda _: Settlement(void=[number]), most_voids=2)
        assert done.voided == [number]
        return lost.job("a").state

    assert void() == "queued"
    lost.load("a", "b", spec("c", row=3, priority=9))
    claims = lost.claim()
    lost.accept(claims["c"])  # sent before the second one of the row: no outage is to blame
    lost.settle(claims["a"], InDoubt("no answer"))
    assert void() == "failed"
    job = lost.job("a")
    assert (job.error_kind, job.charged_micros) == ("system", 0)
    assert lost.money() == (PRICE, PRICE)


def test_why_nothing_is_settled_is_kept_for_people(lost: Steps) -> None:
    """And what a doubt can't be told apart from; nothing of it moves anything."""
    a, b = attempt(lost, "a"), attempt(lost, "b")
    seen = [lost.shown(f"gen-{n}", "prompt of a") for n in range(2)]
    lost.reconcile(lambda _: Settlement(contested={a: seen}, unproven={b: "no list"}), *seen)
    told = {one.key: one for one in lost.status().doubts}
    assert [one["generation_id"] for one in told["a"].candidates or []] == ["gen-0", "gen-1"]
    assert (told["b"].unproven, told["b"].hold_micros) == ("no list", PRICE)
    lost.wait(lost.store.doubts.note_unproven({}))
    lost.wait(lost.store.doubts.note_unproven({a: "gaps", 10**6: "nobody"}))
    doubt = lost.store.doubts.of_job(lost.job("a").id)
    assert doubt.attempt.unproven == "gaps"
    assert len(doubt.candidates) == 2
    assert lost.money() == (0, 2 * PRICE)
    # settled, there is nothing more to be told
    lost.void("a")
    assert lost.attempts("a")[0].candidates is None
    lost.wait(lost.store.doubts.note_unproven({a: "too late"}))
    assert lost.attempts("a")[0].unproven is None


def test_the_snapshot_says_what_the_list_must_show(lost: Steps) -> None:
    """What was bought around the doubts, and what the list shows of it."""
    lost.load("a", "b", "c", "d")
    names = lost.buy("c", "d")
    seen: list[DoubtSnapshot] = []

    def look(snapshot: DoubtSnapshot) -> Settlement:
        seen.append(snapshot)
        return Settlement()

    lost.reconcile(look, lost.shown(names["c"], "prompt of c"))
    (snapshot,) = seen
    assert {one.generation_id for one in snapshot.expected} == set(names.values())
    assert set(snapshot.ours) == {names["c"]}
    assert snapshot.offsets.keys() == {one.id for one in snapshot.suspects}
    assert snapshot.books is None


def test_a_decision_that_fails_or_a_commit_leaves_the_doubt(lost: Steps) -> None:
    """Nothing is written, and nothing remembered."""
    number, seen = attempt(lost, "a"), lost.shown("gen-late")

    def wrong(_: DoubtSnapshot) -> Settlement:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        lost.wait(lost.reconciling(wrong, seen))
    with lost.kind.failing_commit(lost.store):
        lost.wait(lost.reconciling(lambda _: Settlement(adopt=[(number, seen)]), seen, lag=9.0))
    assert lost.told == []
    assert lost.states() == {"a": "in_doubt", "b": "in_doubt"}
    assert lost.money() == (0, 2 * PRICE)
    assert lost.store.account.list_lag("sora") is None


def test_what_is_written_is_remembered_although_nobody_waits(lost: Steps) -> None:
    number, seen = attempt(lost, "a"), lost.shown("gen-late")

    async def main() -> None:
        task = asyncio.create_task(
            lost.reconciling(lambda _: Settlement(adopt=[(number, seen)]), seen)
        )
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert [one.adopted for one in lost.told] == [[(number, "gen-late")]]
    assert lost.states()["a"] == "pending"


# -- the balance beside the list


def completed(ours: Mapping[str, UnendedAttempt]) -> Updates:
    """End all that is seen as videos."""
    return Updates([Completed(one.id, "http://v") for one in ours.values()])


@pytest.mark.parametrize(("fell", "verdict"), [(0, Money.CLEAR), (PRICE, Money.OPEN)])
def test_the_balance_beside_the_list_speaks_of_a_doubt(
    steps: Steps, fell: int, verdict: Money
) -> None:
    """It agreed with what was bought before; then it fell by the doubt's price, or did not."""
    keys = [f"r{n:02}" for n in range(30)]
    steps.load(*keys)
    steps.begin()
    full = 100_000_000
    steps.balance(full, began=Moment(steps.now), ahead=timedelta(0))
    for _ in range(3):
        for number in [steps.accept(one) for one in steps.claim(10).values()]:
            steps.record([number], completed)
        steps.later(hours=30)
        spent = steps.store.account.charged()
        steps.balance(full - spent, began=Moment(steps.now), ahead=timedelta(0))
    steps.load(*keys, "lost")
    steps.lose("lost")
    steps.later(minutes=10)
    spent = steps.store.account.charged()
    reading = BalanceReading(full - spent - fell, spent, spent)
    beside = MoneyBeside(reading, frozenset(), frozenset({"gen-else"}), 0, polled=True)
    seen: list[DoubtSnapshot] = []

    def look(snapshot: DoubtSnapshot) -> Settlement:
        seen.append(snapshot)
        return Settlement()

    quiet = MoneyBeside(reading, frozenset(), frozenset(), 0, polled=True)
    steps.reconcile(look, money=quiet)
    steps.reconcile(look, money=beside)
    clear, others = (one.books for one in seen)
    assert clear is not None
    assert clear.verdict(PRICE) is verdict
    assert (clear.fell, clear.charged) == (fell, 0)
    assert others is not None
    assert others.verdict(PRICE) is not Money.CLEAR
    assert seen[1].claimed == frozenset()


def test_a_doubt_that_is_refused_after_all_stays_one(lost: Steps) -> None:
    """A refusal after the grace proves nothing: only an acceptance settles a doubt."""
    number = attempt(lost, "a")
    lost.settle(number, Rejected(FailureKind.CONTENT, "no"))
    assert lost.states()["a"] == "in_doubt"
    assert lost.money() == (0, 2 * PRICE)
