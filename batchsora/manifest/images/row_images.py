"""The image of a row: a file beside the manifest, a web address, or a data URI.

A manifest may come from somebody else, and what an image cell names is sent to the provider. So a
path never leads out of the manifest's folder (links included) unless the person allows it, only
regular files are opened, and only what is a picture by its content is accepted.
"""

import binascii
import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from batchsora.manifest.errors import CellError, shorten
from batchsora.manifest.images.picture_paths import (
    NOT_FOUND,
    PictureFolder,
    check_written,
    embedded_files,
    embedded_in_text,
    folders_with,
    in_another_form,
    not_found,
)
from batchsora.manifest.raw import LARGEST_PART
from batchsora.manifest.values import check_url
from batchsora.picture_kinds import kind_of
from batchsora.providers.registry import DEFAULT_MODEL
from jobs import system
from jobs.model.provider import ImageRef

if TYPE_CHECKING:
    from batchsora.manifest.images.fitting import Fitter

LARGEST_IMAGE: Final = DEFAULT_MODEL.largest_image  # bytes, decoded

SHOWN: Final = 3
"""How many pictures from another folder are named."""

AT_ONCE: Final = 4
"""Files that are read and hashed at the same time; all of them are held in memory."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=//)|data:", re.IGNORECASE)
_DATA_URI = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_TAKEN: Final = "Use a JPEG, PNG or WEBP."


def media_type(head: bytes) -> str:
    """Return a picture's type by its first bytes; raise CellError for types not accepted."""
    kind = kind_of(head)
    if kind is not None and kind.media is not None:
        return kind.media
    if kind is not None:
        raise CellError(f"the image is actually {kind.called}", _TAKEN)
    raise CellError("the image is not a JPEG, PNG or WEBP", _TAKEN)


