"""Looks before buying: rows are compared in one snapshot, and held back as they were compared."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
from support.engine import spec
from support.provider import SORA_LIST
from support.steps import PRICE, Steps

from jobs.evidence.echo import Echo
from jobs.evidence.looked_for import Wish
from jobs.evidence.matching import Match, Use, WantedRow
from jobs.model.provider import GenerationPhase
from jobs.model.states import HeldBack
from jobs.ports.adoption import Comparison, Found, ListShown, RowsSnapshot
from jobs.ports.seen import GenerationOwner
from jobs.ports.selection import Sought

T = TypeVar("T")
ALL = Sought([1])
URL = "http://videos/1.mp4"


def rows(steps: Steps, sought: Sought = ALL) -> dict[int, WantedRow]:
    """Compare rows, and decide for all of them."""
    return compare(steps, lambda seen: {one.job_id: one for one in seen.rows}, sought)


def compare(
    steps: Steps,
    decide: Callable[[RowsSnapshot], T],
    sought: Sought = ALL,
    shown: ListShown | None = None,
) -> T:
    """Compare rows with what the list showed."""
    return steps.store.adoption.compare(Comparison(sought, shown, steps.now, decide))


def match(steps: Steps, key: str, name: str, **fields: object) -> Match:
    """Match a row with a generation of its prompt."""
    job = steps.job(key)
    seen = steps.shown(name, job.prompt, phase=GenerationPhase.COMPLETED, video_url=URL)
    return Match(job.id, job.fingerprint, replace(seen, **fields), Use.TAKEN_OVER)  # type: ignore[arg-type]


def listed(steps: Steps, *names: str) -> ListShown:
    """Say what a reading of the list showed."""
    day = timedelta(days=1)
    return ListShown(SORA_LIST, names, steps.now - day, steps.now - day, steps.now, 10)


# -- which rows are meant


def test_the_rows_that_may_be_bought_are_counted_and_compared(steps: Steps) -> None:
    """Queued ones alone, in the manifest's order; a pick leaves the others out."""
    steps.load("a", "b", "c", "d")
    steps.load("x", batch="other")
    steps.begin()
    steps.buy("a", want=1)
    steps.store.control.cancel(steps.number("b"), steps.now)
    adoption = steps.store.adoption
    assert adoption.count(ALL).total() == 2
    assert list(rows(steps)) == steps.number("c", "d")
    assert adoption.count(Sought([1, 2])).total() == 3
    assert adoption.count(Sought([])).total() == 0
    assert list(rows(steps, Sought([1], rows={1: [4]}))) == steps.number("d")
    assert list(rows(steps, Sought((), jobs=steps.number("x", "a")))) == steps.number("x")


def test_what_nobody_asked_for_is_no_row_of_a_run_that_was_not_named(steps: Steps) -> None:
    steps.load("a", asked=False)
    assert steps.store.adoption.count(Sought([1], named=False)).total() == 0
    assert steps.store.adoption.count(ALL).total() == 1


def test_a_comparison_tells_what_is_known_beside_the_list(steps: Steps) -> None:
    """Of a bought row when it was sent; doubts; what rows ask for that were tried before."""
    steps.load("a", "b", "c")
    steps.begin()
    name = steps.buy("a", want=1)["a"]
    number = steps.end("a")
    doubt_at = steps.later(seconds=5)
    steps.lose("b", want=1)
    steps.store.control.redo(steps.number("a"), steps.now)
    shown = listed(steps, name, "gen-else")

    def decide(seen: RowsSnapshot) -> list[object]:
        assert seen.listed is not None
        return [
            {one.job_id: one.since for one in seen.rows},
            dict(seen.doubtful),
            dict(seen.wishes),
            set(seen.listed.ours),
            [one.generation_id for one in seen.listed.must_show],
            seen.offset.known,
            {key: len(found) for key, found in seen.alike({"prompt of a"}, Echo()).items()},
            seen.words.cover(steps.now),
        ]

    a, c = steps.number("a", "c")
    bought_at = doubt_at - timedelta(seconds=5)
    assert compare(steps, decide, shown=shown) == [
        {a: bought_at, c: None},
        {"prompt of b": doubt_at},
        {a: Wish(steps.job("a").fingerprint, number)},
        {name},
        [name],
        False,
        {"prompt of a": 1},
        True,
    ]
    beside = steps.store.adoption.listed(shown)
    assert (set(beside.ours), len(beside.must_show), beside.lag) == ({name}, 1, None)
    assert compare(steps, lambda seen: seen.listed) is None


