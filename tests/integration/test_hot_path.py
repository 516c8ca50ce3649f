"""What a job costs the database, counted: plans, statements and transactions, never seconds."""

import gc
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection
from support.engine import Engine, spec

from jobs.model.provider import About, Generation, GenerationPhase, InDoubt, Rejected
from jobs.model.states import FailureKind, HeldBack, Reason
from jobs.store import handing, views
from jobs.store.database import LARGEST_WAL
from jobs.store.prepared import driver

WHOLE_TABLES = re.compile(r"SCAN (job|attempt|artifact)\b(?! USING (COVERING )?INDEX (ix|uq)_)")


class Traced(Engine):
    """An engine that keeps every statement that SQLite runs, with its values written out.

    Attributes:
        statements: since the database was opened.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.statements: list[str] = []
        self.store.write(self._listen)
        self.store.read(self._listen)
        self.announce(s10=120_000, s15=180_000)

    def _listen(self, connection: Connection) -> None:
        driver(connection).set_trace_callback(self.statements.append)

    def count(self) -> Counter[str]:
        """Count the statements by what they do."""
        # a trigger's own statements come as comments
        return Counter(s.split()[0] for s in self.statements if not s.startswith("--"))


@pytest.fixture
def engine(tmp_path: Path):
    made = Traced(tmp_path)
    yield made
    made.store.close()


def test_no_statement_of_a_run_reads_a_whole_table(engine: Traced) -> None:
    """With a million jobs done, what a run asks and changes is found by an index."""
    rows = [spec(f"r{i}", row=i, campaign="c" if i % 2 else None) for i in range(60)]
    broken = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="broken")
    engine.provider.ends["prompt of r3"] = [broken]
    engine.provider.script["prompt of r5"] = [InDoubt("no answer in time")]
    engine.load(rows)
    engine.cap(30_000_000)
    engine.cap(15_000_000, campaign="c")
    engine.statements.clear()
    assert engine.run(grace=60).reason is Reason.FINISHED
    engine.store.read(lambda c: [views.batch_status(c, b) for b in views.find_batches(c)])

    seen = {re.sub(r"'[^']*'|\b\d+\b", "?", s): s for s in engine.statements}
    planned = [s for s in seen.values() if not s.startswith(("--", "BEGIN", "COMMIT", "PRAGMA"))]
    assert len(planned) > 30
    with closing(sqlite3.connect(engine.path)) as raw:
        for statement in planned:
            if statement.startswith(("SAVEPOINT", "RELEASE")):
                continue
            plan = [row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + statement)]
            assert not [step for step in plan if WHOLE_TABLES.search(step)], (statement, plan)


def test_what_may_be_bought_comes_from_the_queue_in_order(engine: Traced) -> None:
    """The claim takes what the queue's index gives, and sorts nothing."""
    engine.load([spec(f"r{i}", row=i) for i in range(5)])
    engine.statements.clear()
    engine.run()
    (query,) = {s for s in engine.statements if "ORDER BY job.retries" in s and "LIMIT 5" in s} or {
        next(s for s in engine.statements if "ORDER BY job.retries" in s)
    }
    with closing(sqlite3.connect(engine.path)) as raw:
        plan = [row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + query)]
    assert plan == ["SEARCH job USING INDEX ix_job_queue (batch_id=?)"]


