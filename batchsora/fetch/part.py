"""A file on its way: its bytes, their hash, and the note that lets it be resumed.

The bytes go into ``NAME.part``. Beside it ``NAME.part.json`` notes how many of them are safely on
disk, their hash, and which version of the file they belong to; a part without a fitting note is
begun again. So neither a crash nor another video under the same name leaves a mixture.
"""

import fcntl
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

BLOCK: Final = 1024**2
"""Bytes that are written, and hashed, at a time."""

NOTE_EVERY: Final = 8 * BLOCK
"""Bytes after which what is there is forced to disk and noted."""

MP4_HEAD: Final = 12
"""Bytes that tell an MP4: the length and name of its first box, and its brand."""


class FetchError(Exception):
    """A file could not be fetched; what has come so far is kept for the next try.

    Attributes:
        expired: the address no longer leads to the file (403, 404, 410): ask for a fresh one.
    """

    def __init__(self, message: str, *, expired: bool = False) -> None:
        super().__init__(message)
        self.expired = expired


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole file.

    Attributes:
        size: in bytes.
        sha256: of its content, in hexadecimal.
    """

    path: Path
    size: int
    sha256: str


class Part:
    """A file on its way: its bytes, their hash, and the note that lets it be resumed."""

    def __init__(self, target: Path, handle: int) -> None:
        self._target = target
        self._path = _beside(target, ".part")
        self._note = _beside(target, ".part.json")
        self._handle = handle
        self._hash = hashlib.sha256()
        self._noted = 0
        self._finished = False
        self.size = 0
        self.version = ""

    @classmethod
    def opened(cls, target: Path) -> Self:
        """Open the part of a file, empty until :meth:`resume` says more.

        Raises:
            FetchError: another process is fetching it.
            OSError: it can't be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        path = _beside(target, ".part")
        handle = os.open(path, flags, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever had the lock may just have renamed this very file to its final name
            ours = _same(path, handle)
        except OSError:
            ours = False
        if not ours:
            os.close(handle)
            raise FetchError("another process is fetching this file")
        return cls(target, handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if not self._finished and self.size == 0:
                self._path.unlink(missing_ok=True)
            elif not self._finished and self.size > self._noted:
                self._write_note()
        finally:
            os.close(self._handle)

    def resume(self) -> None:
        """Go on with what the note vouches for."""
        try:
            note: Any = json.loads(self._note.read_bytes())
            size, digest, version = note["size"], note["sha256"], note["version"]
        except (OSError, ValueError, KeyError, TypeError):
            return self.forget()
        if not isinstance(version, str) or not version:
            return self.forget()
        if not isinstance(size, int) or not 0 < size <= os.fstat(self._handle).st_size:
            return self.forget()
        found = hashlib.sha256()
        for start in range(0, size, BLOCK):
            found.update(os.pread(self._handle, min(BLOCK, size - start), start))
        if found.hexdigest() != digest:
            return self.forget()
        os.ftruncate(self._handle, size)
        self._hash, self.size, self._noted, self.version = found, size, size, version
        return None

    def add(self, block: bytes) -> None:
        """Append bytes.

        Raises:
            FetchError: the first ones are not those of an MP4.
        """
        head = os.pread(self._handle, MP4_HEAD, 0) if self.size else b""
        head = (head[: self.size] + block)[:MP4_HEAD]
        if len(head) == MP4_HEAD and head[4:8] != b"ftyp":
            self.forget()
            raise FetchError("what came is no MP4")
        view = memoryview(block)
        while view:
            view = view[os.pwrite(self._handle, view, self.size + len(block) - len(view)) :]
        self.size += len(block)
        self._hash.update(block)
        if self.size - self._noted >= NOTE_EVERY:
            self._write_note()

    def restart(self, version: str = "") -> None:
        """Begin anew, with a file of this version."""
        self.forget()
        self.version = version

    def forget(self) -> None:
        """Throw away what is here."""
        self._note.unlink(missing_ok=True)
        os.ftruncate(self._handle, 0)
        self._hash = hashlib.sha256()
        self.size = self._noted = 0
        self.version = ""

    def finish(self) -> Fetched:
        """Make the part the file, for good."""
        os.fsync(self._handle)
        self._path.replace(self._target)
        self._finished = True
        self._note.unlink(missing_ok=True)
        folder = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return Fetched(self._target, self.size, self._hash.hexdigest())

    def _write_note(self) -> None:
        """Force what is here to disk, then say so; without a version it could not be resumed."""
        if not self.version:
            return
        os.fsync(self._handle)
        note = {"size": self.size, "sha256": self._hash.hexdigest(), "version": self.version}
        fresh = _beside(self._target, ".part.json.new")
        fresh.write_text(json.dumps(note), encoding="utf-8")
        fresh.replace(self._note)
        self._noted = self.size


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)


def _same(path: Path, handle: int) -> bool:
    return os.path.samestat(os.stat(path), os.fstat(handle))  # noqa: PTH116 - beside its twin
