import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_texts import ODD

from jobs.model.text import SHORT, normalized, same_text, unescaped


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


@pytest.mark.parametrize("number", ["1114112", "9" * 50, "9" * 5_000, "0" * 5_000])
def test_entities_of_no_character_are_all_the_same(number: str) -> None:
    """However long their number is."""
    assert unescaped(f"a &#{number}; heron") == "a \ufffd heron"
