"""Tasks for the process apart that behave as broken libraries do."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batchsora.manifest.images import fitting

Work = Callable[[], Iterator[Any]]


def content(given: Any) -> Work:
    """Tell what a file says."""
    return lambda: iter([Path(given["path"]).read_text(encoding="utf-8", errors="replace")])


def count(given: Any) -> Work:
    """Tell numbers."""
    return lambda: iter(range(given["to"]))


def spin(given: Any) -> Work:
    """Take processor time without end."""

    def work() -> Iterator[Any]:
        while True:
            given.clear()
        yield

    return work


def wait(given: Any) -> Work:
    """Wait for what never comes."""

    def work() -> Iterator[Any]:
        time.sleep(10_000)
        yield given

    return work


def grow(given: Any) -> Work:
    """Take memory without end."""
    return lambda: iter([len(bytes(1 << 40)), given])


def talk(given: Any) -> Work:
    """Say more than anybody wants."""

    def work() -> Iterator[Any]:
        while True:
            yield ["a" * 1000, given]

    return work


def crash(given: Any) -> Work:
    """Break as C does."""

    def work() -> Iterator[Any]:
        os.kill(os.getpid(), signal.SIGSEGV)
        yield given

    return work


def leave(given: Any) -> Work:
    """Go without a word."""

    def work() -> Iterator[Any]:
        os._exit(7)
        yield given

    return work


def bug(given: Any) -> Work:
    """Fail as our own code might."""
    return lambda: iter([1 // 0, given])


def tell_and_hang(given: Any) -> Work:
    """Say who is here before the bounds are set, then hold the interpreter's lock for ever."""
    Path(given["note"]).write_text(f"{os.getpid()}\n", encoding="utf-8")

    def work() -> Iterator[Any]:
        ctypes.PyDLL(None).sleep(10_000)
        yield

    return work


def fit_without_pillow(given: Any) -> Work:
    """Convert a picture where Pillow is not installed."""
    sys.modules["PIL"] = None  # type: ignore[assignment]
    return fitting.prepare(given)


def say(given: Any) -> Work:
    """Say what a file has, byte by byte, and end with the code that its name begins with."""
    path = Path(given["path"])

    def work() -> Iterator[Any]:
        os.write(1, path.read_bytes())
        code = int(path.name.partition("_")[0])
        if code < 0:
            os.kill(os.getpid(), -code)
        os._exit(code)
        yield

    return work
