"""Asking the API one thing, outside of a run."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from batchsora.composition.endpoints import Endpoint
from batchsora.providers.registry import open_provider
from jobs.model.money import Micros
from jobs.model.provider import Provider

T = TypeVar("T")
TIMEOUT = 30.0
"""Seconds for one question that a person waits for."""


def ask(
    place: Endpoint, question: Callable[[Provider], Awaitable[T]], timeout: float = TIMEOUT
) -> T:
    """Open a client, ask, close it.

    Raises:
        jobs.model.provider.ProviderError: the API did not answer, or refused.
    """

    async def main() -> T:
        async with open_provider(place.token, place.base_url, timeout) as provider:
            return await question(provider)

    return asyncio.run(main())


def read_balance(place: Endpoint, timeout: float = TIMEOUT) -> Micros:
    """Read the account's balance."""
    return ask(place, lambda provider: provider.balance(), timeout)
