"""The one gate that every request of a run passes: stopped, cooling down, or out of reach.

A 429 on one submission cools all of them down; an unreachable provider is asked again ever more
slowly; a refusal that stands for every request closes the gate for good.
"""

import asyncio
import random

from .clock import Clock
from .provider import (
    ProviderError,
    RefusalCause,
    ThrottledError,
    TokenRefusedError,
)
from .retry import full_jitter

COOLING = 5.0
"""Seconds to wait after a 429 that does not say how long, doubled while it goes on."""

LEAST_COOLING = 0.5
"""Seconds to wait after one that does, at least, doubled while it goes on."""

COOLING_CEILING = 300.0
LONGEST_RETRY_AFTER = 3600.0
"""A Retry-After beyond this is taken as this: an hour's silence is looked into again."""


class Gate:
    """Shared by the scheduler and the poller of one run."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance
        self._open_at = 0.0
        self._throttled_in_a_row = 0
        self._failed_in_a_row = 0
        self._unreachable_since: float | None = None
        self.changed = asyncio.Event()
        self.stopping = False
        self.refusal: RefusalCause | None = None
        self.refusal_message = ""

    def wake(self) -> None:
        """Tell the scheduler that something changed."""
        self.changed.set()

    def stop(self) -> None:
        """Ask the run to submit nothing more and to end as soon as what is under way is known."""
        self.stopping = True
        self.wake()

    def refuse(self, cause: RefusalCause, message: str) -> None:
        """Close the gate: every further submission would be refused as well."""
        if self.refusal is None:
            self.refusal, self.refusal_message = cause, message
        self.wake()

    def forgive(self) -> None:
        """Open the gate again that missing credits had closed: the balance was looked at since."""
        if self.refusal is RefusalCause.FUNDS:
            self.refusal, self.refusal_message = None, ""

    def throttle(self, retry_after: float | None) -> float:
        """Cool everyone down; returns for how many seconds."""
        if self.closed_for == 0:  # those that were under way together count once
            self._throttled_in_a_row += 1
        base = LEAST_COOLING if retry_after is not None else COOLING
        grown = base * 2.0 ** min(self._throttled_in_a_row - 1, 10)
        seconds = min(COOLING_CEILING, grown * self._chance.uniform(0.75, 1.25))
        if retry_after is not None:  # a provider that goes on refusing is asked more rarely yet
            seconds = max(seconds, min(retry_after, LONGEST_RETRY_AFTER))
        self._close_for(seconds)
        return seconds

    def unreachable(self) -> float:
        """Note that the provider could not be reached; returns the seconds to wait."""
        now = self._clock.monotonic()
        if self._unreachable_since is None:
            self._unreachable_since = now
        seconds = 1.0 + full_jitter(2.0, 60.0, self._failed_in_a_row, self._chance)
        self._failed_in_a_row += 1
        self._close_for(seconds)
        return seconds

    def heed(self, error: ProviderError) -> float:
        """Draw the conclusions of a read that failed; returns the seconds to wait."""
        match error:
            case TokenRefusedError():
                self.refuse(RefusalCause.TOKEN, str(error))
                return 0.0
            case ThrottledError(retry_after=retry_after):
                return self.throttle(retry_after)
            case _:
                return self.unreachable()

    def answered(self) -> None:
        """Note that the provider answered."""
        self._unreachable_since = None
        self._failed_in_a_row = 0

    def served(self) -> None:
        """Note that a submission was taken, so that the next 429 begins with a short wait again."""
        self.answered()
        self._throttled_in_a_row = 0

    @property
    def closed_for(self) -> float:
        """Give the seconds until the next submission may be sent."""
        return float(max(0.0, self._open_at - self._clock.monotonic()))

    @property
    def out_of_reach_for(self) -> float:
        """Give the seconds since the provider last answered, 0 when it does."""
        if self._unreachable_since is None:
            return 0.0
        return self._clock.monotonic() - self._unreachable_since

    async def pause(self, seconds: float) -> bool:
        """Wait that long, or until something changed; returns whether it did."""
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waking = asyncio.ensure_future(self.changed.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()
        changed = self.changed.is_set()
        self.changed.clear()
        return changed

    def _close_for(self, seconds: float) -> None:
        self._open_at = max(self._open_at, self._clock.monotonic() + seconds)
