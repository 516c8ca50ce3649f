"""Whether a database was used elsewhere or is somebody else's, and a clock that was wrong."""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from batchsora.composition.ownership import SANDBOX_ORIGIN, is_own, own_sealer
from batchsora.usecases.user_interface import UserInterface
from jobs.database.seal import Sealer
from jobs.model.errors import DatabaseUnusableError
from jobs.model.host import is_same_host, this_host
from jobs.ports.seen import AccountRow
from jobs.services.runner import Owner
from jobs.store import Store

LONGEST_NAME: Final = 100
"""Characters of a machine's name that are shown: somebody else may have written it."""


def other_host(account: AccountRow) -> str | None:
    """Return which other machine used a database before this run, and when; None if none."""
    if account.host is None or is_same_host(account.host, this_host(os.environ)):
        return None
    when = "" if account.run_at is None else f" at {account.run_at:%Y-%m-%d %H:%M} UTC"
    host = "".join(c if c.isprintable() else "?" for c in account.host[:LONGEST_NAME])
    return f"{host}{when}"


def settle_place(
    store: Store, now: datetime, ui: UserInterface, owner: Owner, *, moved: bool
) -> None:
    """Check whose database this is and where; say if its day is in the future.

    Raises:
        DatabaseUnusableError: see :func:`settle_owner`.
    """
    settle_owner(store, ui, owner, moved=moved)
    ahead = store.queries.future_days(now)
    if ahead:
        ui.say(
            f"spending is dated {ahead[-1]}, in the future (a clock was wrong): until then all "
            "purchases count on that day. 'batchsora doctor --reset-day' moves it to today"
        )


def settle_owner(store: Store, ui: UserInterface, owner: Owner, *, moved: bool) -> None:
    """Check that this database is one's own and not another machine's copy; keep that it is.

    Args:
        store: opened under the runner's lock, before a run began in it.
        owner: whose generations are to be made.
        moved: a person has already said that it is to be used here.

    Raises:
        DatabaseUnusableError: it was used elsewhere or may be somebody else's, and nobody
            confirmed; or it is somebody else's, and damaged.
    """
    sealer = own_sealer(os.environ)
    account = store.queries.account()
    known = is_own(account, sealer, owner)
    if not known:
        _refuse_damaged(store)
    doubts = list(_doubts(account, known=known))
    if doubts and not moved:
        said = "; ".join(doubts)
        if not (ui.can_ask() and ui.confirm(f"{said}. Continue here?")):
            raise DatabaseUnusableError(
                f"{said}, so nothing was bought. {_remedy(sealer, known=known)}"
            )
    seal: str | None = None
    bind: tuple[str, str] | None = None
    if owner.origin != SANDBOX_ORIGIN:
        if sealer.problem is not None:
            # a secret that ends with this process would only drive others out of the seal
            if account.token_hash is None and owner.token:
                bind = owner.origin, owner.token
        elif not sealer.knows(account.seal):
            seal = sealer.sealed(account.seal)
    store.control.keep_place(this_host(os.environ), seal=seal, bind=bind)


def _doubts(account: AccountRow, *, known: bool) -> Iterator[str]:
    if (other := other_host(account)) is not None:
        yield (
            f"this database was last used on {other}; if a run there is still active, both buy "
            "the same rows"
        )
    if not known:
        yield (
            "this database may not be yours: another account or somebody else made it, and its "
            "budgets, rows and callbacks would count as your consent"
        )


def _remedy(sealer: Sealer, *, known: bool) -> str:
    if known:
        return (
            "When no run is active there, 'batchsora run --moved' continues here (in a container, "
            "BATCHSORA_HOST keeps one name)"
        )
    kept = f" ({sealer.problem}; XDG_STATE_HOME sets another folder)" if sealer.problem else ""
    return (
        "Look at it with 'batchsora status' and 'batchsora jobs'. To use it, when no run is "
        f"active elsewhere: 'batchsora run --moved', needed once{kept}"
    )


def _refuse_damaged(store: Store) -> None:
    """Check the whole file: an index of somebody else's may hide or repeat rows."""
    found = store.queries.integrity()
    if found != "ok":
        raise DatabaseUnusableError(
            f"the database {store.path} is damaged ({found}), and may not be yours: start a "
            "new one with --db FILE; --adopt-existing finds in the account what was paid for"
        )