@dataclass(slots=True)
class Images:
    """Reads the images of one manifest during one load, every file once.

    Attributes:
        folder: the manifest's own; paths are relative to it.
        allow_outside: whether paths may lead out of it.
        fitter: converts what the provider does not take; None: such pictures are errors.
        more: another folder in which they are looked for, also by the ends of their paths.
        kept: folders of pictures from workbooks, by their SHA-256.
        notes: what was done to which picture, for a person.
    """

    folder: Path
    _: KW_ONLY
    allow_outside: bool
    fitter: "Fitter | None" = None
    more: Path | None = None
    kept: Sequence[Path] = ()
    notes: list[str] = field(default_factory=list)
    _embedded: dict[str, Path] = field(default_factory=dict, init=False)
    _files: dict[Path, tuple[Path, str, int, str] | CellError] = field(
        default_factory=dict, init=False
    )
    _elsewhere: dict[Path, set[str]] = field(default_factory=dict, init=False)
    _folder: PictureFolder | None = field(default=None, init=False)

    @property
    def used(self) -> frozenset[Path]:
        """Return the files that rows named, as far as they were read."""
        return frozenset(self._files)

    @property
    def elsewhere(self) -> list[str]:
        """Return the folders that pictures were taken from though no cell names them."""
        return [
            f"{len(names)} picture(s) are taken from {folder.name}{os.sep}: {', '.join(shown)}"
            + (", …" if len(names) > len(shown) else "")
            for folder, names in self._elsewhere.items()
            if (shown := [shorten(name) for name in sorted(names)[:SHOWN]])
        ]

    def read(self, text: str) -> ImageRef | None:
        """Find the image that a cell names (empty is None); raise CellError if it can't be used."""
        source = text.strip()
        if not source:
            return None
        check_written(source)
        match = _SCHEME.match(source)
        if match is None:
            return self._file(source)
        if match[0].lower() == "data:":
            return _data_uri(source)
        return url(source)

    def _file(self, source: str) -> ImageRef:
        path = self._resolved(source)
        if path not in self._files:
            self._files[path] = self._facts(path, source)
        facts = self._files[path]
        if isinstance(facts, CellError):
            raise CellError(facts.problem, facts.remedy)
        fitted, sha256, size, media = facts
        return ImageRef(source, str(fitted), sha256, size, media)

    def prepare(self, texts: Iterable[str]) -> None:
        """Read the files that some cells name, several at once, before :meth:`read` is called."""
        if self.fitter is not None:  # what it makes and says comes in the rows' order
            return
        found: dict[Path, str] = {}
        for text in texts:
            source = text.strip()
            if source and _SCHEME.match(source) is None:
                with suppress(CellError):  # reported by read
                    found.setdefault(self._resolved(source), source)
        new = {path: source for path, source in found.items() if path not in self._files}
        if len(new) > 1:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                facts = pool.map(self._facts, new.keys(), new.values())
                self._files |= dict(zip(new, facts, strict=True))

    def _facts(self, path: Path, source: str) -> tuple[Path, str, int, str] | CellError:
        try:
            fitted, note = (path, None) if self.fitter is None else self.fitter.fit(path)
            if note is not None:
                shown = "".join(c if c.isprintable() else "?" for c in shorten(source))
                self.notes.append(f"{shown}: {note}")
            with opened(fitted) as file:
                data = file.read(LARGEST_IMAGE + 1)
            return fitted, hashlib.sha256(data).hexdigest(), len(data), _checked(data)
        except CellError as error:
            return error

    def _resolved(self, source: str) -> Path:
        if (sha256 := embedded_in_text(source)) is not None:
            return self._of_workbook(sha256)
        try:
            folder = self.folder.resolve(strict=True)
            try:
                path = (folder / source).resolve(strict=True)
            except FileNotFoundError:
                folder, path = self._found(folder, source)
            os.fspath(path).encode()
        except CellError:
            raise
        except (OSError, RuntimeError, ValueError) as error:  # a circle; a NUL or not UTF-8
            raise _unreadable(error) from error
        if not self.allow_outside and not path.is_relative_to(folder):
            if (near := self._by_its_end(source)) is not None:
                return near
            raise CellError(
                "the image lies outside the manifest's folder",
                "Put it beside the manifest, or allow images from outside explicitly.",
            )
        return path

    def _by_its_end(self, source: str) -> Path | None:
        """Find a picture of the other folder by the end of its path."""
        if self.more is None:
            return None
        self._folder = self._folder or PictureFolder(self.more.resolve(strict=True))
        if (path := self._folder.find(source)) is not None:
            self._elsewhere.setdefault(self._folder.folder, set()).add(source)
        return path

    def _of_workbook(self, sha256: str) -> Path:
        """Find a picture that was extracted from a workbook."""
        if (known := self._embedded.get(sha256)) is not None:
            return known
        found = kept_file(self.kept, sha256)
        if found is None:
            raise CellError(
                "this is a picture from a workbook, and it is not stored with this database",
                "Load the workbook itself with --embedded-images, or save the picture as a file "
                "and write its name.",
            )
        self._embedded[sha256] = found
        return found

    def _found(self, folder: Path, source: str) -> tuple[Path, Path]:
        """Find a picture that is not where its cell says, and the folder that it must lie in."""
        if (path := in_another_form(folder, source)) is not None:
            return folder, path.resolve(strict=True)
        if self.more is not None:
            more = self.more.resolve(strict=True)
            if (path := in_another_form(more, source)) is not None:
                return more, path.resolve(strict=True)
            if (near := self._by_its_end(source)) is not None:
                return more, near
        found = folders_with(folder, source)
        if len(found) > 1:
            both = " and ".join(shorten(f"{path.parent.name}/{path.name}") for path in found[:2])
            raise CellError(f"there are several such images: {both}", "Write which one.")
        if not found:
            raise not_found(folder, source, self.more)
        self._elsewhere.setdefault(found[0].parent, set()).add(source)
        return folder, found[0].resolve(strict=True)


def kept_file(folders: Sequence[Path], sha256: str) -> Path | None:
    """Find a picture that was extracted from a workbook, by its content."""
    for path in (path for folder in folders for path in embedded_files(folder, sha256)):
        with suppress(CellError), opened(path) as file:
            if hashlib.sha256(file.read(LARGEST_PART + 1)).hexdigest() == sha256:
                return path
    return None


class Unread:
    """Reads images by their cells alone, if only keys are needed: no file is read."""

    @staticmethod
    def prepare(texts: Iterable[str]) -> None:
        """Do nothing."""

    @staticmethod
    def read(text: str) -> ImageRef | None:
        """Return what a cell names, whether it exists or not."""
        source = text.strip()
        return ImageRef(source, None if _SCHEME.match(source) else source) if source else None


def url(text: str) -> ImageRef | None:
    """Return a web address as an image, which the provider fetches; empty is None.

    Raises:
        CellError: it is not an http or https address.
    """
    source = text.strip()
    if not source:
        return None
    if " " in source and "\n" not in source:
        raise CellError(
            "a web address can't contain spaces", f"Write {shorten(source.replace(' ', '%20'))}."
        )
    check_url(source, ("https", "http"))
    _refuse_page(source)
    return ImageRef(source)


