"""A real asyncio loop on virtual time: it never waits, it jumps to the next timer."""

import asyncio
import contextlib
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("every task waits for something that no timer will bring")
        self.now += max(timeout, 0.0)
        # the loop's own pipe alone says nothing: what another thread hands over is ready already
        return super().select(0) if len(self.get_map()) > 1 else []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds pass only when nothing else is to be done."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def pass_time(self, seconds: float) -> None:
        """Let time pass at once, as when the machine slept."""
        self._jumping.now += seconds


class VirtualClock:
    """The engine's clock over the running virtual loop; ``skew`` moves its wall clock."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self.start = start
        self.skew = timedelta(0)
        self._last = 0.0

    def monotonic(self) -> float:
        with contextlib.suppress(RuntimeError):  # between two loops time stands still
            self._last = asyncio.get_running_loop().time()
        return self._last

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic()) + self.skew

    def boot(self) -> str:
        return f"virtual:{(self.start - EPOCH).total_seconds() + self.monotonic()}"

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
