from hypothesis import given
from hypothesis import strategies as st

from jobs.text import same_text


@given(st.text())
def test_a_prompt_is_the_same_after_what_a_provider_may_do_to_it(prompt: str) -> None:
    """Trimmed and padded white space, and another Unicode form, leave a prompt the same."""
    assert same_text(prompt, f"  {prompt}\n")


def test_unicode_forms_are_one_text() -> None:
    """Composed and decomposed letters are the same prompt; other letters are another."""
    assert same_text("caf\u00e9", "cafe\u0301")
    assert not same_text("cafe", "caf\u00e9")
