"""A file on its way: its bytes, their hash, and the note to resume it.

The bytes go into ``NAME.part``. Beside it ``NAME.part.json`` has two marks: a number of bytes,
their hash, and the version of the file. A part without a matching mark starts over, so neither a
crash nor another video under the same name leaves a mixture.

One mark is of the bytes that were forced to disk, for a power cut; the other of all of them, for a
killed process. The note is written over itself: a torn one proves nothing.
"""

import asyncio
import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from jobs import system
from jobs.model.files import read_small

BOX_HEAD: Final = 16
"""Bytes with a box's name and length, in either form."""

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


T = TypeVar("T")


async def beside(work: Callable[[], T]) -> T:
    """Work in a thread; a cancellation waits for its end, so that nothing is written behind us."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def box(head: bytes) -> tuple[bytes, int] | None:
    """Read a box's name and length (0: to the end) from its first 16 or only 8 bytes; else None."""
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
    """Check whether boxes fill a file exactly, among them those that a video needs.

    This shows the end of a file of unknown length. A last box without a length could end anywhere,
    and proves nothing.

    Args:
        read: from a count and an offset to the file's bytes there.
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


BLOCK: Final = 512 * 1024
"""Bytes that are written, hashed and marked at a time: what a killed process fetches again."""

FORCE_EVERY: Final = 8 * 1024**2
"""Bytes after which what is there is forced to disk."""

LARGEST_NOTE: Final = 64 * 1024
"""Bytes of a note, at most: it is a version and two marks."""

Mark = tuple[int, str]
"""So many bytes from the beginning, and their SHA-256 in hexadecimal."""


class FetchError(Exception):
    """A file could not be fetched; what arrived is kept for the next try.

    Attributes:
        expired: the address answered something else, so get a fresh one now. False: the file may
            still come from there; get one when it fails again.
    """

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole file; ``size`` in bytes, ``sha256`` in hexadecimal."""

    path: Path
    size: int
    sha256: str


class Part:
    """A file on its way."""

    def __init__(self, target: Path, handle: int) -> None:
        self._target = target
        self._path = _beside(target, ".part")
        self._note = _beside(target, ".part.json")
        self._handle = handle
        self._note_handle: int | None = None
        self._note_size = 0
        self._hash = hashlib.sha256()
        self._noted = 0
        self._forced: Mark = (0, "")
        self._closed = False
        self.size = 0
        self.version = ""

    @classmethod
    def opened(cls, target: Path) -> Self:
        """Open the part of a file, empty until resumed; raise a FetchError if it is in use."""
        path = _beside(target, ".part")
        handle = system.open_to_change(path, mode=0o666)
        if not _is_alone(handle):  # its bytes would be written to whatever else has another name
            os.close(handle)
            path.unlink()
            handle = system.create(path, 0o666)
        try:
            # whoever had the lock may just have renamed this very file to its final name
            ours = system.try_lock(handle) and _same(path, handle)
        except OSError:
            ours = False
        if not ours:
            os.close(handle)
            raise FetchError("another process is fetching this file")
        return cls(target, handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._closed:
            return self._close_note()
        try:
            if self.size > min(self._noted, self._forced[0]):
                self._write_note(force=True)
        finally:
            self._close_note()
            if self.size and self.version:
                os.close(self._handle)
            else:  # could not be resumed
                system.delete_locked(self._handle, self._path)
        return None

    def resume(self) -> None:
        """Resume from what a mark proves."""
        try:
            note: Any = json.loads(read_small(self._note, LARGEST_NOTE))
            version = note["version"]
            marks = sorted((size, digest) for size, digest in note["marks"])
        except (OSError, ValueError, KeyError, TypeError):
            return self.forget()
        if not isinstance(version, str) or not version:
            return self.forget()
        found = hashlib.sha256()
        there = os.fstat(self._handle).st_size
        for size, digest in marks:
            if not isinstance(size, int) or not self.size < size <= there:
                break
            for start in range(self.size, size, BLOCK):
                found.update(system.read_at(self._handle, min(BLOCK, size - start), start))
            if found.hexdigest() != digest:
                break
            self._hash, self.size = found.copy(), size
        if not self.size:
            return self.forget()
        system.truncate(self._handle, self.size)
        self._noted, self.version = self.size, version
        return None

    def add(self, block: bytes, *, mark: bool = True) -> None:
        """Append bytes, marked now or at the end; raise a FetchError if they don't begin an MP4."""
        head = (self._head() + block)[:BOX_HEAD]
        if len(head) == BOX_HEAD and not begins_video(head):
            self.forget()
            raise FetchError("the content is not an MP4", expired=True)
        system.write_at(self._handle, block, self.size)
        self.size += len(block)
        self._hash.update(block)
        if mark:
            self._write_note(force=self.size - self._forced[0] >= FORCE_EVERY)

    def begins_video(self) -> bool:
        """Check whether the part is long enough for a video, and for its first box."""
        head = self._head()
        return len(head) == BOX_HEAD and first_box_fits(head, self.size)

    def whole_video(self) -> bool:
        """Check whether the part ends where a video may end."""
        return whole_video(lambda count, at: system.read_at(self._handle, count, at), self.size)

    def _head(self) -> bytes:
        return system.read_at(self._handle, min(BOX_HEAD, self.size), 0)

    def restart(self, version: str = "") -> None:
        """Start over, with a file of this version."""
        self.forget()
        self.version = version

    def forget(self) -> None:
        """Discard what is here."""
        self._close_note()
        self._note.unlink(missing_ok=True)
        system.truncate(self._handle, 0)
        self._hash = hashlib.sha256()
        self.size = self._noted = 0
        self._forced = (0, "")
        self.version = ""

    def finish(self) -> Fetched:
        """Rename the part to the file, for good."""
        system.sync(self._handle)
        self._close_note()
        self._closed = True
        system.rename_locked(self._handle, self._path, self._target)
        self._note.unlink(missing_ok=True)
        system.sync_folder(self._target.parent)
        return Fetched(self._target, self.size, self._hash.hexdigest())

    def _write_note(self, *, force: bool) -> None:
        """Mark what is here; without a version it could not be resumed."""
        if not self.version:
            return
        mark = self.size, self._hash.hexdigest()
        if force:
            system.sync(self._handle)
            self._forced = mark
        if self._note_handle is None:
            self._note_handle = system.open_to_change(self._note, mode=0o666)
            self._note_size = os.fstat(self._note_handle).st_size
        marks = [found for found in dict.fromkeys((self._forced, mark)) if found[0]]
        text = json.dumps({"version": self.version, "marks": marks}).encode("ascii")
        # in one piece, and spaces over the rest of a longer one
        text = text.ljust(self._note_size)
        system.write_at(self._note_handle, text, 0)
        self._note_size = len(text)
        if force:
            system.sync(self._note_handle)
        self._noted = self.size

    def _close_note(self) -> None:
        if self._note_handle is not None:
            os.close(self._note_handle)
        self._note_handle = None


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)


def _is_alone(handle: int) -> bool:
    """Check whether an open file is a regular one under this one name."""
    found = os.fstat(handle)
    return stat.S_ISREG(found.st_mode) and found.st_nlink <= 1


def _same(path: Path, handle: int) -> bool:
    return os.path.samestat(os.stat(path), os.fstat(handle))  # noqa: PTH116 - beside its twin