def test_a_word_covers_what_was_said_for_this_run_alone(steps: Steps) -> None:
    steps.load("a")
    said = steps.now
    steps.later(minutes=1)
    assert compare(steps, lambda seen: seen.words.cover(said))
    steps.begin()
    assert not compare(steps, lambda seen: seen.words.cover(said))
    jobs = Sought((), jobs=steps.number("a"))
    assert compare(steps, lambda seen: seen.words.cover(said), jobs)
    assert not compare(steps, lambda seen: seen.words.cover(None))


# -- holding back


def test_what_was_found_is_held_back_and_released_as_it_was_compared(steps: Steps) -> None:
    """Until the row is edited, or held back for something newer."""
    steps.load("a", "b", "c")
    steps.begin()
    adoption = steps.store.adoption
    adoption.hold_back(Found())
    adoption.hold_back(Found([match(steps, "a", "gen-a")], not_looked=steps.number("b", "c")))
    assert steps.status().held_back == {HeldBack.EXISTS: 1, HeldBack.NOT_LOOKED: 2}
    assert steps.job("a").held_back_by == "gen-a"
    assert steps.claim() == {}
    held = rows(steps)
    stale = replace(held[steps.job("a").id], held_back_by="gen-older")
    adoption.hold_back(Found(released=[stale]))
    assert steps.job("a").held_back == HeldBack.EXISTS
    adoption.hold_back(Found(released=[held[steps.job("a").id]], looked_for=[ALL]))
    assert steps.status().held_back == {}
    assert set(steps.claim()) == {"a", "b", "c"}


def test_an_edited_row_is_not_held_back_for_what_it_asked_before(steps: Steps) -> None:
    steps.load("a")
    found = match(steps, "a", "gen-a")
    steps.load(spec("a", prompt="something else", row=1))
    steps.store.adoption.hold_back(Found([found]))
    assert steps.job("a").held_back is None
    assert steps.store.adoption.take_over([found], steps.now, 0.0) == 0
    assert steps.states() == {"a": "queued"}


def test_what_was_compared_before_an_edit_releases_nothing(steps: Steps) -> None:
    """The edited row waits for the same generation: that was not what was compared."""
    steps.load("a")
    steps.store.adoption.hold_back(Found([match(steps, "a", "gen-a")]))
    before = rows(steps)[steps.job("a").id]
    steps.load(spec("a", prompt="something else", row=1))
    steps.store.adoption.hold_back(Found([match(steps, "a", "gen-a")]))
    steps.store.adoption.hold_back(Found(released=[before]))
    assert steps.job("a").held_back == HeldBack.EXISTS


def test_nothing_is_held_back_whose_commit_fails(steps: Steps) -> None:
    steps.load("a", "b")
    found = Found([match(steps, "a", "gen-a")], not_looked=steps.number("b"))
    with steps.kind.failing_commit(steps.store):
        steps.store.adoption.hold_back(found)
    assert steps.status().held_back == {}


def test_what_was_found_does_not_ask_for_a_row(steps: Steps) -> None:
    """Once it is released, it waits as it did before."""
    steps.load("a", asked=False)
    steps.store.adoption.hold_back(Found([match(steps, "a", "gen-a")]))
    job = steps.job("a")
    assert (job.held_back, job.held_beneath) == (HeldBack.EXISTS, HeldBack.UNASKED)
    assert steps.store.queries.found_and_asked(1) == 0
    steps.store.adoption.hold_back(Found(released=[rows(steps)[job.id]]))
    assert steps.job("a").held_back == HeldBack.UNASKED


