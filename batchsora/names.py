"""File names from the keys of rows: safe on every file system, different for different keys."""

import hashlib
import re
import unicodedata
from typing import Final

LONGEST: Final = 120
"""Bytes of a name, so that a suffix and ``.part`` still fit into the usual 255."""

_UNSAFE = re.compile(r'[<>:"/\\|?*\s]+')
_HASHED = re.compile(r".*-[0-9a-f]{12}")
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?:\..*)?",
    re.IGNORECASE,
)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe_name(key: str) -> str:
    """Make a file name's stem from a key.

    A key that is already a safe name, and equals no other one on a file system that ignores case or
    the form of Unicode, is its own name. Every other name ends with a short hash of its key. The
    same key always has the same name.
    """
    plain = sanitized(key)
    if plain == key and _alone(key):
        return plain
    # a lone surrogate has not UTF-8 of its own, and two such keys must not become the same bytes
    tag = "-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return _shortened(plain, LONGEST - len(tag)).rstrip(". ") + tag


def sanitized(key: str) -> str:
    """Return a text as a part of a file name: without what a file system or shell stumbles over."""
    text = unicodedata.normalize("NFC", key)
    text = "".join("_" if unicodedata.category(c) in _INVISIBLE else c for c in text)
    text = _UNSAFE.sub("_", text)
    text = text.lstrip(".-~").rstrip(".")
    if not text or _RESERVED.fullmatch(text):
        text = f"video_{text}".rstrip("_.")
    return _shortened(text, LONGEST).rstrip(".")  # a folder's name loses it on Windows


def _shortened(text: str, most: int) -> str:
    """Cut to a number of bytes, between characters."""
    cut = text.encode("utf-8")[:most].decode("utf-8", "ignore")
    return unicodedata.normalize("NFC", cut)


def _alone(key: str) -> bool:
    """Check that no other key that is alone can mean the same file."""
    return folded(key) == key and not _HASHED.fullmatch(key)


def folded(name: str) -> str:
    """Return a name as file systems that ignore case or the form of Unicode compare it."""
    upper = unicodedata.normalize("NFKC", name.upper())
    return unicodedata.normalize("NFKC", upper.casefold())
