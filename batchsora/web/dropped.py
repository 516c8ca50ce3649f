"""What people drop together: one table, its pictures, and zips of them."""

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from batchsora.manifest.images.picture_paths import SUFFIXES
from batchsora.manifest.read import READERS
from batchsora.web.uploads import LARGEST_MANIFEST, MOST_FILES, Upload
from batchsora.web.zips import Room, ZipRefusedError, unzipped
from jobs.model.text import normalized

MB: Final = 1024**2
LARGEST_PICTURE: Final = 50 * MB
LARGEST_FORM: Final = 512 * MB  # bytes of all that is sent at once
PICTURES: Final = (*SUFFIXES, ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif")
"""Suffixes of pictures; what the provider does not take is a problem of its row, which names it."""
ZIP: Final = ".zip"
DEEPEST: Final = 10  # folders in each other
LONGEST_PART: Final = 200  # bytes of a folder's or file's name
_LITTER: Final = ("__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class DropError(Exception):
    """What was dropped can't be used; the text says why and what to do."""


@dataclass(slots=True)
class Dropped:
    """Files as they belong together."""

    table: Upload | None = None
    pictures: dict[str, tuple[tuple[str, ...], Upload]] = field(default_factory=dict)
    """Folders and name of each, by how they are compared."""
    folders: set[str] = field(default_factory=set)  # that these are in, by how they are compared
    aside: list[str] = field(default_factory=list)  # what is not used, and why

    def add_picture(self, upload: Upload) -> None:
        """Add a picture, which may be there already.

        Raises:
            DropError: another one, or a folder, has its name.
        """
        parts = parts_of(upload.name)
        if parts is None:
            self.aside.append(f"{shown(upload.name)}: not a usable file name")
            return
        names = list(map(folded, parts))
        key = "/".join(names)
        above = ["/".join(names[:depth]) for depth in range(1, len(names))]
        self.folders.update(above)
        if key in self.folders or not self.pictures.keys().isdisjoint(above):
            raise DropError(
                f"A part of {shown('/'.join(parts))} is a picture and a folder: rename one of them."
            )
        before = self.pictures.setdefault(key, (parts, upload))
        if before[1].sha256 != upload.sha256:
            raise DropError(
                f"Two different pictures are called {shown('/'.join(parts))}: rename one of them."
            )
        if len(self.pictures) > MOST_FILES:
            raise DropError(f"These are more than {MOST_FILES} pictures: split the table.")


def folded(name: str) -> str:
    """Return a name as names of pictures are compared: without case, in one form of Unicode."""
    return normalized(name).casefold()


def shown(name: str) -> str:
    """Return a name as far as it is worth showing."""
    return name if len(name) <= 80 else f"…{name[-79:]}"  # noqa: PLR2004 - a line


def parts_of(name: str) -> tuple[str, ...] | None:
    """Return a path's folders and name, or None if it leads outside or can't be a file's name."""
    path = normalized(name.replace("\\", "/"))
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if path.startswith("/") or not 0 < len(parts) <= DEEPEST:
        return None
    usable = all(
        not part.startswith(".")
        and ":" not in part
        and len(part.encode("utf-8", "replace")) <= LONGEST_PART
        and all(unicodedata.category(letter) not in _HIDDEN for letter in part)
        for part in parts
    )
    return parts if usable else None


def sorted_out(uploads: Iterable[Upload], folder: Path) -> Dropped:
    """Separate table, pictures and zips; what is in zips is taken out to ``folder``.

    Raises:
        DropError: there are several tables, or two pictures of one name, or a zip is refused.
        OSError: there is no room.
    """
    found, room = Dropped(), Room()
    tables: list[Upload] = []
    packed: list[Upload] = []
    for upload in uploads:
        if is_litter(upload.name):
            continue
        suffix = suffix_of(upload.name)
        most = most_of(suffix)
        if not upload.whole or (most is not None and upload.size > most):
            size = (most or LARGEST_FORM) // MB
            if suffix in READERS:
                raise DropError(f"The file is larger than {size} MB.")
            found.aside.append(f"{shown(upload.name)}: larger than {size} MB")
        elif suffix == ZIP:
            _unpack(upload, folder, room, found, packed)
        elif suffix in READERS:
            tables.append(upload)
        elif suffix in PICTURES:
            found.add_picture(upload)
        else:
            found.aside.append(f"{shown(upload.name)}: neither a table nor a picture")
    found.table = _the_one(tables) or _the_one(packed)
    found.aside += [
        f"{shown(table.name)}: another table"
        for table in (*tables, *packed)
        if table is not found.table
    ]
    return found


def suffix_of(name: str) -> str:
    """Return a name's suffix in lower case."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - a name, no path of ours


def most_of(suffix: str) -> int | None:
    """Return the most bytes of a file, by its suffix; None if nothing of that kind is used."""
    if suffix in READERS:
        return LARGEST_MANIFEST
    if suffix in PICTURES:
        return LARGEST_PICTURE
    return LARGEST_FORM if suffix == ZIP else None


def is_litter(name: str) -> bool:
    """Return whether a file is one that systems leave behind in folders and zips."""
    parts = name.replace("\\", "/").split("/")
    return any(part.lower() in _LITTER for part in parts) or (
        parts[-1].startswith(".") and parts[-1] not in (".", "..")
    )


def _unpack(upload: Upload, folder: Path, room: Room, found: Dropped, tables: list[Upload]) -> None:
    def wanted(name: str) -> int | str:
        suffix = suffix_of(name)
        if parts_of(name) is None and not is_litter(name):
            return "its name leads outside, or can't be a file's name"
        if suffix == ZIP:
            return "a zip in a zip is not opened"
        return most_of(suffix) or "neither a table nor a picture"

    try:
        for item in unzipped(upload.path, folder, wanted, room):
            if is_litter(item.name if isinstance(item, Upload) else item[0]):
                continue
            if not isinstance(item, Upload):
                name, reason = item
                found.aside.append(f"{shown(name)}: {reason}")
            elif suffix_of(item.name) in READERS:
                tables.append(item)
            else:
                found.add_picture(item)
    except ZipRefusedError as error:
        raise DropError(f"{shown(upload.name)} can't be used: {error}") from error


def _the_one(tables: list[Upload]) -> Upload | None:
    """Return the only table; notes and other texts count where there is nothing else.

    Raises:
        DropError: there are several.
    """
    likely = [table for table in tables if suffix_of(table.name) not in (".txt", ".json")] or tables
    if len(likely) > 1:
        names = ", ".join(shown(table.name) for table in likely[:5])
        raise DropError(f"These are several tables: {names}. Choose one; each is a batch.")
    return next(iter(likely), None)
