"""Which account, and where: a client's token and address, as given or from the environment."""

import os
from typing import Final

import httpx

from batchsora.fetch.addresses import public

BASE_URL: Final = "https://platform.runblob.io"


def usable_token(given: str | None) -> str:
    """Check a token; None takes the one in ``RUNBLOB_API_KEY``.

    Raises:
        ValueError: there is none, or it can't be one; the text never shows it.
    """
    token = os.environ.get("RUNBLOB_API_KEY", "").strip() if given is None else given
    if given is None and not token:
        raise ValueError(
            "no token: pass one, RunBlobClient(token), or set RUNBLOB_API_KEY in the environment"
        )
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("not a valid token: it is empty, or has blanks or unusual characters")
    return token


def usable_address(given: str | None) -> str:
    """Check a base address, and take the slashes from its end.

    None takes the one in ``BATCHSORA_BASE_URL``, or else the provider's own.

    Raises:
        ValueError: it can't be one.
    """
    base_url = (os.environ.get("BATCHSORA_BASE_URL") or BASE_URL) if given is None else given
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError("the base address can't be read") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("the base address must begin with https:// or http://")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("the base address takes no user, query or fragment")
    return base_url.strip().rstrip("/")


def is_local(base_url: str) -> bool:
    """Return whether an API is on this machine or in a private network, by its address alone."""
    host = httpx.URL(base_url).host
    try:
        return not public(host)
    except ValueError:  # a name
        return host == "localhost" or host.endswith(".localhost")
