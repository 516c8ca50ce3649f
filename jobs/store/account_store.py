"""The account of a SQLite database, as the engine asks for it (:mod:`jobs.ports.account`)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ..binding import token_matches
from ..ports.account import BalanceRead, Listed, Ownership
from . import accounts, doubts

if TYPE_CHECKING:
    from .database import Store


class SqliteAccount:
    """Implement :class:`jobs.ports.account.AccountStore`.

    Args:
        store: the opened database.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def ownership(self, origin: str, token: str) -> Ownership:
        def read(connection: Connection) -> Ownership:
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

        return self._store.read(read)

    async def bind(self, origin: str, token: str) -> None:
        await self._store.commit(lambda connection: accounts.bind(connection, origin, token))

    def charged(self) -> int:
        return self._store.read(accounts.charged_so_far)

    async def record_balance(self, read: BalanceRead) -> bool:
        return await self._store.commit(
            lambda connection: accounts.record_balance(
                connection, read.balance, read.mark, read.at, read.ahead, read.began, read.grace
            )
        )

    def covers_holds(self) -> bool:
        return self._store.read(accounts.balance_covers_holds)

    def list_lag(self) -> float | None:
        return self._store.read(accounts.list_lag)

    def listed(self, generation_ids: Sequence[str]) -> Listed:
        return self._store.read(
            lambda connection: Listed(
                doubts.known(connection, generation_ids), doubts.newest_offset(connection)
            )
        )
