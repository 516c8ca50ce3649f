"""The provider's words, made fit for a terminal, a log and a database."""

import re

LONGEST = 300
"""Characters of the provider's text that a message quotes."""

SHORTEST_SECRET = 6
"""Shorter texts are not removed as secrets: that would show them, and make words unreadable."""

# Whole terminal sequences first, so that their letters do not stay behind; then whatever else
# steers a terminal or the direction of writing, and what can't be encoded.
_SEQUENCE = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
)
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+"
)


def clean(text: str, secret: str = "", longest: int = LONGEST) -> str:
    """Remove control characters, terminal escapes and a secret; shorten to ``longest``."""
    if len(secret) < SHORTEST_SECRET:
        secret = ""
    if secret:
        # in the whole text: a cut through the secret would leave most of it
        text = text.replace(secret, "***")
    # far more than is shown, so that an answer of megabytes costs little
    head = text[: longest * 20]
    plain = " ".join(_CONTROL.sub(" ", _SEQUENCE.sub(" ", head)).split())
    if secret and secret in plain:
        plain = plain.replace(secret, "***")
    return plain if len(plain) <= longest else plain[: longest - 1].rstrip() + "…"


def printable(text: str) -> str:
    """Replace what UTF-8 can't encode, and leave the rest as it is."""
    return text.encode("utf-8", "replace").decode("utf-8")
