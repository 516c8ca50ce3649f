"""What a person says: each is decided inside its transaction, by what is there by then."""

from datetime import timedelta
from typing import Any

import pytest
from support.engine import spec
from support.steps import KIND, PRICE, Steps

from jobs.model.errors import LoadError, NotAllowedError, NotFoundError
from jobs.model.ledger import Refunds, Scope
from jobs.model.money import Micros
from jobs.model.provider import Accepted, InDoubt, Rejected
from jobs.model.retry import Patience, WhyNot
from jobs.model.states import Blocked, FailureKind, HeldBack
from jobs.ports.control import Replaced, Terms, TermsKept
from jobs.ports.selection import Sought, Verdict
from jobs.ports.updates import Failed

DAY = "day:2026-01-05"
NO = Rejected(FailureKind.CONTENT, "no")


@pytest.fixture
def mixed(steps: Steps) -> Steps:
    """A row in each state that matters, and the run that did it."""
    steps.load("done", "failed", "refused", "doubt", "pending", "open", "queued", "cancelled")
    steps.begin()
    claims = steps.claim(6)
    for key in ("done", "failed", "pending"):
        steps.accept(claims[key])
    steps.settle(claims["refused"], NO)
    steps.settle(claims["doubt"], InDoubt("no answer"))
    steps.end("done")
    number = claims["failed"].attempt_id
    steps.end("failed", Failed(number, FailureKind.CONTENT, "no", None))
    steps.store.control.cancel(steps.number("cancelled"), steps.now)
    return steps


# -- runs and batches


def test_a_run_is_asked_to_stop_by_its_id(steps: Steps) -> None:
    """The run that is at work, and no later one."""
    store = steps.store
    steps.load("a")
    store.purchases.take_over("first", steps.now)
    assert not store.queries.stop_is_asked("first")
    store.control.stop_run()
    assert store.queries.stop_is_asked("first")
    store.purchases.take_over("second", steps.now)
    assert not store.queries.stop_is_asked("second")


def test_a_run_that_has_no_id_yet_is_asked_to_stop_too(steps: Steps) -> None:
    """While it looks for earlier work; what was asked of the run before does not concern it."""
    store = steps.store
    steps.load("a")
    store.control.begin()
    store.control.stop_run()
    store.purchases.take_over("first", steps.now)
    assert store.queries.stop_is_asked("first")
    store.control.stop_run()
    store.control.begin()
    store.purchases.take_over("second", steps.now)
    assert not store.queries.stop_is_asked("second")


def test_a_finished_batch_is_archived_until_it_is_loaded_or_run(mixed: Steps) -> None:
    """One with jobs left stays; statuses say since when."""
    control, queries = mixed.store.control, mixed.store.queries
    with pytest.raises(NotAllowedError):
        control.archive(1, mixed.now)
    mixed.load("alone", batch="other")
    control.cancel(mixed.number("alone"), mixed.now)
    control.archive(2, mixed.now)

    def archived() -> list[bool]:
        return [one.archived_at is not None for one in queries.statuses()]

    assert archived() == [False, True]
    control.archive(2, None)
    assert archived() == [False, False]
    control.archive(2, mixed.now)
    mixed.store.purchases.serve([2], mixed.now)
    assert archived() == [False, False]
    control.archive(2, mixed.now)
    mixed.load("alone", batch="other")
    assert archived() == [False, False]
    control.cancel(mixed.number("alone"), mixed.now)
    control.archive(2, mixed.now)
    assert control.retry([*mixed.number("alone")], None)
    assert archived() == [False, False]


def test_what_was_spent_on_some_days(mixed: Steps) -> None:
    """The sums of the days' budgets, whatever the batch."""
    day = mixed.store.queries.spent_on("2026-01-05", "2026-01-05")
    month = mixed.store.queries.spent_on("2026-01-01", "2026-01-31")
    assert (day.charged, day.held, day.cap) == (3 * PRICE, 2 * PRICE, None)
    assert (month.charged, month.held) == (day.charged, day.held)
    assert mixed.store.queries.spent_on("2026-02-01", "2026-02-28").charged == 0


