"""Whether a 403 is about the token: only if a request that should work is refused too."""

import asyncio

from ..model.clock import Clock
from ..model.provider import ForbiddenError, Provider, ProviderError, TokenRefusedError

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
