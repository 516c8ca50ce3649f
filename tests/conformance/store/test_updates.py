"""Looks: which generations are due, and what they showed, written once and at once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.engine import spec
from support.steps import PRICE, Steps

from jobs.model.ledger import Refunds
from jobs.model.provider import Generation, GenerationPhase
from jobs.model.retry import Patience, WhyNot
from jobs.model.states import AttemptState, FailureKind, JobState
from jobs.ports.updates import (
    ANNOUNCED,
    Completed,
    Due,
    Failed,
    Overdue,
    Places,
    Progress,
    UnendedAttempt,
    Updates,
)

URL = "http://videos/1.mp4"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bought(steps: Steps) -> Steps:
    """Three rows, each of which is paid for and being made."""
    steps.load("a", "b", "c")
    steps.begin()
    steps.buy("a", "b", "c")
    return steps


def attempt(steps: Steps, key: str) -> int:
    """Return a job's last attempt."""
    number = steps.job(key).attempt_id
    assert number is not None
    return number


def name(steps: Steps, key: str) -> str:
    """Return the generation of a job's last attempt."""
    found = steps.job(key).generation_id
    assert found is not None
    return found


# -- which are due


def test_nothing_is_due_of_an_empty_table(steps: Steps) -> None:
    updates = steps.store.updates
    assert list(updates.due(steps.now, 10)) == []
    assert updates.next_look() is None
    assert list(updates.given_up()) == []
    assert updates.places("sora", []) == Places({}, 0)


def test_looks_are_due_by_their_times_the_longest_waiting_first(bought: Steps) -> None:
    """At most as many as are asked for; never before."""
    updates, due_at = bought.store.updates, bought.now + timedelta(seconds=30)
    assert list(updates.due(bought.now, 10)) == []
    assert updates.next_look() == due_at
    bought.record([], lambda _: Updates(postponed={attempt(bought, "a"): due_at + MINUTE}))
    found = updates.due(due_at + MINUTE, 10)
    assert found[-1] == Due(attempt(bought, "a"), name(bought, "a"), bought.now, overdue=False)
    assert [one.attempt_id for one in found[:2]] == [attempt(bought, key) for key in "bc"]
    assert list(updates.due(due_at + MINUTE, 2)) == list(found[:2])


def test_where_generations_stand_in_the_list(bought: Steps) -> None:
    """By how many of ours are newer; what is being sent may stand above all."""
    bought.load("a", "b", "c", "d")
    bought.claim()
    numbers = [attempt(bought, key) for key in "abc"]
    newest_first = sorted(numbers, reverse=True)
    found = bought.store.updates.places("sora", numbers)
    assert found.newer == {number: place for place, number in enumerate(newest_first)}
    assert found.under_way == 1


def test_an_announced_end_is_due_whatever_the_clock_says(bought: Steps) -> None:
    """The announcement is believed to be one, never what it says; twice is once."""
    gen = name(bought, "b")
    queries = bought.store.queries
    assert queries.is_awaited(gen)
    for _ in range(2):
        bought.store.control.look_sooner([gen, "gen-of-nobody"])
    assert not queries.is_awaited(gen)
    assert not queries.is_awaited("gen-of-nobody")
    (due,) = bought.store.updates.due(bought.now, 10)
    assert (due.generation_id, due.announced) == (gen, True)
    bought.record(
        [gen],
        lambda ours: (
            Updates(postponed={ours[gen].id: bought.now + MINUTE})
            if ours[gen].announced and ours[gen].next_look_at == ANNOUNCED
            else Updates()
        ),
    )
    assert list(bought.store.updates.due(bought.now, 10)) == []
    assert queries.is_awaited(gen)


def test_a_clock_that_was_set_back_puts_nothing_off(bought: Steps) -> None:
    """What is planned farther ahead than anything is planned is due now."""
    far = bought.now + timedelta(days=9)
    bought.record([], lambda _: Updates(postponed={attempt(bought, "a"): far}))
    bought.wait(bought.store.updates.bring_back(bought.now, timedelta(hours=1)))
    (due,) = bought.store.updates.due(bought.now, 10)
    assert due.attempt_id == attempt(bought, "a")
    later = timedelta(days=2)
    failed = Failed(attempt(bought, "a"), FailureKind.SYSTEM, "try again", later)
    bought.end("a", failed)
    assert bought.job("a").due_at == bought.now + later
    bought.wait(bought.store.updates.bring_back(bought.now, timedelta(hours=1)))
    assert list(bought.claim()) == ["a"]