# -- terms


def nothing(**more: Any) -> TermsKept:
    """Return what is told where no budget was replaced."""
    return TermsKept([], {}, **more)


def test_terms_are_kept_and_what_they_replace_is_told(steps: Steps) -> None:
    steps.load(spec("a", campaign="k"))
    said = Terms(batch=10, campaigns={"k": 5}, day=20, floor=3, max_price=7, refunds=Refunds.ALL)
    kept = steps.store.control.set_terms(1, said, steps.now)
    assert kept == nothing(refunds_before=Refunds.NONE)
    assert steps.store.control.set_terms(1, said, steps.now) == nothing()
    assert steps.store.control.set_terms(1, Terms(), steps.now) == nothing()
    more = Terms(batch=11, campaigns={"k": 6}, day=21)
    replaced = steps.store.control.set_terms(1, more, steps.now).replaced
    assert list(replaced) == [
        Replaced(Scope.BATCH, None, 10, 11),
        Replaced(Scope.CAMPAIGN, "k", 5, 6),
        Replaced(Scope.DAY, None, 20, 21),
    ]
    cap = steps.store.queries.cap
    assert [cap(key) for key in ("batch:1", "campaign:1:k", DAY)] == [11, 6, 21]
    assert cap("batch:99") is None
    (batch,) = steps.store.queries.batches()
    assert (batch.max_price_micros, batch.refunds) == (7, Refunds.ALL)
    assert steps.store.queries.account().floor_micros == 3


def test_budgets_are_removed_and_that_is_told(steps: Steps) -> None:
    """Each by itself; one that is not there is nothing to tell."""
    steps.load(spec("a", campaign="k"))
    steps.cap(batch=10, campaigns={"k": 5}, day=20)
    set_terms, today = steps.store.control.set_terms, steps.store.queries.today
    lifted = Terms(campaigns={"k": None}, lifted=[Scope.BATCH])
    assert list(set_terms(1, lifted, steps.now).replaced) == [
        Replaced(Scope.BATCH, None, 10, None),
        Replaced(Scope.CAMPAIGN, "k", 5, None),
    ]
    assert set_terms(1, lifted, steps.now) == nothing()
    cap = steps.store.queries.cap
    assert [cap(key) for key in ("batch:1", "campaign:1:k", DAY)] == [None, None, 20]
    assert today(steps.now).cap == 20
    set_terms(1, Terms(lifted=[Scope.DAY]), steps.now)
    assert (today(steps.now).key, today(steps.now).cap) == (DAY, None)


def test_the_days_budget_can_be_read_before_the_day_has_begun(steps: Steps) -> None:
    """A new day has the last one's cap, and nothing spent; a clock that is set back opens none."""
    steps.load("a", "b")
    steps.cap(day=3 * PRICE)
    steps.begin()
    steps.claim()
    today = steps.store.queries.today
    assert (today(steps.now).cap, today(steps.now).held) == (3 * PRICE, 2 * PRICE)
    assert today(steps.now - timedelta(days=1)) == today(steps.now)
    assert (today(steps.later(days=1)).cap, today(steps.now).used) == (3 * PRICE, 0)
    assert today(steps.now).key not in (DAY, "")


def test_a_budget_of_a_campaign_that_no_row_has_is_refused(steps: Steps) -> None:
    """It would cap nothing; nothing else of the terms is kept."""
    steps.load(spec("a", campaign="k"))
    said = Terms(batch=10, campaigns={"q": 5}, checked=["q"])
    with pytest.raises(LoadError):
        steps.store.control.set_terms(1, said, steps.now)
    assert steps.store.queries.cap("batch:1") is None
    steps.store.control.set_terms(1, Terms(campaigns={"k": 5}, checked=["k"]), steps.now)
    assert steps.store.queries.cap("campaign:1:k") == 5


