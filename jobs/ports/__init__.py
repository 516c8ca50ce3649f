"""What the engine asks of its store: one Protocol a role, with the values that go in and out.

A method is one intention. Reads see one snapshot; ``async`` methods are durable when they return
(several share a transaction); the others that write have a transaction of their own. A method that
takes a ``decide`` calls it inside its transaction, perhaps more than once: it must be a function of
what it is given, and change nothing.
"""

from typing import Protocol

from .updates import UpdateStore


class JobStore(Protocol):
    """The job table, by roles."""

    @property
    def updates(self) -> UpdateStore:
        """Return what looks at generations read and write."""
