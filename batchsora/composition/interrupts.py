"""Ctrl-C between two steps, where it must not interrupt one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupts:
    """Whether a person pressed Ctrl-C."""

    def __init__(self) -> None:
        self.asked = False

    def heed(self) -> None:
        """Stop now after Ctrl-C."""
        if self.asked:
            raise KeyboardInterrupt


@contextmanager
def heeded_between_steps() -> Iterator[Interrupts]:
    """Delay Ctrl-C: Python drops one that arrives in a finaliser.

    Outside the main thread, where Ctrl-C does not arrive, nothing is changed.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def note(number: int, frame: Any) -> None:
        del number, frame
        interrupts.asked = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
