"""Text that may be foreign, made fit for a terminal."""

import json
import unicodedata
from typing import Any, Final

_UNPRINTABLE: Final = ("Cc", "Cf", "Cs")
"""Controls, invisible marks (bidirectional overrides among them) and lone surrogates."""


class Painted(str):
    """A text whose foreign parts are clean already; what drives the terminal in it is ours."""

    __slots__ = ()


def clean(text: str) -> str:
    """Take out what could drive or deceive a terminal, but for a line's end and tab."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in _UNPRINTABLE else "\ufffd" for c in text
    )


def printable_json(document: Any) -> str:
    """Write JSON in which whatever could drive or deceive a terminal is an escape sequence."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in _UNPRINTABLE else json.dumps(c)[1:-1]
        for c in text
    )
