"""Settings, read once and passed down; and where the token is found."""

import ipaddress
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from batchsora import keychain
from batchsora.own_files import token_path
from jobs import system
from jobs.model.files import refuse_foreign_folder

log = logging.getLogger(__name__)

DEFAULT_DATABASE = "batchsora.db"
DEFAULT_BASE_URL = "https://platform.runblob.io"
LONGEST_TOKEN = 4096
TOKEN_VARIABLE = "RUNBLOB_API_KEY"  # noqa: S105 - its name


class SettingsError(Exception):
    """A setting that can't be used; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What every command shares.

    Attributes:
        database: the SQLite file.
        base_url: the API's address, without a trailing slash.
        token_file: with the token, if the environment has none.
        json: one JSON document on stdout.
        configuration: the configuration file that a person named, if any.
        token: from a program; None: look for one.
        found_address: the address is from a configuration that was only found in the working
            folder. It may be anybody's, so only a token kept for that very API goes there.
    """

    database: Path
    base_url: str = DEFAULT_BASE_URL
    token_file: Path | None = None
    sandbox: bool = False
    json: bool = False
    found_address: bool = False
    configuration: Path | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def origin(self) -> str:
        """Return the scheme, host and port of the API: a token is for these."""
        return origin_of(self.base_url)

    @property
    def strange(self) -> bool:
        """Check whether nobody here named this address as one to send a token to."""
        return self.found_address and self.origin != origin_of(DEFAULT_BASE_URL)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where it was found; kept out of every repr."""

    value: str = field(repr=False)
    place: str = ""
    file: Path | None = field(default=None, compare=False)


def read_settings(
    *,
    database: str | None = None,
    base_url: str | None = None,
    token_file: str | None = None,
    sandbox: bool = False,
    json: bool = False,
    found_address: bool = False,
    configuration: Path | None = None,
    token: str | None = None,
) -> Settings:
    """Check what flags, environment and configuration say; raise a SettingsError if not usable."""
    path = _database_path(database or DEFAULT_DATABASE)
    if sandbox:
        path = sandbox_database(path)
    return Settings(
        database=path,
        base_url=_api_address(base_url or DEFAULT_BASE_URL),
        token_file=None if token_file is None else Path(token_file),
        sandbox=sandbox,
        json=json,
        found_address=found_address,
        configuration=configuration,
        token=token,
    )


_SANDBOX = "-sandbox"


def sandbox_database(database: Path) -> Path:
    """Return where a rehearsal is kept: always a database of its own, beside the real one.

    Raises:
        SettingsError: this is such a database already.
    """
    if database.stem.endswith(_SANDBOX):
        raise SettingsError(
            f"with --sandbox, --db names the database of the real runs, and {database} is a "
            f"rehearsal's already: leave out --sandbox, or use --db {rehearsed_database(database)}"
        )
    return database.with_name(f"{database.stem}{_SANDBOX}{database.suffix}")


def rehearsed_database(database: Path) -> Path:
    """Return the real database that a rehearsal's is beside."""
    return database.with_name(f"{database.stem.removesuffix(_SANDBOX)}{database.suffix}")


def _database_path(named: str) -> Path:
    if "://" not in named:
        return Path(named)
    scheme, _, rest = named.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return Path(rest[1:])
    raise SettingsError(
        f"--db {scheme}://… is not a database that batchsora supports; use the path of a SQLite "
        "file, or sqlite:///PATH"
    )


def _api_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"--base-url {url!r} is not an http(s) address; the API's is {DEFAULT_BASE_URL}"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError("--base-url must not contain a user, query or fragment")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Check whether a host, as an address names it, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_here(address: str) -> bool:
    """Check whether a web address is this machine's."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")


def origin_of(base_url: str) -> str:
    """Return the scheme, host and port of an address."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"


def find_token(settings: Settings, environment: Mapping[str, str]) -> Token | None:
    """Find the API's token: ``RUNBLOB_API_KEY``, ``--token-file``, or what ``login`` kept.

    Where the keyring could not be used, ``login`` kept it in a file, and it removes that file when
    it uses the keyring: so the file has the newer one, and goes before the keyring. A file that
    others can read is used anyway, with a warning.

    Raises:
        SettingsError: it can't be read, or its content is not a valid token; never shows it.
    """
    if settings.token is not None:
        return Token(checked_token(settings.token, "the given token"), "the program")
    if not settings.strange:
        if found := environment.get(TOKEN_VARIABLE, "").strip():
            return Token(checked_token(found, TOKEN_VARIABLE), TOKEN_VARIABLE)
        if settings.token_file is not None and (found := read_token_file(settings.token_file)):
            return Token(found, str(settings.token_file), settings.token_file)
    own = own_token_file(settings, environment)
    if own is not None:
        try:
            refuse_foreign_folder(own.parent)  # whose token would say where prompts and money go
        except OSError as error:
            raise SettingsError(
                f"the token file {own} is not used; its folder {own.parent}: {error.strerror}"
            ) from error
        if found := read_token_file(own):
            return Token(found, str(own), own)
    kept = keychain.read(settings.origin)
    where = "the system keyring"
    return Token(checked_token(kept, where), where) if kept else None


def own_token_file(settings: Settings, environment: Mapping[str, str]) -> Path | None:
    """Return the file in which ``login`` kept an API's token without a keyring; None without."""
    try:
        path = token_path(environment, settings.origin)
    except RuntimeError:  # no home folder
        return None
    # also one that can't be reached, whose reader says why
    return path if os.path.lexists(path) else None


def read_token_file(path: Path) -> str:
    """Read a token from a file, empty if it is; raise a SettingsError if not valid."""
    try:
        with path.open("rb") as file:
            _warn_of_others(str(path), os.fstat(file.fileno()).st_mode)
            content = file.read(LONGEST_TOKEN + 1)
    except OSError as error:
        raise SettingsError(
            f"the token file {path} can't be read ({os.strerror(error.errno or 0)}); "
            f"'batchsora login --token-file {system.quote(str(path))}' makes one"
        ) from error
    return token_of(content, str(path))


def token_of(content: bytes, where: str) -> str:
    """Read a token from bytes, empty if they are; raise a SettingsError that never shows it."""
    try:
        found = content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise SettingsError(f"not a valid token in {where}: not plain text") from None
    return checked_token(found, where) if found else ""


def checked_token(found: str, where: str) -> str:
    """Check that a text can be a token in a header; raise a SettingsError that never shows it."""
    if len(found) > LONGEST_TOKEN or not found.isascii() or any(c.isspace() for c in found):
        raise SettingsError(f"not a valid token in {where}: too long, or with spaces inside")
    if not found.isprintable():
        raise SettingsError(f"not a valid token in {where}: not plain text")
    return found


def _warn_of_others(where: str, mode: int) -> None:
    """Warn if others can read the token file; a pipe is as private as its process."""
    if system.is_readable_by_others(mode):
        log.warning(
            "the token file %s can be read by other users of this machine; fix it with 'chmod 600'",
            where,
        )
