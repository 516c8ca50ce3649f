"""Quotations of the row's own prompt in an API's words.

A quotation is about the row, whatever it mentions; the rest decides whose fault the refusal is, and
whether it is the same as another row's. It may be in quotation marks or bare, whole, in parts, cut
at its end, HTML-escaped, in other letters and with other signs between.
"""

import re
from typing import Final

from jobs.model.text import unescaped

LONGEST_SEARCHED: Final = 2000
"""Characters of a line that are searched, quotations left out."""

RUN: Final = 3
"""Words in a row that stand in the row's prompt as well: they are from there."""

_LETTERS: Final = 4
"""Letters from which on the same holds in scripts that have no spaces between words."""

_QUOTED = re.compile(
    r"\"[^\"]*(?:\"|$)|\u201c[^\u201d]*(?:\u201d|$)|\u201e[^\u201c\u201d]*(?:[\u201c\u201d]|$)|"
    r"\u00ab[^\u00bb]*(?:\u00bb|$)|`[^`]*(?:`|$)|\u300c[^\u300d]*(?:\u300d|$)|"
    r"(?<!\w)['\u2018](?:[^'\u2019]|(?<=\w)['\u2019](?=\w))*(?:['\u2019](?!\w)|$)"
)
"""Text in quotation marks, also one that was cut before its end; an apostrophe is none."""

_CUT = re.compile(r"(?:\u2026|\.{3})\W*$")
_WORD = re.compile(r"\w+")


def spread(line: str, longest: int | None = LONGEST_SEARCHED) -> str:
    """Take codes apart: ``INSUFFICIENT_CREDITS`` and ``accountSuspended`` are words too."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", line[:longest])
    return " ".join(re.sub(r"[_\-/.,;()\[\]'\"]+", " ", text).casefold().split())


def words_of(prompt: str) -> str:
    """Return the words of a prompt as :func:`within` and :func:`without_runs` compare them."""
    return bare(spread(prompt, None))


def bare(text: str) -> str:
    """Remove everything but words: a quotation may have other signs between them."""
    return " ".join(_WORD.findall(text))


def within(text: str, own: str, *, cut: bool = False) -> bool:
    """Check whether words are in the row's prompt; not all scripts have spaces between them.

    Args:
        own: words of the prompt.
        cut: the last word may be incomplete.
    """
    said = bare(text)
    end = "" if cut else " "
    return bool(said) and (f" {said}{end}" in f" {own} " or (not said.isascii() and said in own))


def without_marked(line: str) -> str:
    """Remove text in quotation marks, unless there is nothing else."""
    left = _QUOTED.sub(" ", line)
    return left if re.search(r"\w", left) else line


def without_runs(own: str, text: str) -> str:
    """Remove runs of three or more words that are in the row's prompt in the same order."""
    if not own:
        return text
    words, kept, at = text.split(), [], 0
    while at < len(words):
        end = at
        while end < len(words) and within(" ".join(words[at : end + 1]), own):
            end += 1
        if end - at < RUN:
            kept.append(words[at])
            end = at + 1
        at = end
    return " ".join(kept)


def without_prompt(line: str, prompt: str) -> str:
    """Remove certain quotations of the prompt.

    These are the whole prompt, its beginning where the line was cut, and parts of it in quotation
    marks. A prompt of a word or two counts after a colon or bracket, or before a colon.
    """
    text, prompt = unescaped(line), unescaped(prompt)
    words = _WORD.findall(prompt)
    if words:
        text = _without_end(_whole(words).sub(" ", text), words)
    own = words_of(prompt)
    return _QUOTED.sub(lambda found: " " if _is_from(found[0], own) else found[0], text)


def says_again(line: str, prompt: str) -> bool:
    """Check whether a line quotes the prompt, or three words of it in a row."""
    said = bare(spread(line))
    return without_prompt(line, prompt) != unescaped(line) or (
        without_runs(words_of(prompt), said) != said
    )


def unquoted(line: str, prompt: str) -> str:
    """Return the words of a line without its quotations of the prompt."""
    left = without_prompt(line, prompt)
    said = bare(spread(left))
    # beside a certain quotation words that stand in the prompt as well are the line's own
    return said if left != unescaped(line) else without_runs(words_of(prompt), said)


def _whole(words: list[str]) -> re.Pattern[str]:
    """Find a prompt of these words."""
    text = r"\W+".join(map(re.escape, words))
    if len(words) >= RUN:
        text = rf"(?<!\w){text}(?!\w)"
    elif text.isascii() or len(text) < _LETTERS:
        named = rf"[:\uff1a(\[{{]\s*{text}(?=\s*(?:[;,.)\]}}]|$))"
        text = rf"^{text}(?=\s*[:\uff1a])|{named}"
    return re.compile(text, re.IGNORECASE)


def _without_end(text: str, words: list[str]) -> str:
    """Remove the beginning of the prompt from the end of a text that was cut there."""
    if not _CUT.search(text):
        return text
    own, tail = " ".join(words).casefold(), bare(text).casefold()
    for first in _WORD.finditer(text):
        long = tail.count(" ", 0, len(own) + 1) >= RUN - 1
        if own.startswith(tail) and (long or (not tail.isascii() and len(tail) >= _LETTERS)):
            return text[: first.start()]
        tail = tail.partition(" ")[2]
    return text


def _is_from(quoted: str, own: str) -> bool:
    """Check whether text in quotation marks, which may have been cut, is from the prompt."""
    return within(spread(quoted), own, cut=bool(_CUT.search(quoted)))
