"""When something was created that a list shows without a time: what its neighbours say."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.loop import EPOCH, VirtualClock

from jobs.evidence.account_list import Reading, read_back
from jobs.evidence.order import Order
from jobs.evidence.ours import Acceptance
from jobs.model.clock import EARLIEST, PRECISION
from jobs.model.provider import Generation, GenerationPhase

NOW = EPOCH - timedelta(days=1)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def shown(name: str, created_at: datetime | None = None) -> Generation:
    return Generation(name, GenerationPhase.COMPLETED, "a mug", created_at)


def own(name: str, intent: float, accepted: float, *, answered: bool = True) -> Acceptance:
    return Acceptance(
        int(name[1:]), name, "a mug", True, at(intent), at(accepted), answered=answered
    )


def order_of(ours: Sequence[Acceptance], shown_by: Mapping[str, datetime] | None = None) -> Order:
    known = {one.generation_id: one for one in ours}
    return Order(lambda names: {n: known[n] for n in names if n in known}, shown_by or {})


def spans(
    names: Sequence[str],
    ours: Sequence[Acceptance],
    shown_by: Mapping[str, datetime] | None = None,
    now: float = 1000,
) -> dict[str, tuple[float, float]] | None:
    order = order_of(ours, shown_by)
    entries = [shown(name) for name in names]
    order.heed(entries)
    found = order.placed(entries, at(now), timedelta(0))
    if found is None:
        return None
    off = PRECISION.total_seconds()
    return {
        one.id: (
            (one.placed.since - NOW).total_seconds() + off,
            (one.placed.until - NOW).total_seconds() - off,
        )
        for one in found
        if one.placed is not None
    }


def test_it_lies_between_the_nearest_of_ours() -> None:
    found = spans(
        ["u9", "a3", "u8", "a2", "a1"], [own("a1", 0, 5), own("a2", 10, 15), own("a3", 60, 63)]
    )
    assert found is not None
    assert found["u8"] == (10, 63)
    assert found["u9"] == (60, 1000)
    assert found["a2"] == (10, 15)


def test_below_all_of_ours_nothing_says_how_old_it_is() -> None:
    found = spans(["a1", "u8"], [own("a1", 0, 5)])
    assert found is not None
    assert found["u8"] == ((EARLIEST - NOW).total_seconds(), 5)


def test_what_was_shown_already_is_no_newer() -> None:
    found = spans(["u9", "a1"], [own("a1", 0, 5)], {"u9": at(30)})
    assert found is not None
    assert found["u9"] == (0, 30)


def test_what_comes_up_between_older_entries_is_not_dated() -> None:
    """Such a list is not in order, or had lost it: its place says nothing."""
    ours = [own("a1", 0, 5), own("a3", 60, 63)]
    seen = {"a1": at(70), "a3": at(70)}
    assert "u2" not in (spans(["a3", "u2", "a1"], ours, seen) or {"u2": ()})
    below = spans(["a3", "a1", "u2"], ours, seen)
    assert below is not None
    assert "u2" in below, "it may only have been read further back"


def test_what_was_adopted_says_nothing() -> None:
    found = spans(["a2", "u8", "a1"], [own("a1", 0, 5), own("a2", 10, 900, answered=False)])
    assert found is not None
    assert found["u8"] == (0, 1000)


def test_ours_in_another_order_prove_nothing() -> None:
    assert spans(["a1", "a2"], [own("a1", 0, 5), own("a2", 60, 63)]) is None
    assert spans(["a1", "a2"], [own("a1", 0, 61), own("a2", 60, 63)]) is not None, "both at once"


def test_a_list_with_times_is_left_as_it_is() -> None:
    order = order_of([own("a1", 0, 5)])
    entries = [shown("u9"), shown("a1", at(3))]
    order.heed(entries)
    assert order.placed(entries, at(1000), timedelta(0)) == entries
    assert order.reaches(["u9", "a1"], timedelta(0)) is None


@given(
    st.lists(
        st.tuples(
            st.floats(0, 10_000),  # created
            st.floats(0, 90),  # how long before it we asked
            st.floats(0, 90),  # how long after it the answer came
            st.booleans(),  # ours
        ),
        max_size=30,
    ),
    st.floats(-90_000, 90_000),
)
def test_the_time_of_each_is_in_its_span(
    made: list[tuple[float, float, float, bool]], ahead: float
) -> None:
    made.sort(reverse=True)
    names = [f"a{n}" for n in range(len(made))]
    known = [
        own(name, created - before, created + after)
        for name, (created, before, after, ours) in zip(names, made, strict=True)
        if ours
    ]
    order = order_of(known)
    entries = [shown(name) for name in names]
    order.heed(entries)
    found = order.placed(entries, at(20_000), timedelta(seconds=ahead))
    assert found is not None
    for one, (created, *_) in zip(found, made, strict=True):
        assert one.placed is not None
        assert one.placed.since <= at(created + ahead) <= one.placed.until


class Untimed:
    """A list of forty generations without times, the newest first; ``names`` of ours with them."""

    list_limit = 10
    clock_ahead = None

    def __init__(self) -> None:
        self.asked = 0

    async def generations(self, family: str, limit: int, offset: int) -> Sequence[Generation]:
        assert family == "kling"
        self.asked += 1
        return [shown(f"a{n}") for n in range(40, 0, -1)][offset : offset + limit]


def back_to(since: float, ours: Sequence[Acceptance]) -> tuple[Reading, int]:
    pages = Untimed()
    reading = asyncio.run(
        read_back(pages, VirtualClock(), "kling", at(since), order_of(ours))  # type: ignore[arg-type]
    )
    return reading, pages.asked


def test_a_list_is_read_until_one_of_ours_is_older_than_needed() -> None:
    ours = [own(f"a{n}", 100 * n, 100 * n + 5) for n in range(1, 41)]
    reading, asked = back_to(3_300, ours)
    assert reading.covers(at(3_300))
    assert not reading.covers(at(500))
    assert not reading.to_the_end
    assert asked < 6


def test_without_any_of_ours_it_is_read_to_its_end() -> None:
    reading, _ = back_to(3_300, [])
    assert reading.to_the_end
    assert reading.covers(at(500))


def test_a_list_in_another_order_covers_nothing() -> None:
    ours = [own(f"a{n}", 4_000 - 100 * n, 4_005 - 100 * n) for n in range(1, 41)]
    reading, _ = back_to(500, ours)
    assert not reading.covers(at(3_900))
    assert not reading.by_order