# -- what they showed


def test_the_decision_sees_unended_attempts_of_ours_alone(bought: Steps) -> None:
    bought.end("c")
    names = [name(bought, "a"), name(bought, "c"), "gen-of-nobody"]
    seen: list[UnendedAttempt] = []

    def decide(ours: object) -> Updates:
        assert isinstance(ours, dict)
        assert list(ours) == names[:1]
        seen.extend(ours.values())
        return Updates()

    bought.record(names, decide)
    (one,) = seen
    assert (one.id, one.job_id) == (attempt(bought, "a"), bought.job("a").id)
    assert (one.job_state, one.retries, one.announced) == (JobState.PENDING, 0, False)
    assert (one.kind, one.accepted_at, one.overdue_at) == ("fake/sora/10", bought.now, None)


def test_a_video_completes_its_job(bought: Steps) -> None:
    """The provider's time of it is kept; the charge stays as it was."""
    created = bought.now - MINUTE
    bought.later(minutes=5)
    bought.end("a", Completed(attempt(bought, "a"), URL, created))
    job, (written,) = bought.job("a"), bought.attempts("a")
    assert (job.state, job.video_url, job.completed_at) == ("completed", URL, bought.now)
    assert (written.state, written.created_at, written.percent) == ("completed", created, 100)
    assert bought.money() == (3 * PRICE, 0)


FAILURES = [
    (FailureKind.CONTENT, None, Refunds.NONE, "failed", 0),
    (FailureKind.CONTENT, None, Refunds.SYSTEM, "failed", 0),
    (FailureKind.CONTENT, None, Refunds.ALL, "failed", PRICE),
    (FailureKind.SYSTEM, MINUTE, Refunds.NONE, "queued", 0),
    (FailureKind.SYSTEM, MINUTE, Refunds.SYSTEM, "queued", PRICE),
    (FailureKind.TIMEOUT, None, Refunds.SYSTEM, "failed", PRICE),
]


@pytest.mark.parametrize(("kind", "retry", "refunds", "state", "back"), FAILURES)
def test_a_failure_fails_its_job_or_queues_it_again(
    bought: Steps,
    kind: FailureKind,
    retry: timedelta | None,
    refunds: Refunds,
    state: str,
    back: int,
) -> None:
    """What was paid stays charged; what is given back goes by what is said of refunds."""
    bought.cap(refunds=refunds)
    bought.end("a", Failed(attempt(bought, "a"), kind, "no", retry))
    job, (written,) = bought.job("a"), bought.attempts("a")
    assert (job.state, job.error_kind, job.error) == (state, kind, "no")
    assert (written.state, written.error) == ("failed", "no")
    status = bought.status()
    assert (status.money.charged, status.money.refunded) == (3 * PRICE, back)
    if retry is not None:
        assert (job.retries, job.due_at) == (1, bought.now + retry)
        assert bought.turn(0).left.next_due == job.due_at
        bought.later(minutes=1)
        assert bought.claim()["a"].attempt_id != written.id


def test_an_overdue_generation_is_paid_for_and_still_looked_at(bought: Steps) -> None:
    """Its job fails, and is a video if the generation ends as one after all."""
    number, at = attempt(bought, "a"), bought.now + MINUTE
    why = Overdue(number, FailureKind.OVERDUE, "an hour", at, said_state="pondering")
    bought.end("a", why)
    job = bought.job("a")
    assert (job.state, job.error_kind, job.attempt_state) == ("failed", "overdue", "accepted")
    assert (job.said_state, job.is_unended) == ("pondering", True)
    assert bought.store.queries.any_unended(1)
    assert not bought.turn(0).overdue_looks
    bought.later(minutes=1)
    assert bought.turn(0).overdue_looks
    late = next(one for one in bought.store.updates.due(bought.now, 9) if one.overdue)
    assert late.attempt_id == attempt(bought, "a")
    bought.run_id = "second"
    assert bought.begin().overdue == 1
    # seen otherwise, the job is told why; in the same way again, nothing changes
    other = replace(why, kind=FailureKind.NO_FILE, message="no file", said_state=None)
    for _ in range(2):
        bought.end("a", other)
        assert bought.job("a").error == "no file"
    bought.end("a", Completed(attempt(bought, "a"), URL))
    job = bought.job("a")
    assert (job.state, job.error_kind, job.error) == ("completed", None, None)
    assert not bought.store.queries.any_unended(1)
    assert bought.money() == (3 * PRICE, 0)