def test_a_person_overrules_what_was_found(steps: Steps) -> None:
    """For a reason, or for any; what turns up later is not meant."""
    steps.load("a", "b", "c")
    steps.store.adoption.hold_back(
        Found([match(steps, "a", "gen-a")], not_looked=steps.number("b", "c"))
    )
    queries, control = steps.store.queries, steps.store.control
    assert queries.found_and_asked(1) == 3
    assert queries.waiting([1]) == steps.number("a", "b", "c")
    assert queries.held_for(ALL, HeldBack.NOT_LOOKED) == 2
    noted = steps.store.loading.note([1], named=True)
    control.buy_unlooked(noted, steps.number("b"), steps.now)
    assert queries.waiting([1]) == steps.number("a", "c")
    assert steps.job("b").overruled_at == steps.now
    control.overrule(noted, steps.now, HeldBack.EXISTS)
    assert queries.waiting([1]) == steps.number("c")
    control.overrule(noted, steps.now)
    assert queries.waiting([1]) == []
    assert queries.waiting([]) == []


def test_what_came_since_it_was_noted_is_not_meant(steps: Steps) -> None:
    """A row that was edited while a person was asked stays held back."""
    steps.load("a", "b")
    steps.store.adoption.hold_back(Found(not_looked=steps.number("a", "b")))
    noted = steps.store.loading.note_sought(ALL)
    assert noted.noted
    steps.load("a", spec("b", prompt="something else", row=2), asked=False)
    steps.store.control.overrule(noted, steps.now)
    assert (steps.job("a").held_back, steps.job("b").held_back) == (None, HeldBack.UNASKED)


# -- taking over


def test_a_matched_generation_is_taken_over_at_no_cost(steps: Steps) -> None:
    """Once: another row never gets the same, and what was taken is not bought."""
    steps.load("a", "b")
    steps.begin()
    found = match(steps, "a", "gen-a")
    other = replace(match(steps, "b", "gen-a"), generation=found.generation)
    take = steps.store.adoption.take_over
    assert take([], steps.now, 0.0) == 0
    assert take([found, other], steps.now, 0.0) == 1
    assert take([found], steps.now, 0.0) == 0
    assert steps.states() == {"a": "pending", "b": "queued"}
    (written,) = steps.attempts("a")
    assert (written.generation_id, written.price_micros) == ("gen-a", 0)
    assert (written.idempotency_key, written.created_at) == ("", steps.now)
    assert steps.money() == (0, 0)
    assert steps.store.updates.next_look() == steps.now
    steps.end("a")
    assert steps.states()["a"] == "completed"
    assert list(steps.claim()) == ["b"]


def test_what_a_void_of_ours_made_is_charged_when_it_is_taken_over(steps: Steps) -> None:
    """The caps would let one video more through."""
    steps.load("a")
    steps.begin()
    steps.lose("a")
    steps.void("a")
    assert steps.store.adoption.take_over([match(steps, "a", "gen-a")], steps.now, 0.0) == 1
    assert steps.money() == (PRICE, 0)
    assert [one.state for one in steps.attempts("a")] == ["accepted"]


def test_a_person_names_the_generation_of_a_row(steps: Steps) -> None:
    """Of a queued one alone; one that another job has is told with that."""
    steps.load("a", "b", "c")
    steps.begin()
    take = steps.store.adoption.take_over_by_word
    a, b, c = steps.number("a", "b", "c")
    assert take(a, steps.shown("gen-a", "any prompt"), steps.now, 0.0) is True
    owner = GenerationOwner(steps.attempts("a")[-1].id, "a", "night")
    assert take(b, steps.shown("gen-a"), steps.now, 0.0) == owner
    steps.store.control.cancel([c], steps.now)
    assert take(c, steps.shown("gen-c"), steps.now, 0.0) is False
    assert steps.states() == {"a": "pending", "b": "queued", "c": "cancelled"}


# -- our own past


@pytest.fixture
def twice(steps: Steps) -> Steps:
    """Two batches that ask for the same; that of the first is bought and finished."""
    steps.load("a", batch="first")
    steps.begin(1)
    steps.buy("a")
    steps.end("a")
    steps.load(spec("b", prompt="prompt of a", row=1), spec("c", row=2), batch="second")
    return steps


