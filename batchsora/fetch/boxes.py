"""The boxes that an MP4 consists of: enough of them to recognise a video, and to know its end.

A box is its length (4 bytes), its name (4 bytes), a longer length (8 bytes, when the first is 1),
and its content; a length of 0 reaches to the end of the file (ISO/IEC 14496-12, 4.2).
"""

from collections.abc import Callable
from typing import Final

BOX_HEAD: Final = 16
"""Bytes that tell a box's name and length in either form."""

_SHORT: Final = 64 * 1024
_LONG: Final = 2 * 1024**3
"""More than any file that is accepted. Text taken for a length exceeds 512 MB."""

FIRST: Final = {
    b"ftyp": (16, _SHORT),
    b"styp": (16, _SHORT),
    b"pdin": (12, _SHORT),
    b"wide": (8, _SHORT),
    b"free": (8, _LONG),
    b"skip": (8, _LONG),
    b"moov": (16, _LONG),
    b"mdat": (8, _LONG),
}
"""Names of boxes that videos begin with, and the bytes that such a box has: at least, at most."""

_MOST_BOXES: Final = 100_000
"""So many are walked through; a video in fragments of a second has two for each."""


def box(head: bytes) -> tuple[bytes, int] | None:
    """Read a box's name and length from its first 16 bytes, or its only 8.

    Returns:
        The length is 0 when the box reaches to the end of the file. None when this is not a box.
    """
    length, name, least = int.from_bytes(head[:4]), head[4:8], 8
    if length == 1:
        length, least = int.from_bytes(head[8:BOX_HEAD]), BOX_HEAD
    elif length == 0:
        return name, 0
    return (name, length) if length >= least and len(head) >= least else None


def begins_video(head: bytes) -> bool:
    """Check by its first 16 bytes whether content may be an MP4."""
    found = box(head)
    if found is None or found[0] not in FIRST:
        return False
    name, length = found
    least, most = FIRST[name]
    # a recorder that streams does not know how much will come
    return least <= length <= most or (length == 0 and name == b"mdat")


def first_box_fits(head: bytes, size: int) -> bool:
    """Check whether a file is at least as long as its first box."""
    found = box(head)
    return found is not None and found[1] <= size


def whole_video(read: Callable[[int, int], bytes], size: int) -> bool:
    """Check whether boxes fill a file exactly, among them those that a video can't do without.

    This is what shows the end of a file whose length nobody told. A last box without a length could
    end anywhere, and proves nothing.

    Args:
        read: from a count and an offset to the file's bytes there.
        size: of the file in bytes.
    """
    names: set[bytes] = set()
    start = 0
    for _ in range(_MOST_BOXES):
        if start == size:
            return {b"moov", b"mdat"} <= names
        found = box(read(BOX_HEAD, start))
        if found is None or found[1] == 0 or start + found[1] > size:
            return False
        names.add(found[0])
        start += found[1]
    return False
