"""A sheet's part without the rows that are only styled: some sheets have a million of them."""

import io
from typing import IO, Final

_BLOCK: Final = 1024**2
_END: Final = b"</row>"
_CONTENT: Final = (b"<v", b"<is", b"<f")


class WithoutBlankRows:
    """Reads a part, and leaves out runs of rows that hold nothing.

    Only rows that say their number are left out, so that those behind them keep theirs.

    Args:
        file: the part.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = io.BytesIO()

    def read(self, size: int = -1) -> bytes:
        """Read some bytes, up to so many; none are left at the end."""
        while not (taken := self._left.read(size)):
            block = self._file.read(_BLOCK)
            if not block:
                return b""
            self._left = io.BytesIO(_thinned(block))
        return taken


def _thinned(block: bytes) -> bytes:
    """Leave out the rows of a block that hold nothing, if none of its rows does."""
    first, last = block.find(_END), block.rfind(_END)
    if first == last or any(content in block for content in _CONTENT):
        return block
    rows = block[first + len(_END) : last + len(_END)]
    numbered = rows.count(b'<row r="') == rows.count(b"<row")
    return block[: first + len(_END)] + block[last + len(_END) :] if numbered else block
