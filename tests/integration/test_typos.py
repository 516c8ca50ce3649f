"""What is misspelled gets the nearest name that there is."""

from pathlib import Path

import pytest

from tests.support.shell import Shell


@pytest.fixture
def night(call: Shell) -> Shell:
    """Return a shell in a folder with a rehearsed batch."""
    Path("night.csv").write_text("id,prompt\nsunset-1,a red kite\n", encoding="utf-8")
    assert call("run", "night.csv", "--sandbox", "--rate", "0", "--no-download").code == 0
    return call


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("stauts", "Did you mean 'status'?"),
        ("jobs --sandbox --batch nigth", "there is no batch 'nigth'; did you mean 'night'?"),
        ("run --sandbox --batch NIGHT", "did you mean 'night'?"),
        ("show --sandbox sunset1", "there is no job 'sunset1'; did you mean 'sunset-1'?"),
        ("retry --sandbox Sunset-1", "did you mean 'sunset-1'?"),
        ("plan nihgt.csv", "Did you mean 'night.csv'?"),
        ("plan night.xlsx", "Did you mean 'night.csv'?"),
        ("plan night.csv --map prompt=promt", "did you mean 'prompt'?"),
        ("plan night.csv --map promt=prompt", "Did you mean 'prompt'?"),
        ("plan night.csv --default duratoin=15", "did you mean 'duration'?"),
        ("jobs --sandbox --sarch x", "'--search'"),
        ("--sandbox status", "type it behind the command, as 'batchsora status --sandbox'"),
    ],
)
def test_a_typo_gets_a_suggestion(night: Shell, line: str, says: str) -> None:
    """And ends with 2: nothing was done."""
    said = night(*line.split())
    assert said.code == 2
    assert says in said.words


def test_what_is_near_nothing_lists_what_there_is(night: Shell) -> None:
    """As before."""
    assert "there are 'night'" in night("jobs", "--sandbox", "--batch", "zzzzzz").words
    assert (
        "there is no job 'zzzzzz'; 'batchsora jobs'" in night("show", "--sandbox", "zzzzzz").words
    )
    assert "Check the path" in night("plan", "zzzzzz.csv").words


def test_a_plan_without_a_token_warns_in_a_line(
    night: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs none."""
    monkeypatch.delenv("RUNBLOB_API_KEY")
    said = night("plan", "night.csv")
    assert said.code == 0
    assert said.err.splitlines() == [
        "warning: the balance is unknown without a token; 'batchsora login' stores one"
    ]
