"""Texts with ``{names}`` to be filled in, and names made from values.

Not :meth:`str.format`: what a manifest says must reach no attribute and no index.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from batchsora.manifest.errors import CellError, shorten

MOST_BRACES: Final = 10_000
LONGEST_WORDS: Final = 80
"""Characters of a key that are made from values; longer ones are cut, and get a hash."""
HASH_LENGTH: Final = 8
"""Characters of five bits."""

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}\r\n]*)\}|[{}]")
_USUAL: Final = frozenset(" -_,.;:'/()\N{RIGHT SINGLE QUOTATION MARK}")
"""Signs between words that a key can do without; without others it needs a hash."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places for values; its pieces are texts, or names of values (``True``)."""

    pieces: tuple[tuple[str, bool], ...]

    @property
    def names(self) -> frozenset[str]:
        """Return the names of the values that it needs."""
        return frozenset(piece for piece, is_name in self.pieces if is_name)

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text with values; each name has one."""
        return "".join(values[piece] if is_name else piece for piece, is_name in self.pieces)

    def longest(self, lengths: Mapping[str, int]) -> int:
        """Return how many characters it can have, from the longest value of each name."""
        return sum(lengths[piece] if is_name else len(piece) for piece, is_name in self.pieces)


def template(text: str, known: frozenset[str]) -> Template:
    """Parse a text in which ``{name}`` is replaced by a value, ``{{`` and ``}}`` are braces.

    Raises CellError for braces that don't match, or a name that is not ``known``.
    """
    if text.count("{") + text.count("}") > MOST_BRACES:
        raise CellError(f"the text has more than {MOST_BRACES} braces", "Shorten it.")
    pieces: list[tuple[str, bool]] = []
    end = 0
    for match in _PIECE.finditer(text):
        pieces.append((text[end : match.start()], False))
        end = match.end()
        found = match[0]
        if match[1] is not None:
            name = match[1].strip()
            if name not in known:
                near = get_close_matches(shorten(name), known, 1)
                raise CellError(
                    f"{{{shorten(name)}}} has no value",
                    f"Did you mean {{{shorten(near[0])}}}?"
                    if near
                    else "Give it a list under 'values', or write {{ and }} for braces.",
                )
            pieces.append((name, True))
        elif found in {"{{", "}}"}:
            pieces.append((found[0], False))
        elif found == "{":
            raise CellError("a { is never closed", "Close it with }, or write {{ for a brace.")
        else:
            raise CellError("a } has no { before it", "Write }} for a brace.")
    pieces.append((text[end:], False))
    return Template(tuple(piece for piece in pieces if piece[0]))


def words_of(value: str) -> tuple[str, bool]:
    """Return a value as words of a key, and whether nothing significant was lost.

    ``"New York"`` is ``new-york``; letters of all scripts stay. ``"C++"`` is ``c`` and has lost
    something, so it differs from ``"C"`` whether or not both exist.
    """
    short = unicodedata.normalize("NFKC", value[: LONGEST_WORDS + 1]).lower()
    kept = "".join(sign if _counts(sign) else " " for sign in short)
    whole = (
        len(value) <= LONGEST_WORDS
        and _counts(short[:1] or " ")
        and all(_counts(sign) or sign in _USUAL for sign in short)
    )
    return "-".join(kept.split()), whole


def _counts(sign: str) -> bool:
    """Return whether a sign is a letter, a mark on one, or a digit."""
    return unicodedata.category(sign)[0] in "LMN"


def joined(words: Iterable[tuple[str, bool]], values: Iterable[str]) -> str:
    """Join a key's words, cut if they are long, with a hash if something was lost."""
    texts, whole = zip(*words, strict=True)
    text = "-".join(filter(None, texts))
    if all(whole) and len(text) <= LONGEST_WORDS:
        return text
    cut = text[: LONGEST_WORDS - HASH_LENGTH - 1].rstrip("-")
    return "-".join(filter(None, (cut, short_hash(values))))


def short_hash(values: Iterable[str]) -> str:
    """Return a hash that distinguishes values with the same words.

    It is kept in people's databases: another rule would make their rows new ones.
    """
    digest = hashlib.blake2b("\0".join(values).encode(), digest_size=8).digest()
    return base64.b32encode(digest)[:HASH_LENGTH].decode().lower()
