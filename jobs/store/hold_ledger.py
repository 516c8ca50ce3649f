"""What one turn of claims holds: budgets and prices are read once, and written once."""

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from ..model.ledger import Budget, without_room
from ..model.pricing import Known
from . import accounts
from .rows import add_holds, ensure_budget, load_budget


class HoldLedger:
    """Holds money for one turn: budgets and prices are read once, and written once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._budgets: dict[str, Budget] = {}
        self._held: Counter[str] = Counter()
        self._prices: dict[str, Known | None] = {}

    def price_of(self, kind: str) -> Known | None:
        """Read what is known of a kind's price; None when nothing is."""
        if kind not in self._prices:
            self._prices[kind] = accounts.price_of(self._connection, kind)
        return self._prices[kind]

    def without_room(self, keys: Iterable[str], hold: int) -> Budget | None:
        """Find the first of some budgets that a hold would overrun."""
        return without_room([self._budget(key) for key in keys], hold)

    def hold(self, keys: Iterable[str], hold: int) -> None:
        """Hold money in budgets that :meth:`without_room` was asked about."""
        for key in keys:
            self._budgets[key].held += hold
            self._held[key] += hold

    def write(self) -> None:
        """Write the new holds."""
        add_holds(self._connection, self._held)

    def _budget(self, key: str) -> Budget:
        if key not in self._budgets:
            ensure_budget(self._connection, key)
            self._budgets[key] = load_budget(self._connection, key)
        return self._budgets[key]