def test_an_overdue_generation_that_fails_is_not_bought_again(bought: Steps) -> None:
    """Although its failure would be: the job was given up for this run."""
    number = attempt(bought, "a")
    bought.end("a", Overdue(number, FailureKind.OVERDUE, "an hour", bought.now))
    bought.end("a", Failed(attempt(bought, "a"), FailureKind.SYSTEM, "broken", MINUTE))
    job = bought.job("a")
    assert (job.state, job.error_kind, job.error) == ("failed", "system", "broken")


def test_progress_is_kept_of_what_goes_on(bought: Steps) -> None:
    gen, look = name(bought, "a"), bought.now + MINUTE
    bought.go_on(gen, look, phase=GenerationPhase.PENDING, queue_position=3)
    job = bought.job("a")
    assert (job.state, job.queue_position, job.percent) == ("pending", 3, None)
    bought.go_on(gen, look + MINUTE, percent=40)
    job = bought.job("a")
    assert (job.state, job.queue_position, job.percent) == ("processing", None, 40)
    assert bought.store.queries.under_way(1, 1)[0].key == "a"
    assert bought.attempts("a")[0].next_look_at == look + MINUTE
    bought.end("a")
    assert bought.job("a").state == "completed"


def test_what_has_ended_meanwhile_does_not_move_again(bought: Steps) -> None:
    """Each second end is passed over: money, state and words stay as the first left them."""
    number = bought.end("a")
    before, kept = bought.job("a"), bought.attempts("a")
    for end in (
        Completed(number, "http://videos/other.mp4"),
        Failed(number, FailureKind.SYSTEM, "broken", MINUTE),
        Overdue(number, FailureKind.OVERDUE, "an hour", bought.now),
        Completed(10**6, URL),
        Failed(10**6, FailureKind.SYSTEM, "broken", None),
    ):
        bought.record([], lambda _, end=end: Updates([end]))  # type: ignore[misc]
    stale = UnendedAttempt(
        number,
        before.id,
        "gen",
        "fake/sora/10",
        bought.now,
        None,
        None,
        None,
        1,
        None,
        None,
        "pending",
        0,
    )
    seen = Generation("gen", GenerationPhase.PROCESSING, percent=9)
    bought.record([], lambda _: Updates(progress=[Progress(stale, seen, bought.now)]))
    bought.record([], lambda _: Updates(postponed={number: bought.now}))
    assert (bought.job("a"), bought.attempts("a")) == (before, kept)
    assert bought.money() == (3 * PRICE, 0)


def test_many_ends_are_one_transaction(steps: Steps) -> None:
    """A hundred generations end together; a commit that fails leaves all of them unended."""
    keys = [f"r{number:03}" for number in range(100)]
    steps.load(*keys)
    steps.begin()
    names = steps.buy(*keys, window=200)

    def decide(ours: object) -> Updates:
        assert isinstance(ours, dict)
        return Updates([Completed(one.id, f"http://v/{one.id}") for one in ours.values()])

    with steps.kind.failing_commit(steps.store):
        steps.record(list(names.values()), decide)
    assert steps.status().jobs["pending"] == 100
    done = steps.record(list(names.values()), decide)
    assert len(done.ends) == 100
    assert steps.status().jobs["completed"] == 100
    assert steps.money() == (100 * PRICE, 0)


def test_the_providers_time_is_kept_once(bought: Steps) -> None:
    """The first that is told stays; an attempt that is not there is passed over."""
    number, at = attempt(bought, "a"), bought.now - MINUTE
    bought.record([], lambda _: Updates(created={number: at, 10**6: at}))
    bought.record([], lambda _: Updates(created={number: at + MINUTE}))
    assert bought.attempts("a")[0].created_at == at
    assert bought.store.account.listed([name(bought, "a")]).offset.measured


