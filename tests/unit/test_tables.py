"""Writing exports as files."""

import csv
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.result_columns import RESULT_NAMES
from batchsora.tables import TableError, check_target, neutralised, restored, write_table
from jobs.model.states import JobState

ROWS: list[dict[str, object]] = [
    {"prompt": 'A "fox",\nin the snow', "status": JobState.COMPLETED, "price": Decimal("0.1200")},
    {"prompt": "=1+1", "attempts": 2, "completed_at": datetime(2026, 5, 1, 4, 5, tzinfo=UTC)},
]
COLUMNS = ["prompt", "status", "price", "attempts", "completed_at"]


def test_the_result_columns_are_these() -> None:
    """The order is a contract with everybody who reads exports."""
    assert " ".join(RESULT_NAMES) == (
        "status generation_id price video_url file error_kind error attempts "
        "submitted_at completed_at model sha256 verdict reworded what_to_do"
    )


def test_csv(tmp_path: Path) -> None:
    """CSV is what a spreadsheet reads: byte order mark, CRLF, no formula; None is nothing."""
    write_table(tmp_path / "out.csv", COLUMNS, ROWS)
    assert (tmp_path / "out.csv").read_bytes() == (
        b"\xef\xbb\xbfprompt,status,price,attempts,completed_at\r\n"
        b'"A ""fox"",\nin the snow",completed,0.1200,,\r\n'
        b"'=1+1,,,2,2026-05-01T04:05:00Z\r\n"
    )


def test_json_lines(tmp_path: Path) -> None:
    """One object a line, every column in each, money as a string, formulas as they are."""
    write_table(tmp_path / "out.jsonl", COLUMNS, ROWS)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [list(json.loads(line)) for line in lines] == [COLUMNS, COLUMNS]
    assert json.loads(lines[0])["price"] == "0.1200"
    assert json.loads(lines[0])["status"] == "completed"
    assert json.loads(lines[1]) == {
        "prompt": "=1+1",
        "status": None,
        "price": None,
        "attempts": 2,
        "completed_at": "2026-05-01T04:05:00Z",
    }


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS], ids=len)
def test_json(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    """One array of objects, also of none."""
    write_table(tmp_path / "out.json", COLUMNS, rows)
    loaded = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [row["prompt"] for row in loaded] == [row["prompt"] for row in rows]


def test_values_of_all_kinds(tmp_path: Path) -> None:
    """Each value has one way to look, in UTC and without exponents."""
    berlin = timezone(timedelta(hours=2))
    row: Mapping[str, object] = {
        "a": Decimal("1E+3"),
        "b": datetime(2026, 5, 1, 1, 0, tzinfo=berlin),
        "c": date(2026, 5, 1),
        "d": Path("videos/fox.mp4"),
        "e": True,
        "f": [1, "x"],
    }
    write_table(tmp_path / "out.csv", list(row), [row])
    text = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    (cells,) = list(csv.reader(text.splitlines()))[1:]
    assert cells == [
        "1000",
        "2026-04-30T23:00:00Z",
        "2026-05-01",
        "videos/fox.mp4",
        "true",
        '[1, "x"]',
    ]


@pytest.mark.parametrize("value", [object(), datetime(2026, 5, 1), float("nan")])  # noqa: DTZ001 - a time without a zone is what the test is about
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json"])
def test_what_has_no_look_is_a_bug(tmp_path: Path, value: object, suffix: str) -> None:
    """A value that nobody decided about is never written somehow, and no half file stays."""
    with pytest.raises((TypeError, ValueError)):
        write_table(tmp_path / f"out{suffix}", ["a"], [{"a": value}])
    assert list(tmp_path.iterdir()) == []


def test_columns_are_checked(tmp_path: Path) -> None:
    """A header twice or a value without header would lose data."""
    with pytest.raises(ValueError, match="once"):
        write_table(tmp_path / "out.csv", ["a", "a"], [])
    with pytest.raises(ValueError, match=r"\['b'\]"):
        write_table(tmp_path / "out.csv", ["a"], [{"a": 1, "b": 2}])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("out.ods", r"'\.ods'.*\.xlsx, \.csv, \.tsv, \.jsonl, \.json"),
        ("out", "without suffix"),
        ("folder.csv", "a folder"),
        ("missing/out.csv", "no folder"),
    ],
)
def test_a_target_that_can_not_be_is_refused_first(tmp_path: Path, name: str, says: str) -> None:
    """The error names what is possible, and comes before any row is asked for."""
    (tmp_path / "folder.csv").mkdir()

    def rows() -> Iterator[dict[str, object]]:
        pytest.fail("a row was asked for")
        yield {}

    with pytest.raises(TableError, match=says):
        write_table(tmp_path / name, ["a"], rows())
    with pytest.raises(TableError, match=says):
        check_target(tmp_path / name)


def test_a_failure_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    """Nobody ever sees half a table, and no draft is left behind."""
    target = tmp_path / "out.csv"
    target.write_text("old")

    def rows() -> Iterator[dict[str, object]]:
        yield {"a": 1}
        assert target.read_text() == "old"
        raise OSError(28, "No space left on device")

    with pytest.raises(TableError, match=r"No space left on device\. Free some space"):
        write_table(target, ["a"], rows())
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_person_s_rights_are_kept_and_no_link_followed(tmp_path: Path) -> None:
    """The file has the rights that any new file of the person has; a link may be planted."""
    (tmp_path / "plain").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    with pytest.raises(TableError, match="it is a link, which is not followed: name the file"):
        write_table(tmp_path / "link.csv", ["a"], [{"a": 1}])
    assert not (tmp_path / "real.csv").exists()
    write_table(tmp_path / "real.csv", ["a"], [{"a": 1}])
    assert (tmp_path / "real.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert not os.access(tmp_path / "real.csv", os.X_OK)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'=1", "''=1"),
        ("''@", "'''@"),
        ("-5", "-5"),
        ("+3.2", "+3.2"),
        ("-5\n", "'-5\n"),
        ("'-5", "''-5"),
        ("-5-3", "'-5-3"),
        ("-٣", "'-٣"),
        ("'hello'", "'hello'"),
        ("", ""),
        ("1=1", "1=1"),
        ("x;=1", "x;'=1"),
        ("x; '=1", "x; ''=1"),
        ("two foxes, -ly; x", "two foxes, -ly; x"),
    ],
)
def test_formulas_are_marked(text: str, written: str) -> None:
    """What a spreadsheet would run is shown as text; numbers stay numbers."""
    assert neutralised(text) == written
    assert restored(written) == text


@given(st.text() | st.text("'=+-@\t\r\n5.a;,| \""))
def test_the_mark_is_reversible(text: str) -> None:
    """Whatever a cell says, it says the same after export and load."""
    assert restored(neutralised(text)) == text
