"""How a text file that is not UTF-8 is probably encoded, so that an error can name the option.

Nothing is read by a guess: a person gives ``--encoding`` and sees the result. An encoding is only
named if it decodes the whole file, to what looks like text in its script.
"""

import codecs
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_HEAD: Final = 4096
"""Bytes in which a text table shows what separates its cells."""
LARGEST: Final = 8 * 1024**2
"""Bytes that are looked at."""

MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as the one of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, and the encodings of what follows them."""
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_USUAL: Final = frozenset(
    "\u00a0\u00a1\u00a3\u00a7\u00a9\u00aa\u00ab\u00ad\u00ae\u00b0\u00b2\u00b3\u00b4\u00b7"
    "\u00ba\u00bb\u00bc\u00bd\u00be\u00bf\u00d7\u2013\u2014\u2018\u2019\u201a\u201c\u201d"
    "\u201e\u2022\u2026\u2039\u203a\u20ac\u2122"
)
"""Signs that people write beside letters."""
_OF_SINGLE_BYTES: Final = re.compile(
    r"cp(?:125\d|437|85\d|86\d|87\d)|iso8859-\d+|mac-\w+|koi8-\w|latin.?1|tis-620"
)
_ASIAN: Final = re.compile("[\u2010-\u203b\u3000-\u9fff\uac00-\ud7a3\uff01-\uff60]")
LONGEST_RUN: Final = 2
"""Letters beyond ASCII in a row, on average, in a language that is written with Latin letters."""


def mark_of(path: Path) -> str | None:
    """Return the encoding of a byte order mark of UTF-16 or UTF-32; None without one.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        head = file.read(4)
    return next((name[: len("utf-16")] for mark, name in MARKS if head.startswith(mark)), None)


def is_utf_8_after_all(path: Path, said: str) -> bool:
    """Return whether a file is UTF-8, though ``said`` to be in an encoding of single bytes.

    Any bytes can be read in such an encoding: "é" would become "Ã©", and be paid for.

    Raises:
        OSError: it can't be read.
    """
    if not _OF_SINGLE_BYTES.fullmatch(codecs.lookup(said).name):
        return False
    decoder = codecs.getincrementaldecoder("utf-8")()
    high = False
    try:
        with path.open("rb") as file:
            while data := file.read(2**20):
                high = high or not data.isascii()
                decoder.decode(data)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return high


def way_to_read(path: Path) -> str:
    """Return what to do about a file that can't be decoded: the option that reads it, if any."""
    with path.open("rb") as file:
        data = file.read(LARGEST)
    again = 'Save it again as "CSV UTF-8" (or as UTF-8 text)'
    lines = data.splitlines()
    if (
        b"\0" not in data
        and any(not line.isascii() and _is_text(line, "utf-8") for line in lines)
        and not _is_text(data, "utf-8")
    ):
        return f"{again}: it mixes UTF-8 with another encoding, so no --encoding can read it."
    name = likely(data)
    return f"{again}." if name is None else f"Use --encoding {name}, or save it as UTF-8."


def likely(data: bytes) -> str | None:
    """Return the encoding in which the first bytes of a file read as text; None if none is sure."""
    if b"\0" in data:
        return next((n for n in ("utf-16-le", "utf-16-be") if _is_text(data, n)), None)
    runs = [len(run) for run in _HIGH.findall(data)]
    pairs = all(length % 2 == 0 for length in runs)
    asian: tuple[str, ...] = ("gbk", "big5", "euc_kr", "euc_jp") if pairs else ()
    for name in (*asian, "shift_jis"):
        if _reads(data, name, asian=True):
            return name
    if sum(runs) / max(len(runs), 1) <= LONGEST_RUN and _reads(data, "cp1252"):
        return "cp1252"
    return next((n for n in ("cp1251", "cp1253", "cp1250") if _reads(data, n)), None)


def _is_text(data: bytes, name: str) -> bool:
    """Return whether bytes decode to a text without control characters."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(data)
    except UnicodeDecodeError:
        return False
    return re.search("[\0-\x08\x0e-\x1f\x7f-\x9f]", text) is None and (
        not name.startswith("utf-16") or sum(map(str.isascii, text)) * 4 > len(text)
    )


def _reads(data: bytes, name: str, *, asian: bool = False) -> bool:
    """Return whether bytes read like text: letters, in words of one case, and usual signs."""
    if not _is_text(data, name):
        return False
    text = codecs.getincrementaldecoder(name)().decode(data)
    if asian:
        beyond = [c for c in text if c > "~"]
        kana = any("\u3040" <= c <= "\u30ff" for c in beyond)
        return (kana or name != "shift_jis") and all(map(_ASIAN.fullmatch, beyond))
    if any(not (c.isalpha() or c in _USUAL) for c in text if c > "~"):
        return False
    words = _LETTERS.findall(text)
    # "kiteÉ": a capital inside a word is another letter in another encoding
    odd = sum(1 for w in words if not w.isascii() and w[1:] != w[1:].lower() and w != w.upper())
    return odd * 10 <= sum(1 for word in words if not word.isascii())


def still_written_so(path: Path, kept: Mapping[str, Any]) -> dict[str, str]:
    """Return the encoding and the separator given before, if the file still has them.

    A file saved as UTF-8 since, or with another separator, shows its own. ``kept`` is how it was
    read; a database may come from anywhere.
    """
    encoding, delimiter = kept.get("encoding"), kept.get("delimiter")
    found: dict[str, str] = {}
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if isinstance(encoding, str) and not mark_of(path):
            "".encode(encoding)  # raises for an encoding that is not for texts
            if codecs.lookup(encoding).name == "utf-8" or not is_utf_8_after_all(path, encoding):
                found["encoding"] = encoding
        if isinstance(delimiter, str) and len(delimiter) == 1 and delimiter.encode() in head:
            found["delimiter"] = delimiter
    except (OSError, LookupError, ValueError):
        return found
    return found