def test_what_a_manifest_begins_with_counts_where_nothing_is_kept(steps: Steps) -> None:
    """What is kept and differs is told, and stays."""
    steps.load("a")
    begin = {"batch": 10, "day": 20, "max_price": 7, "min_balance": 3}
    assert steps.store.control.set_terms(1, Terms(begin=begin), steps.now) == nothing()
    other = {"batch": 10, "day": 99, "max_price": 98, "min_balance": 97}
    kept = steps.store.control.set_terms(1, Terms(begin=other), steps.now)
    assert kept.passed_over == {"day": 20, "max_price": 7, "min_balance": 3}
    assert [steps.store.queries.cap(key) for key in ("batch:1", DAY)] == [10, 20]


def test_the_days_budget_counts_days_of_the_zone(steps: Steps) -> None:
    """A new day takes the last one's cap over; a clock that is set back opens none again."""
    steps.load("a", "b", "c")
    steps.cap(time_zone="Asia/Tokyo", day=PRICE)
    assert steps.store.queries.cap("day:2026-01-06") == PRICE
    steps.store.queries.check_zone()
    steps.begin()
    assert steps.store.queries.future_days(steps.now) == []
    assert list(steps.claim()) == ["a"]
    steps.later(days=-1)
    assert steps.turn().claimed.blocked == {1: frozenset({Blocked.DAY_CAP})}
    steps.later(days=2)
    assert list(steps.claim()) == ["b"]


def test_days_of_the_future_are_moved_to_today(steps: Steps) -> None:
    """What was bought while a clock was ahead counts today, with the cap."""
    steps.load("a", "b")
    steps.begin()
    steps.later(days=400)
    steps.cap(day=PRICE)
    steps.buy("a")
    steps.later(days=-400)
    (wrong,) = steps.store.queries.future_days(steps.now)
    assert steps.store.control.reset_day(steps.now) == [wrong]
    assert steps.store.control.reset_day(steps.now) == []
    assert steps.store.queries.future_days(steps.now) == []
    assert steps.store.queries.cap(DAY) == PRICE
    assert steps.turn().claimed.blocked == {1: frozenset({Blocked.DAY_CAP})}


# -- rows


def test_failed_and_cancelled_rows_are_queued_again(mixed: Steps) -> None:
    """Those alone, each once; the reasons of the others are told beforehand."""
    keys = ["done", "failed", "refused", "doubt", "pending", "open", "queued", "cancelled"]
    numbers = dict(zip(keys, mixed.number(*keys), strict=True))
    told = mixed.store.queries.may_be_retried(numbers.values())
    assert {key: told[number] for key, number in numbers.items()} == {
        "done": WhyNot.COMPLETED,
        "failed": None,
        "refused": None,
        "doubt": WhyNot.IN_DOUBT,
        "pending": WhyNot.UNDER_WAY,
        "open": WhyNot.SUBMITTING,
        "queued": WhyNot.QUEUED,
        "cancelled": None,
    }
    retry = mixed.store.control.retry
    assert retry([], None, now=mixed.now) == []
    moved = retry(list(numbers.values()), None, now=mixed.now)
    assert set(moved) == {numbers[key] for key in ("failed", "refused", "cancelled")}
    assert retry(list(numbers.values()), None, now=mixed.now) == []
    states = mixed.states()
    assert [states[key] for key in ("failed", "refused", "cancelled")] == ["queued"] * 3
    assert mixed.job("failed").error is None
    assert mixed.money() == (3 * PRICE, 2 * PRICE)


def test_no_retry_stands_whose_commit_fails(mixed: Steps) -> None:
    number = mixed.number("failed")
    with mixed.kind.failing_commit(mixed.store):
        mixed.store.control.retry(number, None, now=None)
    assert mixed.states()["failed"] == "failed"
    assert mixed.status().failed_kinds == {"content": 2}


