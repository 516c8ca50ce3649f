"""Readings of the balance as a second witness, and what each must show at least."""

import logging
from collections import deque

from ..evidence.books import BalanceReading
from ..model.clock import Clock
from ..model.provider import Provider, ProviderError
from ..ports.account import AccountStore

log = logging.getLogger(__name__)


class BalanceWitness:
    """Reads the balance, and remembers what had been charged when.

    By the monotonic clock: times in the database are a wall clock's, which may have been set.
    """

    def __init__(self, account: AccountStore, provider: Provider, clock: Clock) -> None:
        self._account = account
        self._provider = provider
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque()
        self.note()

    def note(self) -> int:
        """Remember what has been charged in all by now; returns it, in micros."""
        mark = self._account.charged()
        self._marks.append((self._clock.monotonic(), mark))
        return mark

    async def read(self, late: float) -> BalanceReading | None:
        """Read the balance, which shows a charge after ``late`` seconds; None if that fails."""
        mark = self.note()
        shown = self._charged_by(self._clock.monotonic() - late)
        try:
            return BalanceReading(int(await self._provider.balance()), mark, shown)
        except ProviderError as error:
            log.info("the balance could not be read: %s", error)
            return None

    def _charged_by(self, at: float) -> int | None:
        """Return what had been charged by a time, as far as is remembered."""
        while len(self._marks) > 1 and self._marks[1][0] <= at:
            self._marks.popleft()
        return self._marks[0][1] if self._marks[0][0] <= at else None
