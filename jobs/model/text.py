"""When two prompts are the same text (money.md, *Keys*), and two ids the same generation."""

import hashlib
import html
import re
import unicodedata
from itertools import groupby
from typing import Final, Literal

SHORT: Final = 1000  # characters up to which Unicode's forms cost nothing, whatever they are

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)


_TOO_LARGE = re.compile(r"&#[0-9]{100,};?")


def text_key(prompt: str) -> str:
    """Fold what a provider may change when it echoes a prompt: Unicode form and white space."""
    return " ".join(normalized(prompt).split())


def normalized(text: str, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """Return a text in a Unicode form, in a time that grows as its length does.

    ``unicodedata.normalize`` orders the marks on a letter one by one: 30,000 on one letter take
    half a second, and a million minutes. Here they are sorted before (Unicode Standard Annex 15).
    """
    if len(text) <= SHORT or text.isascii():
        return unicodedata.normalize(form, text)
    apart: Literal["NFD", "NFKD"] = "NFD" if form == "NFC" else "NFKD"
    taken_apart = "".join(unicodedata.normalize(apart, character) for character in text)
    ordered: list[str] = []
    for _, run in groupby(taken_apart, lambda one: unicodedata.combining(one) > 0):
        ordered += sorted(run, key=unicodedata.combining)  # 0 of what is no mark
    return unicodedata.normalize(form, "".join(ordered))


def unescaped(text: str) -> str:
    """Return a text whose HTML entities are characters.

    A number that is none of Unicode's becomes U+FFFD; ``html.unescape`` raises ValueError above
    4,300 digits.
    """
    return html.unescape(_TOO_LARGE.sub("\ufffd", text))


def same_text(one: str, other: str) -> bool:
    """Return whether two prompts are equal after folding."""
    return text_key(one) == text_key(other)


def prompt_key(prompt: str) -> str:
    """Return a short key for an index, the same for prompts that are the same text."""
    return hashlib.sha256(text_key(prompt).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def folded_id(generation_id: str) -> str:
    """Return an id as it is kept and compared: a UUID in lower case, its dashes as they came."""
    # behind the name of a family (:func:`jobs.model.families.named_id`), if there is one
    own = generation_id.rpartition(":")[2]
    return generation_id.lower() if _UUID.fullmatch(own) else generation_id
