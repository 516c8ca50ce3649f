"""Whether what a database keeps was written by who uses it now."""

import os
from typing import Any

from batchsora.app.sealing import kept_sealer
from batchsora.app.session import SANDBOX_ORIGIN
from jobs.runner import Owner
from jobs.seal import Sealer
from jobs.store import Store, accounts


def is_own(account: Any, sealer: Sealer | None, owner: Owner) -> bool:
    """Return whether what a database keeps was written by who uses it now.

    It has this account's seal, or is bound to the token that it is to be used with: nobody else
    can write either. A sandbox has no money, so that there is nothing to ask for.

    Args:
        account: its row.
        sealer: of this account; None where it has none yet.
        owner: whose generations are to be made.
    """
    if owner.origin == SANDBOX_ORIGIN or (sealer is not None and sealer.knows(account.seal)):
        return True
    bound = accounts.token_matches(account, owner.origin, owner.token)
    return bool(owner.token) and bound is True


def is_known(store: Store, owner: Owner) -> bool:
    """Return whether a database is one's own, as :func:`is_own`, without making a secret for it."""
    return is_own(store.read(accounts.read_account), kept_sealer(os.environ), owner)
