"""Texts of a few characters again and again, which cost a careless reader far more than others."""

from typing import Final

PIECES: Final = {
    "marks on one letter": "\u0327\u0301",
    "marks of two parts": "\u0f73",
    "spaces": " ",
    "line breaks": "\n",
    "half an entity": "&#",
    "entities": "&amp;",
    "ellipses": "...",
    "letters that become eighteen": "\ufdfa",
    "syllables": "\u1100\u1161\u11a8",
    "halves of pairs": "\ud800",
}
ODD: Final = (
    "ae\u00e9e\u0301\u1e9b\u0323"  # letters, with marks and without
    "\u0301\u0327\u0344\u0345\u0f73\u0f71\u0f74"  # marks of several classes, some of two parts
    "\u1100\u1161\u11a8\uac00\ufdfa\ufb01\u212b\uff21 "  # syllables, ligatures, wide letters
)
"""Characters that Unicode's forms change, or put in another order."""


def hostile_texts(size: int) -> dict[str, str]:
    """Return texts by what they are.

    Args:
        size: in characters, about.
    """
    return {name: "a" + piece * (size // len(piece)) + "x" for name, piece in PIECES.items()} | {
        "the number of no character": "&#" + "9" * size + ";",
    }
