"""Colours: on the states that a command tells, and on nothing that a prompt says."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from batchsora.cli.text import IN_JOBS, IN_STATUS, IN_STORY, painted
from batchsora.presentation.job_table import layout_of, plain_line, table_text
from batchsora.presentation.json_shapes import near
from batchsora.presentation.terminal_text import clean
from jobs.ports.seen import JobRow
from tests.support.rows import a_job


def job(**more: Any) -> JobRow:
    return a_job(**{"key": "k", "error_kind": "system", "error": "no", **more})


def job_line(one: JobRow, width: int) -> str:
    """Return the line of a list with one job, below its head."""
    return table_text([one], width).split("\n")[1]


@pytest.mark.parametrize(
    ("text", "where", "coloured"),
    [
        ("  jobs      2 queued, 3 failed, 1 unconfirmed", IN_STATUS, ["failed", "unconfirmed"]),
        ("  failed    3 system", IN_STATUS, ["failed"]),
        ("  waits for balance", IN_STATUS, ["waits for"]),
        ("  held back 3 left out by --first or --sample", IN_STATUS, ["held back"]),
        ("summer: 3 of 6 done (paused)", IN_STATUS, ["paused"]),
        ("3 failed: 3 of 6 done", IN_STATUS, []),
        (job_line(job(prompt="x", state="completed"), 60), IN_JOBS, ["completed"]),
        (job_line(job(state="queued", prompt="it failed -  x"), 60), IN_JOBS, []),
        ("k in b, row 1: failed\n  prompt  x: failed\nattempt 1: completed, $0.12", IN_STORY,
         ["failed", "completed"]),
    ],
)  # fmt: skip
def test_states_are_coloured_where_they_are_told(
    text: str, where: re.Pattern[str], coloured: list[str]
) -> None:
    """The words around them stay as they were."""
    shown = painted(text, where)
    assert click.unstyle(shown) == text
    assert re.findall("\x1b\\[[0-9]+m(?:\x1b\\[[0-9]+m)?([a-z ]+)\x1b", shown) == coloured


@given(st.text(max_size=80), st.text(min_size=1, max_size=40), st.integers(60, 140))
def test_a_line_never_leaves_its_terminal(prompt: str, key: str, width: int) -> None:
    """Also where characters take two cells each, as in Chinese."""
    for text in (prompt, prompt + "\u6d77" * 80):
        assert cell_len(job_line(job(key=key, state="queued", prompt=text), width)) <= width


FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


@given(
    st.text(alphabet=f"ab {FAMILY}\u2764\ufe0f\u200b\u202e\x1b\t\u6d77\u0301", max_size=40),
    st.integers(60, 140),
)
@example(FAMILY, 60)
@example(FAMILY * 12, 60)
@example("\u202e" * 5, 60)
def test_the_columns_stand_in_line_whatever_a_key_is_made_of(key: str, width: int) -> None:
    """What is shown is measured: joined emoji as one, what is not seen as what replaces it."""
    one = job(key=key, state="queued", prompt="here")
    line = job_line(one, width)
    assert line == clean(line)
    head, found, _ = line.rpartition("queued")
    assert found
    assert cell_len(head) == 3 + 2 + layout_of([one], width).key + 1


def test_a_family_is_not_taken_apart() -> None:
    """A key of emoji stays what it is, and so does one that is cut."""
    assert job_line(job(key=FAMILY, state="queued"), 60).startswith(f"  2  {FAMILY} ")
    cut = job_line(job(key=FAMILY * 12, state="queued"), 100)
    assert cut.startswith(f"  2  {FAMILY * 9}")
    assert cut.split()[1].endswith("…")
    assert "\ufffd" not in cut


def test_a_file_is_named_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And by its whole path where here is elsewhere, or is gone."""
    gone = tmp_path / "gone"
    gone.mkdir()
    file = str(tmp_path / "videos" / "a.mp4")
    monkeypatch.chdir(tmp_path)
    assert near(file) == "videos/a.mp4"
    monkeypatch.chdir(gone)
    assert near(file) == file
    gone.rmdir()
    assert near(file) == file


def test_a_pipe_gets_the_whole_line() -> None:
    """Whoever greps for a file must find all of its name."""
    assert plain_line(job(state="queued", prompt="w " * 300)).count("w") == 300
    assert table_text([job(state="queued")], None) == plain_line(job(state="queued"))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_list_has_a_head_rows_prompts_and_what_to_do(width: int) -> None:
    """A failure says why: beside its prompt where there is room, else below."""
    good = job(key="r1", row=2, state="completed", prompt="a red kite", charged_micros=120_000)
    bad = job(key="r2", row=3, state="failed", error_kind="content", error="refused")
    lines = table_text([good, bad], width).split("\n")
    head, first, second, *rest = lines
    assert head.split()[:5] == ["row", "job", "state", "price", "prompt"]
    assert first.split() == ["2", "r1", "completed", "0.12", "a", "red", "kite"]
    assert "a red kite" in second
    assert ("content: refused" in second) == (width >= 100)
    assert "content: refused" in second + rest[0]
    assert lines[-1].startswith("1 failed by content: ")
    assert all(cell_len(line) <= width for line in lines[:-1])


def test_batches_are_named_where_there_are_several() -> None:
    """Their keys may be the same."""
    lines = table_text([job(batch="one"), job(batch="one"), job(batch="two")], 80).split("\n")
    assert [line for line in lines if line.startswith("batch")] == ["batch one", "batch two"]
    assert "batch" not in table_text([job(), job()], 80)
