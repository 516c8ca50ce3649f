"""Being asked to stop: by Ctrl-C, by another process, by Ctrl-Break on Windows."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_STOP: Final = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
]


@contextmanager
def stop_signals(heard: Callable[[], object]) -> Iterator[None]:
    """Call a function in the running event loop, not at any instruction, when asked to stop.

    Only the main thread of a process may listen to signals.
    """
    import asyncio  # noqa: PLC0415 - whoever has a loop has it; commands that only look have neither

    loop = asyncio.get_running_loop()

    def later(number: int, frame: Any) -> None:
        del number, frame
        loop.call_soon_threadsafe(heard)

    added: list[int] = []
    before: dict[int, Any] = {}
    try:
        for number in _STOP:
            try:
                loop.add_signal_handler(number, heard)
                added.append(number)
            except NotImplementedError:  # the loops of Windows
                before[number] = signal.signal(number, later)
        yield
    finally:
        for number in added:
            loop.remove_signal_handler(number)
        for number, handler in before.items():
            signal.signal(number, handler)
