"""Chance as a hash, so that neither concurrency nor a restart changes what happens."""

import hashlib


def chance(seed: int, *what: object) -> float:
    """Draw a number from 0 to 1 that depends on nothing but its arguments."""
    text = "\x1f".join(map(str, (seed, *what)))
    # a POST is drawn for before it is checked: half a surrogate pair must not break this
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return (int.from_bytes(digest[:7], "big") >> 3) / 2**53
