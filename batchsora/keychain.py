"""The system's keyring: one token for each API, through the library ``keyring``.

The library is an extra and slow to import, so it is not touched while the token comes from
somewhere else.
"""

import logging
from typing import Final

log = logging.getLogger(__name__)

SERVICE: Final = "batchsora"
"""Under this name a token stands in the keyring; the user's name there is the API's origin."""


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
    except (keyring.errors.KeyringError, OSError) as error:
        log.warning("the system keyring can't be read (%s)", str(error) or type(error).__name__)
        return None


def keep(origin: str, token: str) -> str:
    """Store a token for an API; return the keyring's name, or raise a KeychainError."""
    try:
        import keyring.errors  # noqa: PLC0415 - an extra
    except ImportError:
        raise KeychainError(
            "the library 'keyring' is not installed; install batchsora with the extra 'keyring': "
            "pip install '.[keyring]' in the folder of its source"
        ) from None
    try:
        keyring.set_password(SERVICE, origin, token)
        kept = keyring.get_password(SERVICE, origin) == token
    except keyring.errors.NoKeyringError:
        raise KeychainError("this system has no keyring (or it is locked)") from None
    except (keyring.errors.KeyringError, OSError) as error:
        # its cause may know the token
        raise KeychainError(str(error) or type(error).__name__) from None
    if not kept:
        raise KeychainError("the keyring of this system does not store anything")
    return str(keyring.get_keyring().name)


def forget(origin: str) -> bool:
    """Remove an API's token, False if there is none; raise a KeychainError if it fails."""
    if read(origin) is None:
        return False
    import keyring.errors  # noqa: PLC0415 - an extra

    try:
        keyring.delete_password(SERVICE, origin)
    except (keyring.errors.KeyringError, OSError) as error:
        raise KeychainError(str(error) or type(error).__name__) from error
    return True
