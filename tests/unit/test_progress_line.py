"""The line of a run: what matters first, whole words, never wider than the terminal."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from batchsora.presentation.progress_line import (
    NONE,
    Part,
    Standing,
    fitted,
    of_batches,
    span,
    whole,
)
from batchsora.presentation.terminal_text import clean
from batchsora.usecases.progress import Pace
from jobs.model.ledger import Budget
from jobs.model.states import HeldBack, JobState
from jobs.ports.seen import BatchStatus


def batch(cap: int | None = 2_000_000, **jobs: int) -> BatchStatus:
    """A batch with some jobs."""
    states = dict.fromkeys(map(str, JobState), 0) | jobs
    money = Budget("batch:1", cap, 1_920_000, 0)
    return BatchStatus(1, "night", None, False, True, None, states, {}, 0, money, 0)


BUSY = batch(completed=12, failed=2, in_doubt=1, pending=9, queued=16)
LONG = (
    "14/40 2 failed, 1 unconfirmed, waits for budget of the batch, $1.92 of $2.00, "
    f"time left {NONE}, 9 under way, 16 queued"
)
STUCK = replace(BUSY, waiting_for="budget of the batch ($97.12 at the last look)")


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (40, "14/40 2 failed, 1 unconfirmed"),
        (59, "14/40 2 failed, 1 unconfirmed, waits for budget"),
        (60, "14/40 2 failed, 1 unconfirmed, waits for budget, $1.92/$2.00"),
        (
            79,
            f"14/40 2 failed, 1 unconfirmed, waits for budget, $1.92 of $2.00, time left {NONE}",
        ),
        (119, LONG),
    ],
)
def test_what_matters_comes_first(width: int, line: str) -> None:
    assert fitted(of_batches([STUCK], None), width) == line


def test_a_run_that_goes_well_has_a_bar_where_there_is_room() -> None:
    good = of_batches([batch(completed=20, pending=16, queued=4)], 125.0)
    assert fitted(good, 79) == (
        "20/40 |######------| $1.92 of $2.00, time left 2 min, 16 under way, 4 queued"
    )
    assert fitted(good, 60) == "20/40 $1.92 of $2.00, 2 min left, 16 under way, 4 queued"


def test_a_log_gets_everything() -> None:
    assert whole(of_batches([STUCK], None)) == (
        "14/40 2 failed, 1 unconfirmed, waits for budget of the batch ($97.12 at the last look), "
        f"$1.92 of $2.00, time left {NONE}, 9 under way, 16 queued"
    )


def test_what_is_held_back_is_neither_waited_for_nor_counted() -> None:
    rest = replace(batch(completed=1, queued=3), held_back={HeldBack.LEFT_OUT: 3})
    assert whole(of_batches([rest], None)) == "1/1 $1.92 of $2.00, 3 held back"
    paused = replace(rest, paused=True)
    assert fitted(of_batches([paused], None), 30) == "1/1 night paused, $1.92/$2.00"


def test_several_batches_have_a_budget_together_only_if_each_has_one() -> None:
    assert "$3.84 of $4.00" in whole(of_batches([BUSY, BUSY], None))
    assert "$3.84 spent, " in whole(of_batches([BUSY, batch(None, queued=1)], None))


counts = st.integers(0, 10**6)
texts = st.text(st.characters(codec="utf-8"), max_size=40)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Whatever batches may have, names and reasons by anybody included."""
    one = batch(
        draw(st.none() | st.integers(0, 10**13)), **{state: draw(counts) for state in JobState}
    )
    found = replace(
        one,
        name=draw(texts),
        paused=draw(st.booleans()),
        waiting_for=draw(st.none() | texts),
    )
    return of_batches([found] * draw(st.integers(1, 2)), draw(st.none() | st.floats(0, 10**7)))


def is_made_of(text: str, parts: Sequence[Part]) -> bool:
    """Check for the first parts, each in one of its wordings, and nothing else."""
    if not text:
        return True
    wordings = {clean(" ".join(one.split())) for one in parts[0]} if parts else set()
    return any(
        text == one or (text.startswith(f"{one}, ") and is_made_of(text[len(one) + 2 :], parts[1:]))
        for one in wordings
    )


@given(standings(), st.integers(40, 160))
def test_a_line_is_never_wider_and_never_cut_in_a_word(now: Standing, width: int) -> None:
    """It is the first parts by importance, each whole; what failed is on every terminal."""
    line = fitted(now, width)
    assert cell_len(line) <= width
    assert re.search(r"[\x00-\x1f\x7f-\x9f]", line) is None
    head = re.match(r"\d+/\d+( \|[#-]{12}\|)? ?", line)
    assert head is not None
    assert head[0].startswith(f"{now.done}/{now.total}")
    assert is_made_of(line[head.end() :], now.parts)
    assert now.parts[0][0] in line or "failed" not in now.parts[0][0]
    assert is_made_of(whole(now).partition(" ")[2], [part[:1] for part in now.parts])


@given(st.floats(0, 10**8))
def test_a_span_is_short(seconds: float) -> None:
    assert span(seconds)[0] != "0"
    assert len(span(seconds)) <= 14


def test_the_time_left_is_what_ended_lately_says() -> None:
    """Nothing is guessed before something has ended; old times are forgotten."""
    now = 0.0
    pace = Pace(lambda: now)
    assert pace.seconds_left(5, 10) is None  # five had ended before anybody looked
    now = 60.0
    assert pace.seconds_left(5, 10) is None
    assert pace.seconds_left(8, 7) == 140.0
    now = 120.0
    assert pace.seconds_left(8, 7) == 280.0  # nothing more ended: it takes longer
    now = 4000.0
    assert pace.seconds_left(9, 6) == 6 * (4000 - 60)
    now = 8000.0
    assert pace.seconds_left(13, 2) == 2 * 4000 / 4


def test_numbers_that_go_back_are_no_pace() -> None:
    """A retry makes ended jobs queued ones again."""
    now = 0.0
    pace = Pace(lambda: now)
    pace.seconds_left(9, 1)
    now = 10.0
    assert pace.seconds_left(4, 6) is None