# -- giving up


def test_a_person_gives_up_what_was_waited_for(bought: Steps) -> None:
    """It stays paid for, and may still finish; its job may be bought again."""
    control, queries = bought.store.control, bought.store.queries
    numbers = bought.number("a", "b")
    early = Patience(bought.now, MINUTE)
    assert control.give_up(numbers, early) == []
    assert queries.may_be_given_up(numbers, early) == dict.fromkeys(numbers, WhyNot.YOUNG)
    bought.later(minutes=2)
    patience = Patience(bought.now, MINUTE)
    assert queries.may_be_given_up(numbers, patience) == dict.fromkeys(numbers)
    assert control.give_up([], patience) == []
    assert control.give_up(numbers[:1], patience) == numbers[:1]
    assert control.give_up(numbers[:1], patience) == []
    job, (written,) = bought.job("a"), bought.attempts("a")
    assert (job.state, job.error_kind) == ("failed", "overdue")
    assert written.state == AttemptState.ABANDONED
    assert [one.attempt_id for one in bought.store.updates.given_up()] == [written.id]
    assert bought.money() == (3 * PRICE, 0)


def test_a_video_of_what_was_given_up_is_the_rows(bought: Steps) -> None:
    bought.later(minutes=2)
    bought.store.control.give_up(bought.number("a"), Patience(bought.now, MINUTE))
    bought.end("a")
    assert (bought.job("a").state, bought.attempts("a")[0].state) == ("completed", "completed")
    assert list(bought.store.updates.given_up()) == []


def test_a_failure_of_what_was_given_up_is_told(bought: Steps) -> None:
    bought.later(minutes=2)
    bought.store.control.give_up(bought.number("a"), Patience(bought.now, MINUTE))
    bought.end("a", Failed(attempt(bought, "a"), FailureKind.CONTENT, "no", None))
    assert (bought.job("a").error_kind, bought.attempts("a")[0].state) == ("content", "failed")


def test_a_late_video_stays_with_its_attempt_where_the_row_was_bought_again(
    bought: Steps,
) -> None:
    """The row has what was bought again; both are charged."""
    bought.later(minutes=2)
    patience = Patience(bought.now, MINUTE)
    first = attempt(bought, "a")
    numbers = bought.number("a")
    assert bought.store.queries.may_be_retried(numbers, patience) == dict.fromkeys(numbers)
    assert bought.store.control.retry(numbers, patience, now=None) == numbers
    bought.buy("a")
    bought.record([], lambda _: Updates([Completed(first, "http://videos/late.mp4")]))
    job = bought.job("a")
    assert (job.state, job.video_url) == ("pending", None)
    second = bought.end("a")
    job, written = bought.job("a"), bought.attempts("a")
    assert job.attempt_id == second
    assert [one.state for one in written] == ["completed", "completed"]
    assert written[0].video_url == "http://videos/late.mp4"
    assert bought.money() == (4 * PRICE, 0)


def test_a_late_video_of_a_row_that_asks_for_something_else_stays_with_its_attempt(
    bought: Steps,
) -> None:
    bought.later(minutes=2)
    patience = Patience(bought.now, MINUTE)
    first = attempt(bought, "a")
    numbers = bought.number("a")
    assert bought.store.control.reword(numbers, "another kite", patience) == numbers
    bought.record([], lambda _: Updates([Completed(first, URL)]))
    job = bought.job("a")
    assert (job.state, job.prompt, job.video_url) == ("queued", "another kite", None)
    assert bought.attempts("a")[0].video_url == URL


def test_progress_of_an_unknown_generation_is_nobodys(steps: Steps) -> None:
    """A generation of another client of the account changes nothing of ours."""
    steps.load(spec("a"))
    seen: list[object] = []
    steps.record(["gen-else"], lambda ours: seen.append(dict(ours)) or Updates())  # type: ignore[func-returns-value]
    assert seen == [{}]
    assert steps.states() == {"a": "queued"}
