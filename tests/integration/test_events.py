"""Events: what happened stands in the database as soon as it is so, in order, each once."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.database.tables import EVENT
from jobs.model.provider import (
    Generation,
    GenerationPhase,
    InDoubt,
    RefusalCause,
    Refused,
    Rejected,
)
from jobs.model.states import Blocked, FailureKind, Reason
from jobs.ports.events import (
    KEPT,
    BatchEvent,
    BatchFact,
    Event,
    JobEvent,
    JobFact,
    RunEvent,
    RunFact,
)
from jobs.services.runner import Runner
from jobs.store import events


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    yield made
    made.store.close()


def all_events(engine: Engine) -> Sequence[Event]:
    return engine.store.events.since(0, 10_000)


def of(engine: Engine, key: str) -> list[JobFact]:
    """What happened to a job, in order."""
    return [e.fact for e in all_events(engine) if isinstance(e, JobEvent) and e.key == key]


def failure(kind: FailureKind) -> Generation:
    return Generation("", GenerationPhase.FAILED, failure=kind, message="broken")


def test_a_plain_night_tells_of_its_run_and_of_each_video(engine: Engine) -> None:
    engine.load([spec("a", row=2), spec("b", row=3)])
    engine.run()
    told = all_events(engine)
    assert [one.number for one in told] == sorted({one.number for one in told})
    assert isinstance(told[0], RunEvent)
    assert told[0].fact is RunFact.STARTED
    assert isinstance(told[-1], RunEvent)
    assert (told[-1].fact, told[-1].reason) == (RunFact.ENDED, Reason.FINISHED)
    assert of(engine, "a") == of(engine, "b") == [JobFact.ACCEPTED, JobFact.COMPLETED]
    done = next(e for e in told if isinstance(e, JobEvent) and e.fact is JobFact.COMPLETED)
    job = engine.jobs()[done.key or ""]
    assert (done.batch, done.row, done.price) == ("night", job.row, 120_000)
    assert done.generation_id in {made.id for made in engine.provider.made}
    assert done.at.replace(tzinfo=None) == job.completed_at.replace(tzinfo=None)
    assert engine.store.events.newest() == told[-1].number


def test_failures_tell_their_kind_and_words(engine: Engine) -> None:
    """One that is bought again is told as that, and its last failure as the end."""
    engine.load([spec("a"), spec("b")])
    engine.provider.ends["prompt of a"] = [failure(FailureKind.SYSTEM)] * 9
    engine.provider.script["prompt of b"] = [Rejected(FailureKind.CONTENT, "not this")]
    engine.run()
    jobs = engine.jobs()
    again = [JobFact.ACCEPTED, JobFact.RETRYING] * jobs["a"].retries
    assert of(engine, "a") == [*again, JobFact.ACCEPTED, JobFact.FAILED]
    assert jobs["a"].retries > 0
    assert of(engine, "b") == [JobFact.FAILED]
    told = {e.key: e for e in all_events(engine) if isinstance(e, JobEvent)}
    assert (told["a"].error_kind, told["a"].error) == (FailureKind.SYSTEM, "broken")
    assert (told["b"].error_kind, told["b"].error) == (FailureKind.CONTENT, "not this")
    assert told["b"].price is None


def test_a_lost_answer_is_told_as_unconfirmed_until_it_is_settled(engine: Engine) -> None:
    engine.load([spec("a"), spec("b")])
    engine.provider.script["prompt of a"] = ["made"]
    engine.provider.script["prompt of b"] = [InDoubt("reset")]
    engine.run()
    assert of(engine, "a") == [JobFact.UNCONFIRMED, JobFact.FOUND, JobFact.COMPLETED]
    attempt = engine.jobs()["b"].attempt_id
    assert engine.store.doubts.void(attempt, "a person looked", engine.clock.now())
    assert of(engine, "b") == [JobFact.UNCONFIRMED, JobFact.NEVER_MADE]
    engine.run()
    assert of(engine, "b")[2:] == [JobFact.ACCEPTED, JobFact.COMPLETED]


def test_a_budget_that_is_reached_is_told_once(engine: Engine) -> None:
    engine.load([spec(f"r{n}", row=n) for n in range(5)])
    engine.cap(250_000)
    engine.run()
    (told,) = [e for e in all_events(engine) if isinstance(e, BatchEvent)]
    assert told.fact is BatchFact.BUDGET_REACHED
    assert told.blocked == {Blocked.BATCH_CAP}
    assert told.batch == "night"
    assert "budget of the batch" in told.waiting_for
    engine.cap(10_000_000)
    engine.run()
    last = all_events(engine)[-1]
    assert isinstance(last, RunEvent)
    assert last.reason is Reason.FINISHED


@pytest.mark.parametrize(
    ("cause", "reason"),
    [(RefusalCause.TOKEN, Reason.TOKEN), (RefusalCause.ACCOUNT, Reason.ACCOUNT)],
)
def test_a_run_that_is_refused_tells_why(
    engine: Engine, cause: RefusalCause, reason: Reason
) -> None:
    engine.load([spec("a")])
    engine.provider.script["prompt of a"] = [Refused(cause, "go away")]
    engine.run()
    last = all_events(engine)[-1]
    assert isinstance(last, RunEvent)
    assert (last.fact, last.reason) == (RunFact.ENDED, reason)
    assert "go away" in last.message


def test_a_cancelled_run_was_interrupted(engine: Engine) -> None:
    """Two times Ctrl-C cancels the run."""
    engine.load([spec("a")])

    def during(runner: Runner) -> None:
        del runner
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(20, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        engine.run(during=during)
    last = all_events(engine)[-1]
    assert isinstance(last, RunEvent)
    assert (last.fact, last.reason) == (RunFact.ENDED, Reason.INTERRUPTED)
    assert of(engine, "a") == [JobFact.ACCEPTED]


def test_a_killed_run_is_told_by_the_next(engine: Engine) -> None:
    class Killed(BaseException):
        pass

    def checkpoint(name: str) -> None:
        if name == "intent-written":
            raise Killed

    engine.load([spec("a")])
    leave = engine.store.purchases.leave
    engine.store.purchases.leave = lambda *_: (_ for _ in ()).throw(Killed)  # type: ignore[method-assign]
    with pytest.raises(Killed):
        engine.run(checkpoint=checkpoint)
    engine.store.purchases.leave = leave  # type: ignore[method-assign]
    engine.run()
    runs = [e.fact for e in all_events(engine) if isinstance(e, RunEvent)]
    assert runs == [RunFact.STARTED, RunFact.CUT_OFF, RunFact.STARTED, RunFact.ENDED]


def test_what_is_taken_back_is_not_told(engine: Engine) -> None:
    """An event is part of the transaction that it tells of."""
    before = engine.store.events.newest()

    def work(connection: object) -> None:
        events.write(connection, engine.clock.now(), RunFact.STARTED)  # type: ignore[arg-type]
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        engine.store.write(work)
    assert engine.store.events.newest() == before


def test_events_are_read_from_a_number_on_and_for_some_batches(engine: Engine) -> None:
    engine.load([spec("a")])
    engine.load([spec("x")], batch="other")
    engine.run([1, 2])
    told = all_events(engine)
    assert engine.store.events.since(told[1].number, 2) == told[2:4]
    assert engine.store.events.since(told[-1].number, 9) == []
    ours = engine.store.events.since(0, 99, [2])
    assert {e.batch for e in ours if isinstance(e, JobEvent)} == {"other"}
    assert [e for e in ours if isinstance(e, RunEvent)]


def test_the_oldest_are_deleted_and_numbers_go_on(engine: Engine) -> None:
    """A run that takes over keeps the newest; no number comes twice."""

    def fill(connection: object) -> None:
        rows = [{"id": n, "at": engine.clock.now(), "kind": "waiting"} for n in (1, KEPT, KEPT + 5)]
        connection.execute(insert(EVENT), rows)  # type: ignore[attr-defined]

    engine.store.write(fill)
    engine.load([spec("a")])
    engine.run()
    (oldest,) = engine.rows(select(func.min(EVENT.c.id)))[0]
    assert oldest == KEPT
    assert all_events(engine)[-1].number > KEPT + 5


def test_a_person_is_shown_what_is_notable(engine: Engine) -> None:
    """The newest first, without what went as expected, and without other batches'."""
    engine.load([spec(f"r{n}", row=n) for n in range(4)])
    engine.load([spec("x")], batch="other")
    for name in ("r1", "r3", "x"):
        engine.provider.script[f"prompt of {name}"] = [Rejected(FailureKind.CONTENT, "no")]
    engine.run([1, 2])
    told = engine.store.events.notable(1, 10)
    assert [one.fact for one in told] == [
        RunFact.ENDED,
        JobFact.FAILED,
        JobFact.FAILED,
        RunFact.STARTED,
    ]
    assert {one.key for one in told if isinstance(one, JobEvent)} == {"r1", "r3"}
    assert engine.store.events.notable(1, 2) == told[:2]
    plan = engine.store.read(
        lambda c: c.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT id FROM event WHERE kind NOT IN ('accepted', 'completed')"
            " AND batch_id IS 1 ORDER BY id DESC LIMIT 8"
        ).all()
    )
    assert "ix_event_notable" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_what_another_program_wrote_is_left_out(engine: Engine) -> None:
    """A page or a log that shows events does not stop at one that is not ours."""
    engine.load([spec("a")])
    engine.run()
    before = all_events(engine)
    odd = [
        {"kind": "moon", "reason": None},
        {"kind": "failed", "reason": "moon"},
        {"kind": "run_ended", "reason": "moon"},
        {"kind": "waiting", "reason": "moon"},
    ]
    rows = [{"at": engine.clock.now(), "batch_id": 1, "job_id": 99} | one for one in odd]
    engine.store.write(lambda c: c.execute(insert(EVENT), rows))
    assert all_events(engine) == before


