"""The job table, by role: all that the engine asks of its store."""

from pathlib import Path
from typing import Protocol

from .account import AccountStore
from .adoption import AdoptionStore
from .doubts import DoubtStore
from .events import EventStore
from .purchases import PurchaseStore
from .updates import UpdateStore


class JobStore(Protocol):
    """The job table, by role."""

    @property
    def path(self) -> Path:
        """Where it is, as people know it."""

    @property
    def account(self) -> AccountStore:
        """The account: its owner and its balance."""

    @property
    def adoption(self) -> AdoptionStore:
        """Looks before buying: what rows have already, and taking that over."""

    @property
    def doubts(self) -> DoubtStore:
        """Doubts: submissions with an unknown outcome, and how they are settled."""

    @property
    def events(self) -> EventStore:
        """What happened, in the order in which it became durable."""

    @property
    def purchases(self) -> PurchaseStore:
        """What the run that buys asks."""

    @property
    def updates(self) -> UpdateStore:
        """Looks at generations: which are due, and what they showed."""

    def change_mark(self) -> int:
        """Return a number that differs after any commit that changed something, by anybody."""