def test_what_another_batch_paid_for_is_held_back_and_shared(twice: Steps) -> None:
    """At no cost, where a finished video is there; a second time nothing lands."""
    control, second = twice.store.control, Sought([2])
    (found,) = control.hold_paid_before(second)
    assert (found.job_id, found.batch_id) == (twice.job("b").id, 2)
    assert (found.paid.batch, found.paid.filed) == ("first", False)
    assert twice.job("b").held_back == HeldBack.PAID_BEFORE
    assert twice.store.adoption.count(second).total() == 1
    other = replace(found, fingerprint="another")
    nothing = replace(found, paid=replace(found.paid, video_url=None))
    assert control.share([], twice.now) == 0
    assert control.share([other, nothing], twice.now) == 0
    assert control.share([found], twice.now) == 1
    assert control.share([found], twice.now) == 0
    job = twice.job("b")
    assert (job.state, job.charged_micros) == ("completed", 0)
    assert job.attempt_id == twice.job("a").attempt_id
    assert twice.money("second") == (0, 0)
    assert twice.store.control.hold_paid_before(second) == []


def test_what_a_person_overruled_is_bought_although_it_was_paid_for(twice: Steps) -> None:
    control, second = twice.store.control, Sought([2])
    twice.later(minutes=1)
    control.hold_paid_before(second)
    control.ask_for(second, twice.now, again=True)
    assert control.hold_paid_before(second) == []
    twice.store.purchases.serve([2], twice.now)
    assert set(twice.claim()) == {"b", "c"}


def test_equal_rows_are_matched_by_count(twice: Steps) -> None:
    """What is bought once is one row's alone."""
    rows_of = [spec("b", prompt="prompt of a", row=1), spec("d", prompt="prompt of  a", row=2)]
    twice.load(*rows_of, batch="second")
    found = twice.store.control.hold_paid_before(Sought([2]))
    assert [one.job_id for one in found] == twice.number("b")


def test_beside_a_run_our_past_is_asked_for_what_waits(twice: Steps) -> None:
    """And the rows that are looked for in the list are noted; a void of words holds the rest."""
    b, c = twice.number("b", "c")
    adoption = twice.store.adoption
    held = twice.wait(adoption.hold_paid([b, c]))
    assert list(held.taken) == [(2, twice.job("a").attempt_id)]
    assert (held.sought.noted, set(held.sought.jobs or ())) == (True, {c})
    work = Found(not_looked=[c], looked_at={c: Wish(twice.job("c").fingerprint, None)})
    assert twice.wait(adoption.hold_found(work)) == {}
    assert twice.job("c").held_back == HeldBack.NOT_LOOKED
    free = replace(work, not_looked=(), looked_for=[held.sought])
    assert twice.wait(adoption.hold_found(free)) == work.looked_at
    assert twice.wait(adoption.hold_paid([])).taken == []


def test_rows_that_could_not_be_looked_for_wait_unless_a_person_said_so(steps: Steps) -> None:
    steps.load("a", "b")
    steps.begin()
    a, b = steps.number("a", "b")
    steps.store.control.overrule(Sought((), jobs=[b]), steps.now)
    found = steps.wait(steps.store.adoption.hold_unlooked([a, b]))
    assert found.held == 1
    assert found.wishes == {b: Wish(steps.job("b").fingerprint, None)}
    assert (steps.job("a").held_back, steps.job("b").held_back) == (HeldBack.NOT_LOOKED, None)
    assert steps.wait(steps.store.adoption.hold_unlooked([])).held == 0


def test_a_single_video_that_was_typed_is_wanted_anew(steps: Steps) -> None:
    steps.load("a", "b", asked=False)
    steps.begin()
    a, b = steps.number("a", "b")
    steps.store.control.hand_over([a])
    assert steps.store.adoption.typed([a, b]) == {a: Wish(steps.job("a").fingerprint, None)}
    assert steps.store.adoption.typed([]) == {}
    wishes = steps.store.queries.wishes(Sought((), jobs=[a, b]))
    assert set(wishes) == {a, b}
    assert steps.store.queries.wishes(ALL) == {}
