"""Letters that are not ASCII: which ones a text has, and how long that makes it. Pure.

A list may cut by characters, by UTF-16 units or by bytes, and may show such letters as question
marks, in another encoding or in other letters, while English prompts are shown as they were sent.
"""

import codecs
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..model.text import text_key, unescaped


class Sort(NamedTuple):
    """A sort of characters that encodings know or don't know together.

    Attributes:
        script: of letters, as Unicode names it; empty for other characters.
        beyond_latin_1: its number is above 255.
        beyond_16_bits: its number is above 65,535, as most emoji's.
    """

    script: str
    beyond_latin_1: bool
    beyond_16_bits: bool


def sorts(text: str) -> frozenset[Sort]:
    """Find which sorts of characters a text has that are not ASCII."""
    if text.isascii():
        return frozenset()
    return frozenset(_sort(one) for one in set(text_key(text)) if not one.isascii())


@lru_cache(4096)
def _sort(character: str) -> Sort:
    name = unicodedata.name(character, "") if character.isalpha() else ""
    return Sort(name.partition(" ")[0], character > "\xff", character > "\uffff")


def readable(texts: Iterable[str]) -> frozenset[Sort]:
    """Find which sorts some shown texts have, but for those that were read in a wrong encoding."""
    odd = (one for one in texts if not one.isascii())
    return frozenset().union(*(sorts(one) for one in odd if not _misread(one)))


_WRONG = ("latin-1", "cp1252", "cp1251", "cp866", "koi8-r", "gbk", "shift_jis", "big5", "euc-kr")


def _misread(text: str) -> bool:
    """Check whether a text is UTF-8 that was read in another encoding; it may be cut."""
    for encoding in _WRONG:
        try:
            codecs.utf_8_decode(text.encode(encoding), "strict", False)
        except UnicodeError:
            continue
        return True
    return False


Sizes = tuple[int, int, int]
"""Characters, UTF-16 units, and bytes in UTF-8."""

NOT_WHOLE: Sizes = (0, 1, 3)
"""How much less a cut leaves that went through a character, which is left out then."""


def sizes(text: str) -> Sizes:
    """Measure a text by all that a list may cut it by."""
    if text.isascii():
        return (len(text),) * 3
    beyond = sum(one > "\uffff" for one in text)
    return len(text), len(text) + beyond, len(text.encode("utf-8", "surrogatepass"))


def start(prompt: str) -> str:
    """Return what a prompt begins with, up to what is not ASCII: letters and digits alone."""
    kept = marks_dropped(prompt)
    return kept[: next((n for n, one in enumerate(kept) if not one.isascii()), None)]


def marks_dropped(text: str) -> str:
    """Return a text without white space, and without the punctuation of ASCII, in one case."""
    folded = text_key(unescaped(text)).casefold()
    return "".join(one for one in folded if one.isalnum() or not one.isascii())
