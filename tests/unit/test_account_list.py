import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.loop import EPOCH, VirtualClock, run_virtual
from support.provider import SORA_LIST

from jobs.evidence.account_list import Reading, read_back
from jobs.model.provider import (
    Generation,
    GenerationPhase,
    ThrottledError,
    UnreachableError,
    WrongAddressError,
)
from jobs.reconciliation.adoption import read_list


def entry(number: int) -> Generation:
    """One generation a second."""
    return Generation(
        f"g{number}",
        GenerationPhase.PENDING,
        prompt=f"p{number}",
        created_at=EPOCH + timedelta(seconds=number),
    )


class Pages:
    """A list as an account has it, with what a test does to it between the pages."""

    def __init__(self, count: int, limit: int = 100) -> None:
        self.list_limit = limit
        self.cap = limit
        self.entries = [entry(number) for number in reversed(range(count))]
        self.grows_by = 0
        self.hidden: set[str] = set()
        self.heeds_offset = True
        self.halves = False
        self.failures: list[Exception] = []
        self.reads = 0
        self.empty = 0  # answers that show no entry, before all others

    async def generations(self, family: str, limit: int, offset: int) -> Sequence[Generation]:
        del family
        await asyncio.sleep(0.1)
        if self.failures:
            raise self.failures.pop(0)
        self.reads += 1
        if self.reads <= self.empty:
            return []
        newest = int(self.entries[0].id[1:]) + 1 if self.entries else 0
        self.entries[:0] = [entry(newest + n) for n in reversed(range(self.grows_by))]
        first = offset if self.heeds_offset else 0
        page = self.entries[first : first + min(limit, self.cap)]
        page = page[: (len(page) + 1) // 2] if self.halves else page
        return [generation for generation in page if generation.id not in self.hidden]


def read(pages: Pages, since: float = -1) -> Reading:
    return run_virtual(
        read_back(pages, VirtualClock(), "sora", EPOCH + timedelta(seconds=since))  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("count", [0, 1, 2, 5, 10, 11, 99, 100, 101, 189, 190, 191, 350])
@pytest.mark.parametrize("cap", [10, 50, 100])
def test_the_whole_list_is_read_once_each(count: int, cap: int) -> None:
    """However long it is, and whatever page size the provider prefers to the one asked for."""
    pages = Pages(count)
    pages.cap = cap
    reading = read(pages)
    assert [g.id for g in reading.generations] == [f"g{n}" for n in reversed(range(count))]
    assert reading.whole
    assert reading.to_the_end
    assert reading.covers(EPOCH - timedelta(days=900))


@pytest.mark.parametrize("count", [3, 4, 5, 11, 90])
def test_pages_shorter_than_their_overlap_prove_nothing(count: int) -> None:
    """Each page gives half of what is left: what is absent may stand behind the last one."""
    pages = Pages(count)
    pages.halves = True
    reading = read(pages)
    assert [g.id for g in reading.generations[:3]] == [f"g{count - 1 - n}" for n in range(3)]
    assert not reading.covers(EPOCH)


def test_reading_stops_where_it_is_old_enough() -> None:
    """Ten thousand entries are not read for a doubt of this minute."""
    pages = Pages(10_000)
    reading = read(pages, since=9_950)
    assert pages.reads == 1
    assert reading.covers(EPOCH + timedelta(seconds=9_950))
    assert not reading.covers(EPOCH + timedelta(seconds=100))


@pytest.mark.parametrize("grows_by", [1, 3, 40])
def test_a_list_that_grows_while_it_is_read_hides_nothing(grows_by: int) -> None:
    """Pages shift by what comes in at the top; the overlap shows that they fit together."""
    pages = Pages(400)
    pages.grows_by = grows_by
    reading = read(pages, since=50)
    assert reading.whole
    assert {f"g{n}" for n in range(50, 400)} <= {g.id for g in reading.generations}


def test_entries_that_vanish_between_two_pages_are_noticed() -> None:
    """When the list shrinks by more than the overlap, what slipped through can't be known."""
    pages = Pages(300)

    async def main() -> Reading:
        reading = asyncio.ensure_future(
            read_back(pages, VirtualClock(), "sora", EPOCH)  # type: ignore[arg-type]
        )
        await asyncio.sleep(0.15)
        del pages.entries[:60]
        return await reading

    assert not run_virtual(main()).whole


def test_a_short_page_in_the_middle_proves_nothing() -> None:
    """A provider that leaves entries out of a page may have left out the one looked for."""
    pages = Pages(400)
    pages.hidden = {"g250"}
    assert not read(pages).whole


def test_a_list_that_heeds_no_offset_proves_nothing() -> None:
    """The same page for ever looks like an end, and is none."""
    pages = Pages(400)
    pages.heeds_offset = False
    assert not read(pages).whole


@pytest.mark.parametrize("cap", [1, 2, 3, 5, 9, 10, 100])
@pytest.mark.parametrize("spurts", [1, 2, 3, 4])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_list_that_grows_by_a_page_or_more_is_no_shorter(
    cap: int, spurts: int, after: int
) -> None:
    """Pages without news, one after another, only say that others made as much meanwhile."""
    pages = Pages(40)
    pages.cap = cap
    whole = pages.generations

    async def grows(_: str, limit: int, offset: int) -> Sequence[Generation]:
        pages.grows_by = cap + offset % 2 if after <= pages.reads < after + spurts else 0
        return await whole("sora", limit, offset)

    pages.generations = grows  # type: ignore[method-assign]
    reading = read(pages)
    found = {generation.id for generation in reading.generations}
    assert not reading.whole or {f"g{n}" for n in range(40)} <= found
    look = run_virtual(read_list(pages, VirtualClock(), SORA_LIST))  # type: ignore[arg-type]
    found = {generation.id for generation in look.generations}
    assert not look.whole or {f"g{n}" for n in range(40)} <= found


@pytest.mark.parametrize("count", [3, 11, 100, 101, 105, 250])
@pytest.mark.parametrize("cap", [10, 100])
def test_a_list_that_gives_its_last_page_again_ends_there(count: int, cap: int) -> None:
    """However far behind its end one looks; it is asked three times."""
    pages = Pages(count)
    pages.cap = cap
    whole = pages.generations

    async def clamped(_: str, limit: int, offset: int) -> Sequence[Generation]:
        size = min(limit, cap)
        return await whole("sora", limit, min(offset, (count - 1) // size * size))

    pages.generations = clamped  # type: ignore[method-assign]
    reading = read(pages)
    assert {g.id for g in reading.generations} == {f"g{n}" for n in range(count)}
    assert reading.to_the_end
    assert reading.whole == (count > cap)  # with one page it could be a list that heeds no offset
    assert pages.reads < 8 + count / (cap / 2)


@pytest.mark.parametrize("cap", [1, 2, 10, 20, 100])
@pytest.mark.parametrize("furthest", [1, 30, 95, 150])
@pytest.mark.parametrize("hidden", [0, 1])
def test_a_list_that_looks_no_further_back_than_so_far_proves_nothing(
    cap: int, furthest: int, hidden: int
) -> None:
    """Past some offset its page is always the same, and is not the last one."""
    pages = Pages(400)
    pages.cap = cap
    pages.hidden = {f"g{398 - furthest}"} if hidden and cap > 2 else set()
    whole = pages.generations

    async def clamped(_: str, limit: int, offset: int) -> Sequence[Generation]:
        return await whole("sora", limit, min(offset, furthest))

    pages.generations = clamped  # type: ignore[method-assign]
    assert not read(pages).whole
    assert not run_virtual(read_list(pages, VirtualClock(), SORA_LIST)).whole  # type: ignore[arg-type]


@pytest.mark.parametrize("after", range(1, 12))
@pytest.mark.parametrize("deleted", [1, 3])
def test_pages_of_one_entry_do_not_join(after: int, deleted: int) -> None:
    """They share none: what moved up between them was not seen."""
    pages = Pages(12)
    pages.cap = 1
    whole = pages.generations

    async def shrinks(_: str, limit: int, offset: int) -> Sequence[Generation]:
        if pages.reads == after:
            del pages.entries[:deleted]
        return await whole("sora", limit, offset)

    pages.generations = shrinks  # type: ignore[method-assign]
    assert not read(pages).whole
    pages.reads, pages.entries = 0, Pages(12).entries
    assert not run_virtual(read_list(pages, VirtualClock(), SORA_LIST)).whole  # type: ignore[arg-type]


@dataclass
class Moving:
    """A list to which others add, and from which they delete, before each of its pages is read.

    Attributes:
        entries: the numbers of its entries, newest first.
        cap: entries on a page, at most.
        moves: before each page, how many are added, and which places are deleted then.
    """

    entries: list[int]
    cap: int
    moves: list[tuple[int, list[int]]]
    list_limit: int = 100

    def __post_init__(self) -> None:
        self.stayed = set(self.entries)

    async def generations(self, family: str, limit: int, offset: int) -> Sequence[Generation]:
        del family
        added, deleted = self.moves.pop(0) if self.moves else (0, [])
        newest = max(self.entries, default=500) + 1
        self.entries[:0] = reversed(range(newest, newest + added))
        gone = {self.entries[place] for place in deleted if place < len(self.entries)}
        self.entries = [number for number in self.entries if number not in gone]
        self.stayed -= gone
        return [entry(number) for number in self.entries[offset : offset + min(limit, self.cap)]]


async def misses(count: int, cap: int, moves: list[tuple[int, list[int]]]) -> tuple[bool, bool]:
    """Return whether each way to read called itself whole though an entry that stayed is not in it.

    Args:
        count: entries that the list has at first.
        cap: on a page.
        moves: what happens to it before each page.
    """
    at_first = list(reversed(range(count)))
    back = Moving(list(at_first), cap, list(moves))
    reading = await read_back(
        back,  # type: ignore[arg-type]
        VirtualClock(),
        "sora",
        EPOCH - timedelta(days=1),
    )
    through = Moving(list(at_first), cap, list(moves))
    look = await read_list(through, VirtualClock(), SORA_LIST)  # type: ignore[arg-type]
    return (
        reading.whole and not back.stayed <= {int(g.id[1:]) for g in reading.generations},
        look.whole and not through.stayed <= {int(g.id[1:]) for g in look.generations},
    )


@pytest.mark.parametrize("cap", [1, 2, 3, 4, 10])
def test_no_deletion_between_two_pages_hides_an_entry_from_a_whole_list(cap: int) -> None:
    """Whatever the length of the list, when it happens, and how many are added before it.

    Of long pages the lengths around the end of one: there are many. All share an event loop.
    """
    run_virtual(no_deletion_hides_an_entry(cap))


async def no_deletion_hides_an_entry(cap: int) -> None:
    edges = (count for page in (1, 2, 3) for count in range(page * cap - 1, page * cap + 2))
    for count in range(1, 3 * cap + 3) if cap < 5 else edges:
        for before in range(1, 7):
            for added in range(3):
                for deleted in range(1, 4):
                    moves = [(0, [])] * before + [(added, []), (0, list(range(deleted)))]
                    assert await misses(count, cap, moves) == (False, False), (count, moves)
                    moves = [(0, [])] * before + [(added, list(range(deleted)))]
                    assert await misses(count, cap, moves) == (False, False), (count, moves)


MOVES = st.lists(st.tuples(st.integers(0, 4), st.lists(st.integers(0, 12), max_size=4)), max_size=9)


@given(count=st.integers(0, 14), cap=st.integers(1, 6), moves=MOVES)
@example(count=2, cap=1, moves=[(0, []), (0, [0])])  # the page after the deletion is empty
@example(count=4, cap=2, moves=[(0, []), (0, []), (1, []), (0, [0])])  # a full page without news
def test_a_reading_that_missed_an_entry_is_never_whole(
    count: int, cap: int, moves: list[tuple[int, list[int]]]
) -> None:
    """Whatever is added and deleted between the pages, and however many entries a page has."""
    assert run_virtual(misses(count, cap, moves)) == (False, False)


@pytest.mark.parametrize("cap", [1, 2, 3, 10])
def test_a_list_of_one_entry_that_stays_is_whole(cap: int) -> None:
    """After a trial of one video the others are bought: its page is read again at the end."""
    pages = Pages(1)
    pages.cap = cap
    assert read(pages).whole
    assert run_virtual(read_list(pages, VirtualClock(), SORA_LIST)).whole  # type: ignore[arg-type]


def test_a_list_out_of_order_proves_nothing() -> None:
    """What is not sorted by time can't be shown to have been read far enough."""
    pages = Pages(4_000)
    pages.entries[5], pages.entries[3_990] = pages.entries[3_990], pages.entries[5]
    assert not read(pages).whole


def test_a_page_that_fails_for_a_while_is_asked_for_again() -> None:
    """Three stumbles are ridden out, with the waits that the provider asks for."""
    pages = Pages(150)
    pages.failures = [UnreachableError("503"), ThrottledError("429", 7.0), UnreachableError("503")]
    assert read(pages).whole
    pages.failures = [UnreachableError("503")] * 4
    with pytest.raises(UnreachableError):
        read(pages)


def test_an_error_past_the_first_page_leaves_what_was_read() -> None:
    """What is there can be adopted; how far the list goes is not known, so nothing is absent."""
    pages = Pages(300)
    whole = pages.generations

    async def fails_later(_: str, limit: int, offset: int) -> Sequence[Generation]:
        if offset >= 180:
            raise WrongAddressError("404")
        return await whole("sora", limit, offset)

    pages.generations = fails_later  # type: ignore[method-assign]
    reading = read(pages)
    assert len(reading.generations) == 190
    assert not reading.covers(EPOCH)
    assert reading.covers(EPOCH + timedelta(seconds=150))


@pytest.mark.parametrize("count", [0, 1, 6, 100, 101, 350])
def test_a_first_page_that_is_empty_once_is_read_again(count: int) -> None:
    """One answer without entries is no empty account; two, and one from further back, are."""
    pages = Pages(count)
    pages.empty = 1
    reading = read(pages)
    assert len(reading.generations) == count
    assert reading.covers(EPOCH)


def test_an_account_that_is_empty_twice_and_has_entries_further_back_proves_nothing() -> None:
    """What stands on the pages that showed none was not seen."""
    pages = Pages(350)
    pages.empty = 2
    reading = read(pages)
    assert [g.id for g in reading.generations] == [f"g{n}" for n in reversed(range(250))]
    assert not reading.whole


@pytest.mark.parametrize("newest", [0, 1, 10, 95])
@pytest.mark.parametrize("deleted", [100, 120, 190])
def test_entries_left_out_after_paging_end_no_list(newest: int, deleted: int) -> None:
    """A page cut first, of which then all is left out, is empty: the list goes on behind it."""
    pages = Pages(400)
    pages.hidden = {f"g{n}" for n in range(400 - newest - deleted, 400 - newest)}
    reading = read(pages)
    assert "g0" in {g.id for g in reading.generations}
    assert not reading.covers(EPOCH - timedelta(days=1))
    look = run_virtual(read_list(pages, VirtualClock(), SORA_LIST))  # type: ignore[arg-type]
    assert "g0" in {g.id for g in look.generations}
    assert not look.whole


@pytest.mark.parametrize("hidden", range(0, 400, 28))
@pytest.mark.parametrize("cap", [1, 2, 10, 100])
def test_a_list_of_which_much_is_left_out_ends_all_the_same(hidden: int, cap: int) -> None:
    """Whatever is left out of its pages: all but ten requests move on by half a page."""
    pages = Pages(400)
    pages.cap = cap
    pages.hidden = {f"g{n}" for n in range(200 - hidden // 2, 200 + hidden // 2)}
    look = run_virtual(read_list(pages, VirtualClock(), SORA_LIST))  # type: ignore[arg-type]
    assert pages.reads <= 400 / max(1, cap / 2) + 10
    assert len(look.generations) <= 400 - hidden // 2 * 2


@pytest.mark.parametrize(
    ("count", "reads"),
    [(0, 3), (1, 4), (6, 4), (100, 4), (101, 5), (190, 5), (350, 7), (1000, 14)],
)
def test_reading_a_list_to_its_end_takes_few_requests(count: int, reads: int) -> None:
    """Its pages, two that show nothing new, and one from further back; three for an empty one."""
    pages = Pages(count)
    read(pages)
    assert pages.reads == reads
