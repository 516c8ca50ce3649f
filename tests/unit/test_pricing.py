"""What a price teaches: one odd answer nothing, two of them everything."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.model.pricing import FAR, STEADY, Known, is_far, learn

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
HOUR = NOW + STEADY
CENT = 10_000
PLAIN = Known(12 * CENT, 12 * CENT, NOW)
ODD = Known(12 * CENT, 12 * CENT, NOW, 90 * CENT, NOW)
DEAR = Known(12 * CENT, 18 * CENT, NOW)

TABLE = (
    # known, price in cents, when, what is known afterwards (None: nothing new)
    (None, 12, NOW, PLAIN),
    (PLAIN, 12, LATER, None),
    (PLAIN, 18, LATER, Known(18 * CENT, 18 * CENT, LATER)),
    (PLAIN, 6, LATER, Known(6 * CENT, 12 * CENT, LATER)),
    (PLAIN, 59, LATER, Known(59 * CENT, 59 * CENT, LATER)),
    (PLAIN, 60, LATER, Known(12 * CENT, 12 * CENT, NOW, 60 * CENT, LATER)),
    (PLAIN, 2, LATER, Known(12 * CENT, 12 * CENT, NOW, 2 * CENT, LATER)),
    # seen again, and like before: it is so
    (ODD, 90, LATER, Known(90 * CENT, 90 * CENT, LATER)),
    (ODD, 100, LATER, Known(100 * CENT, 100 * CENT, LATER)),
    # another odd one is the first of its own
    (ODD, 2, LATER, Known(12 * CENT, 12 * CENT, NOW, 2 * CENT, LATER)),
    (ODD, 900, LATER, Known(12 * CENT, 12 * CENT, NOW, 900 * CENT, LATER)),
    # a plain one answers the question, and the odd one stays written down
    (ODD, 12, LATER, Known(12 * CENT, 12 * CENT, LATER, 90 * CENT, NOW)),
    (ODD, 14, LATER, Known(14 * CENT, 14 * CENT, LATER, 90 * CENT, NOW)),
    # the hold comes down when the price stood for an hour
    (DEAR, 12, LATER, None),
    (DEAR, 12, HOUR, PLAIN),
    (DEAR, 13, HOUR, Known(13 * CENT, 18 * CENT, HOUR)),
)


@pytest.mark.parametrize(("known", "cents", "at", "expected"), TABLE)
def test_what_is_known_after_an_answer(
    known: Known | None, cents: int, at: datetime, expected: Known | None
) -> None:
    """Each row of the rule."""
    assert learn(known, cents * CENT, at) == expected


def test_a_question_is_asked_alone_until_it_is_answered() -> None:
    """After an odd price nothing is sent beside the next one; a plain answer ends that."""
    odd = learn(PLAIN, 90 * CENT, LATER)
    assert odd is not None
    assert odd.is_questioned
    answered = learn(odd, 12 * CENT, LATER + timedelta(seconds=1))
    assert answered is not None
    assert not answered.is_questioned
    cheap = learn(PLAIN, 1 * CENT, LATER)
    assert cheap is not None
    assert not cheap.is_questioned  # nobody pays too much by it


@given(st.lists(st.integers(1, 100_000_000), min_size=1, max_size=30))
def test_the_hold_covers_what_was_charged_twice_and_no_price_is_believed_at_once(
    prices: list[int],
) -> None:
    """Whatever is charged: a price seen twice in a row is held, and a leap is never believed."""
    known: Known | None = None
    before: int | None = None
    for number, price in enumerate(prices):
        at = NOW + timedelta(seconds=number)
        old = known
        known = learn(known, price, at) or known
        assert known is not None
        assert known.highest >= known.last
        if before == price:
            assert known.highest >= price
        if old is not None and is_far(price, old.last) and old.odd is None:
            assert (known.last, known.highest) == (old.last, old.highest)
        before = price


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_far_is_far_both_ways(one: int, other: int) -> None:
    """It does not matter which was first."""
    assert is_far(one, other) == is_far(other, one)
    assert is_far(one * FAR, one)
