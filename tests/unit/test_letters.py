"""Which characters that are not ASCII a text has, how long it is, and how it begins."""

import pytest

from jobs.evidence.echo import Sort, marks_dropped, readable, sizes, sorts, start

LATIN = Sort("LATIN", beyond_latin_1=False, beyond_16_bits=False)
CYRILLIC = Sort("CYRILLIC", beyond_latin_1=True, beyond_16_bits=False)
SIGN = Sort("", beyond_latin_1=True, beyond_16_bits=False)
EMOJI = Sort("", beyond_latin_1=True, beyond_16_bits=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a fox", set()),
        ("a café", {LATIN}),
        ("a cafe\u0301", {LATIN}),  # folded first
        ("two\u00a0spaces", set()),
        ("цапля — 🦊", {CYRILLIC, SIGN, EMOJI}),
    ],
)
def test_what_sorts_of_characters_a_text_has(text: str, found: set[Sort]) -> None:
    """White space and Unicode forms are none."""
    assert sorts(text) == found


@pytest.mark.parametrize(
    ("encoding", "found"),
    [(None, {CYRILLIC}), ("latin-1", set()), ("cp1251", set()), ("gbk", set())],
)
def test_what_was_read_in_a_wrong_encoding_shows_nothing(
    encoding: str | None, found: set[Sort]
) -> None:
    """Read as Windows' Cyrillic it has letters of that script as well; its end may be cut."""
    text = "цапля и лодка"
    shown = text if encoding is None else text.encode().decode(encoding, "ignore")
    assert readable(["a fox", shown]) == found
    if encoding in ("latin-1", "cp1251"):
        assert readable([shown[:-1]]) == found


def test_how_long_a_text_is() -> None:
    """In characters, UTF-16 units and bytes."""
    assert sizes("a fox") == (5, 5, 5)
    assert sizes("é я 🦊") == (5, 6, 10)


@pytest.mark.parametrize(
    ("prompt", "begins"),
    [("A fox, 2 &amp; 3: 🦊 runs", "afox23"), ("цапля", ""), ("a caf\u00e9", "acaf"), ("a", "a")],
)
def test_how_a_prompt_begins(prompt: str, begins: str) -> None:
    """Letters and digits, up to what is not ASCII."""
    assert start(prompt) == begins
    assert marks_dropped(prompt).startswith(begins)
