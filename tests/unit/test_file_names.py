"""Patterns of file names: what they take, what they refuse, and that no cell leads elsewhere."""

import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchsora.file_names import FIELDS, Taken, parse, unknown

ROW = {
    "id": "r1", "row": "2", "batch": "night", "campaign": "Summer/2026", "prompt": "a red  kite\n",
    "duration": "10", "orientation": "9x16", "date": "2026-12-01", "Product": "Tea: green",
}  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{id}", "r1"),
        ("{campaign}/{id}-{prompt:5}", "Summer_2026/r1-a_red"),
        ("{ID}.mp4", "r1"),
        ("{product}", "Tea_green"),
        ("{missing}-{id}", "no_missing-r1"),
        ("{{{id}}}", "{r1}"),
        ("{date} {orientation} {duration}s {row}", "2026-12-01_9x16_10s_2"),
        ("con/{id}", "video_con/r1"),
    ],
)
def test_a_pattern_names_a_file(pattern: str, name: str) -> None:
    """Fields are cut, spaces folded, and only the pattern's slashes make folders."""
    assert parse(pattern).of(ROW) == PurePosixPath(name)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "1 to 300"), ("name", "add a field"), ("/{id}", "inside"), ("{id}/", "inside"),
        ("a//{id}", "inside"), ("../{id}", "'..'"), ("{id}/..", "'..'"), ("./{id}", "'..'"),
        ("{id", "partner"), ("id}{id}", "partner"), ("{}", "partner"), ("{prompt:0}", "at least 1"),
        ("a\\{id}", "can't be in"), ("a:{id}", "can't be in"), ("{id}\x00", "can't be in"),
        ("{prompt:x}", "partner"), ("a/b/c/d/e/{id}", "at most 4"), ("{id}" + "x" * 300, "1 to"),
    ],
)  # fmt: skip
def test_what_can_not_name_files_is_refused(pattern: str, says: str) -> None:
    """With a reason, when the option is read."""
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        parse(pattern)


@given(
    st.text(max_size=300),
    st.sampled_from(["{prompt:200}", "{prompt}/{id}", "a-{prompt:99}", "{prompt:3}/{prompt}/x"]),
)
@example("../../etc/passwd", "{prompt}/{id}")
@example("NUL.txt", "{prompt}")
@example("\ud800" * 200, "{prompt:200}")
@example("e\u0301" * 200, "{prompt:200}")
def test_no_cell_leads_out_of_the_folder(cell: str, pattern: str) -> None:
    """Nor makes a name that a file system refuses."""
    name = parse(pattern).of(ROW | {"prompt": cell})
    assert not name.is_absolute()
    assert len(name.parts) == pattern.count("/") + 1
    for part in name.parts:
        assert part not in (".", "..")
        assert len(part.encode()) <= 120
        assert part == unicodedata.normalize("NFC", part)
        assert not set(part) & set('<>:"/\\|?*\x00 \n')


def test_an_unknown_field_gets_a_suggestion() -> None:
    """Of our fields, and of the table's own columns."""
    columns = ["Product name"]
    assert unknown(parse("{id}-{product NAME}"), columns) is None
    assert "did you mean {campaign}?" in str(unknown(parse("{campain}"), columns))
    assert "did you mean {Product name}?" in str(unknown(parse("{produkt name}"), columns))
    assert all(f"{{{one}}}" in str(unknown(parse("{zzzzzz}"), columns)) for one in FIELDS)


def test_names_are_taken_in_any_case() -> None:
    """As on the disks of Windows and macOS."""
    taken = Taken()
    assert taken.by(PurePosixPath("a/Kite"), "r1", 2) is None
    assert taken.by(PurePosixPath("a/kite2"), "r2", 3) is None
    assert taken.by(PurePosixPath("A/KITE"), "r3", 4) == ("r1", 2)


def test_a_part_that_is_cut_at_a_dot_is_the_same_on_windows() -> None:
    """A folder's name loses the dot there: two folders would be one."""
    name = parse("{campaign:200}/{id}").of({"campaign": "a" * 119 + ".b", "id": "r1"})
    assert name.parts == ("a" * 119, "r1")
