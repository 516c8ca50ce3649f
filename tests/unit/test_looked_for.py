"""What a run remembers of the rows that it has looked for."""

from jobs.evidence.looked_for import BuyableRow, FoundInTurn, LookedFor, Wish


def row(number: int, attempt_id: int | None = 1) -> BuyableRow:
    """Make a queued row that was tried before."""
    return BuyableRow(number, Wish("f", attempt_id), None, None, handed=False, named=False)


def test_a_turn_changes_nothing_until_it_is_kept() -> None:
    """One that is taken back leaves no row waiting, and none that waits for a purchase."""
    run = LookedFor({}, newest=5, past=True)
    turn = FoundInTurn(run)
    assert turn.lacks(row(1))
    turn.take(1, 7)
    turn.note_asked(1, "request", 9)
    assert (turn.is_taken(1, 7), turn.asked(1, "request")) == (True, 9)
    assert (list(run.waiting), run.is_taken(1, 7), run.asked(1, "request")) == ([], False, 5)
    run.keep(turn)
    assert (list(run.waiting), run.is_taken(1, 7), run.asked(1, "request")) == ([1], True, 9)


def test_a_turn_knows_what_its_run_remembers() -> None:
    """Rows that wait, and what others wait for, count in each later turn."""
    run = LookedFor({}, newest=5, past=True)
    run.take(1, 7)
    run.note_asked(1, "request", 8)
    run.forget([2])
    turn = FoundInTurn(run)
    assert (turn.is_taken(1, 7), turn.asked(1, "request")) == (True, 8)
    assert turn.asked(2, "request") == 5
    assert turn.lacks(row(2, attempt_id=None))
    assert not turn.lacks(row(3, attempt_id=None))
