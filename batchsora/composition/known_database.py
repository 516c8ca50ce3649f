"""Whether what a database keeps was written by who uses it now."""

import os
from contextlib import suppress
from typing import Any

from batchsora.composition.endpoints import SANDBOX_ORIGIN
from batchsora.composition.sealing import kept_sealer
from batchsora.settings import Settings, SettingsError, find_token
from jobs.database.seal import Sealer
from jobs.model.binding import token_matches
from jobs.services.runner import Owner
from jobs.store import Store


def is_own(account: Any, sealer: Sealer | None, owner: Owner) -> bool:
    """Check whether what a database keeps counts as the word of the person who uses it now.

    A sandbox has no money, so there is nothing to ask.

    Args:
        sealer: None if this account has none yet.
    """
    return owner.origin == SANDBOX_ORIGIN or _is_written_by(account, sealer, owner)


def _is_written_by(account: Any, sealer: Sealer | None, owner: Owner) -> bool:
    """Check for this account's seal, or a binding to the token in use.

    Nobody else can write either, except with the token of the sandbox.
    """
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
