from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.model.money import cap_micros, to_micros, to_usd, usd_text


@given(st.integers(min_value=0, max_value=10**15))
def test_dollars_and_micros_turn_into_each_other_exactly(micros: int) -> None:
    """No amount that the ledger can hold changes on its way to the edge and back."""
    assert to_micros(to_usd(micros)) == micros
    assert to_micros(usd_text(micros)) == micros


def test_what_is_finer_than_a_micro_dollar_is_rounded_up() -> None:
    """A hold may be a hair too large, never too small."""
    assert to_micros("0.0000001") == 1


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=9))
def test_a_cap_is_never_above_what_was_said(usd: Decimal) -> None:
    """A limit is cut off, a price is rounded up, and they differ by less than a micro-dollar."""
    assert to_usd(cap_micros(usd)) <= usd <= to_usd(to_micros(usd))
    assert to_micros(usd) - cap_micros(usd) <= 1


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-1", "1e30", "", "ten", "0,12"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """Nothing that is not a plain amount becomes money."""
    with pytest.raises(ValueError, match="not an amount of money"):
        to_micros(text)


def test_a_float_is_refused() -> None:
    """Money is never a float, not even by mistake."""
    with pytest.raises(TypeError):
        to_micros(0.12)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("micros", "text"),
    [(120_000, "0.12"), (1_000_000, "1.00"), (123_456, "0.123456"), (-5_500_000, "-5.50")],
)
def test_money_is_written_as_plain_decimals(micros: int, text: str) -> None:
    """People and scripts see at least two decimals and no exponent."""
    assert usd_text(micros) == text
    assert Decimal(text) == to_usd(micros)
