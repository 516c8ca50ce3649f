"""Run a task in a separate process, and read its answer within the bounds on its cost."""

import errno
import json
import os
import signal
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from batchsora import children
from batchsora.apart.serving import BUG, NO_MEMORY
from jobs import system

HELD: Final = 4 * 1024**2
"""Bytes up to which an answer stays in memory."""


class Spool:
    """Lines that are written once, and can be read again and again, by several readers at once."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Add bytes; raise OSError if the folder for temporary files is full, or not writable."""
        self._held += data
        self._size += len(data)
        if len(self._held) <= HELD and self._file is None:
            return
        if self._file is None:
            self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as we are
            weakref.finalize(self, self._file.close)
        view = memoryview(bytes(self._held))
        self._held.clear()
        while view:  # the system may take a part
            view = view[self._file.write(view) :]

    def lines(self) -> Iterator[bytes]:
        """Return the lines, without their ends."""
        place = 0
        begun: list[bytes] = []  # pieces of a line: one may be as long as the whole
        while block := self._read(place):
            place += len(block)
            first, *more = block.split(b"\n")
            begun.append(first)
            if more:
                yield b"".join(begun)
                yield from more[:-1]
                begun = more[-1:]
        if rest := b"".join(begun):
            yield rest

    def last(self) -> bytes:
        """Return the last line, without its end."""
        begun = b""
        end = self._size
        while end:
            start = max(0, end - _BLOCK)
            begun = self._read(start)[: end - start] + begun
            _, found, line = begun.removesuffix(b"\n").rpartition(b"\n")
            if found:
                return line
            end = start
        return begun.removesuffix(b"\n")

    def _read(self, place: int) -> bytes:
        if self._file is None:
            return bytes(self._held[place : place + _BLOCK])
        return system.read_at(self._file.fileno(), _BLOCK, place)


MB: Final = 1024**2
LEAST_SECONDS: Final = 5
"""Of processor time, for the smallest file; a sheet of 1,000 rows takes a third of one."""
SECONDS_A_MB: Final = 20
"""More for each MB of the file, as packed: a million cells of a workbook take 10 to 20."""
MOST_SECONDS: Final = 900
LEAST_MEMORY: Final = 192 * MB
"""Bytes beyond what Python and the library take; with them less than 300 MB."""
MEMORY_A_BYTE: Final = 40
"""More for each byte of the file: a YAML tree has some 30."""
MOST_MEMORY: Final = 3 * 1024 * MB
LEAST_ANSWER: Final = 64 * MB
ANSWER_A_BYTE: Final = 50
"""More for each byte of the file; packed tables of honest texts unpack to 20 times as much."""
MOST_ANSWER: Final = 2 * 1024 * MB
PATIENCE: Final = 4
"""How many times longer than its processor time a task may take by the clock."""

_BLOCK: Final = 256 * 1024
_LONGEST_BUG: Final = 16 * 1024
_START: Final = (
    "import sys; sys.path.append({root!r}); from batchsora.apart.serving import main; main()"
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a task may cost: seconds of processor time, bytes of memory and of the answer.

    The memory is counted beyond that of Python and its libraries.
    """

    seconds: int
    memory: int
    answer: int


def bounds_for(size: int) -> Bounds:
    """Return what reading a file of so many bytes may cost."""
    return Bounds(
        min(MOST_SECONDS, LEAST_SECONDS + SECONDS_A_MB * size // MB),
        min(MOST_MEMORY, LEAST_MEMORY + MEMORY_A_BYTE * size),
        min(MOST_ANSWER, LEAST_ANSWER + ANSWER_A_BYTE * size),
    )


class ApartError(Exception):
    """A task cost more than it may, or its library broke; the text says which."""


def ask(task: str, given: Mapping[str, Any], bounds: Bounds) -> Spool:
    """Run a task (``module:function``, see :mod:`batchsora.apart.serving`) in a separate process.

    Args:
        task: as above.
        given: its argument, sent as JSON.
        bounds: what it may cost.

    Returns:
        Its answer: lines of JSON.

    Raises:
        ApartError: it cost more, or broke.
        OSError: no process can be started, or there is no room for the answer.
        RuntimeError: a bug of ours; the text is the other process's traceback.
    """
    root = str(Path(__file__).resolve().parents[2])
    order = {"task": task, "given": given, "seconds": bounds.seconds, "memory": bounds.memory}
    # the root folder alone: nothing that lies where a person works is imported
    with children.apart(_START.format(root=root)) as process:
        # what is read from it ends with it, also where the system can't wait for a pipe
        late = threading.Event()
        clock = threading.Timer(PATIENCE * bounds.seconds, _stop, (process, late))
        clock.daemon = True
        clock.start()
        try:
            answer = _answer(process, json.dumps(order).encode() + b"\n", bounds)
            code = process.wait()
        finally:
            clock.cancel()
            process.kill()  # where it has ended, nothing happens
    if code and late.is_set():
        raise _too_slow(bounds)
    _check(code, bounds, answer)
    return answer


def _stop(process: children.Process, late: threading.Event) -> None:
    if process.poll() is None:
        late.set()
        process.kill()


def _answer(process: children.Process, order: bytes, bounds: Bounds) -> Spool:
    """Read the answer, up to the bounds; the process's input stays open until then."""
    answer, size = Spool(), 0
    to, out = process.stdin, process.stdout
    if to is None or out is None:
        raise ValueError("a process to ask has both pipes")
    try:
        to.write(order)
    except OSError as error:  # it did not come so far; its exit code says why
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # the second one on Windows
            raise
        return answer
    while block := os.read(out.fileno(), _BLOCK):
        size += len(block)
        if size > bounds.answer:
            raise ApartError(
                f"it holds more than {bounds.answer // MB} MB of text, far more than usual "
                "for its size"
            )
        answer.write(block)
    return answer


def _too_slow(bounds: Bounds) -> ApartError:
    return ApartError(
        f"it takes more than {bounds.seconds} s to read, far more than usual for its size"
    )


def _check(code: int, bounds: Bounds, answer: Spool) -> None:
    if code == 0:
        return
    if system.was_timed_out(code):
        raise _too_slow(bounds)
    if code == NO_MEMORY or system.was_killed(code):
        raise ApartError(
            f"it takes more than {bounds.memory // MB} MB of memory to read, far more than "
            "usual for its size"
        )
    if code == BUG and (bug := _bug(answer)) is not None:
        raise RuntimeError(bug)
    raise ApartError(f"the library that reads it crashed ({_named(code)})")


def _bug(answer: Spool) -> str | None:
    """Return the traceback that ends an answer; None without one."""
    try:
        said = json.loads(answer.last()[-_LONGEST_BUG:].decode("ascii"))
    except (ValueError, RecursionError):
        return None
    bug = said.get("bug") if isinstance(said, dict) else None
    return bug if isinstance(bug, str) else None


def _named(code: int) -> str:
    """Name an exit code; signals of real time have no name."""
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}" if code < 0 else f"exit code {code}"
