"""Holding money for the submissions of one turn."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from ..model.ledger import Budget, without_room
from . import accounts
from .records.accounts import PriceRow
from .rows import add_holds, ensure_budget, load_budget


class HoldLedger:
    """The budgets and prices of one turn: read once, written once, in its own transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._budgets: dict[str, Budget] = {}
        self._held: Counter[str] = Counter()
        self._prices: dict[str, PriceRow | None] = {}

    def price_of(self, kind: str) -> PriceRow | None:
        """Read what is known of a kind's price; None when nothing is."""
        if kind not in self._prices:
            self._prices[kind] = accounts.price_of(self._connection, kind)
        return self._prices[kind]

    def without_room(self, keys: Iterable[str], hold: int) -> Budget | None:
        """Find the first of some budgets that a hold would overrun."""
        return without_room([self._budget(key) for key in keys], hold)

    def hold(self, keys: Iterable[str], hold: int) -> None:
        """Hold money in budgets that were asked for room."""
        for key in keys:
            self._budgets[key].held += hold
            self._held[key] += hold

    def write(self) -> None:
        """Write down what is held more than before."""
        add_holds(self._connection, self._held)

    def _budget(self, key: str) -> Budget:
        if key not in self._budgets:
            ensure_budget(self._connection, key)
            self._budgets[key] = load_budget(self._connection, key)
        return self._budgets[key]
