"""The start image of a generation, as it is sent: an address, a data URI, or a picture's bytes.

A picture is read twice: to check and hash it, and to send it, a block at a time. So memory holds
one block of each, however large or many they are.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from batchsora.picture_kinds import HEAD, kind_of
from batchsora.providers.runblob.catalog import SORA
from batchsora.providers.runblob.errors import ImageError
from batchsora.providers.runblob.words import clean
from jobs import system
from jobs.model.provider import ImageRef

LARGEST: Final = SORA.largest_image
"""Bytes of a decoded image."""

ImageSource = ImageRef | Path | bytes | str
"""An engine's image, a file, a picture's bytes; as text a web address, a data URI or a path."""

_BLOCK: Final = 1024**2

Read = Callable[[int, int], bytes]
"""Gives so many bytes, from a place on; fewer at the end."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was checked, in memory or in an open file.

    Attributes:
        name: for people.
        size: in bytes.
        sha256: of its content, in hexadecimal.
        media_type: by its content.
    """

    name: str
    size: int
    sha256: str
    media_type: str
    read: Read

    def blocks(self, length: int) -> Iterator[bytes]:
        """Return its bytes again, in blocks; raise an OSError before the end if they changed."""
        found = hashlib.sha256()
        for start in range(0, self.size, length):
            count = min(length, self.size - start)
            block = self.read(count, start)
            if len(block) != count:
                raise OSError(f"the image {self.name} became shorter while it was sent")
            found.update(block)
            yield block
        if found.hexdigest() != self.sha256:
            raise OSError(f"the image {self.name} changed while it was sent")


def size_of(image: ImageSource | None) -> int:
    """Return about how many bytes are sent for an image; 0 if the provider fetches it."""
    if image is None:
        return 0
    text = _text(image)
    if text is not None:
        return len(text) if text[:5].lower() == "data:" else 0
    try:
        size = len(image) if isinstance(image, bytes) else Path(_path(image)).stat().st_size
    except (OSError, ValueError):  # whoever opens it says what is wrong
        return 0
    return min(size, LARGEST) * 4 // 3


@contextmanager
def opened(image: ImageSource) -> Iterator[str | Picture]:
    """Check an image for sending while the block lasts; raise an ImageError if it can't be used."""
    text = _text(image)
    if text is not None:
        yield text
    elif isinstance(image, bytes):
        data = image
        yield _looked_at(lambda count, start: data[start : start + count], "(bytes)", None)
    else:
        path = _path(image)
        with _file(path) as file:
            number = file.fileno()
            try:
                found = _looked_at(
                    lambda count, start: system.read_at(number, count, start),
                    path,
                    image.sha256 if isinstance(image, ImageRef) else None,
                )
            except OSError as error:
                raise _unreadable(path, error) from error
            yield found


def _text(image: ImageSource) -> str | None:
    """Return an address or a data URI, which is sent as it is; None for a picture."""
    if isinstance(image, ImageRef):
        return image.source if image.path is None else None
    if not isinstance(image, str):
        return None
    return image if image[:8].lower().startswith(("data:", "http://", "https://")) else None


def _path(image: ImageRef | Path | str) -> str:
    return str(image.path if isinstance(image, ImageRef) else image)


def _file(name: str) -> BinaryIO:
    """Open a file; it stays the same one whatever is put under its name meanwhile."""
    path = Path(name)
    try:
        if not path.is_file():  # opening a device or a pipe may wait forever
            raise ImageError(f"there is no image file {clean(name)}")
        return path.open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError | ValueError) -> ImageError:
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
    return ImageError(f"the image {clean(name)} can't be read: {reason}")


def _looked_at(read: Read, name: str, expected: str | None) -> Picture:
    """Read a picture once."""
    found = hashlib.sha256()
    size = 0
    head = read(HEAD, 0)
    while size <= LARGEST and (block := read(_BLOCK, size)):
        size += len(block)
        found.update(block)
    if size > LARGEST:
        raise ImageError(f"the image {clean(name)} is larger than 10 MB ({LARGEST} bytes)")
    digest = found.hexdigest()
    if expected not in (None, digest):
        raise ImageError(
            f"the image {clean(name)} has changed since it was loaded; load the manifest "
            "again to use it as it is now"
        )
    return Picture(clean(name), size, digest, _media_type(head, name), read)


def _media_type(head: bytes, name: str) -> str:
    """Recognise a picture by its content, whatever its name says."""
    kind = kind_of(head)
    if kind is not None and kind.media is not None:
        return kind.media
    raise ImageError(f"the image {clean(name)} is not a JPEG, PNG or WEBP")
