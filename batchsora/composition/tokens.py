"""Keep the token: in the system's keyring, or in a file that only its owner can read."""

import os
from pathlib import Path

from batchsora import keychain
from batchsora.composition.session import api_endpoint, no_token, read_balance
from batchsora.keychain import KeychainError
from batchsora.settings import LONGEST_TOKEN, Settings, SettingsError, token_of
from jobs.model.files import refuse_foreign_link, replaced
from jobs.model.money import Micros


def check_address(settings: Settings) -> None:
    """Raise a SettingsError if nobody named the address, before asking for a token."""
    if settings.strange:
        raise SettingsError(no_token(settings))


def check(settings: Settings, token: str) -> Micros:
    """Ask the API whether it accepts a token; return the account's balance."""
    return read_balance(api_endpoint(settings.base_url, token))


def keep(settings: Settings, token: str) -> str:
    """Keep a token where commands look for it; return the place, or raise a SettingsError."""
    if settings.token_file is not None:
        _write(settings.token_file, token)
        return str(settings.token_file)
    try:
        return f"the system keyring ({keychain.keep(settings.origin, token)})"
    except KeychainError as error:
        raise SettingsError(
            f"the token was not stored: {error}. 'batchsora login --token-file FILE' stores it in "
            "a file that only you can read"
        ) from None


def forget(settings: Settings) -> str | None:
    """Remove the token; None if there was none. Raise a SettingsError if it can't be removed."""
    if settings.token_file is not None:
        return str(settings.token_file) if _remove(settings.token_file) else None
    try:
        return "the system keyring" if keychain.forget(settings.origin) else None
    except KeychainError as error:
        raise SettingsError(
            f"the token stays in the system keyring: {error}. Remove it with the keyring's own "
            f"program: service {keychain.SERVICE!r}, user {settings.origin!r}"
        ) from None


def _write(path: Path, token: str) -> None:
    """Write a token's file in one step, 0600 from its first moment."""
    try:
        refuse_foreign_link(path)
        target = path.resolve()
        if target.exists():
            _must_be_a_token(target)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replaced(target, durable=True) as draft:
            draft.write_text(f"{token}\n", encoding="ascii")
    except OSError as error:
        raise _unwritable(path, error) from error


def _remove(path: Path) -> bool:
    try:
        if not path.exists():
            return False
        _must_be_a_token(path)
        path.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error
    return True


def _must_be_a_token(path: Path) -> None:
    """Check a file before it is replaced or removed: its name may be misspelt."""
    remedy = "it was not changed. Choose another --token-file"
    if not path.is_file():
        raise SettingsError(f"{path} is not a regular file; {remedy}")
    with path.open("rb") as file:
        content = file.read(LONGEST_TOKEN + 1)
    try:
        token_of(content, str(path))
    except SettingsError as error:
        raise SettingsError(f"{error}; {remedy}") from None


def _unwritable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"the token file {path} can't be changed ({os.strerror(error.errno or 0)}); choose another "
        "one with --token-file"
    )
