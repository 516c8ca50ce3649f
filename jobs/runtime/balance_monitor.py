"""Reading the account's balance, before the first submission and again during the run."""

import asyncio
import logging
from datetime import timedelta

from ..model.clock import Moment
from ..model.provider import (
    ForbiddenError,
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

FIRST_TRIES = 3
"""How often the first reading is tried before a run gives up: nothing is under way yet."""

TRIES_AFTER_DOUBT = 3
"""How often the reading after a doubt is tried where the balance is refused; then we buy on."""


class BalanceMonitor:
    """Keeps the account's budget in step with the balance. Checkpoint: ``balance-read``."""

    def __init__(self, context: RunContext) -> None:
        self._account: AccountStore = context.store.account
        self._provider = context.provider
        self._clock = context.clock
        self._health = context.health
        self._checkpoint = context.checkpoint
        self._read_at: float | None = None
        self._began_at = float("-inf")
        self._grace = timedelta(seconds=context.policy.grace)
        self._asked = self._answered = 0
        self._refused = 0
        self._failing = Patience(context.policy.unreachable_patience)
        self._asking = asyncio.Lock()

    @property
    def age(self) -> float:
        """Return the seconds since the last reading, or its refusal; infinite before the first."""
        return float("inf") if self._read_at is None else self._clock.monotonic() - self._read_at

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
        """Check whether it could not be read for longer than the run's patience.

        Until then nothing is bought, although the list and single looks are answered.
        """
        return self._failing.is_over(self._clock.monotonic())

    async def first_reading(self) -> bool:
        """Read the balance before anything is bought; False when that failed."""
        for tries_left in reversed(range(FIRST_TRIES)):
            if await self.refresh():
                return True
            if self._health.refusal is not None or self._health.stopping or not tries_left:
                break
            await self._health.pause(self._health.closed_for)
        return False

    async def refresh(self) -> bool:
        """Read the balance once and keep it; False when the provider did not give it."""
        began_at, asked, wanted = self._clock.monotonic(), self._asked, self.wanted
        began = Moment(self._clock.now(), self._clock.boot())
        mark = self._account.charged()
        try:
            balance = await self._provider.balance()
        except TokenRefusedError as error:
            self._health.refuse(RefusalCause.TOKEN, str(error))
        except (WrongAddressError, ForbiddenError) as error:
            if self._read_at is None:  # later it is a stray answer: the address worked before
                self._health.refuse(_CAUSES[type(error)], str(error))
            else:
                log.warning("the balance could not be read: %s", error)
                self._read_at = self._clock.monotonic()  # counts as read: not asked again at once
                self._refused += 1
                if self._refused >= TRIES_AFTER_DOUBT:
                    self._answered = max(self._answered, asked)  # else it would stop the run
                elif wanted:
                    self._health.unreachable(str(error))
        except ThrottledError as error:
            seconds = self._health.heed(error)
            at = self._clock.monotonic()
            self._failing.failed(at, at + seconds)
            log.warning("the API asks for a pause of %.0f s", seconds)
        except ProviderError as error:
            log.warning("the balance could not be read: %s", error)
            self._failing.failed(self._clock.monotonic())
            self._health.unreachable(str(error))
        else:
            self._checkpoint("balance-read")
            self._health.answered()
            self._failing.succeeded()
            now, ahead = self._clock.now(), self._provider.clock_ahead
            read = BalanceRead(balance, mark, now, ahead, began, self._grace)
            if await self._account.record_balance(read):
                self._answered = max(self._answered, asked)
            self._read_at, self._began_at = self._clock.monotonic(), began_at
            return True
        return False

    async def suffice(self) -> bool | None:
        """Check whether the money covers all that is held, by a new reading; None: it failed."""
        since = self._clock.monotonic()
        async with self._asking:  # one reading answers all that were refused together
            if self._began_at < since and not await self.refresh():
                return None
        return self._account.covers_holds()
