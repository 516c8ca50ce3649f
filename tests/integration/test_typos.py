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
        ("plan night.csv --map duration=Sek", "the header comes first: write --map Sek=duration"),
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
    said = night("show", "--sandbox", "zzzzzz").words
    assert "there is no job 'zzzzzz'; 'batchsora jobs --sandbox' lists" in said
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


def test_an_error_names_commands_with_the_options_that_were_given(
    night: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once: typed as they stand they look at the same database."""
    monkeypatch.delenv("RUNBLOB_API_KEY")
    said = night("--db", "other one.db", "show", "1").words
    assert "load a manifest with 'batchsora run --db 'other one.db''" in said
    said = night("--token-file", "my token", "balance").words
    assert "'batchsora login --token-file 'my token'' makes one" in said


def test_a_plan_compares_the_budget_with_what_is_known_of_the_cost(night: Shell) -> None:
    """Also where the price of some rows is not known yet."""
    Path("two.csv").write_text("prompt,duration\na fox,10\na whale,15\n", encoding="utf-8")
    said = night("plan", "two.csv", "--budget", "0.10")
    assert "the budget leaves $0.10 of the at least $0.12 that this costs" in said.words
