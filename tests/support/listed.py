"""A sandbox's world whose account list answers as a test tells it to."""

from collections.abc import Callable
from typing import Any

from batchsora.sandbox.world import Reply, World


class Account(World):
    """A provider whose list can answer in other ways.

    Attributes:
        listing: makes the answer to a page of the list, from its offset and the plain answer.
        asked: pages of the list that were asked for.
    """

    listing: Callable[[int, Reply], Reply] | None = None
    asked = 0

    def page(self, limit: int, offset: int, *more: Any) -> Reply:
        """Show a page of the list."""
        self.asked += 1
        plain = super().page(limit, offset, *more)
        return plain if self.listing is None else self.listing(offset, plain)
