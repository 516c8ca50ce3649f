"""Settings: read once at the edge from flags and environment, frozen, and passed down."""

import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

DEFAULT_DATABASE = "batchsora.db"
DEFAULT_BASE_URL = "https://platform.runblob.io"
SANDBOX_DATABASE = "batchsora-sandbox.db"
LONGEST_TOKEN = 4096


class SettingsError(Exception):
    """A setting that can't be used; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What every command shares.

    Attributes:
        database: the SQLite file.
        base_url: the API's address, without a trailing slash.
        token_file: where the token is when the environment has none.
        sandbox: rehearse on a local sandbox instead of the API.
        json: one JSON document on stdout.
    """

    database: Path
    base_url: str = DEFAULT_BASE_URL
    token_file: Path | None = None
    sandbox: bool = False
    json: bool = False


def read_settings(
    environment: Mapping[str, str],
    *,
    database: str | None = None,
    base_url: str | None = None,
    token_file: str | None = None,
    sandbox: bool = False,
    json: bool = False,
) -> Settings:
    """Combine flags and environment; a flag wins.

    Raises:
        SettingsError: an address or database that can't be used.
    """
    named = database or environment.get("BATCHSORA_DB")
    path = _database_path(named or DEFAULT_DATABASE)
    if sandbox:
        # a rehearsal always has a database of its own
        path = (
            path.with_name(f"{path.stem}-sandbox{path.suffix}") if named else Path(SANDBOX_DATABASE)
        )
    return Settings(
        database=path,
        base_url=_api_address(
            base_url or environment.get("BATCHSORA_BASE_URL") or DEFAULT_BASE_URL
        ),
        token_file=None if token_file is None else Path(token_file),
        sandbox=sandbox,
        json=json,
    )


def _database_path(named: str) -> Path:
    if "://" not in named:
        return Path(named)
    scheme, _, rest = named.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return Path(rest[1:])
    raise SettingsError(
        f"--db {scheme}://… is no database that batchsora can use; give the path of a SQLite file, "
        "or sqlite:///PATH"
    )


def _api_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            f"--base-url {url!r} is no http(s) address; the API's is {DEFAULT_BASE_URL}"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError("--base-url takes an address alone: no user, query or fragment")
    return url.rstrip("/")


def read_token(settings: Settings, environment: Mapping[str, str]) -> str | None:
    """Find the API's token: in ``RUNBLOB_API_KEY``, else in ``--token-file``; None when nowhere.

    A file that others on this machine can read is used all the same, with a warning.

    Raises:
        SettingsError: the file can't be read, or what is there can't be a token. The text never
            shows it.
    """
    found = environment.get("RUNBLOB_API_KEY", "").strip()
    where = "RUNBLOB_API_KEY"
    if not found and settings.token_file is not None:
        where = str(settings.token_file)
        try:
            with settings.token_file.open("rb") as file:
                _warn_of_others(where, os.fstat(file.fileno()).st_mode)
                content = file.read(LONGEST_TOKEN + 1)
            found = content.decode("ascii").strip()
        except OSError as error:
            raise SettingsError(
                f"the token file {where} can't be read ({os.strerror(error.errno or 0)})"
            ) from error
        except UnicodeDecodeError:
            raise SettingsError(f"what is in {where} can't be a token: not plain text") from None
    if not found:
        return None
    if len(found) > LONGEST_TOKEN or not found.isascii() or any(c.isspace() for c in found):
        raise SettingsError(f"what is in {where} can't be a token: too long, or with spaces inside")
    if not found.isprintable():
        raise SettingsError(f"what is in {where} can't be a token: not plain text")
    return found


def _warn_of_others(where: str, mode: int) -> None:
    """Warn of a token that lies open; a pipe is as private as its process."""
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        log.warning(
            "the token file %s can be read by other users of this machine; 'chmod 600' closes it",
            where,
        )
