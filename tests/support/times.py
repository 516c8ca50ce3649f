"""A bound on the time that something may take."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def little_time(seconds: float = 20.0) -> Iterator[None]:
    """Break off what takes more processor time: without a bound these answers take an hour.

    Windows has no such clock: there the suite's own bound remains.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise AssertionError(f"more than {seconds} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
