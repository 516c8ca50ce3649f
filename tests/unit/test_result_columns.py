"""Which columns of a manifest are results of an earlier export: any part of them, and no others."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.manifest.raw import RawRow
from batchsora.manifest.rows.result_columns import results_among
from batchsora.result_columns import RESULT_NAMES, result_column, result_headers

DONE = {
    "status": "completed",
    "generation_id": "gen_1",
    "price": "0.12",
    "video_url": "https://example.com/v",
    "file": "videos/m/a.mp4",
    "error_kind": "",
    "error": "",
    "attempts": "1",
    "submitted_at": "2026-11-23T08:30:00Z",
    "completed_at": "2026-11-23 08:30:00",
    "model": "sora",
    "sha256": "0" * 64,
    "verdict": "favourite",
    "reworded": "",
    "what_to_do": "",
}
FAILED = {
    "status": "failed",
    "generation_id": "gen_2",
    "price": "0.00",
    "video_url": "",
    "file": "",
    "error_kind": "content",
    "error": "too wild",
    "attempts": "2",
    "submitted_at": "2026-11-23T08:30:00Z",
    "completed_at": "2026-11-23",
    "model": "sora",
    "sha256": "",
    "verdict": "",
    "reworded": "a mild one",
    "what_to_do": "Next: reword its prompt",
}


def found(
    headers: Sequence[str], *rows: Sequence[str], kept: Sequence[str] = (), said: Sequence[str] = ()
) -> list[str]:
    """List the headers that are taken for results."""
    table = [RawRow(number, row) for number, row in enumerate(rows, 2)]
    return [headers[place] for place in results_among(headers, table, kept, said)]


@given(st.sets(st.sampled_from(RESULT_NAMES), min_size=2))
def test_any_part_of_an_export_is_known(names: set[str]) -> None:
    """Whatever was deleted of it, as long as one is left that nobody else has."""
    headers = ["prompt", *(name for name in RESULT_NAMES if name in names), "Status", "note"]
    rows = [["A kite", *(one[name] for name in headers[1:-2]), "", "x"] for one in (DONE, FAILED)]
    unique = names & {"generation_id", "error_kind"}
    assert found(headers, *rows) == (headers[1:-2] if unique else [])


@pytest.mark.parametrize("name", ["generation_id", "error_kind"])
def test_a_name_that_nobody_else_has_is_enough(name: str) -> None:
    """A lone status may be anybody's; these are ours."""
    assert found(["prompt", name], ["A kite", FAILED[name]]) == [name]


@pytest.mark.parametrize(
    ("headers", "row"),
    [
        (["prompt", "status"], ["A kite", "completed"]),
        (["prompt", "price"], ["A kite", "0.12"]),
        (["prompt", "file", "status"], ["A kite", "cup.png", "todo"]),
        (["prompt", "Status", "Price"], ["A kite", "completed", "0.12"]),
        (["prompt", "model", "price"], ["A kite", "Canon", "1200.00"]),
        (["prompt", "status", "verdict"], ["A kite", "queued", "favourite"]),
        (["prompt", "status", "file", "price"], ["A kite", "completed", "a.mp4", "0.12"]),
    ],
)
def test_a_person_s_own_are_theirs(headers: list[str], row: list[str]) -> None:
    """By spelling, by what they say, or because they are alone."""
    assert found(headers, row) == []


def test_what_the_batch_keeps_is_ours_while_it_says_so() -> None:
    """A lone column that we wrote is known; one that says other things now is a person's."""
    headers = ["prompt", "status"]
    assert found(headers, ["A kite", "completed"], kept=["status"]) == ["status"]
    assert found(headers, ["A kite", ""], kept=["status"]) == ["status"]
    assert found(headers, ["A kite", "ask Ann"], kept=["status"]) == []


def test_several_videos_and_a_total_are_no_doubt() -> None:
    """Lines of a workbook's cell, lists of YAML, and what somebody wrote below."""
    headers = ["prompt", "status", "price", "generation_id"]
    rows = [
        ["A", "completed\nfailed", "0.12\n0.12", "g\nh"],
        ["B", '["queued", null]', "[0.12, null]", '["i", null]'],
    ]
    assert found(headers, *rows, ["", "Total", "=0.36", ""]) == headers[1:]


def test_a_column_of_theirs_beside_ours_is_not_taken() -> None:
    """Ours has another name where theirs was there first; theirs that came later stands behind."""
    assert result_headers(["Status"])["status"] == "batchsora_status"
    assert result_column("batchsora_status") == "status"
    headers = ["prompt", "status", "batchsora_status", "generation_id"]
    assert found(headers, ["A", "completed", "completed", "g"]) == headers[2:]
    later = ["prompt", "status", "generation_id", "status"]
    table = [RawRow(2, ["A", "completed", "g", "queued"])]
    assert results_among(later, table) == {1: "status", 2: "generation_id"}


def test_theirs_is_not_taken_where_ours_was_deleted() -> None:
    """The batch keeps that ours is called otherwise."""
    headers, row = ["prompt", "status", "generation_id"], ["A", "completed", "g"]
    assert found(headers, row, kept=["batchsora_status", "generation_id"]) == ["generation_id"]


def test_what_a_person_says_goes_first() -> None:
    """--map 'status=campaign' makes it no result."""
    headers = ["prompt", "status", "generation_id"]
    assert found(headers, ["A", "completed", "g"], said=["status"]) == ["generation_id"]
