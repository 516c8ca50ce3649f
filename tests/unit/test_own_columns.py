"""Which columns of a row are the person's own."""

from batchsora.presentation.own_columns import own_cells


def test_what_is_read_is_not_shown_again() -> None:
    """Headers that we read, in any spelling, are left out; so are empty cells."""
    cells = {"ID": "a", "Prompt": "a kite", "Channel": "TikTok", "Length": "10", "Notes": " "}
    assert own_cells(cells, None) == [("Channel", "TikTok")]


def test_what_a_person_said_of_headers_counts() -> None:
    """A mapped header is read; one that is declared an own column is not."""
    cells = {"Shot": "a kite", "Owner": "Ada", "campaign": "x"}
    said = {"columns": {"Shot": "prompt", "campaign": "", "gone": "id"}}
    assert own_cells(cells, said) == [("Owner", "Ada"), ("campaign", "x")]


def test_rows_without_a_prompt_have_none() -> None:
    """What can't be understood is not guessed."""
    assert own_cells({"Owner": "Ada"}, {"columns": "damaged"}) == []
    assert own_cells({}, None) == []
