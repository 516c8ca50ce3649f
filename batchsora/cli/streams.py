"""The three standard streams, which may be closed, full, or have lost their reader.

None of that stops a command: what it pays for and records does not depend on its output.
"""

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from jobs import system

_ESCAPED: Final = "batchsora-escaped"


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Write characters that an encoding lacks as JSON does, so that a document stays valid."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escape)


class Output(io.FileIO):
    """A stream that discards everything after its first failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all of it, or pretend to."""
        rest = memoryview(data).cast("B")
        size = rest.nbytes
        while rest and self.failure is None:
            try:
                written: int | None = super().write(rest)
                if written is None:  # another program on the terminal made it non-blocking
                    system.wait_until_writable(self.fileno())
            except OSError as error:
                self.failure = error
            else:
                rest = rest[written or 0 :]
        return size


@contextmanager
def standard_streams() -> Iterator[Output | None]:
    """Make the standard streams usable for a while; yields stdout's if it is a file."""
    before = sys.stdin, sys.stdout, sys.stderr
    for number in range(3):
        _take(number)
    sys.stdin = _nothing("r") if sys.stdin is None else sys.stdin
    sys.stdout, output = _writer(sys.stdout)
    sys.stderr, _ = _writer(sys.stderr)
    try:
        yield output
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def _writer(stream: Any) -> tuple[Any, Output | None]:
    if stream is None:
        return _nothing("w"), None
    # what a test or a program put there is its own business
    if type(stream) is not io.TextIOWrapper:
        return stream, None
    plain = isinstance(stream.buffer, io.FileIO)  # with PYTHONUNBUFFERED
    raw = stream.buffer if plain else getattr(stream.buffer, "raw", None)
    if not isinstance(raw, io.FileIO):
        return stream, None
    stream.flush()
    output = Output(raw.fileno())
    errors = _ESCAPED if stream.errors == "strict" else stream.errors
    text = io.TextIOWrapper(
        output if plain else io.BufferedWriter(output),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return text, output


def _take(number: int) -> None:
    """Open the null device in place of a stream that was closed when the process began.

    Otherwise the next file opened, such as a database, would get its number and our output.
    """
    try:
        os.fstat(number)
    except OSError:
        found = system.open_to_change(Path(os.devnull), follow=True)
        if found == number:
            os.set_inheritable(number, True)
        else:
            os.dup2(found, number)
            os.close(found)


def _nothing(mode: str) -> IO[str]:
    """Return a stand-in for a closed stream."""
    return open(os.devnull, mode, encoding="utf-8", errors="replace")  # noqa: PTH123 - a stream
