"""Text that may be foreign, made fit for a terminal."""

import json
import re
import textwrap
import unicodedata
from typing import Any, Final

_UNPRINTABLE: Final = ("Cc", "Cf", "Cs")
"""Controls, invisible marks (bidirectional overrides among them) and lone surrogates."""


_LABEL: Final = re.compile(r"\s*\S+(?: \S+)?\s{2,}")


class Painted(str):
    """A text whose foreign parts are clean already; what drives the terminal in it is ours."""

    __slots__ = ()


def clean(text: str) -> str:
    """Take out what could drive or deceive a terminal, but for a line's end and tab."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in _UNPRINTABLE else "\ufffd" for c in text
    )


def folded(text: str, width: int) -> str:
    """Break long lines between words; they go on below what stands behind a line's label."""
    return "\n".join(
        line
        if len(line) <= width
        else textwrap.fill(
            line,
            width,
            subsequent_indent=" " * _indent(line, width),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )


def _indent(line: str, width: int) -> int:
    """Say how far the label of a line reaches; where that is too far, how far it is indented."""
    blank = len(line) - len(line.lstrip())
    label = _LABEL.match(line)
    return label.end() if label and label.end() <= width // 2 else blank


def printable_json(document: Any) -> str:
    """Write JSON in which whatever could drive or deceive a terminal is an escape sequence."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in _UNPRINTABLE else json.dumps(c)[1:-1]
        for c in text
    )
