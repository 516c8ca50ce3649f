"""Convert pictures for the provider (``--fit-images``): a JPEG or PNG of at most 10 MB.

The original is never changed. The result is kept under the original's SHA-256, so the next load
sends the same bytes, the row stays the same row, and nothing is bought again. It contains nothing
but the picture itself: no place, no camera, no comment.

A picture may come from anybody. Only the parser that the first bytes name reads it; bytes, pixels
and passes are counted before anything is decoded, in a separate process.
"""

import base64
import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from batchsora.apart import ApartError, Bounds, ask
from batchsora.manifest.errors import CellError
from batchsora.manifest.images.picture_paths import keep
from batchsora.manifest.images.row_images import LARGEST_IMAGE, media_type, opened
from batchsora.picture_kinds import HEAD, JPEG, PNG, TAKEN, kind_of

if TYPE_CHECKING:
    from PIL.Image import Image

TASK: Final = "batchsora.manifest.images.fitting:prepare"
MB: Final = 1024**2
LARGEST_READ: Final = 500 * 1024**2
"""Bytes of an original."""
MOST_PIXELS: Final = 100_000_000
"""Of an original; decoded they take four bytes each, and some of them twice."""
LEAST_MEMORY: Final = 384 * MB
"""Bytes to decode and convert the smallest file in: some 30 million pixels of one colour."""
MEMORY_A_BYTE: Final = 100
"""More for each byte of the file; photographs have one to eight pixels for each."""
MOST_MEMORY: Final = 1536 * MB
MOST_SECONDS: Final = 300
MOST_PASSES: Final = 2000
"""A progressive JPEG has ten; one with a hundred thousand keeps a machine busy for an hour."""
QUALITIES: Final = (90, 80, 70)
"""Of a JPEG, from the first that is tried; then it is shrunk."""
SHRUNK_QUALITY: Final = 85
WIDEST_JPEG: Final = 65_500

_SUFFIXES: Final = {kind.suffix: kind.name for kind in (JPEG, PNG)}
_CHUNK: Final = 1024**2
_SAVE_AGAIN: Final = "Save it as a JPEG or PNG with a picture program."


@dataclass(frozen=True, slots=True)
class _Made:
    """A picture's new form: its bytes, the suffix for them, and what was done."""

    data: bytes
    suffix: str
    note: str


