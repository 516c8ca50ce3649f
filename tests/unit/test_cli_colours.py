"""Colours: on the states that a command tells, and on nothing that a prompt says."""

import re
from types import SimpleNamespace
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from batchsora.app.views import job_line
from batchsora.cli.colours import IN_JOBS, IN_STATUS, IN_STORY, painted


def job(**more: Any) -> SimpleNamespace:
    base = {
        "key": "k", "state": "failed", "prompt": "p", "error_kind": "system", "error": "no",
        "charged_micros": 0, "file": None, "sha256": None, "percent": None,
        "queue_position": None, "attempt_error": None,
    }  # fmt: skip
    return SimpleNamespace(**(base | more))


@pytest.mark.parametrize(
    ("text", "where", "coloured"),
    [
        ("  jobs      2 queued, 3 failed, 1 in doubt", IN_STATUS, ["failed", "in doubt"]),
        ("  failed    3 system", IN_STATUS, ["failed"]),
        ("  waits for balance", IN_STATUS, ["waits for"]),
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


def test_a_pipe_gets_the_whole_line() -> None:
    """Whoever greps for a file must find all of its name."""
    assert job_line(job(state="queued", prompt="w " * 300), None).count("w") == 300