_PAGES: Final = (
    re.compile(r"https?://drive\.google\.com/(?:file/d/|open\?)", re.IGNORECASE),
    re.compile(r"https?://(?:www\.)?dropbox\.com/.*[?&]dl=0", re.IGNORECASE),
)


def _refuse_page(source: str) -> None:
    if any(page.match(source) for page in _PAGES):
        raise CellError(
            "this address shows a page, not the picture itself",
            "End it with ?raw=1 instead of ?dl=0."
            if "dropbox" in source.lower()
            else "Download the picture, put it beside the manifest and write its name.",
        )


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; raise CellError for a link, a pipe, a device, or an unreadable one."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a device may already do something
            raise _not_regular()
        # Not blocking and not following: it may have become a pipe or a link in between.
        with os.fdopen(system.open_to_read(path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _not_regular()
            yield file
    except OSError as error:
        raise _unreadable(error) from error


def _data_uri(source: str) -> ImageRef:
    match = _DATA_URI.match(source)
    if match is None or ";base64" not in match[2].lower():
        raise CellError(
            "not a usable data URI",
            "Write data:image/png;base64,… or a file's path.",
        )
    text = source[match.end() :]
    if len(text) > LARGEST_IMAGE * 2:  # even with a line break after every few characters
        raise _too_large()
    try:
        data = binascii.a2b_base64("".join(text.split()).encode("ascii"), strict_mode=True)
    except ValueError as error:  # binascii.Error, UnicodeEncodeError
        raise CellError(
            "the data URI's base64 is damaged", "Encode the file again, or name its path."
        ) from error
    media = _checked(data)
    declared = match[1].strip().lower().replace("image/jpg", "image/jpeg")
    if declared != media:
        raise CellError(
            f"the data URI says {declared or 'nothing'}, its content is {media}",
            f"Begin it with data:{media};base64,",
        )
    return ImageRef(source, None, hashlib.sha256(data).hexdigest(), len(data), media)


def _checked(data: bytes) -> str:
    if not data:
        raise CellError("the image is empty", _TAKEN)
    if len(data) > LARGEST_IMAGE:
        raise _too_large()
    media = media_type(data[:16])
    check_whole(data, media)
    return media


def _too_large() -> CellError:
    return CellError(f"the image is larger than 10 MB ({LARGEST_IMAGE} bytes)", "Make it smaller.")


def _not_regular() -> CellError:
    return CellError("the image is not a regular file", "Name a JPEG, PNG or WEBP file.")


def _unreadable(error: Exception) -> CellError:
    if isinstance(error, FileNotFoundError):
        return CellError(
            NOT_FOUND,
            "Paths are relative to the manifest's folder; upper and lower case count.",
        )
    if isinstance(error, UnicodeEncodeError):
        return CellError("the image's path is not UTF-8", "Rename the file or its folder.")
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return CellError("no permission to read the image", "Check the file's permissions.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CellError(f"the image can't be read: {reason}", "Name a JPEG, PNG or WEBP file.")


_SOS = 0xDA
_ALONE = (0x01, *range(0xD0, 0xD9))
"""Markers of a JPEG that have no length behind them."""


def check_whole(data: bytes, media: str) -> None:
    """Raise CellError if a picture of this media type is cut off, or damaged before its end."""
    whole = {"image/png": _png, "image/jpeg": _jpeg, "image/webp": _webp}[media]
    if not whole(data):
        raise CellError(
            f"the image is damaged: it ends after {len(data)} bytes",
            "Download or copy it again.",
        )


def _png(data: bytes) -> bool:
    place = 8
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])
        if data[place + 4 : place + 8] == b"IEND":
            return end <= len(data)
        place = end
    return False


def _jpeg(data: bytes) -> bool:
    """Follow the segments to the pixels, which must be followed by an end.

    A thumbnail in a segment has an end of its own; what cameras write after the last one is
    ignored.
    """
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:  # noqa: PLR2004 - begins each marker
        marker = data[place + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fills
            place += 1
        elif marker in _ALONE:
            place += 2
        elif marker == _SOS:
            return data.find(b"\xff\xd9", place + 4) >= 0
        else:
            place += 2 + max(2, int.from_bytes(data[place + 2 : place + 4]))
    return False


def _webp(data: bytes) -> bool:
    return 12 < int.from_bytes(data[4:8], "little") + 8 <= len(data)  # noqa: PLR2004 - the head
