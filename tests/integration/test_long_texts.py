"""Long texts of a few characters again and again: none stops who reads the account's list."""

import pytest
from support.hostile_texts import hostile_texts

from jobs.evidence.echo import Likeness, learn_most, marks_dropped, plain, resembles
from jobs.model.text import prompt_key, same_text, text_key

HOSTILE = hostile_texts(60_000)
hostile = pytest.mark.parametrize("shown", HOSTILE.values(), ids=HOSTILE)


@hostile
def test_no_text_of_a_list_stops_who_compares_it(shown: str) -> None:
    """Each took from half a second to a minute, or raised."""
    sent = "a heron, number 1"
    assert prompt_key(shown) != prompt_key(sent)
    assert not resembles(sent, shown)
    assert text_key(shown)
    assert isinstance(marks_dropped(shown), str)
    assert not Likeness([shown]).of(sent)
    assert learn_most([(sent, shown)]) is None


@hostile
def test_a_prompt_like_that_is_found_again(shown: str) -> None:
    """It is the same, whoever sent it."""
    assert same_text(shown, f" {shown} ")
    assert not plain(shown) or Likeness([shown]).of(shown) == [shown]
