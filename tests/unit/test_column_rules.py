"""A column has one rule: what is plain to see in a cell is what its rule reads there."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchsora.manifest.errors import CellError
from batchsora.manifest.images.row_images import Unread
from batchsora.manifest.raw import RawRow
from batchsora.manifest.rows.columns import understand
from batchsora.manifest.rows.headers import SYNONYMS
from batchsora.manifest.rows.rows import RowReader
from batchsora.manifest.rows.rules import ID, IMAGE_URL, PROMPT, REPEATING, Rule

ENDS = ["", " ", "\n", "\x07", "\r\n", "\u2028", "\u200b", "\x1f", "\x85", "\ud800", "\xa0"]
NEARLY = ["Err:502", "error:404", "Loading...", "#REF!", "#5", "-1", "n/a", "TBD", "...", "_", "é"]
LONG = st.integers(3990, 4010).map(lambda size: ("kite " * 802)[:size])
TEXTS = st.builds(
    "{}{}{}".format,
    st.sampled_from(ENDS),
    st.sampled_from(NEARLY) | st.text(max_size=30) | LONG,
    st.sampled_from(ENDS),
)


@pytest.mark.parametrize("rule", [PROMPT, ID], ids=["prompt", "id"])
@given(st.lists(TEXTS, min_size=1, max_size=4))
@example(["Err:502"])
@example(["FEHLER:502 of a great many"])
@example(["a" * 200])
@example(["a" * 4001])
def test_a_whole_column_is_read_as_its_cells_are(rule: Rule[str | None], cells: list[str]) -> None:
    """The same values, or an error where one of the cells has one."""
    single: list[str | None] = []
    try:
        single.extend(rule.read(cell) for cell in cells)
    except CellError:
        with pytest.raises(CellError):
            rule.read_all(cells)
        return
    assert rule.read_all(cells) == single


@pytest.mark.parametrize(
    ("rule", "cell"),
    [(PROMPT, "a paper kite over the dunes"), (ID, "clip-1"), (ID, "Zürich 7"), (ID, "e")],
)
def test_what_most_cells_hold_is_seen_at_once(rule: Rule[str | None], cell: str) -> None:
    assert isinstance(rule.ordinary, re.Pattern)
    assert rule.ordinary.fullmatch(cell)


def test_every_column_of_ours_has_a_rule() -> None:
    """But for pictures, read from where the manifest lies, and what the model decides."""
    rules = {rule.column for rule in (PROMPT, ID, IMAGE_URL, *REPEATING)}
    assert rules | {"image", "orientation", "duration"} == set(SYNONYMS)


@pytest.mark.parametrize("rule", [PROMPT, ID, IMAGE_URL, *REPEATING], ids=lambda rule: rule.column)
def test_a_failed_formula_is_an_error_in_every_column(rule: Rule[object]) -> None:
    for text in ("#REF!", "Err:502", " #WERT!"):
        with pytest.raises(CellError, match="formula"):
            rule.read(text)
        with pytest.raises(CellError, match="formula"):
            rule.read_all([text])


def test_an_id_that_is_a_failed_formula_is_named() -> None:
    headers = ["id", "prompt"]
    reader = RowReader("m.csv", headers, understand("m.csv", headers, 1), Unread())
    (problem,) = reader.read(RawRow(2, ["Err:502", "a kite over the dunes"]))
    assert getattr(problem, "column", None) == "id"
