"""The start image of a generation, as it goes out: an address, a data URI, or a file's bytes."""

import hashlib
import os
from pathlib import Path
from typing import Final

from batchsora.runblob.errors import ImageError
from batchsora.runblob.words import clean
from jobs.provider import ImageRef

LARGEST: Final = 10 * 1024**2
"""Bytes of a decoded image (docs/design.md)."""

ImageSource = ImageRef | Path | bytes | str
"""An engine's image, a file, a picture's bytes; as text a web address, a data URI or a path."""


def read_image(image: ImageSource) -> str | tuple[bytes, str]:
    """Read an image: text goes out as it is, bytes come with their media type.

    Raises:
        ImageError: it can't be used, or it is not the file that was loaded any more.
    """
    if isinstance(image, ImageRef):
        if image.path is None:
            return image.source
        data = _file(Path(image.path))
        if image.sha256 is not None and hashlib.sha256(data).hexdigest() != image.sha256:
            raise ImageError(
                f"the image {_name(image.path)} has changed since it was loaded; load the manifest "
                "again to use it as it is now"
            )
        return data, _media_type(data, image.path)
    if isinstance(image, bytes):
        return image, _media_type(image, "(bytes)")
    if isinstance(image, str) and image.lower().startswith(("data:", "http://", "https://")):
        return image
    data = _file(Path(image))
    return data, _media_type(data, str(image))


def _file(path: Path) -> bytes:
    try:
        if not path.is_file():  # opening a device or a pipe may wait for ever
            raise ImageError(f"there is no image file {_name(path)}")
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise ImageError(f"the image {_name(path)} can't be read: {reason}") from error


def _media_type(data: bytes, name: str) -> str:
    """Tell a picture by its content, whatever its name says."""
    if len(data) > LARGEST:
        raise ImageError(f"the image {_name(name)} is larger than 10 MB ({LARGEST} bytes)")
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    raise ImageError(f"the image {_name(name)} is no JPEG, PNG or WEBP by its content")


def _name(path: str | Path) -> str:
    return clean(str(path))
