import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_texts import ODD, hostile_texts

from jobs.echo import Likeness, learn_most, plain, resembles
from jobs.letters import marks_dropped
from jobs.text import SHORT, normalized, prompt_key, same_text, text_key, unescaped

HOSTILE = hostile_texts(60_000)
hostile = pytest.mark.parametrize("shown", HOSTILE.values(), ids=HOSTILE)


@given(st.text())
def test_a_prompt_is_the_same_after_what_a_provider_may_do_to_it(prompt: str) -> None:
    """Trimmed and padded white space, and another Unicode form, leave a prompt the same."""
    assert same_text(prompt, f"  {prompt}\n")


def test_unicode_forms_are_one_text() -> None:
    """Composed and decomposed letters are the same prompt; other letters are another."""
    assert same_text("caf\u00e9", "cafe\u0301")
    assert not same_text("cafe", "caf\u00e9")


@given(
    st.text(st.sampled_from(ODD) | st.characters(), min_size=1), st.sampled_from(["NFC", "NFKC"])
)
def test_long_texts_have_the_forms_that_short_ones_have(
    part: str, form: Literal["NFC", "NFKC"]
) -> None:
    """What is done to keep long texts from taking forever changes none."""
    text = part * (SHORT // len(part) + 1)
    assert normalized(text, form) == unicodedata.normalize(form, text)


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


@pytest.mark.parametrize("number", ["1114112", "9" * 50, "9" * 5_000, "0" * 5_000])
def test_entities_of_no_character_are_all_the_same(number: str) -> None:
    """However long their number is."""
    assert unescaped(f"a &#{number}; heron") == "a \ufffd heron"
