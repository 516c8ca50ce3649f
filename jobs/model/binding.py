"""The owner of a database: the keyed hash of a token, by which only that token is recognised."""

import hashlib
import hmac
from typing import Protocol


class Bound(Protocol):
    """What a database keeps of the token that it is bound to; None while it is not bound."""

    @property
    def api_origin(self) -> str | None:
        """Return the origin of the API."""

    @property
    def token_salt(self) -> str | None:
        """Return the key of the hash, in hexadecimal."""

    @property
    def token_hash(self) -> str | None:
        """Return the hash, in hexadecimal."""


def token_hash(salt: str, token: str) -> str:
    """Return the hash of a token under a salt in hexadecimal."""
    return hmac.new(bytes.fromhex(salt), token.encode(), hashlib.sha256).hexdigest()


def token_matches(account: Bound, origin: str, token: str) -> bool | None:
    """Check whether a database belongs to that API and token; None while it is not bound."""
    if account.token_hash is None:
        return None
    return account.api_origin == origin and hmac.compare_digest(
        account.token_hash, token_hash(account.token_salt or "", token)
    )
