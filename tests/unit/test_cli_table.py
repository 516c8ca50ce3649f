"""Tables for people: wide, narrow, without colours, and of foreign text."""

import pytest

from batchsora.cli.text import Column, table

COLUMNS = [Column("job"), Column("price", right=True), Column("prompt", folds=True)]


def test_columns_stand_under_each_other() -> None:
    """Plain text, numbers to the right, no blanks at the end."""
    shown = table([["a", "0.12", "a kite"], ["long-key", "10.00", "a boat"]], COLUMNS, width=80)
    assert shown.split("\n") == [
        "job       price  prompt",
        "a          0.12  a kite",
        "long-key  10.00  a boat",
    ]


def test_a_long_cell_goes_on_in_the_next_line() -> None:
    """Nothing is lost, and no line is wider than the terminal."""
    shown = table([["a", "0.12", "a kite over the dunes " * 4]], COLUMNS, width=40)
    lines = shown.split("\n")
    assert max(map(len, lines)) <= 40
    assert shown.count("kite") == 4
    assert lines[2].startswith(" " * 12)


def test_where_there_is_no_room_each_row_is_a_block() -> None:
    """A narrow window, or keys of any length."""
    shown = table([["k" * 30, "0.12", "a kite"], ["b", "", "a boat"]], COLUMNS, width=30)
    assert shown.split("\n\n") == [
        f"job: {'k' * 30}\nprice: 0.12\nprompt: a kite",
        "job: b\nprompt: a boat",
    ]
    assert table([["ok", "x" * 40]], [Column(), Column()], width=30) == f"ok  {'x' * 40}"


def test_foreign_text_stays_text() -> None:
    """No markup, no emoji codes, no escapes, no line of its own; wide characters count as two."""
    hostile = "[red]x[/red] :boom: \x1b[31m [link=http://x]y[/link]\nnew \u202e"
    for width in (200, 20):
        shown = table([[hostile, "1", "z"]], COLUMNS, width=width, colour=True)
        assert "[red]x[/red] :boom: \ufffd[31m [link=http://x]y[/link] new \ufffd" in shown
    shown = table([["猫猫", "1", "z"], ["abcd", "1", "z"]], COLUMNS, width=80)
    assert shown.split("\n")[1:] == ["猫猫      1  z", "abcd      1  z"]


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """``NO_COLOR`` takes them away there, and nothing brings them elsewhere."""
    rows, columns = [["problem", "x"]], [Column(), Column()]
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in table(rows, columns, width=80)
    assert "\x1b[1;31m" in table(rows, columns, width=80, colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in table(rows, columns, width=80, colour=True)


def test_the_width_is_told_or_eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    """``COLUMNS`` counts where nobody else knows."""
    rows = [["a", "1", "kite " * 40]]
    monkeypatch.setenv("COLUMNS", "50")
    assert max(map(len, table(rows, COLUMNS).split("\n"))) <= 50
    monkeypatch.setenv("COLUMNS", "nonsense")
    assert table([], COLUMNS).startswith("job")
