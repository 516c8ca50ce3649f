"""When two prompts are the same text (money.md, *Keys*)."""

import hashlib
import unicodedata


def text_key(prompt: str) -> str:
    """Fold what a provider may change when it echoes a prompt: Unicode form and white space."""
    return " ".join(unicodedata.normalize("NFC", prompt).split())


def same_text(one: str, other: str) -> bool:
    """Say whether two prompts are equal after folding."""
    return text_key(one) == text_key(other)


def prompt_key(prompt: str) -> str:
    """Give prompts that are the same text the same short key, for an index."""
    return hashlib.sha256(text_key(prompt).encode("utf-8", "surrogatepass")).hexdigest()[:32]
