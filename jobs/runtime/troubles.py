"""What a failed look at one generation concerns: only it, every request, or the token.

A generation whose status answers 400, 403, 404, 410, 500, HTML or nonsense is looked for in the
list instead, and its own looks become rarer: it slows or stops no other (docs/money.md).
"""

import asyncio
from collections import Counter
from collections.abc import Collection

from ..model.clock import Clock
from ..model.provider import (
    ForbiddenError,
    Provider,
    ProviderError,
    TokenRefusedError,
    UnreachableError,
)

RAREST = 600.0
"""Seconds between two looks at a generation in trouble, and between two tries of a failing list."""

CROWD = 3
"""So many generations that fail alike, with no other answer, are not a trouble of one."""


def is_outage(errors: Collection[ProviderError], *, answered: bool) -> bool:
    """Check whether single looks that failed together, and any other answered, are an outage."""
    if answered or not errors:
        return False
    if all(isinstance(error, UnreachableError) for error in errors):
        return True  # no answer, or a 5xx: one's own only if others are answered
    return len(errors) >= CROWD and len({type(error) for error in errors}) == 1


class Troubles:
    """Counts the failures in a row of each generation, by attempt, and of the list."""

    def __init__(self) -> None:
        self._failed: Counter[int] = Counter()

    def note(self, attempt_id: int) -> None:
        """Count a failed look."""
        self._failed[attempt_id] += 1

    def clear(self, attempt_id: int) -> None:
        """Forget the failures of a generation that was seen."""
        self._failed.pop(attempt_id, None)

    def __contains__(self, attempt_id: int) -> bool:
        return attempt_id in self._failed

    def delay(self, attempt_id: int, interval: float) -> float:
        """Return the seconds until the next look at one in trouble: doubled each time."""
        return backed_off(self._failed[attempt_id], interval)


def backed_off(failures: int, interval: float) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return min(RAREST, interval * 2.0 ** min(failures, 20))


ASKED_EVERY = 60.0
"""Seconds for which an answer for the balance is trusted: 403s come in crowds."""


class TokenCheck:
    """Asks for the balance, once for a crowd of 403s."""

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._found: ProviderError | None = None

    async def check(self, error: ProviderError) -> None:
        """Raise TokenRefusedError for a 401, and for a 403 only if the balance is refused too."""
        refused: ProviderError | None = error
        if isinstance(error, ForbiddenError):
            refused = await self.refused()
        if isinstance(refused, TokenRefusedError):
            raise refused

    async def refused(self) -> TokenRefusedError | None:
        """Return the balance's own refusal of the token; None when a 403 concerns one request."""
        found = await self._answer()
        return found if isinstance(found, TokenRefusedError) else None

    async def balance_answers(self) -> bool:
        """Check whether the balance can be read while another read fails."""
        return await self._answer() is None

    async def _answer(self) -> ProviderError | None:
        async with self._asking:
            if self._clock.monotonic() - self._asked_at >= ASKED_EVERY:
                self._found = await self._ask()
                self._asked_at = self._clock.monotonic()
        return self._found

    async def _ask(self) -> ProviderError | None:
        try:
            await self._provider.balance()
        except ProviderError as error:
            return error
        return None
