"""Queries: what commands, page and report ask, each on one moment."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from support.engine import spec
from support.steps import PRICE, Steps

from jobs.model.errors import NotFoundError
from jobs.model.provider import GenerationPhase
from jobs.model.states import FailureKind, HeldBack
from jobs.ports.seen import Bucket, Page, Part
from jobs.ports.selection import NONE, Filter, Shelf, Sought, Verdict, Wanted
from jobs.ports.updates import Failed

FAIL = [("f1", FailureKind.CONTENT, "nudity"), ("f2", FailureKind.SYSTEM, "broken")]


@pytest.fixture
def night(steps: Steps) -> Steps:
    """Two videos after one and three minutes, two failures, one that is made, one queued."""
    rows = [
        spec("v1", prompt="a red kite", row=1, campaign="k"),
        spec("v2", prompt="a blue KITE", row=2),
        spec("f1", prompt="a 100% kite", row=3),
        spec("f2", row=4),
        spec("p1", row=5, campaign="k"),
    ]
    steps.load(*rows, "q1")
    steps.begin()
    steps.buy("v1", "v2", "f1", "f2", "p1", want=5)
    steps.later(minutes=1)
    steps.end("v1")
    steps.later(minutes=2)
    steps.end("v2")
    for key, kind, words in FAIL:
        number = steps.job(key).attempt_id
        assert number is not None
        steps.end(key, Failed(number, kind, words, None))
    return steps


def keys(steps: Steps, **wanted: object) -> list[str]:
    """List the keys of the jobs that are meant."""
    return [one.key for one in steps.store.queries.jobs(Wanted(**wanted))]  # type: ignore[arg-type]


def fetch(steps: Steps, *names: str) -> None:
    """Let the files of jobs be here."""
    for one in steps.store.loading.wanted_files([1], 9, keys=names):
        done = steps.store.loading.record_file(one, f"{one.key}.mp4", 9, "ab", steps.now)
        asyncio.run(done)


def test_an_empty_table_answers_every_question(steps: Steps) -> None:
    queries = steps.store.queries
    assert queries.integrity() == "ok"
    assert (queries.batches(), queries.statuses(), queries.jobs()) == ([], [], [])
    assert queries.failures(Wanted()) == []
    assert queries.numbered([]) == []
    assert queries.attempts_of(1) == []
    assert queries.owners([]) == {}
    assert queries.rows_of(1) == []
    assert (queries.newest_number(), queries.doubts(), queries.twice_micros()) == (0, 0, 0)
    assert queries.paid_twice() == []
    assert not queries.is_served()
    assert dict(queries.parts([])) == {}
    assert queries.page(1, Filter(), 10) == Page([], earlier=False, later=False)
    assert queries.ended_span(1) is None
    assert queries.ended_since(1, steps.now) is None
    assert queries.course(1, 60) == queries.durations(1, 60) == []
    assert queries.taken(1) is None
    assert queries.videos(1, Shelf(), 10) == queries.recent(1, 10) == []
    assert queries.found_after("night", 0, "x") is None
    for ask in (queries.batches, queries.job):
        with pytest.raises(NotFoundError):
            ask("night")
    with pytest.raises(NotFoundError):
        queries.jobs(Wanted(batch="night"))
    with pytest.raises(NotFoundError):
        queries.failures(Wanted(batch="night"))


def test_a_batch_is_summed_up(night: Steps) -> None:
    status = night.status()
    assert {state: n for state, n in status.jobs.items() if n} == {
        "completed": 2,
        "failed": 2,
        "pending": 1,
        "queued": 1,
    }
    assert status.failed_kinds == {"content": 1, "system": 1}
    assert (status.total, status.left, status.files_missing) == (6, 2, 2)
    assert (status.money.charged, status.money.held, status.money.refunded) == (5 * PRICE, 0, 0)
    assert {name: budget.charged for name, budget in status.campaigns.items()} == {"k": 2 * PRICE}
    assert night.store.queries.statuses([1]) == night.store.queries.statuses() == [status]
    assert night.store.queries.statuses([]) == []


def test_jobs_are_listed_by_what_is_meant(night: Steps) -> None:
    assert keys(night) == ["v1", "v2", "f1", "f2", "p1", "q1"]
    assert keys(night, states=["completed", "queued"]) == ["v1", "v2", "q1"]
    assert keys(night, kinds=["content"]) == ["f1"]
    assert keys(night, campaigns=["k"]) == ["v1", "p1"]
    number = night.job("f2").id
    assert keys(night, keys=["p1", f"#{number}", "nobody"]) == ["f2", "p1"]
    assert keys(night, search="kite BLUE") == ["v2"]
    assert keys(night, search="100%") == ["f1"]
    assert keys(night, search="nudity") == ["f1"]
    assert keys(night, batch="night", states=["failed"], search="broken") == ["f2"]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("row", "v1"),
        ("state", "v1"),
        ("price", "v1"),
        ("submitted", "v1"),
        ("completed", "v2"),
        ("attempts", "v1"),
    ],
)
def test_jobs_are_sorted(night: Steps, order: str, first: str) -> None:
    found = night.store.queries.jobs(order=order)
    assert (found[0].key, len(found)) == (first, 6)


def test_jobs_are_streamed_inside_of_one_moment(night: Steps) -> None:
    """What another process writes meanwhile is not seen before the next one."""
    other, queued = night.elsewhere_seen(), night.number("q1")
    try:
        with night.store.queries.snapshot() as seen:
            each = seen.each_job()
            assert next(each).key == "v1"
            other.control.cancel(queued, night.now)
            assert [one.state for one in each][-1] == "queued"
            assert seen.job("q1").state == "queued"
        assert night.job("q1").state == "cancelled"
    finally:
        other.close()


def test_failures_are_grouped_by_kind_and_words(night: Steps) -> None:
    found = night.store.queries.failures(Wanted(batch="night"))
    told = [(one.error_kind, one.error, one.jobs, one.charged_micros, one.example) for one in found]
    assert told == [(str(kind), words, 1, PRICE, key) for key, kind, words in FAIL]


def test_one_job_is_found_by_its_key_or_its_number(night: Steps) -> None:
    queries = night.store.queries
    job = queries.job("v1", "night")
    assert queries.job(f"#{job.id}") == job
    assert (job.batch, job.attempt_kind, job.attempt_price) == ("night", "fake/sora/10", PRICE)
    night.load("v1", batch="other")
    with pytest.raises(NotFoundError):
        queries.job("v1")
    assert queries.job("v1", "night").id == job.id
    with pytest.raises(NotFoundError):
        queries.job("v9", "night")
    assert [one.id for one in queries.numbered([99, job.id, 2])] == [job.id, 2]
    many = list(range(1, 3000))
    assert len(queries.numbered(many)) == 7


def test_the_queue_is_listed_and_counted_by_kind(night: Steps) -> None:
    """What is held back is in it where its reason is overruled."""
    night.load("x", "y", batch="other", kind="fake/sora/15", asked=False)
    queries = night.store.queries
    assert [one.id for one in queries.queued(1)] == night.number("q1")
    assert queries.queued_by_kind(1) == {"fake/sora/10": 1}
    assert queries.queued(2) == []
    unasked = [HeldBack.UNASKED]
    assert [one.kind for one in queries.queued(2, unasked)] == ["fake/sora/15"] * 2
    assert queries.queued_by_kind(2, [2], unasked) == {"fake/sora/15": 1}
    assert queries.queued_by_kind(2, [], unasked) == {}
    assert queries.held_for(Sought([2]), HeldBack.UNASKED) == 2


def test_parts_of_batches_are_counted(night: Steps) -> None:
    night.load("x", batch="other", asked=False)
    found = night.store.queries.parts(night.number("v1", "q1", "x"))
    first, second = found[1], found[2]
    assert (first.jobs["completed"], first.jobs["queued"], first.files_missing) == (1, 1, 1)
    assert second == Part(Part().jobs | {"queued": 1}, {HeldBack.UNASKED: 1})


def test_a_page_goes_forward_and_back(night: Steps) -> None:
    """By the numbers of the jobs at its edges."""

    def shown(
        limit: int = 2, *, after: int = 0, before: int | None = None, **which: Sequence[str]
    ) -> tuple[list[str], bool, bool]:
        asked = Filter(**which)  # type: ignore[arg-type]
        page = night.store.queries.page(1, asked, limit, after=after, before=before)
        return [one.key for one in page.jobs], page.earlier, page.later

    f1, q1 = night.number("f1", "q1")
    assert shown() == (["v1", "v2"], False, True)
    assert shown(after=f1) == (["f2", "p1"], True, True)
    assert shown(after=f1, limit=9) == (["f2", "p1", "q1"], True, False)
    assert shown(before=q1) == (["f2", "p1"], True, True)
    assert shown(before=f1) == (["v1", "v2"], False, True)
    assert shown(states=["failed"], kinds=["system"]) == (["f2"], False, False)
    assert shown(campaigns=["k"], search="kite") == (["v1"], False, False)


def test_the_course_of_a_night(night: Steps) -> None:
    """When jobs ended, how many within each while, and how long they took."""
    queries, began = night.store.queries, night.now - timedelta(minutes=3)
    minute = timedelta(minutes=1)
    assert queries.ended_span(1) == (began + minute, night.now)
    assert queries.ended_since(1, began + 2 * minute) == (3, night.now)
    assert queries.ended_since(1, night.now + minute) is None
    assert queries.course(1, 60) == [
        Bucket(began, 0, 0, 5 * PRICE),
        Bucket(began + minute, 1, 0, 0),
        Bucket(began + 3 * minute, 1, 2, 0),
    ]
    # 180 s may lie on either side of an edge, as the time is kept in days
    assert [jobs for _, jobs in queries.durations(1, 50)] == [1, 1]
    taken = queries.taken(1)
    assert taken is not None
    assert (round(taken.median), round(taken.longest), taken.slowest) == (60, 180, "v2")


def test_videos_stand_on_a_shelf(night: Steps) -> None:
    """By what a person thinks of them, in the order that is asked for."""
    queries, began = night.store.queries, night.now - timedelta(minutes=3)
    assert queries.videos(1, Shelf(), 9) == []
    fetch(night, "v1", "v2")

    def shelf(limit: int = 9, offset: int = 0, **which: object) -> list[str]:
        found = queries.videos(1, Shelf(**which), limit, offset)  # type: ignore[arg-type]
        return [one.key for one in found]

    assert shelf() == ["v2", "v1"]
    assert shelf(by_row=True) == ["v1", "v2"]
    assert shelf(1, 1) == ["v1"]
    assert [one.key for one in queries.recent(1, 1)] == ["v2"]
    number = night.job("v1").attempt_id
    assert number is not None
    night.store.control.judge(number, Verdict.FAVOURITE, night.now)
    assert shelf(verdict=Verdict.FAVOURITE) == ["v1"]
    assert shelf(verdict=Verdict.REJECTED) == []
    assert shelf(verdict=NONE) == ["v2"]
    assert shelf(which=Filter(search="blue")) == ["v2"]
    assert queries.videos_since(1, Shelf(), began + timedelta(minutes=1)) == 1
    (kind,) = queries.kinds(1)
    assert queries.kinds(2) == []
    assert shelf(which=Filter(made_by=[kind])) == ["v2", "v1"]
    assert shelf(which=Filter(made_by=[f"{kind}/other"])) == []
    assert night.status().files_missing == 0


def test_what_is_under_way_is_listed_the_farthest_first(night: Steps) -> None:
    night.load("a", "b", batch="other")
    night.store.purchases.serve([2], night.now)
    names = night.buy("a", "b", "q1")
    night.go_on(names["a"], night.now, phase=GenerationPhase.PENDING, queue_position=7)
    night.go_on(names["b"], night.now, percent=30)
    assert [one.key for one in night.store.queries.under_way(2, 9)] == ["b", "a"]
    assert [one.key for one in night.store.queries.under_way(2, 1)] == ["b"]


def test_the_newest_job_of_a_prompt_is_found(night: Steps) -> None:
    queries, number = night.store.queries, night.job("v1").id
    assert queries.newest_number() == night.job("q1").id
    found = queries.found_after("night", 0, "a red kite")
    assert found is not None
    assert found.key == "v1"
    assert queries.found_after("night", number, "a red kite") is None
    assert queries.found_after("night", 0, "A red kite") is None
    assert queries.found_after("other", 0, "a red kite") is None
