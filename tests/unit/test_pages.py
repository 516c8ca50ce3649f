"""Which pages of the account's list are read, and when a generation may be done."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.model.families import Times
from jobs.model.provider import Generation, GenerationPhase
from jobs.runtime.pace import EARLY, ENOUGH, LONGER, Durations, look_delay
from jobs.services.list_looks import LIST_FROM, next_page

PLACES = st.lists(st.integers(0, 3000), max_size=60, unique=True)

TIMES = Times(young=60, expected=900, longest=1800)


def plan(places: list[int], limit: int) -> tuple[list[int], list[int]]:
    """Read pages until every place was on one, or alone."""
    left = {f"g{place}": place for place in places}
    offsets, alone = [], []
    while left:
        offset, members = next_page(left, limit)
        shown = [left.pop(name) for name in members]
        assert shown
        if offset is None:
            alone += shown
        else:
            assert len(shown) >= LIST_FROM
            assert all(offset <= place < offset + limit for place in shown)
            offsets.append(offset)
    return offsets, alone


@given(PLACES, st.integers(10, 100))
def test_every_generation_is_on_a_page_or_alone(places: list[int], limit: int) -> None:
    """Pages come in order, each shows several, and no page is worth less than single looks."""
    offsets, alone = plan(places, limit)
    assert offsets == sorted(set(offsets))
    assert LIST_FROM * len(offsets) + len(alone) <= len(places)


def test_a_window_that_fits_on_a_page_is_one_request() -> None:
    """As it is by default, with sixteen in flight."""
    assert plan(list(range(16)), 100) == ([0], [])


def test_pages_begin_where_the_due_ones_stand() -> None:
    """Two thousand in flight of which a hundred are due are two pages, not twenty."""
    assert plan(list(range(1800, 1900)), 100) == ([1795, 1885], [])


def test_durations_tell_when_a_generation_may_be_done() -> None:
    """Nothing while too few were seen; then less than the shortest of those seen lately."""
    durations = Durations()
    for seconds in (400.0, 320.0, 610.0, -5.0):
        durations.note("k", seconds)
    assert durations.earliest("k") == 0
    for _ in range(ENOUGH):
        durations.note("k", 350.0)
    assert durations.earliest("k") == EARLY * 320
    assert durations.earliest("another") == 0
    for _ in range(50):
        durations.note("k", 500.0)
    assert durations.earliest("k") == EARLY * 500


def test_where_all_take_the_same_time_it_is_closed_in_upon() -> None:
    """Looks halve the gap between unfinished and finished; and it is found again when it moves."""
    durations, interval = Durations(), 50.0

    def seen_at(true: float) -> float:
        """Follow one generation with looks, the first when it may be done."""
        age = durations.earliest("k") or interval
        while age < true:
            durations.note_unfinished("k", age)
            age += interval
        durations.note("k", age)
        return age

    late = [seen_at(500.0) - 500 for _ in range(400)]
    assert sum(late[100:]) / 300 < interval / 4
    for _ in range(LONGER):  # forgotten in time, however long it held
        seen_at(300.0)
    assert sum(seen_at(300.0) - 300 for _ in range(300)) / 300 < interval / 2
    for seconds in (310.0, 420.0, 500.0):  # they differ: the shortest counts again
        durations.note_unfinished("k", seconds)
    assert durations.earliest("k") == EARLY * min(durations.finished["k"])


def test_looks_are_rare_before_and_dense_after_it_may_be_done() -> None:
    """First once a minute at most, then at the interval, as the percentage nears its end too."""
    half = Generation("g", GenerationPhase.PROCESSING, percent=50)
    assert look_delay(TIMES, 0, 5, None, earliest=256) == 60
    assert look_delay(TIMES, 230, 5, half, earliest=256) == 26
    assert look_delay(TIMES, 260, 5, None, earliest=256) == 5
    assert look_delay(TIMES, 260, 5, half, earliest=256) == 30
    assert look_delay(TIMES, 100, 5, half) == 30
    assert look_delay(TIMES, 100, 5, Generation("g", GenerationPhase.PROCESSING, percent=88)) < 7
    assert look_delay(TIMES, 100, 5, Generation("g", GenerationPhase.PROCESSING, percent=95)) == 5


def test_durations_are_taken_over_from_a_copy() -> None:
    """What is decided of a page is noted in a copy, and remembered once it is durable."""
    durations = Durations()
    durations.note("k", 320.0)
    copied = durations.copy()
    for _ in range(ENOUGH):
        copied.note("k", 300.0)
        copied.note_unfinished("k", 10.0)
    assert len(durations.finished["k"]) == 1
    assert durations.earliest("k") == 0
    durations.take(copied)
    assert durations.earliest("k") == EARLY * 300


def test_each_model_is_looked_at_in_its_own_time() -> None:
    """Rarely before any was done, and ever more rarely after most are."""
    quick, slow = Times(10, 120, 600), Times(300, 3_600, 10_000)
    assert look_delay(quick, 30, 5) == 5 < look_delay(slow, 30, 5) == 10
    assert look_delay(quick, 1_200, 5) == 50 > look_delay(slow, 1_200, 5) == 5
