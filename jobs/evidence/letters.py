"""Non-ASCII characters: which ones a text has, and its length in several units. Pure.

A list may cut by characters, UTF-16 units or bytes, and may show such characters as question marks,
in another encoding or as other letters, while it shows English prompts as they were sent.
"""

import codecs
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ..model.text import text_key, unescaped


class Sort(NamedTuple):
    """A sort of characters that an encoding either has or lacks."""

    script: str  # of letters, as Unicode names it; else empty
    beyond_latin_1: bool
    beyond_16_bits: bool


def sorts(text: str) -> frozenset[Sort]:
    """List the sorts of non-ASCII characters in a text."""
    if text.isascii():
        return frozenset()
    return frozenset(_sort(one) for one in set(text_key(text)) if not one.isascii())


@lru_cache(4096)
def _sort(character: str) -> Sort:
    name = unicodedata.name(character, "") if character.isalpha() else ""
    return Sort(name.partition(" ")[0], character > "\xff", character > "\uffff")


def readable(texts: Iterable[str]) -> frozenset[Sort]:
    """List the sorts in some shown texts, except those decoded in a wrong encoding."""
    odd = (one for one in texts if not one.isascii())
    return frozenset().union(*(sorts(one) for one in odd if not _misread(one)))


_WRONG = ("latin-1", "cp1252", "cp1251", "cp866", "koi8-r", "gbk", "shift_jis", "big5", "euc-kr")


def _misread(text: str) -> bool:
    """Check whether a text is UTF-8 that was decoded in another encoding; it may be cut."""
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
    """Measure a text in all units that a list may cut it by."""
    if text.isascii():
        return (len(text),) * 3
    beyond = sum(one > "\uffff" for one in text)
    return len(text), len(text) + beyond, len(text.encode("utf-8", "surrogatepass"))


def start(prompt: str) -> str:
    """Return the letters and digits of a prompt before its first non-ASCII character."""
    kept = marks_dropped(prompt)
    return kept[: next((n for n, one in enumerate(kept) if not one.isascii()), None)]


def marks_dropped(text: str) -> str:
    """Return a text in one case without white space and ASCII punctuation."""
    folded = text_key(unescaped(text)).casefold()
    return "".join(one for one in folded if one.isalnum() or not one.isascii())
