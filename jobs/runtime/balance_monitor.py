"""Reading the account's balance, before the first submission and again during the run."""

import asyncio
import logging
from collections import deque
from datetime import timedelta

from ..evidence.books import BalanceReading
from ..model.clock import Clock, Moment
from ..model.provider import (
    ForbiddenError,
    Provider,
    ProviderError,
    RefusalCause,
    ThrottledError,
    TokenRefusedError,
    WrongAddressError,
)
from ..ports.account import AccountStore, BalanceRead
from .provider_health import Patience
from .run_context import RunContext

log = logging.getLogger(__name__)

_CAUSES = {WrongAddressError: RefusalCause.ADDRESS, ForbiddenError: RefusalCause.ACCESS}

FIRST_TRIES = 3  # of the first reading, before a run gives up: nothing is under way yet
TRIES_AFTER_DOUBT = 3  # of a reading after a doubt that is refused; then we buy on


class BalanceMonitor:
    """Keeps the account's budget in step with the balance. Checkpoint: ``balance-read``."""

    def __init__(self, context: RunContext) -> None:
        self._run = context
        self._account: AccountStore = context.store.account
        self._read_at = float("-inf")
        self._began_at = float("-inf")
        self._grace = timedelta(seconds=context.policy.grace)
        self._asked = self._answered = 0
        self._refused = 0
        self._failing = Patience(context.policy.unreachable_patience)
        self._asking = asyncio.Lock()

    @property
    def age(self) -> float:
        """Return the seconds since the last reading, or its refusal; infinite before the first."""
        return self._run.clock.monotonic() - self._read_at

    def want(self) -> None:
        """Ask for a reading before the next submission, with nothing else under way.

        Only then does it show whether a doubt was charged: other purchases may cost less than
        announced and hide its charge, and what is under way may be charged or not.
        """
        self._asked, self._refused = self._asked + 1, 0

    @property
    def wanted(self) -> bool:
        """Check whether submissions wait for a reading of the balance after a doubt."""
        return self._asked > self._answered

    def due(self, interval: float, *, busy: bool) -> bool:
        """Check whether a reading is due before more is bought, after ``interval`` seconds.

        After a doubt, submissions under way (``busy``) are waited for, some seconds.
        """
        return not busy if self.wanted else self.age > interval

    @property
    def unread(self) -> bool:
        """Check whether it was unreadable for longer than the run's patience: it stops buying."""
        return self._failing.is_over(self._run.clock.monotonic())

    async def first_reading(self) -> bool:
        """Read the balance before anything is bought; False when that failed."""
        for tries_left in reversed(range(FIRST_TRIES)):
            if await self.refresh():
                return True
            if self._run.health.refusal is not None or self._run.health.stopping or not tries_left:
                break
            await self._run.health.pause(self._run.health.closed_for)
        return False

    async def refresh(self) -> bool:
        """Read the balance once and keep it; False when the provider did not give it."""
        began_at, asked, wanted = self._run.clock.monotonic(), self._asked, self.wanted
        began = Moment(self._run.clock.now(), self._run.clock.boot())
        mark = self._account.charged()
        try:
            balance = await self._run.provider.balance()
        except TokenRefusedError as error:
            self._run.health.refuse(RefusalCause.TOKEN, str(error))
        except (WrongAddressError, ForbiddenError) as error:
            if self.age == float("inf"):  # later it is a stray answer: the address worked before
                self._run.health.refuse(_CAUSES[type(error)], str(error))
            else:
                log.warning("the balance could not be read: %s", error)
                self._read_at = self._run.clock.monotonic()  # as if read: not asked at once
                self._refused += 1
                if self._refused >= TRIES_AFTER_DOUBT:
                    self._answered = max(self._answered, asked)  # else it would stop the run
                elif wanted:
                    self._run.health.unreachable(str(error))
        except ThrottledError as error:
            seconds = self._run.health.heed(error)
            at = self._run.clock.monotonic()
            self._failing.failed(at, at + seconds)
            log.warning("the API asks for a pause of %.0f s", seconds)
        except ProviderError as error:
            # once for each time that it fails: an outage of a night is not a line every half minute
            level = logging.WARNING if self._failing.since is None else logging.INFO
            log.log(level, "the balance could not be read: %s", error)
            self._failing.failed(self._run.clock.monotonic())
            self._run.health.unreachable(str(error))
        else:
            self._run.checkpoint("balance-read")
            self._run.health.answered()
            self._failing.succeeded()
            now, ahead = self._run.clock.now(), self._run.provider.clock_ahead
            read = BalanceRead(balance, mark, now, ahead, began, self._grace)
            if await self._account.record_balance(read):
                self._answered = max(self._answered, asked)
            self._read_at, self._began_at = self._run.clock.monotonic(), began_at
            return True
        return False

    async def suffice(self) -> bool | None:
        """Check whether the money covers all that is held, by a new reading; None: it failed."""
        since = self._run.clock.monotonic()
        async with self._asking:  # one reading answers all that were refused together
            if self._began_at < since and not await self.refresh():
                return None
        return self._account.covers_holds()


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
        while len(self._marks) > 1 and self._marks[1][0] <= at:
            self._marks.popleft()
        return self._marks[0][1] if self._marks[0][0] <= at else None