def test_what_was_put_back_is_found_without_reading_its_batch(engine: Traced) -> None:
    """Behind a million that wait for something, and what it has heard before by its job."""
    strange = Rejected(FailureKind.VALIDATION, "nope", About.UNKNOWN)
    engine.provider.script = {f"prompt of r{i}": [strange, strange] for i in range(3)}
    engine.load([spec(f"r{i}", row=i) for i in range(9)])
    assert engine.run(rate=1).reason is Reason.REQUEST
    engine.statements.clear()
    assert engine.run(rate=1).reason is Reason.FINISHED
    assert [job.state for job in engine.jobs().values()].count("failed") == 3
    behind = {s for s in engine.statements if "due_at < '2000" in s and s.startswith("SELECT")}
    before = {s for s in engine.statements if "+state = 'rejected'" in s}
    taken = {s for s in engine.statements if "+generation_id IS NOT NULL" in s}
    front = {s for s in engine.statements if "state = 'submitting'" in s and "due_at >= '2000" in s}
    forward = {s for s in behind if "due_at > '1970" in s}
    with closing(sqlite3.connect(engine.path)) as raw:
        for statements, step in [
            (behind, "SEARCH job USING INDEX ix_job_later (batch_id=? AND due_at>? AND due_at<?)"),
            (forward, "SEARCH job USING INDEX ix_job_later (batch_id=? AND due_at>? AND due_at<?)"),
            (front, "SEARCH job USING INDEX ix_job_batch_state (batch_id=? AND state=?)"),
            (before, "SEARCH attempt USING INDEX ix_attempt_job_id (job_id=? AND rowid<?)"),
            (taken, "SEARCH attempt USING INTEGER PRIMARY KEY (rowid>?)"),
        ]:
            assert statements
            for statement in statements:
                plan = [row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + statement)]
                assert step in plan, (statement, plan)
                assert not [one for one in plan if WHOLE_TABLES.search(one)]


def test_what_another_batch_of_the_run_has_bought_is_found_by_its_request(engine: Traced) -> None:
    """In each claim: behind a million that other batches have bought, or have under way."""
    same = [spec(f"r{i}", row=i, prompt=f"a boat,  no. {i % 3}") for i in range(6)]
    engine.load(same)
    engine.load(same, batch="other")
    engine.statements.clear()
    engine.run([1, 2], looked_at=engine.clock.now())
    assert Counter(job.held_back for job in engine.jobs_of(2)) == {HeldBack.PAID_BEFORE: 6}
    claims = (s for s in engine.statements if s.startswith("SELECT") and "AS later" not in s)
    asked = {s for s in claims if "request_key = " in s}
    assert asked
    with closing(sqlite3.connect(engine.path)) as raw:
        for statement in asked:
            (step,) = [row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + statement)]
            by_prompt = "ix_attempt_unsettled (prompt_key=? AND rowid>?)"
            by_request = "ix_attempt_request_key (request_key=? AND rowid>?)"
            index = by_prompt if "prompt_key = " in statement else by_request
            assert step == f"SEARCH attempt USING INDEX {index}", statement


def test_what_was_handed_over_is_found_without_reading_its_batch(engine: Traced) -> None:
    """One row of thousands that are queued, or held back, comes from the index of what is handed.

    A million rows that were resumed cost no more a turn: a thousand at a time are put in order.
    """
    engine.load([spec("own", row=1)])
    engine.load([spec(f"o{i}", row=i) for i in range(50)], batch="other")
    engine.load([spec(f"u{i}", row=i) for i in range(50)], "third", held_back=HeldBack.UNASKED)
    jobs = engine.jobs()
    hand = [jobs["o3"].id, jobs["u3"].id]
    engine.store.write(lambda c: handing.hand_over(c, hand))
    engine.statements.clear()
    assert engine.run().reason is Reason.FINISHED
    engine.store.read(lambda c: [views.batch_status(c, b) for b in views.find_batches(c)])
    run = list(engine.statements)
    completed = {key for key, job in engine.jobs().items() if job.state == "completed"}
    assert completed == {"own", "o3", "u3"}
    asked = {s for s in run if s.startswith("SELECT") and "handed" in s.partition("FROM")[2]}
    claimed = {s for s in asked if "ORDER BY job.retries" in s}
    with closing(sqlite3.connect(engine.path)) as raw:
        plans = {s: [row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + s)] for s in asked}
    found = "SEARCH job USING INDEX ix_job_handed (state=? AND batch_id=?)"
    assert claimed
    assert all(found in plans[s] and "LIMIT 1000" in s for s in claimed)
    later = [plan for s, plan in plans.items() if "+handed" in s]
    assert later
    assert all(
        plan == ["SEARCH job USING INDEX ix_job_later (batch_id=? AND due_at>?)"] for plan in later
    )
    assert claimed == {s for s, plan in plans.items() if "USE TEMP B-TREE FOR ORDER BY" in plan}
    steps = [step for plan in plans.values() for step in plan]
    assert not [step for step in steps if WHOLE_TABLES.search(step)]
    # of jobs that are named by number they come from there
    held = [s for s in run if "held_back" in s and "count(*)" in s and "json_each" not in s]
    assert held
    with closing(sqlite3.connect(engine.path)) as raw:
        for statement in held:
            plan = [row[3] for row in raw.execute("EXPLAIN QUERY PLAN " + statement)]
            assert all("ix_job_held_back" in step for step in plan), (statement, plan)


