"""Zips that people drop: files are taken out one by one, within bounds on all that they may cost.

Names are only names here: nothing is unpacked to where a zip says.
"""

import errno
import hashlib
import io
import os
import stat
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from batchsora.web.uploads import Upload
from jobs import system
from jobs.model.files import made_folder

MOST_ENTRIES: Final = 5000
MOST_UNPACKED: Final = 1024**3  # bytes of all files that are taken out of the zips of a form
STEEPEST: Final = 200  # unpacked bytes for one packed byte; pictures have 1, texts 20
PLAIN_SIZE: Final = 1024**2  # bytes up to which a file may be packed more tightly
LARGEST_DIRECTORY: Final = 2 * 1024**2  # bytes of a zip's list of files, or of one read
_CHUNK: Final = 256 * 1024
_ENCRYPTED: Final = 0x1
_NAME_IS_UTF_8: Final = 0x800

_DAMAGED: Final = (
    BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError
)  # fmt: skip


class ZipRefusedError(Exception):
    """A zip can't be used; the text says why and what to do."""


@dataclass(slots=True)
class Room:
    """How much may still be taken out of the zips of one form."""

    bytes: int = MOST_UNPACKED
    entries: int = MOST_ENTRIES


class _Bounded(io.BufferedReader):
    """A file that refuses to be read in large pieces, such as a list of a million files."""

    def read(self, size: int | None = -1, /) -> bytes:
        asked = LARGEST_DIRECTORY + 1 if size is None or size < 0 else size
        data = b"" if asked > LARGEST_DIRECTORY + 1 else super().read(asked)
        if asked > LARGEST_DIRECTORY + 1 or len(data) > LARGEST_DIRECTORY:
            raise ZipRefusedError(f"it lists more than {MOST_ENTRIES} files. Use a smaller zip.")
        return data


def unzipped(
    path: Path,
    folder: Path,  # gets the files, under names of ours
    wanted: Callable[[str], int | str],  # the most bytes of a file, by its name, or why it is not
    room: Room,
) -> Iterator[Upload | tuple[str, str]]:
    """Yield the wanted files of a zip, and name and reason of the others.

    Raises:
        ZipRefusedError: it is damaged, encrypted, or larger than it may be.
        OSError: a file can't be written.
    """
    try:
        with _Bounded(io.FileIO(path)) as file, ZipFile(file) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                room.entries -= 1
                if room.entries < 0:
                    raise ZipRefusedError(
                        f"it has more than {MOST_ENTRIES} files. Use a smaller zip."
                    )
                name = _name(info)
                most = "a link, which is not followed" if _is_link(info) else wanted(name)
                if isinstance(most, str):
                    yield name, most
                    continue
                _check(info, name, room)
                if info.file_size > most:
                    yield name, f"larger than {most // 1024**2} MB"
                    continue
                yield _taken(archive, info, name, folder)
                room.bytes -= info.file_size
    except _DAMAGED as error:
        raise ZipRefusedError("the zip is damaged. Pack or download it again.") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # it says that a file begins before its own beginning
            raise ZipRefusedError("the zip is damaged. Pack or download it again.") from error
        raise


def _name(info: ZipInfo) -> str:
    """Return a file's name; macOS writes UTF-8 without saying so."""
    if not info.flag_bits & _NAME_IS_UTF_8:
        try:
            return info.filename.encode("cp437").decode("utf-8")
        except UnicodeError:
            return info.filename
    return info.filename


def _is_link(info: ZipInfo) -> bool:
    mode = info.external_attr >> 16
    return bool(mode) and stat.S_IFMT(mode) not in (0, stat.S_IFREG)


def _check(info: ZipInfo, name: str, room: Room) -> None:
    """Raise a ZipRefusedError for a file that is encrypted, or would cost too much."""
    shown = name[-80:]
    if info.flag_bits & _ENCRYPTED:
        raise ZipRefusedError(f"{shown} is encrypted. Pack the files without a password.")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ZipRefusedError(f"{shown} is packed in an unusual way. Use the system's own zip.")
    if info.file_size > room.bytes:
        raise ZipRefusedError(
            f"it unpacks to more than {MOST_UNPACKED // 1024**2} MB. Send fewer files at once."
        )
    if info.file_size > max(PLAIN_SIZE, STEEPEST * info.compress_size):
        raise ZipRefusedError(
            f"{shown} unpacks to {STEEPEST} times its size or more, as no picture does. "
            "Send that file by itself."
        )


def _taken(archive: ZipFile, info: ZipInfo, name: str, folder: Path) -> Upload:
    """Unpack one file, which may not be larger than its zip says."""
    made_folder(folder)
    path, digest, size = folder / f"{uuid.uuid4().hex}.part", hashlib.sha256(), 0
    with os.fdopen(system.create(path), "wb") as file, archive.open(info) as packed:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if size > info.file_size:
                raise BadZipFile(name)
            digest.update(chunk)
            file.write(chunk)
    return Upload(name, path, digest.hexdigest(), size, whole=True)
