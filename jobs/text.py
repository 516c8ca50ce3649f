"""When two prompts are the same text (money.md, *Keys*)."""

import unicodedata


def text_key(prompt: str) -> str:
    """Fold what a provider may change when it echoes a prompt: Unicode form and white space."""
    return " ".join(unicodedata.normalize("NFC", prompt).split())


def same_text(one: str, other: str) -> bool:
    """Say whether two prompts are equal after folding."""
    return text_key(one) == text_key(other)
