"""When two prompts are the same text (money.md, *Keys*), and two ids the same generation."""

import hashlib
import re
import unicodedata

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)


def text_key(prompt: str) -> str:
    """Fold what a provider may change when it echoes a prompt: Unicode form and white space."""
    return " ".join(unicodedata.normalize("NFC", prompt).split())


def same_text(one: str, other: str) -> bool:
    """Say whether two prompts are equal after folding."""
    return text_key(one) == text_key(other)


def prompt_key(prompt: str) -> str:
    """Give prompts that are the same text the same short key, for an index."""
    return hashlib.sha256(text_key(prompt).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def folded_id(generation_id: str) -> str:
    """Return an id as it is kept and compared: a UUID in lower case, any other as it is.

    With and without dashes it stays as it came: it is asked for by this name, and the provider may
    know it by no other.
    """
    return generation_id.lower() if _UUID.fullmatch(generation_id) else generation_id