def test_a_provider_out_of_reach_is_one_event_a_run(engine: Engine) -> None:
    """However often it pauses, and whatever times it names; a budget is told each time."""
    engine.load([spec("a")])
    engine.store.purchases.serve([1], engine.clock.now())
    for minute in range(10, 20):
        engine.store.purchases.wait(
            {1: f"the API until 21:{minute}:00 UTC (429)"}, engine.clock.now()
        )
        engine.store.purchases.wait({1: None}, engine.clock.now())
    (told,) = [e for e in all_events(engine) if isinstance(e, BatchEvent)]
    assert (told.fact, told.waiting_for) == (BatchFact.WAITING, "the API")
    engine.store.purchases.serve([1], engine.clock.now())
    engine.store.purchases.wait({1: "the API until 22:00:00 UTC (429)"}, engine.clock.now())
    assert sum(isinstance(e, BatchEvent) for e in all_events(engine)) == 2


@pytest.mark.parametrize("at", [b"\x00", 7, "yesterday", ""])
def test_an_odd_time_is_left_out(engine: Engine, at: object) -> None:
    """As whatever another program wrote."""
    row = "INSERT INTO event (at, kind, batch_id, message) VALUES (?, 'waiting', 1, ?)"
    engine.store.write(lambda c: c.exec_driver_sql(row, (at, "x")))
    engine.store.write(lambda c: c.exec_driver_sql(row, ("2026-01-01 00:00:00.000000", b"\x00")))
    assert all_events(engine) == []
    assert engine.store.events.notable(1, 9) == []
