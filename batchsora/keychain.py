"""The system's keyring: one token for each API, through the library ``keyring``.

The library is an extra and slow to import, so it is not touched while the token comes from
somewhere else.
"""

import logging
import secrets
from typing import Final

log = logging.getLogger(__name__)

SERVICE: Final = "batchsora"
"""Under this name a token stands in the keyring; the user's name there is the API's origin."""


_CHECK: Final = "check"


class KeychainError(Exception):
    """The keyring can't be used; the text says why."""


def read(origin: str) -> str | None:
    """Return the token of an API; None if there is none, or no keyring.

    A locked or broken keyring counts as none, with a warning: the token may still come from
    elsewhere.
    """
    try:
        import keyring.errors  # noqa: PLC0415 - 50 ms that only those pay who keep their token there
    except ImportError:
        return None
    try:
        return keyring.get_password(SERVICE, origin)
    except keyring.errors.NoKeyringError:
        return None
    except Exception as error:  # noqa: BLE001 - backends let errors of their own libraries through
        log.warning(
            "the system keyring can't be read (%s): unlock it, or 'batchsora login' keeps the "
            "token in a file",
            _reason(error),
        )
        return None


def check() -> None:
    """Raise a KeychainError that says why if the keyring can't keep anything.

    Asked before a token is typed: something without value is kept, read and removed.
    """
    value = secrets.token_hex(8)
    keep(_CHECK, value)
    try:
        forget(_CHECK)
    except KeychainError as error:
        raise KeychainError(f"nothing can be removed from it: {error}") from None


def keep(origin: str, token: str) -> str:
    """Store a token for an API; return the keyring's name, or raise a KeychainError."""
    try:
        import keyring.errors  # noqa: PLC0415 - an extra
    except ImportError:
        raise KeychainError("the extra 'keyring' is not installed") from None
    try:
        keyring.set_password(SERVICE, origin, token)
        kept = keyring.get_password(SERVICE, origin) == token
    except keyring.errors.NoKeyringError:
        raise KeychainError("this system has none, or it is locked") from None
    except Exception as error:  # noqa: BLE001 - as above
        # its words and its cause may know the token
        raise KeychainError(_reason(error, token)) from None
    if not kept:
        raise KeychainError("it does not store anything")
    return str(keyring.get_keyring().name)


def forget(origin: str) -> bool:
    """Remove an API's token, False if there is none; raise a KeychainError if it fails."""
    if read(origin) is None:
        return False
    import keyring.errors  # noqa: PLC0415 - an extra

    try:
        keyring.delete_password(SERVICE, origin)
    except Exception as error:
        raise KeychainError(_reason(error)) from error
    return True


def _reason(error: Exception, token: str = "") -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return type(error).__name__ if token and token in words else words
