"""Lines on a terminal: as wide as it is, readable below their labels, of harmless characters."""

import json
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from batchsora.cli.text import folded, printable_json
from batchsora.presentation.terminal_text import clean

HARMFUL = ("Cc", "Cf", "Cs")
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
HEART = "\u2764\ufe0f\u200d\U0001f525"

foreign = st.text(
    st.characters()
    | st.sampled_from("\n\t\r\x7f\x1b\u200b\u200d\u202e\ufeff\ud83d\ude00\U000e0041")
)


def test_a_long_line_goes_on_below_what_stands_behind_its_label() -> None:
    """The label's column stays free, so that the eye finds the next one."""
    line = "  because      no answer; the generation may still exist"
    assert folded(line, 40).split("\n") == [
        "  because      no answer; the generation",
        "               may still exist",
    ]


def test_an_id_is_never_broken() -> None:
    """It must be possible to copy it, however narrow the terminal."""
    line = "  could be     4cfd93d7-f052-4c6d-9206-ae3b2236c8a0 completed"
    assert folded(line, 30).split("\n") == [
        "  could be     4cfd93d7-f052-4c6d-9206-ae3b2236c8a0",
        "               completed",
    ]


@pytest.mark.parametrize(
    "long",
    [
        "https://example.com/videos/4cfd93d7-f052.mp4",
        "https://example.com/\u6d77\u8fb9\u7684\u732b\u6d77\u8fb9\u7684\u732b\u6d77\u8fb9",
        "videos/\u6d77\u8fb9\u7684\u732b\u6d77\u8fb9\u7684\u732b\u6d77\u8fb9\u7684\u732b/r1.mp4",
    ],
)
def test_a_label_is_not_left_alone_by_an_address_that_fits_nowhere(long: str) -> None:
    """The next line would be as narrow; a word before it in the line is another matter."""
    assert folded(f"  video        {long}", 40) == f"  video        {long}"
    assert folded(f"next: see {long}", 40) == f"next: see\n{long}"


def test_chinese_is_broken_between_characters() -> None:
    """Each takes two cells, and nobody writes blanks between them."""
    prompt = "\u6d77\u8fb9\u7684\u4e00\u53ea\u732b\u3002" * 8
    lines = folded(f"  prompt       {prompt}", 40).split("\n")
    assert "".join("".join(lines).split()) == f"prompt{prompt}"
    assert all(30 < cell_len(line) <= 40 for line in lines[:-1])
    assert all(line.startswith(" " * 15) for line in lines[1:])
    assert not any(line.strip().startswith("\u3002") for line in lines)


def test_a_short_chinese_word_moves_as_a_whole() -> None:
    """A key among words is not broken where it fits into the next line."""
    line = "a line of words and then \u732b\u732b\u732b\u732b-01 and on"
    assert folded(line, 30).split("\n") == [
        "a line of words and then",
        "\u732b\u732b\u732b\u732b-01 and on",
    ]


@given(st.text(alphabet="ab  -\n", max_size=200), st.integers(20, 100))
def test_folding_loses_no_word(text: str, width: int) -> None:
    """All words stand there in their order."""
    assert folded(text, width).split() == text.split()


@given(
    st.text(alphabet="ab/  \t\u6d77\u732b\u3002\u3001\u304b\u3099\u00e9\U0001f600\n", max_size=200),
    st.integers(10, 60),
)
@example("  video        \u732b" + "\u6d77" * 30, 20)
@example(" " * 60 + "\u6d77" * 30, 20)
@example("a \u3001\t\u3001\u3001\u3001\u3001", 16)
@example("\u3001\t\u3001\u3001\u304b\u304b", 16)
def test_folding_fits_in_cells(text: str, width: int) -> None:
    """No character is lost, and only what can't be broken is wider than the terminal."""
    shown = folded(text, width)
    assert "".join(shown.split()) == "".join(text.split())
    for line in shown.split("\n"):
        if cell_len(line) > width:
            assert len(line.split()) <= 3, line  # a label has two words at most
            last = line.split()[-1]
            indented = cell_len(line) - cell_len(last) >= width
            assert indented or "/" in last or sum(c in "\u6d77\u732b\u304b" for c in last) < 2, line


@given(foreign)
@example("\u200d")
def test_what_drives_or_deceives_a_terminal_is_taken_out(text: str) -> None:
    """Controls, invisible marks and lone surrogates; all else stays as it was."""
    shown = clean(text)
    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        harmful = before not in "\n\t" and unicodedata.category(before) in HARMFUL
        if before != "\u200d":
            assert after == ("\ufffd" if harmful else before)


def test_every_character_of_unicode_is_known() -> None:
    """The table of harmful ones is what Python knows, and at most what it does not know yet."""
    for number in range(sys.maxunicode + 1):
        one = chr(number)
        category = unicodedata.category(one)
        if category in HARMFUL and one not in "\n\t":
            assert clean(one) == "\ufffd", hex(number)
        elif category != "Cn":
            assert clean(one) == one, hex(number)


@pytest.mark.parametrize("joined", [FAMILY, HEART, "\U0001f408\u200d\u2b1b"])
def test_emoji_stay_joined(joined: str) -> None:
    """A family is one picture, not three."""
    assert clean(f"a {joined} b") == f"a {joined} b"


@pytest.mark.parametrize(
    "text",
    ["a\u200db", "\u200d", "\U0001f469\u200d", "\U0001f469\u200da", "a\u200d\U0001f469",
     "a\ufe0f\u200d\U0001f469", "\U0001f469\u200d\u200d\U0001f469", "\u0915\u094d\u200d\u0937"],
)  # fmt: skip
def test_nothing_else_is_joined(text: str) -> None:
    """What is not seen could make two names look alike."""
    assert "\u200d" not in clean(text)
    assert clean(text).replace("\ufffd", "") == text.replace("\u200d", "")


@given(
    st.recursive(
        st.none() | st.integers() | foreign, lambda c: st.lists(c) | st.dictionaries(foreign, c)
    )
)
@example("\x7f\U000e0041\ud83d")
def test_json_is_harmless_and_says_the_same(document: object) -> None:
    """Escape sequences are read back as what they stand for."""
    text = printable_json(document)
    assert not any(unicodedata.category(c) in HARMFUL for c in text.replace("\n", ""))
    assert json.loads(text) == json.loads(json.dumps(document))


def test_json_leaves_as_it_is_what_can_be_read() -> None:
    """Chinese and emoji are not escaped; what joins emoji is, as it can't be seen."""
    assert printable_json(["\u6d77 \u00e9"]) == '[\n  "\u6d77 \u00e9"\n]'
    assert printable_json(HEART) == '"\u2764\ufe0f\\u200d\U0001f525"'
    assert printable_json("\U000e0041") == '"\\udb40\\udc41"'
