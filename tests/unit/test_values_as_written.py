"""Orientations and durations as people write them; what says two things is none."""

import pytest

from batchsora.manifest import values
from batchsora.manifest.errors import CellError


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("Portrait (9:16)", "9:16"),
        ("9:16 (vertical)", "9:16"),
        ("9:16 - Portrait", "9:16"),
        ("Hochformat", "9:16"),
        ("16:9 landscape", "16:9"),
        ("Landscape \u2013 16:9", "16:9"),
        ("[16 x 9]", "16:9"),
        ("quer, 16:9", "16:9"),
        ("Horizontal | 16\u00d79", "16:9"),
    ],
)
def test_an_orientation_is_written_with_its_ratio(text: str, ratio: str) -> None:
    assert values.orientation(text) == ratio


@pytest.mark.parametrize(
    "text", ["Portrait (16:9)", "9:16 / 16:9", "landscape 9:16", "16-9", "1:1", "square", "-", "()"]
)
def test_what_is_not_one_orientation_is_an_error(text: str) -> None:
    with pytest.raises(CellError):
        values.orientation(text)


@pytest.mark.parametrize(
    "text",
    ["00:00:15", "0:00:15", "15 Sek.", "15 s", "15s.", "15 Sekunden", "15 (sec)",
     "15 secondes", "15 seg", '15"', "15''", "15\u2033", "PT15S", "15,0 Sek"],
)  # fmt: skip
def test_a_duration_is_written_as_people_do(text: str) -> None:
    assert values.duration(text) == 15


@pytest.mark.parametrize(
    "text",
    ["00:15:00", "15:00", "0:15", "00:15", "15 min", "0:12", "15'", "115 s", "15.000", "PT15M",
     "0:0:0:15", "15 ()", "-15", "15-20 s"],
)  # fmt: skip
def test_another_time_is_no_duration(text: str) -> None:
    with pytest.raises(CellError):
        values.duration(text)