def test_rows_that_were_held_back_are_asked_for(steps: Steps) -> None:
    """A retry by name is asking for them."""
    steps.load("a", "b", asked=False)
    steps.begin()
    assert steps.claim() == {}
    assert steps.store.control.retry(steps.number("a"), None, now=steps.now) == steps.number("a")
    assert list(steps.claim()) == ["a"]


def test_a_reworded_row_asks_for_something_else(mixed: Steps) -> None:
    """Its manifest's own prompt stays known; what may not be retried was not changed."""
    numbers = mixed.number("failed", "done")
    moved = mixed.store.control.reword(numbers, "another kite", None)
    assert moved == numbers[:1]
    job = mixed.job("failed")
    assert (job.state, job.prompt) == ("queued", "another kite")
    assert job.manifest_fingerprint is not None
    assert job.fingerprint != job.manifest_fingerprint
    assert mixed.job("done").prompt == "prompt of done"
    assert mixed.claim(1)["failed"].request.prompt == "another kite"


def test_a_completed_row_is_made_anew(mixed: Steps) -> None:
    """What was made stays with its attempt."""
    numbers = mixed.number("done", "failed")
    assert mixed.store.control.redo(numbers, mixed.now) == numbers[:1]
    assert mixed.store.control.redo(numbers, mixed.now) == []
    job, (written,) = mixed.job("done"), mixed.attempts("done")
    assert (job.state, job.video_url) == ("queued", None)
    assert written.video_url is not None
    assert mixed.money()[0] == 3 * PRICE


def test_only_queued_rows_are_cancelled(mixed: Steps) -> None:
    """What is paid for, or may be, stays."""
    keys = ["done", "failed", "refused", "doubt", "pending", "open", "queued", "cancelled"]
    before = mixed.states()
    moved = mixed.store.control.cancel(mixed.number(*keys), mixed.now)
    assert moved == mixed.number("queued")
    assert mixed.states() == before | {"queued": "cancelled"}
    assert mixed.store.control.cancel([], mixed.now) == []


def test_giving_up_leaves_what_has_no_end_to_wait_for(mixed: Steps) -> None:
    mixed.later(hours=2)
    patience = Patience(mixed.now, timedelta(hours=1))
    keys = ["done", "failed", "doubt", "open", "queued", "cancelled", "pending"]
    moved = mixed.store.control.give_up(mixed.number(*keys), patience)
    assert moved == mixed.number("pending")


# -- batches


def test_a_batch_is_removed_when_nothing_of_it_is_under_way(steps: Steps) -> None:
    """Its name is free; its attempts stay, so that its generations are nobody else's."""
    steps.load("a", "b")
    steps.begin()
    claim = steps.claim(1)["a"]
    with pytest.raises(NotAllowedError):
        steps.store.control.remove(1, steps.now)
    assert steps.states() == {"a": "submitting", "b": "queued"}
    name = steps.accept(claim)
    steps.end("a")
    assert steps.store.control.remove(1, steps.now) == 1
    assert steps.store.queries.batches() == []
    with pytest.raises(NotFoundError):
        steps.store.queries.batches("night")
    assert steps.store.doubts.owner_of(name) is not None
    assert steps.load("x").batch_id == 2
    assert [one.state for one in steps.store.queries.numbered([1, 2])] == [
        "completed",
        "cancelled",
    ]


def test_a_batch_is_paused_and_resumed_once(steps: Steps) -> None:
    control = steps.store.control
    steps.load("a")
    assert control.pause("night")[0] is True
    changed, status = control.pause("night")
    assert (changed, status.paused) == (False, True)
    assert control.resume("night", lambda queries, batch: queries.rows_of(batch.id)) == (True, [1])
    assert control.resume("night", lambda *_: None) == (False, None)
    for say in (control.pause, lambda name: control.resume(name, lambda *_: None)):
        with pytest.raises(NotFoundError):
            say("another")