class Fitter:
    """Converts pictures, and keeps the results in a folder that must be ours; made if needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fit(self, path: Path) -> tuple[Path, str | None]:
        """Return the file to send for a resolved path, and what was done to it, or None.

        Raises CellError if it is not a picture, can't be read or converted, or Pillow is not
        installed.
        """
        with opened(path) as file:
            before = os.fstat(file.fileno())
            kind = _to_convert(file.read(HEAD), before.st_size)
            if kind is None:
                return path, None
            sha256 = _fingerprint(file, kind)
            earlier = self._earlier(sha256)
            if earlier is not None:
                what = f"a {_SUFFIXES[earlier.suffix]} made from it earlier is used"
                return earlier, f"{what}, {_size(earlier.stat().st_size)}"
            file.seek(0)
            made = _converted_apart(path, kind, before)
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise _changed()
        try:
            return keep(self._folder, f"{sha256}{made.suffix}", made.data), made.note
        except OSError as error:
            raise CellError(
                f"the fitted image can't be written: {error.strerror}",
                f"Free some space and check the permissions of {self._folder}.",
            ) from error

    def _earlier(self, sha256: str) -> Path | None:
        """Return what an earlier load made, if it can be sent."""
        for suffix in _SUFFIXES:
            path = self._folder.absolute() / f"{sha256}{suffix}"
            try:
                with opened(path) as file:
                    media_type(file.read(HEAD))
                    if os.fstat(file.fileno()).st_size <= LARGEST_IMAGE:
                        return path
            except CellError:
                continue
        return None


def _changed() -> CellError:
    return CellError("the image changed while it was read", "Run the command again.")


def _to_convert(head: bytes, size: int) -> str | None:
    """Return the kind as which Pillow should read a file, or None if it can stay as it is."""
    if not size:
        return None
    kind = kind_of(head)
    if kind is None or not kind.converted:
        media_type(head)  # it says what it is
        return None
    if kind in TAKEN and size <= LARGEST_IMAGE:
        return None
    if size > LARGEST_READ:
        raise CellError(
            f"the image is larger than {LARGEST_READ // 1024**2} MB, too large to be converted",
            _SAVE_AGAIN,
        )
    return kind.name


def _fingerprint(file: BinaryIO, kind: str) -> str:
    """Return the SHA-256 of a file; raise CellError for a JPEG with too many passes."""
    digest = hashlib.sha256()
    passes = 0
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        passes += chunk.count(b"\xff\xda")
    if kind == "JPEG" and passes > MOST_PASSES:
        raise CellError(f"the image is a JPEG of more than {MOST_PASSES} passes", _SAVE_AGAIN)
    return digest.hexdigest()


def _converted_apart(path: Path, kind: str, status: os.stat_result) -> _Made:
    """Convert a picture in a separate process; errors are those of :func:`_converted`.

    Args:
        status: of the file that was checked, which is the one to convert.
    """
    size = status.st_size
    bounds = Bounds(
        min(MOST_SECONDS, 30 + 4 * size // MB),
        min(MOST_MEMORY, LEAST_MEMORY + MEMORY_A_BYTE * size),
        2 * LARGEST_IMAGE,
    )
    given = {"path": str(path), "file": [status.st_dev, status.st_ino], "kind": kind}
    from batchsora.apart.answers import nonsense, only  # noqa: PLC0415 - pydantic, as below
    from batchsora.manifest.answers import PICTURE, Unusable  # noqa: PLC0415 - the converter needs none

    try:
        said = only(ask(TASK, given, bounds), PICTURE)
        if isinstance(said, Unusable):
            raise CellError(said.problem, said.remedy)
        found = kind_of(said.data[:HEAD])
        named = None if found is None else found.name
        if _SUFFIXES[said.suffix] != named or len(said.data) > LARGEST_IMAGE:
            raise nonsense()
    except ApartError as error:
        raise CellError(f"the image can't be converted: {error}", _SAVE_AGAIN) from error
    return _Made(said.data, said.suffix, said.note)


def prepare(given: Mapping[str, Any]) -> Callable[[], Iterator[Any]]:
    """Import what converts a picture, in the separate process; return the function that does."""
    with suppress(ImportError):  # reported when it converts
        from PIL import Image, ImageCms, ImageOps  # noqa: F401, PLC0415

        Image.init()

    def work() -> Iterator[Any]:
        try:
            with opened(Path(given["path"])) as file:
                found = os.fstat(file.fileno())
                if [found.st_dev, found.st_ino] != given["file"]:
                    raise _changed()
                made = _converted(file, given["kind"])
            data = base64.b64encode(made.data).decode("ascii")
            yield {"data": data, "suffix": made.suffix, "note": made.note}
        except CellError as error:
            yield {"problem": error.problem, "remedy": error.remedy}

    return work


def _converted(file: BinaryIO, kind: str) -> _Made:
    """Convert a picture to JPEG or PNG; raise CellError if that can't be done."""
    try:
        from PIL import Image  # noqa: F401, PLC0415 - an extra: most people do without
    except ImportError as error:
        raise CellError(
            "the image has to be converted, but Pillow is not installed",
            "Install batchsora with the extra 'images': pip install '.[images]' in the folder of "
            "its source.",
        ) from error
    try:
        # Pillow warns of what it overlooks; what it does not overlook raises.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _encoded(*_decoded(file, kind))
    except CellError:
        raise
    except MemoryError as error:
        raise CellError("there is not enough memory for the image", _SAVE_AGAIN) from error
    except Exception as error:  # damaged pictures make its parsers raise almost anything
        raise CellError(
            f"the image is damaged, or a kind of {kind} that can't be converted", _SAVE_AGAIN
        ) from error


