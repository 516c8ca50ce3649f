"""What jobs cost, in a sentence."""

import pytest

from batchsora.presentation.cost import cost_of


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ({"a": 3}, "about $0.36"),
        ({"a": 3, "b": 2}, "about $0.36, and 2 at a price learned from the first video"),
        ({"b": 2}, "a price learned from the first video"),
        ({}, "about $0.00"),
    ],
)
def test_an_unknown_price_is_never_zero(kinds: dict[str, int], said: str) -> None:
    """What is not known is told beside what is, and stands alone where nothing is known."""
    assert cost_of(kinds, {"a": 120_000}).text == said