def test_a_job_costs_a_bounded_number_of_statements_and_transactions(engine: Traced) -> None:
    """A regression guard: ten times as many jobs cost no more each."""
    costs = []
    engine.provider.takes, engine.provider.balance_micros = 8.0, 10**9
    for number, jobs in enumerate((100, 1000), 1):
        engine.load([spec(f"{jobs}-{i}", row=i) for i in range(jobs)], batch=f"b{jobs}")
        engine.statements.clear()
        engine.run([number], max_in_flight=64, rate=0)
        counted = engine.count()
        commits = counted["COMMIT"] + counted["BEGIN"]
        costs.append((len(engine.statements) / jobs, commits / jobs))
    (statements, commits) = costs[-1]
    assert statements < 38  # four of them are the two events of a video, by triggers
    assert commits < 1
    assert costs[1][0] <= costs[0][0] * 1.05


def test_nothing_of_a_job_stays_in_memory(engine: Traced) -> None:
    """A night of a million jobs takes as much memory as one of a hundred."""
    left = []
    engine.provider.takes, engine.provider.balance_micros = 8.0, 10**9
    for number, jobs in enumerate((100, 400), 1):
        engine.load([spec(f"{jobs}-{i}", row=i) for i in range(jobs)], batch=f"b{jobs}")
        engine.run([number], max_in_flight=64, rate=0)
        gc.collect()
        ours = (str(type(found).__module__).startswith("jobs.") for found in gc.get_objects())
        left.append(sum(ours))
    # what the scripted provider keeps for its test is among them: a key and a prompt are no objects
    assert left[1] <= left[0] + 10


def test_requests_for_a_job_are_few(engine: Traced) -> None:
    """A regression guard: one submission, and a small share of a page of the list."""
    jobs = 400
    engine.provider.balance_micros = 10**9
    engine.load([spec(f"r{i}", row=i) for i in range(jobs)])
    engine.run(max_in_flight=64, rate=0)
    provider = engine.provider
    assert len(provider.posts) == jobs
    assert (provider.list_reads + provider.single_reads) / jobs < 1


def test_the_wal_is_bounded_and_the_file_can_be_packed(engine: Traced) -> None:
    """After a large load the next commits give the disk back; VACUUM loses nothing."""
    prompt = "a kite over the dunes " * 150
    engine.load([spec(f"r{i}", prompt + str(i), row=i) for i in range(9000)])
    wal = engine.path.with_name(engine.path.name + "-wal")
    largest = wal.stat().st_size
    assert largest > LARGEST_WAL  # else this tests nothing
    for cap in range(1, 4):
        engine.cap(cap * 1_000_000_000)
    assert wal.stat().st_size <= LARGEST_WAL
    engine.store.close()
    with closing(sqlite3.connect(engine.path)) as raw:
        raw.execute("DELETE FROM job WHERE id > 10")
        raw.commit()
        before = raw.execute("SELECT id, key, state FROM job ORDER BY id").fetchall()
        raw.execute("VACUUM")
        assert raw.execute("SELECT id, key, state FROM job ORDER BY id").fetchall() == before
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert engine.path.stat().st_size < largest / 10
