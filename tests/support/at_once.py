"""Virtual time for code that works in threads: there are none, the work is done at once."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from support.loop import run_virtual

T = TypeVar("T")


class AtOnce(ThreadPoolExecutor):
    """No thread at all: virtual time does not wait for any."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - goes where it belongs
            future.set_exception(error)
        return future


def run_at_once(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on virtual time, and what it gives to threads at once."""

    async def with_executor() -> T:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(AtOnce())
        try:
            return await main
        finally:
            loop._default_executor = None  # type: ignore[attr-defined] # a thread would end it

    return run_virtual(with_executor())
