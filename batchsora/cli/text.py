"""Text that may be foreign, made fit for a terminal."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from batchsora.presentation.terminal_text import UNSEEN, cells, clean

__all__ = ["Painted", "clean", "folded", "printable_json"]

_LABEL: Final = re.compile(r"\s*\S+(?: \S+)?\s{2,}")
_WORD: Final = re.compile(r"([ \u3000]*)([^ \u3000]+)")

# Scripts that are written without blanks: a line may end behind each of their characters, but not
# before a mark upon it, or before what closes a sentence.
_WIDE: Final = (
    "\u1100-\u115f\u2e80-\u2fff\u3001-\u3029\u3030-\u303e\u3041-\u3098\u309b-\ua4cf\uac00-\ud7a3"
    "\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffe6\U00020000-\U0003fffd"
)
_CLOSING: Final = "\u0300-\u036f\u3099\u309a\ufe00-\ufe0f\u3001\u3002\uff01\uff09\uff0c\uff1f\u300d"
_PIECE: Final = re.compile(f"[{_WIDE}][{_CLOSING}]{{0,3}}|[^{_WIDE}]+")


class Painted(str):
    """A text whose foreign parts are clean already; what drives the terminal in it is ours."""

    __slots__ = ()


def folded(text: str, width: int) -> str:
    """Break long lines between words; they go on below what stands behind a line's label.

    A word that is longer than a line stays whole, beside its label, so that it can be copied. Only
    Chinese, Japanese and Korean are broken between characters there; addresses and paths never.

    Args:
        text: clean already.
        width: in cells.
    """
    return "\n".join(
        line if cells(line) <= width else "\n".join(_broken(line, width))
        for line in text.expandtabs().split("\n")
    )


def _broken(line: str, width: int) -> Iterator[str]:
    """Break a line that is too long."""
    begin, indent = _indent(line, width)
    now = ""
    for match in _WORD.finditer(line):
        gap, word = match.groups()
        gap = gap if now else gap[:indent]
        alone = indent + cells(word) <= width
        pieces = [word] if alone or "/" in word else _PIECE.findall(word)
        # nothing is won where a line holds its label alone
        bare = not now or match.start(2) == begin
        for piece in pieces:
            if cells(now + gap + piece) > width and not bare:
                yield now
                now, gap = " " * indent, ""
            now += gap + piece
            gap, bare = "", False
    yield now


def _indent(line: str, width: int) -> tuple[int, int]:
    """Return how far the label of a line reaches; where that is too far, how far it is indented.

    Returns:
        The characters, and the cells that they take.
    """
    label = _LABEL.match(line)
    if label is not None and cells(label[0]) <= width // 2:
        return label.end(), cells(label[0])
    blank = min(len(line) - len(line.lstrip()), width // 2)
    return blank, blank


def printable_json(document: Any) -> str:
    """Write JSON in which whatever could drive or deceive a terminal is an escape sequence."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return UNSEEN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    """Write a character as JSON's escape sequence; of a high one, its two halves."""
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2))
