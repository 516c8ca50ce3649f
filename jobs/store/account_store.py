"""The account of a SQLite database, as the engine asks for it (:mod:`jobs.ports.account`)."""

from collections.abc import Sequence

from sqlalchemy import Connection

from ..model.binding import token_matches
from ..ports.account import AccountStore, Listed, Ownership
from . import accounts, doubts
from .bound import Bound, commits, reads


def _ownership(connection: Connection, origin: str, token: str) -> Ownership:
    account = accounts.read_account(connection)
    ours = token_matches(account, origin, token)
    if ours is not False:
        return Ownership(ours, account.api_origin)
    return Ownership(
        ours,
        account.api_origin,
        accounts.known_generations(connection),
        accounts.has_unsettled(connection),
    )


def _listed(connection: Connection, generation_ids: Sequence[str]) -> Listed:
    return Listed(doubts.known(connection, generation_ids), doubts.newest_offset(connection))


class SqliteAccount(Bound, AccountStore):
    """What :class:`jobs.ports.account.AccountStore` says."""

    bind = commits(accounts.bind)
    charged = reads(accounts.charged_so_far)
    covers_holds = reads(accounts.balance_covers_holds)
    list_lag = reads(accounts.list_lag)
    listed = reads(_listed)
    ownership = reads(_ownership)
    record_balance = commits(accounts.record_balance)