def _decoded(file: BinaryIO, kind: str) -> tuple["Image", "Image | None", str]:
    """Read the first frame: colours as upright sRGB, opacity if any, and which frame it is."""
    from PIL import Image, ImageOps  # noqa: PLC0415

    try:
        image: Image.Image = Image.open(file, formats=[kind])
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    if image.width * image.height > MOST_PIXELS:
        raise _too_many_pixels()
    several = image.format == kind and getattr(image, "is_animated", False)
    which = (" of its first page" if kind == "TIFF" else " of its first frame") if several else ""
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    opacity = None
    if image.has_transparency_data:
        opacity = (image if image.mode == "RGBA" else image.convert("RGBA")).getchannel("A")
        if opacity.getextrema() == (255, 255):
            opacity = None
    colours = _in_srgb(image)
    colours.info.clear()  # what is there would be written, comments for one
    return colours, opacity, which


def _too_many_pixels() -> CellError:
    return CellError(
        f"the image has more than {MOST_PIXELS // 1_000_000} million pixels", "Make it smaller."
    )


def _in_srgb(image: "Image") -> "Image":
    """Return a picture's colours as RGB, by its colour profile if it has a usable one."""
    from PIL import ImageCms  # noqa: PLC0415

    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif image.mode in {"I", "F"}:
        raise CellError(f"unsupported kind of colours (mode {image.mode})", _SAVE_AGAIN)
    if image.mode in {"1", "LA", "La"}:
        image = image.convert("L")
    elif image.mode not in {"L", "RGB", "CMYK", "LAB"}:
        image = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            changed = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            changed = None  # of another picture, or damaged: other programs overlook it, too
        if changed is not None:
            return changed
    return image if image.mode == "RGB" else image.convert("RGB")


class _FullError(Exception):
    """A picture became too large; the rest need not be written."""


class _Bounded(io.BytesIO):
    """Memory that accepts no more than may be sent."""

    def write(self, data: "bytes | bytearray | memoryview[int]", /) -> int:  # type: ignore[override]
        if self.tell() + len(data) > LARGEST_IMAGE:
            raise _FullError
        return super().write(data)


def _encoded(image: "Image", opacity: "Image | None", which: str) -> _Made:
    """Write a picture so that it fits: in the best quality, then in the largest size."""
    import PIL.Image  # noqa: PLC0415

    done = ""
    if opacity is not None:
        whole = image.convert("RGBA")
        whole.putalpha(opacity)
        data = _written(whole, "PNG")
        if data is not None:
            return _Made(data, ".png", f"made a PNG{which}, {_size(len(data))}")
        white = PIL.Image.new("RGB", image.size, "white")
        white.paste(image, mask=opacity)
        image = white
        done = ", transparent parts are white"
    if max(image.size) <= WIDEST_JPEG:
        for quality in QUALITIES:
            data = _written(image, "JPEG", quality)
            if data is not None:
                if quality != QUALITIES[0]:
                    done += f", at quality {quality}"
                return _Made(data, ".jpg", f"made a JPEG{which}{done}, {_size(len(data))}")
    share = min(0.8, WIDEST_JPEG / max(image.size))
    while True:
        width, height = (max(1, int(side * share)) for side in image.size)
        smaller = image.resize((width, height), PIL.Image.Resampling.LANCZOS, reducing_gap=2.0)
        data = _written(smaller, "JPEG", SHRUNK_QUALITY)
        if data is not None:
            was = f"{image.width} x {image.height}"
            done += f", shrunk from {was} to {width} x {height}"
            return _Made(data, ".jpg", f"made a JPEG{which}{done}, {_size(len(data))}")
        share *= 0.8


def _written(image: "Image", kind: str, quality: int = 0) -> bytes | None:
    """Write a picture, or return None if it becomes too large."""
    target = _Bounded()
    try:
        if kind == "JPEG":
            image.save(target, kind, quality=quality)
        else:
            image.save(target, kind)
    except _FullError:
        return None
    return target.getvalue()


def _size(size: int) -> str:
    if size < 1024**2 // 10:
        return f"{max(1, round(size / 1024))} KB"
    return f"{size / 1024**2:.1f} MB"
