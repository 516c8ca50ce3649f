"""Where the provider announces ends: an address that nobody can guess, kept beside the database.

The page takes callbacks below ``/hooks/``; a run names the same address to the provider. Both read
it from one file, so neither needs the other.
"""

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from batchsora.composition.databases import made_side_folder, side_folder
from batchsora.settings import Settings, SettingsError, is_here
from jobs import system
from jobs.model.files import read_small

FILE: Final = "webhook"
WEBHOOK_SECRET: Final = "BATCHSORA_WEBHOOK_SECRET"  # noqa: S105 - its name
PREFIX: Final = "/hooks/"
LARGEST_SECRET: Final = 1024
"""Bytes of its file, at most."""

_MARK: Final = re.compile(r"([1-9][0-9]{0,17})-[0-9a-f]{32}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_ADDRESS: Final = re.compile(r"[!-~]{1,1500}")


def callback_path(database: Path) -> str:
    """Return the path for callbacks of a database; its secret is made at first use.

    Raises:
        SettingsError: the file of the secret can't be read or made.
    """
    path = side_folder(database) / FILE
    try:
        made_side_folder(database)
        try:
            secret = _make(path)
        except FileExistsError:
            secret = read_small(path, LARGEST_SECRET).decode("ascii").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"the callback address in {path} can't be read: {error}") from error
    if not _SECRET.fullmatch(secret):
        raise SettingsError(
            f"{path} contains no callback address; remove it to get a new one. The "
            "provider keeps calling the old one for earlier submissions"
        )
    return PREFIX + secret


def own_address(address: str, attempt_id: int, key: str) -> str:
    """Return an attempt's own address below that of the database, or its own path.

    Only who was told it can name it: the provider, by the request of that attempt.

    Args:
        address: of :func:`callback_url` or :func:`callback_path`, which ends with the secret.
        key: the attempt's idempotency key: a copied database may use its number again.
    """
    secret = address.rpartition("/")[2].encode()
    mark = hmac.new(secret, f"{attempt_id} {key}".encode(), hashlib.sha256).hexdigest()[:32]
    return f"{address}/{attempt_id}-{mark}"


def attempt_in(path: str, own: str) -> int | None:
    """Return which attempt's own path one could be, below ours; None: no attempt's."""
    found = _MARK.fullmatch(path[len(own) + 1 :])
    return int(found[1]) if found and path[len(own)] == "/" else None


def _make(path: Path) -> str:
    secret = secrets.token_urlsafe(32)
    with os.fdopen(system.create(path), "w") as file:
        file.write(secret + "\n")
        file.flush()
        system.sync(file.fileno())
    return secret


def callback_url(base: str, settings: Settings) -> str:
    """Return the address that a run names to the provider.

    Args:
        base: the page's address from outside, as ``https://videos.example``.

    Raises:
        SettingsError: the base is not an HTTPS address, or the secret can't be read.
    """
    if not _is_base(base, here=api_is_here(settings)):
        raise SettingsError(
            f"--callback-base {base[:80]!r}: use the HTTPS address of 'batchsora web "
            "--webhooks', like https://videos.example; http://127.0.0.1:8321 works "
            "for the sandbox only"
        )
    return base.rstrip("/") + callback_path(settings.database)


def api_is_here(settings: Settings) -> bool:
    """Check whether the API is on this machine, as a sandbox is."""
    return settings.sandbox or is_here(settings.base_url)


def webhook_secret() -> str | None:
    """Return the secret that signs callbacks; None if there is none."""
    return os.environ.get(WEBHOOK_SECRET) or None


def _is_base(base: str, *, here: bool) -> bool:
    """Check whether the provider can call an address; ``here``: it is on this machine."""
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = _ADDRESS.fullmatch(base) and not (parts.query or parts.fragment or parts.username)
    if not plain or not host or base.endswith(("?", "#")):
        return False
    return parts.scheme == "https" or (here and is_here(base))
