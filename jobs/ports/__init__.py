"""What the engine asks of its store: one Protocol for each role, with its values.

A method is one intention: one transaction, one group commit (``async``) or one snapshot. No method
takes or returns anything of a database, so that another store can stand in the place of the SQLite
one (:mod:`jobs.store`).
"""

from pathlib import Path
from typing import Protocol

from .account import AccountStore
from .purchases import PurchaseStore


class JobStore(Protocol):
    """The job table, by role."""

    @property
    def path(self) -> Path:
        """Where it is, as people know it."""

    @property
    def account(self) -> AccountStore:
        """The account: whose generations these are, and its balance."""

    @property
    def purchases(self) -> PurchaseStore:
        """What the run that buys asks."""

    def change_mark(self) -> int:
        """Return a number that differs after any commit that changed something, by anybody."""
