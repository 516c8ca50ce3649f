"""Lines on a terminal: as wide as it is, and readable below their labels."""

from hypothesis import given
from hypothesis import strategies as st

from batchsora.cli.text import folded


def test_a_long_line_goes_on_below_what_stands_behind_its_label() -> None:
    """The label's column stays free, so that the eye finds the next one."""
    line = "  because      no answer; the generation may exist all the same"
    assert folded(line, 40).split("\n") == [
        "  because      no answer; the generation",
        "               may exist all the same",
    ]


def test_an_id_is_never_broken() -> None:
    """It must be possible to copy it, however narrow the terminal."""
    line = "  could be     4cfd93d7-f052-4c6d-9206-ae3b2236c8a0 completed"
    assert "4cfd93d7-f052-4c6d-9206-ae3b2236c8a0" in folded(line, 30)


@given(st.text(alphabet="ab  -\n", max_size=200), st.integers(20, 100))
def test_folding_loses_no_word(text: str, width: int) -> None:
    """All words stand there in their order."""
    assert folded(text, width).split() == text.split()
