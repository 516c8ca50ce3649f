"""A process of ours that can die at any moment: all memory is dropped, the file stays."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection
from support.loop import VirtualLoop

from jobs.store import Store

LONGEST_RUN = 12 * 3600.0
"""Seconds within which every run must end by itself."""


class Crash(KeyboardInterrupt):
    """The process is dead: this passes through everything, as a SIGKILL would not even do."""


class SimClock:
    """The wall clock of our machine, which may be wrong and may jump, over true time.

    Args:
        start: the true time at which the simulation begins.
    """

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._passed = 0.0
        self._loop: VirtualLoop | None = None
        self.error = timedelta(0)

    def true_now(self) -> datetime:
        """Give the time that everybody else has."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return self._passed + (0.0 if self._loop is None else self._loop.time())

    def now(self) -> datetime:
        return self.true_now() + self.error

    def boot(self) -> str:
        return f"simulated:{self.monotonic()}"

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def enter(self, loop: VirtualLoop) -> None:
        """A process begins."""
        self._loop = loop

    def leave(self, seconds: float) -> None:
        """A process has ended; so many seconds pass until the next."""
        assert self._loop is not None
        self._passed += self._loop.time()
        self._loop = None
        self.wait(seconds)

    def wait(self, seconds: float) -> None:
        """So many seconds pass while no process lives."""
        self._passed += seconds


class Watch(Protocol):
    """A store's observer that also hears of what became durable."""

    def __call__(self, connection: Connection) -> None: ...
    def committed(self) -> None: ...


class WatchedStore(Store):
    """A store whose process may die around the n-th commit.

    Args:
        path: the file.
        watch: told of every commit, before and after.
        commit: at which commit to die; 0 for none.
        before: True to die before its COMMIT, False just after.
    """

    def __init__(self, path: Path, watch: Watch, *, commit: int = 0, before: bool = False) -> None:
        super().__init__(path, watch)
        self._left = commit
        end = self._writer._end

        def observe(connection: Connection) -> None:
            watch(connection)
            self._left -= 1
            if self._left == 0 and before:
                raise Crash

        def commit_and_die() -> None:
            end()
            watch.committed()
            if self._left == 0 and not before:
                raise Crash

        self._writer._observer = observe
        self._writer._end = commit_and_die  # type: ignore[method-assign]


def live(
    main: Coroutine[Any, Any, Any],
    store: Store,
    clock: SimClock,
    *,
    dies_at: float | None,
    companions: Callable[[], list[Coroutine[Any, Any, Any]]],
) -> Any:
    """Run a process to its end or its death; gives what it returned, or None for a death.

    Args:
        main: what the process does.
        store: its database; closed without a word when it dies.
        clock: shared by all processes.
        dies_at: seconds after its start.
        companions: what happens beside it, in other processes.
    """
    loop = VirtualLoop()
    wrong: list[BaseException] = []  # what must hold did not, where nobody awaits
    loop.set_exception_handler(
        lambda _, context: wrong.append(
            context.get("exception") or AssertionError(context["message"])
        )
    )
    clock.enter(loop)
    asyncio.set_event_loop(loop)

    def die() -> None:
        raise Crash

    async def everything() -> Any:
        beside = [asyncio.ensure_future(other) for other in companions()]
        try:
            return await main
        finally:
            for task in beside:
                task.cancel()
            ends = await asyncio.gather(*beside, return_exceptions=True)
            wrong.extend(end for end in ends if isinstance(end, Exception))

    def endless() -> None:
        wrong.append(AssertionError(f"it does not end within {LONGEST_RUN / 3600:g} hours"))
        raise Crash

    loop.call_later(LONGEST_RUN, endless)
    if dies_at is not None:
        loop.call_later(dies_at, die)
    task = loop.create_task(everything())
    try:
        result = loop.run_until_complete(task)
    except Crash:
        _bury(loop, store)
        result = None
    else:
        store.close()
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    if wrong:
        raise wrong[0]
    return result


def _bury(loop: asyncio.AbstractEventLoop, store: Store) -> None:
    """Drop everything that the process had in memory: nothing of it may still act."""
    store._connection.connection.driver_connection.close()  # type: ignore[union-attr]
    store._reader.connection.driver_connection.close()  # type: ignore[union-attr]
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        with contextlib.suppress(BaseException):
            task.get_coro().close()  # type: ignore[union-attr]
    with contextlib.suppress(Exception):
        store._connection.invalidate()
        store._reader.invalidate()
        store._connection.close()
        store._reader.close()
