"""Where to buy, and whether the person who uses a database wrote it: by a secret, or the token."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from batchsora.own_files import state_folder
from batchsora.settings import Settings, SettingsError, find_token
from jobs.database.seal import KEY_FILE, Sealer
from jobs.model.binding import token_matches
from jobs.ports.seen import AccountRow
from jobs.services.runner import Owner
from jobs.store import Store

SANDBOX_ORIGIN: Final = "sandbox"
"""What a sandbox's database is bound to: no address, so that no account can use it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to buy, and the token for it.

    Attributes:
        origin: the database is bound to it.
        private_files: files may come from loopback and private addresses.
    """

    base_url: str
    token: str = field(repr=False)
    origin: str = ""
    private_files: bool = False

    @property
    def owner(self) -> Owner:
        """Return the account of these generations."""
        return Owner(self.origin, self.token)


def own_sealer(environment: Mapping[str, str]) -> Sealer:
    """Return this account's sealer; its secret is made at first use.

    If it can't be kept, it is the same one for as long as this process lives.
    """
    try:
        return _kept(state_folder(environment))
    except RuntimeError as error:
        return _unkept(str(error))


def kept_sealer(environment: Mapping[str, str]) -> Sealer | None:
    """Return this account's sealer, if its secret is already kept."""
    try:
        folder = state_folder(environment)
        if not (folder / KEY_FILE).exists():
            return None
    except PermissionError:
        return _kept(folder)  # which says what is wrong
    except RuntimeError as error:
        return _unkept(str(error))
    return _kept(folder)


@cache
def _kept(folder: Path) -> Sealer:
    return Sealer.kept_in(folder)


@cache
def _unkept(problem: str) -> Sealer:
    return Sealer(secrets.token_bytes(32), problem)


def is_own(account: AccountRow, sealer: Sealer | None, owner: Owner) -> bool:
    """Check whether what a database keeps counts as the word of the person who uses it now.

    A sandbox has no money, so there is nothing to ask.

    Args:
        sealer: None if this account has none yet.
    """
    return owner.origin == SANDBOX_ORIGIN or _is_written_by(account, sealer, owner)


def _is_written_by(account: AccountRow, sealer: Sealer | None, owner: Owner) -> bool:
    """Check for this account's seal or the token in use, which nobody else can write."""
    if sealer is not None and sealer.knows(account.seal):
        return True
    bound = token_matches(account, owner.origin, owner.token)
    return owner.origin != SANDBOX_ORIGIN and bool(owner.token) and bound is True


def is_known(store: Store, owner: Owner) -> bool:
    """Check whether a database is one's own, as :func:`is_own`, without making a secret for it."""
    return is_own(store.queries.account(), kept_sealer(os.environ), owner)


def names_own_files(store: Store, owner: Owner) -> bool:
    """Check whether the paths in a database are its user's own, also in a sandbox's.

    Others may lead to any file that its user can write.
    """
    return _is_written_by(store.queries.account(), kept_sealer(os.environ), owner)


def owner_of(settings: Settings) -> Owner:
    """Return the owner of the generations of a command; without a token if there is none."""
    token = None
    with suppress(SettingsError):
        token = find_token(settings, os.environ)
    origin = SANDBOX_ORIGIN if settings.sandbox else settings.origin
    return Owner(origin, "" if token is None else token.value)
