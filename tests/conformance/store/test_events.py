"""Events: each is written in the transaction that it tells of, in order, once."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from support.steps import PRICE, Decided, Steps

from jobs.evidence.suspects import Settlement
from jobs.model.money import Micros
from jobs.model.provider import Accepted, InDoubt, Rejected
from jobs.model.states import FailureKind, Reason
from jobs.ports.events import BatchEvent, Event, JobEvent, JobFact, RunEvent, RunFact
from jobs.ports.updates import Failed


def told(steps: Steps, key: str) -> list[JobFact]:
    """List what happened to a job, in order."""
    return [one.fact for one in events(steps) if isinstance(one, JobEvent) and one.key == key]


def events(steps: Steps, number: int = 0, batch_ids: Sequence[int] | None = None) -> list[Event]:
    """List the events behind a number."""
    return list(steps.store.events.since(number, 1000, batch_ids))


def test_an_empty_table_has_no_events(steps: Steps) -> None:
    assert steps.store.events.newest() == 0
    assert events(steps) == []
    assert list(steps.store.events.notable(1, 9)) == []


def test_the_course_of_a_row_is_told(steps: Steps) -> None:
    """Unconfirmed, never made, accepted, completed; with the attempt and its price."""
    steps.load("a")
    steps.begin()
    steps.lose("a")
    steps.void("a")
    name = steps.buy("a")["a"]
    number = steps.end("a")
    facts = [JobFact.UNCONFIRMED, JobFact.NEVER_MADE, JobFact.ACCEPTED, JobFact.COMPLETED]
    assert told(steps, "a") == facts
    found = events(steps)
    assert [one.number for one in found] == sorted({one.number for one in found})
    assert found[-1].number == steps.store.events.newest()
    done = found[-1]
    assert isinstance(done, JobEvent)
    assert (done.attempt_id, done.generation_id, done.price) == (number, name, PRICE)
    assert (done.batch, done.key, done.row, done.at) == ("night", "a", 1, steps.now)


def test_failures_and_finds_are_told(steps: Steps) -> None:
    steps.load("refused", "fails", "again", "lost")
    steps.begin()
    claims = steps.claim()
    steps.settle(claims["refused"], Rejected(FailureKind.CONTENT, "nudity"))
    steps.settle(claims["lost"], InDoubt("no answer"))
    for key, delay in (("fails", None), ("again", timedelta(minutes=1))):
        steps.accept(claims[key])
        steps.end(key, Failed(claims[key].attempt_id, FailureKind.SYSTEM, "broken", delay))
    seen = steps.shown("gen-late", "prompt of lost")
    steps.reconcile(lambda _: Settlement(adopt=[(claims["lost"].attempt_id, seen)]), seen)
    assert told(steps, "refused") == [JobFact.FAILED]
    assert told(steps, "fails") == [JobFact.ACCEPTED, JobFact.FAILED]
    assert told(steps, "again") == [JobFact.ACCEPTED, JobFact.RETRYING]
    assert told(steps, "lost") == [JobFact.UNCONFIRMED, JobFact.FOUND]
    first = next(one for one in events(steps) if isinstance(one, JobEvent))
    assert (first.error_kind, first.error) == (FailureKind.CONTENT, "nudity")


def test_what_is_taken_back_is_not_told(steps: Steps) -> None:
    """A commit that fails, an answer that does not land: nothing happened."""
    steps.load("a")
    steps.begin()
    claim = steps.claim()["a"]
    before = steps.store.events.newest()
    with steps.kind.failing_commit(steps.store):
        steps.settle(claim, Accepted("g", Micros(PRICE)))
    assert steps.store.events.newest() == before
    steps.accept(claim, "g")
    assert not steps.settle(claim, Accepted("h", Micros(PRICE)))
    assert told(steps, "a") == [JobFact.ACCEPTED]


def test_events_are_read_on_from_a_number(steps: Steps) -> None:
    """Of some batches, so many at most; those of runs are among them."""
    steps.load("a", "b")
    steps.load("c", batch="other")
    steps.begin(1, 2)
    steps.buy("a", "b", "c")
    steps.end("a")
    every = events(steps)
    assert list(steps.store.events.since(0, 2)) == every[:2]
    assert events(steps, every[1].number) == every[2:]
    assert events(steps, every[-1].number) == []
    of_two = events(steps, batch_ids=[2])
    assert {one.key for one in of_two if isinstance(one, JobEvent)} == {"c"}
    assert any(isinstance(one, RunEvent) for one in of_two)
    assert all(isinstance(one, RunEvent) for one in events(steps, batch_ids=[]))


@pytest.mark.parametrize("reason", [Reason.FINISHED, Reason.TOKEN])
def test_runs_are_told_from_their_begin_to_their_end(steps: Steps, reason: Reason) -> None:
    """One that was killed is told by the next."""
    steps.load("a")
    steps.begin()
    leave = steps.store.purchases.leave
    leave(steps.run_id, steps.now, None, (), reason, "words")
    runs = [one for one in events(steps) if isinstance(one, RunEvent)]
    assert [one.fact for one in runs] == [RunFact.STARTED, RunFact.ENDED]
    assert (runs[-1].reason, runs[-1].message) == (reason, "words")
    steps.run_id = "killed"
    steps.begin()
    steps.run_id = "third"
    steps.begin()
    runs = [one for one in events(steps) if isinstance(one, RunEvent)]
    assert [one.fact for one in runs[2:]] == [RunFact.STARTED, RunFact.CUT_OFF, RunFact.STARTED]


def test_a_run_that_is_refused_before_it_begins_is_told(steps: Steps) -> None:
    steps.store.purchases.take_over(steps.run_id, steps.now, None)
    steps.store.purchases.refused(steps.now, Reason.TOKEN, "401")
    (run,) = [one for one in events(steps) if isinstance(one, RunEvent)]
    assert (run.fact, run.reason, run.message) == (RunFact.ENDED, Reason.TOKEN, "401")


def test_what_batches_wait_for_is_told_once(steps: Steps) -> None:
    """The same wait once a run; a wait that is over is no event."""
    steps.load("a")
    steps.begin()
    for waits in ({1: "balance"}, {1: "balance"}, {}, {}):
        steps.turn(0, decided=Decided(waits))
    found = [one for one in events(steps) if isinstance(one, BatchEvent)]
    assert [one.waiting_for for one in found] == ["balance"]
    assert {one.batch for one in found} == {"night"}


def test_the_newest_that_is_not_expected_comes_first(steps: Steps) -> None:
    """Acceptances and videos are no news; jobs of a removed batch have no name."""
    steps.load("a", "b")
    steps.begin()
    claims = steps.claim()
    steps.accept(claims["a"])
    steps.end("a")
    steps.settle(claims["b"], Rejected(FailureKind.CONTENT, "no"))
    (newest, *rest) = steps.store.events.notable(1, 9)
    assert isinstance(newest, JobEvent)
    assert (newest.key, newest.fact) == ("b", JobFact.FAILED)
    assert all(isinstance(one, RunEvent) for one in rest)
    assert len(steps.store.events.notable(1, 1)) == 1
    steps.leave()
    steps.store.control.remove(1, steps.now)
    assert {one.batch for one in events(steps) if isinstance(one, JobEvent)} == {None}
