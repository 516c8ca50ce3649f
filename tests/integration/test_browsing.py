"""Pages of a batch's jobs, and its course: the same as asked of the table, and no scan of it."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from support.engine import Engine, spec

from jobs.model.provider import Generation, GenerationPhase
from jobs.model.states import FailureKind, JobState
from jobs.ports.selection import Filter, Wanted
from jobs.store import browsing, steering, views
from jobs.store.prepared import driver

JOBS = 40


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two batches, one of which is done but for what failed and what a cap left."""
    made = Engine(tmp_path_factory.mktemp("browsing"))
    made.announce(s10=120_000, s15=180_000)
    broken = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="no cats")
    for number in (3, 7, 20):
        made.provider.ends[f"prompt of r{number}"] = [broken] * 9
    made.load([spec(f"r{i}", row=i, campaign="even" if i % 2 == 0 else None) for i in range(JOBS)])
    made.load([spec(f"other{i}", row=i) for i in range(5)], batch="other")
    made.cap(30 * 120_000)
    made.run()
    yield made
    made.store.close()


def meant(engine: Engine, which: Filter) -> list[int]:
    """Find the same jobs the plain way."""
    wanted = Wanted("night", which.states, which.kinds, which.campaigns, search=which.search)
    return sorted(engine.store.read(lambda c: [job.id for job in views.jobs(c, wanted)]))


FILTERS = st.builds(
    Filter,
    st.lists(st.sampled_from(list(JobState)), max_size=3, unique=True),
    st.lists(st.sampled_from(list(FailureKind)), max_size=2, unique=True),
    st.sampled_from([[], ["even"], ["odd"]]),
    st.sampled_from(["", "r1", "prompt of", "CATS", "%", "r1 no"]),
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=FILTERS, limit=st.integers(1, 50))
def test_pages_follow_one_another(engine: Engine, which: Filter, limit: int) -> None:
    """Forward and backward, each job that is meant is on exactly one page, in order."""
    wanted = meant(engine, which)

    def walk(*, forward: bool) -> list[int]:
        found: list[int] = []
        after, before = 0, None if forward else 10**9
        while True:
            page = engine.store.read(
                lambda c: browsing.page(c, 1, which, limit, after=after, before=before)  # noqa: B023 - read at once
            )
            ids = [job.id for job in page.jobs]
            assert len(ids) <= limit
            found = found + ids if forward else ids + found
            if not (page.later if forward else page.earlier):
                return found
            assert ids
            after, before = (ids[-1], None) if forward else (0, ids[0])

    assert walk(forward=True) == wanted
    assert walk(forward=False) == wanted


def test_the_course_adds_up(engine: Engine) -> None:
    """Whatever a while is, the sums are those of the jobs."""
    jobs = engine.store.read(lambda c: list(views.jobs(c, Wanted("night"))))
    states = Counter(job.state for job in jobs)
    for seconds in (60, 300, 3600):
        buckets = engine.store.read(lambda c, s=seconds: browsing.course(c, 1, s))
        assert sum(bucket.completed for bucket in buckets) == states["completed"]
        assert sum(bucket.failed for bucket in buckets) == states["failed"] == 3
        assert sum(bucket.charged for bucket in buckets) == engine.status().money.charged
        assert all(bucket.at.timestamp() % seconds == 0 for bucket in buckets)
    took = engine.store.read(lambda c: browsing.durations(c, 1, 30))
    assert sum(count for _, count in took) == states["completed"]
    real = [
        (job.completed_at - job.submitted_at).total_seconds()
        for job in jobs
        if job.state == "completed"
    ]
    assert min(took)[0] <= min(real) + 0.01
    assert max(real) <= max(took)[0] + 30.01


def test_a_batch_that_has_not_begun_has_no_course(engine: Engine) -> None:
    """Nothing ended, nothing breaks."""
    assert engine.store.read(lambda c: browsing.course(c, 2, 60)) == []
    assert engine.store.read(lambda c: browsing.ended_span(c, 2)) is None
    assert engine.store.read(lambda c: browsing.durations(c, 2, 60)) == []
    assert engine.store.read(lambda c: browsing.recent(c, 2, 5)) == []


def test_no_page_reads_all_jobs(engine: Engine) -> None:
    """What a page of jobs asks is found by an index, in order, however far down it is."""
    asked: list[str] = []

    def listen(connection: Connection) -> None:
        driver(connection).set_trace_callback(asked.append)

    engine.store.read(listen)
    engine.store.read(lambda c: browsing.page(c, 1, Filter(), 10, after=20))
    engine.store.read(lambda c: browsing.page(c, 1, Filter(), 10, before=20))
    engine.store.read(lambda c: browsing.page(c, 1, Filter(["failed"]), 10))
    engine.store.read(lambda c: browsing.under_way(c, 1, 10))
    engine.store.read(lambda c: browsing.recent(c, 1, 10))
    engine.store.read(lambda c: browsing.ended_span(c, 1))
    engine.store.read(lambda c: driver(c).set_trace_callback(None))
    planned = [one for one in asked if one.startswith("SELECT")]
    assert len(planned) >= 6
    with closing(sqlite3.connect(engine.path)) as raw:
        for statement in planned:
            plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")]
            scans = [step for step in plan if re.search(r"SCAN (job|attempt|artifact)\b", step)]
            assert not scans, (statement, plan)
            if "UNION" in statement:
                jobs = [step for step in plan if "SEARCH job" in step]
                assert all(
                    "ix_job_batch_state (batch_id=? AND state=? AND rowid" in s for s in jobs
                )


def test_what_is_completed_is_redone_under_its_cap(tmp_path: Path) -> None:
    """Bought once more, and no more than once; an unchanged manifest does not take it back."""
    engine = Engine(tmp_path)
    engine.announce(s10=120_000)
    rows = [spec(f"r{i}", row=i) for i in range(3)]
    engine.load(rows)
    engine.cap(4 * 120_000)
    engine.run()
    assert engine.store.write(lambda c: steering.redo(c, [1, 2])) == [1, 2]
    assert engine.store.write(lambda c: steering.redo(c, [1, 2])) == []
    engine.load(rows)
    states = engine.store.read(lambda c: [job.state for job in views.jobs(c)])
    assert states == ["queued", "queued", "completed"]
    engine.run()  # the cap has room for one of both
    states = engine.store.read(lambda c: [job.state for job in views.jobs(c)])
    assert sorted(states) == ["completed", "completed", "queued"]
    attempts = engine.store.read(lambda c: [len(views.attempts_of(c, n)) for n in (1, 2, 3)])
    assert sorted(attempts) == [1, 1, 2]
    (status,) = engine.store.read(lambda c: [views.batch_status(c, views.find_batches(c)[0])])
    assert status.money.charged == 4 * 120_000
    engine.store.close()
