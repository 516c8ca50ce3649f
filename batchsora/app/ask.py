"""Asking the API one thing, outside of a run."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from batchsora.app.session import Endpoint
from batchsora.runblob.adapter import RunBlobProvider
from batchsora.runblob.client import RunBlobClient
from jobs.money import Micros

T = TypeVar("T")
TIMEOUT = 30.0
"""Seconds for one question that a person waits for."""


def ask(
    place: Endpoint, question: Callable[[RunBlobProvider], Awaitable[T]], timeout: float = TIMEOUT
) -> T:
    """Open a client, ask, close it.

    Raises:
        jobs.provider.ProviderError: the API did not answer, or refused.
    """

    async def main() -> T:
        async with RunBlobClient(place.token, base_url=place.base_url, timeout=timeout) as client:
            return await question(RunBlobProvider(client))

    return asyncio.run(main())


def read_balance(place: Endpoint, timeout: float = TIMEOUT) -> Micros:
    """Read the account's balance."""
    return ask(place, lambda provider: provider.balance(), timeout)