def test_a_resume_that_is_not_agreed_to_leaves_the_pause(steps: Steps) -> None:
    steps.load("a")
    steps.store.control.pause("night")

    def no(*_: object) -> None:
        raise ValueError("not at that price")

    with pytest.raises(ValueError, match="not at that price"):
        steps.store.control.resume("night", no)
    assert steps.status().paused


# -- prices and verdicts


def test_a_set_price_counts_until_an_answer_tells_otherwise(steps: Steps) -> None:
    control, prices = steps.store.control, steps.store.queries.prices
    control.set_price(KIND, 99, steps.now)
    assert (prices()[KIND].last_micros, prices()[KIND].source) == (99, "set")
    control.announce_prices({KIND: 50, "fake/sora/7": 70}, steps.now)
    assert (prices()[KIND].last_micros, prices()["fake/sora/7"].source) == (99, "configured")
    control.announce_prices({"fake/sora/7": 71}, steps.now)
    assert prices()["fake/sora/7"].last_micros == 71
    control.forget_price("fake/sora/7")
    control.forget_price("fake/sora/7")
    assert set(prices()) == {KIND}
    steps.load("a", kind="fake/sora/new")
    control.set_price("fake/sora/new", PRICE, steps.now)
    steps.begin()
    assert steps.settle(steps.claim()["a"], Accepted("g", Micros(PRICE)))
    assert prices()["fake/sora/new"].source == "learned"


def test_a_price_far_from_the_one_before_is_believed_when_it_is_seen_again(steps: Steps) -> None:
    steps.load("a", "b", "c")
    steps.begin()
    queries = steps.store.queries
    steps.accept(steps.claim(1)["a"], price=PRICE)
    before = steps.later(minutes=1)
    steps.accept(steps.claim(1)["b"], price=10 * PRICE)
    (odd,) = queries.odd_prices(before)
    assert (odd.kind, odd.last_micros, odd.odd_micros) == (KIND, PRICE, 10 * PRICE)
    steps.later(minutes=1)
    assert queries.odd_prices(steps.now) == []
    steps.accept(steps.claim(1)["c"], price=10 * PRICE)
    assert queries.prices()[KIND].last_micros == 10 * PRICE
    assert queries.odd_prices(before) == []
    assert steps.money() == (21 * PRICE, 0)


def test_a_verdict_is_kept_changed_and_forgotten(mixed: Steps) -> None:
    number = mixed.job("done").attempt_id
    assert number is not None
    judge, verdicts = mixed.store.control.judge, mixed.store.queries.verdicts
    judge(number, Verdict.FAVOURITE, mixed.now)
    judge(number, Verdict.REJECTED, mixed.now)
    assert verdicts([number, 10**6]) == {number: Verdict.REJECTED}
    assert mixed.job("done").verdict == Verdict.REJECTED
    for _ in range(2):
        judge(number, None, mixed.now)
    assert verdicts([number]) == {}
    assert verdicts([]) == {}


# -- consent


def test_who_names_a_batch_asks_for_what_was_left_out(steps: Steps) -> None:
    """A pick leaves the other rows out; the whole batch, named, asks for them."""
    steps.load("a", "b", "c", asked=False)
    control = steps.store.control
    steps.begin()
    assert steps.status().held_back == {HeldBack.UNASKED: 3}
    control.ask_for(Sought([1], rows={1: [2]}), steps.now, again=False)
    assert list(steps.claim()) == ["b"]
    assert steps.status().held_back == {HeldBack.LEFT_OUT: 2}
    control.ask_for(Sought([1], named=False), steps.now, again=False)
    assert steps.claim() == {}
    control.ask_for(Sought([1]), steps.now, again=False)
    assert set(steps.claim()) == {"a", "c"}
