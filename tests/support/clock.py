"""A clock that a test moves by hand."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class HandClock:
    """Time that moves when a test says so; whoever sleeps is noted and goes on at once."""

    def __init__(self, on_sleep: Callable[[float], None] = lambda _: None) -> None:
        self.moment = START
        self._on_sleep = on_sleep

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - START).total_seconds()

    def boot(self) -> str:
        return f"hand:{self.monotonic()}"

    async def sleep(self, seconds: float) -> None:
        self._on_sleep(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
