"""An answer that is kept until nobody needs it: small ones in memory, large ones on the disk."""

import os
import weakref
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Final

HELD: Final = 4 * 1024**2
"""Bytes up to which an answer stays in memory."""
_BLOCK: Final = 256 * 1024


class Spool:
    """Lines that were written once and can be read again and again, by several at once."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            OSError: the folder for temporary files is full, or not writable.
        """
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
        """Read what was written, without the line ends."""
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
        """Read the last line, without its end."""
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
        return os.pread(self._file.fileno(), _BLOCK, place)
