"""Keep the token: in the system's keyring, or in a file that only its owner can read."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchsora import keychain
from batchsora.composition.session import api_endpoint, no_token, read_balance
from batchsora.keychain import KeychainError
from batchsora.own_files import token_path
from batchsora.settings import (
    LONGEST_TOKEN,
    Settings,
    SettingsError,
    own_token_file,
    token_of,
)
from jobs.model.files import refuse_foreign_folder, refuse_foreign_link, replaced
from jobs.model.money import Micros


def check_address(settings: Settings) -> None:
    """Raise a SettingsError if nobody named the address, before asking for a token."""
    if settings.strange:
        raise SettingsError(no_token(settings))


def check(settings: Settings, token: str) -> Micros:
    """Ask the API whether it accepts a token; return the account's balance."""
    return read_balance(api_endpoint(settings.base_url, token))


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token will be kept.

    Attributes:
        file: None for the system's keyring.
        reason: why the keyring can't be used.
    """

    file: Path | None = None
    reason: str = ""


def place_for(settings: Settings, environment: Mapping[str, str]) -> Place:
    """Choose where the token will be kept, before anybody types it.

    Raises:
        SettingsError: it can't be kept anywhere.
    """
    if settings.token_file is not None:
        _try(settings.token_file)
        return Place(settings.token_file)
    try:
        keychain.check()
    except KeychainError as error:
        return Place(_own(settings, environment, str(error)), str(error))
    return Place()


def keep(settings: Settings, environment: Mapping[str, str], place: Place, token: str) -> str:
    """Keep a token where commands look for it; return the place, or raise a SettingsError."""
    if place.file is not None:
        _write(place.file, token)
        return str(place.file)
    try:
        where = f"the system keyring ({keychain.keep(settings.origin, token)})"
    except KeychainError as error:  # it was locked meanwhile
        path = _own(settings, environment, str(error))
        _write(path, token)
        log.warning("the system keyring can't be used after all (%s)", error)
        return str(path)
    # an older one there would go before the keyring's
    if (old := own_token_file(settings, environment)) is not None:
        _remove(old)
    return where


def forget(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Remove the token from wherever ``login`` may have kept it; return these places.

    Raises:
        SettingsError: it can't be removed.
    """
    if settings.token_file is not None:
        return [str(settings.token_file)] if _remove(settings.token_file) else []
    own = own_token_file(settings, environment)
    places = [str(own)] if own is not None and _remove(own) else []
    try:
        return [*places, "the system keyring"] if keychain.forget(settings.origin) else places
    except KeychainError as error:
        raise SettingsError(
            f"the token stays in the system keyring: {error}. Remove it with the keyring's own "
            f"program: service {keychain.SERVICE!r}, user {settings.origin!r}"
        ) from None


def _own(settings: Settings, environment: Mapping[str, str], reason: str) -> Path:
    """Return the file that stands in for the keyring, once it is clear that it can be written."""
    try:
        path = token_path(environment, settings.origin)
    except RuntimeError as error:
        raise SettingsError(
            f"no token was stored: the system keyring can't be used ({reason}), and {error}. "
            "'batchsora login --token-file FILE' stores it in a file that only you can read"
        ) from None
    try:
        refuse_foreign_folder(path.parent)
    except OSError as error:
        raise SettingsError(
            f"no token was stored: its folder would be {path.parent}; {error.strerror}. "
            "'batchsora login --token-file FILE' stores it in another place"
        ) from error
    _try(path)
    return path


def _try(path: Path) -> None:
    """Raise a SettingsError if a token's file can't be written."""
    try:
        with tempfile.TemporaryFile(dir=_prepared(path).parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _prepared(path: Path) -> Path:
    """Return the real file that will be replaced, and make its folder."""
    refuse_foreign_link(path)
    target = path.resolve()
    if target.exists():
        _must_be_a_token(target)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return target


def _write(path: Path, token: str) -> None:
    """Write a token's file in one step, 0600 from its first moment."""
    try:
        with replaced(_prepared(path), durable=True) as draft:
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
        f"the token file {path} can't be changed ({error.strerror}); choose another one with "
        "--token-file"
    )
