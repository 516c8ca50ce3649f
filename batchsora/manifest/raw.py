"""What every reader of a file format yields; everything shared starts from here.

A new format is one module with one function ``open_FORMAT(path, reading) -> RawTable`` and one line
in :data:`batchsora.manifest.read.READERS`. It knows its syntax, and nothing about what columns
mean.
"""

import codecs
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from batchsora.manifest.encodings import is_utf_8_after_all, mark_of
from batchsora.manifest.errors import ManifestError, RowProblem, refused

IMAGES: Final = ("image", "image_url")
"""Two columns for one thing: a row with one of them gets no default for the other."""
LARGEST_PART: Final = 64 * 1024**2
"""Bytes of a picture that lies in a workbook, before it is fitted."""


class RawRow(NamedTuple):
    """One row: its place as an editor counts, and its texts in the headers' order.

    ``defaulted`` are the places of cells that the row does not say itself, but a default.
    """

    row: int
    cells: Sequence[str]
    defaulted: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture in a workbook, at one of its rows (``--embedded-images``).

    Attributes:
        row: that it belongs to, or that it begins over.
        column: of its cell, from 0.
        part: of the workbook's package, with its bytes; None if it can't be used.
        sha256: of its bytes.
        size: in bytes.
        problem: why it can't be used; None if it can, as far as is known.
        remedy: what to do about that.
    """

    row: int
    column: int
    part: str | None
    sha256: str | None
    size: int
    problem: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a manifest says beside its rows (only trees can); budgets are in USD, or None."""

    batch: str | None = None
    budget: Decimal | None = None
    campaign_budgets: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person says about a manifest, because its file doesn't.

    Attributes:
        sheet: name of a workbook's sheet; None is the first one.
        delimiter: between the cells of a text table; None: the header shows it.
        encoding: of a text table; None is UTF-8, or UTF-16 with a byte order mark.
        columns: which column of ours a header means (``--map``), by the header as written.
        defaults: what an empty cell of one of our columns means (``--default``), also if the table
            has no such column.
        header_row: number of the row of a sheet's headers (``--header-row``); None: it is found.
        include_hidden: also read a sheet's hidden rows (``--include-hidden``); None is like False,
            and is not kept.
        ignore_pictures: ignore pictures over cells, or in cells that are not ours
            (``--ignore-pictures``).
        embedded_images: use such pictures as the rows' images (``--embedded-images``).
        results: headers of the columns that we wrote into the manifest (``export --in-place``).
        images: a folder in which pictures are looked for, beside the manifest's own.
        kept: headers of ``columns`` that were given for an earlier load; a missing one is ignored
            here (:mod:`batchsora.manifest.rows.columns`).
        file_name: pattern of the files' names (``--file-name``, :mod:`batchsora.file_names`).
    """

    sheet: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    include_hidden: bool | None = None
    ignore_pictures: bool | None = None
    embedded_images: bool | None = None
    results: Sequence[str] = ()
    images: str | None = None
    kept: tuple[str, ...] = ()
    file_name: str | None = None
    header_row: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what was given, to be kept with the batch."""
        said = {name: said for name, said in asdict(self).items() if said and name != "kept"}
        return said | ({"sheet_said": True} if self.sheet else {})

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Reading":
        """Return how a manifest was read, from what was kept with its batch."""
        said = {name: kept[name] for name in cls.__slots__ if name in kept and name != "kept"}
        return cls(**said, kept=tuple(said.get("columns", ())))


PLAIN: Final = Reading()
"""Nothing needs to be said."""


class RawTable(Protocol):
    """A manifest as its format's reader sees it."""

    @property
    def headers(self) -> tuple[str, ...]:
        """Return the headers as written, in order; an empty one is a column without a name."""
        ...

    @property
    def header_row(self) -> int | None:
        """Return the row of the headers; None if they have none of their own."""
        ...

    @property
    def sheet(self) -> str | None:
        """Return the name of the workbook's sheet; None if it is not a workbook."""
        ...

    @property
    def settings(self) -> Settings:
        """Return what the file says beside its rows."""
        ...

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows in the file's order; blank ones may be left out.

        Raises ManifestError if the file can't be read to its end.
        """
        ...


def warnings_of(table: RawTable) -> tuple[RowProblem, ...]:
    """Return the warnings of a reader, if it has any."""
    return tuple(getattr(table, "warnings", ()))


def embedded_in(table: RawTable) -> tuple[Embedded, ...]:
    """Return the pictures that a reader found at the rows of a workbook."""
    return tuple(getattr(table, "embedded", ()))


def hidden_in(table: RawTable) -> bool:
    """Return whether a reader left out hidden rows."""
    return bool(getattr(table, "hidden", False))


class OtherRows:
    """A table that changes the rows of another one (``inner``); everything else is the other's."""

    __slots__ = ()
    inner: RawTable

    @property
    def header_row(self) -> int | None:
        """Return the row of the headers."""
        return self.inner.header_row

    @property
    def sheet(self) -> str | None:
        """Return the name of the workbook's sheet."""
        return self.inner.sheet

    @property
    def settings(self) -> Settings:
        """Return what the file says beside its rows."""
        return self.inner.settings

    @property
    def warnings(self) -> tuple[RowProblem, ...]:
        """Return the warnings of the file's reader."""
        return warnings_of(self.inner)

    @property
    def hidden(self) -> bool:
        """Return whether hidden rows were left out."""
        return hidden_in(self.inner)


@dataclass(frozen=True, slots=True)
class DefaultedTable(OtherRows):
    """A table in which empty cells have their default; columns that it lacks come last."""

    inner: RawTable
    headers: tuple[str, ...]
    places: Mapping[int, str]
    pictures: Collection[int]

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows, with their empty cells filled."""
        own = len(self.inner.headers)
        added = [""] * (len(self.headers) - own)
        for raw in self.inner.rows():
            if not isinstance(raw, RawRow):
                yield raw
                continue
            short = [""] * (own - len(raw.cells))
            # cells beyond the last column stay there, where they are reported as faults
            cells = [*raw.cells[:own], *short, *added, *raw.cells[own:]]
            has_picture = any(cells[place].strip() for place in self.pictures)
            filled = [*raw.defaulted]
            for place, text in self.places.items():
                empty = text and not cells[place].strip()
                if empty and not (has_picture and place in self.pictures):
                    cells[place] = text
                    filled.append(place)
            yield RawRow(raw.row, cells, filled)


def with_defaults(
    table: RawTable, known: Mapping[str, int], defaults: Mapping[str, str]
) -> DefaultedTable:
    """Return a table with defaults, given by the name of our column."""
    headers = [*table.headers]
    places: dict[int, str] = {}
    for name, text in defaults.items():
        if name not in known:
            headers.append(name)
        places[known.get(name, len(headers) - 1)] = text
    ours = [known.get(name) for name in IMAGES]
    pictures = {p for p in (*places, *known.values()) if p in ours or headers[p] in IMAGES}
    return DefaultedTable(table, tuple(headers), places, pictures)


def encoding_of(path: Path, said: str | None) -> str:
    """Return the encoding of a text file: as a person says, or by its byte order mark.

    Raises ManifestError if the file can't be read, or is UTF-8 and said to be something else.
    """
    try:
        if said is None:
            return mark_of(path) or "utf-8-sig"
        if is_utf_8_after_all(path, said):
            raise refused(
                str(path),
                f"the file is UTF-8, not {said}: its letters would be misread",
                "Remove --encoding.",
            )
    except OSError as error:
        raise unreadable(path, error) from error
    return "utf-8-sig" if codecs.lookup(said).name == "utf-8" else said


def unreadable(path: Path, error: OSError) -> ManifestError:
    """Return the error of a file that the system can't read."""
    return refused(
        str(path), f"the file can't be read: {error.strerror}", "Check the disk and permissions."
    )


LOOKED_AT: Final = 500  # names of a folder that are compared with a missing one


def _near(path: Path) -> str | None:
    """Return the file beside a missing one whose name is nearest; None if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - for a mistake alone

    try:
        names = [one.name for one in islice(path.parent.iterdir(), LOOKED_AT) if one.is_file()]
    except (OSError, ValueError):
        return None
    stems = {Path(name).stem.casefold(): name for name in names}
    near = get_close_matches(path.stem.casefold()[:80], stems, 1)
    return str(path.with_name(stems[near[0]])) if near else None


def check_name(path: Path) -> None:
    """Check that a path can be kept in the database and shown in JSON: it must be UTF-8."""
    try:
        os.fspath(path.absolute()).encode()
    except UnicodeEncodeError as error:
        shown = os.fspath(path).encode("utf-8", "replace").decode()
        raise refused(
            shown, "the name of the file or of its folder is not UTF-8", "Rename it."
        ) from error


def check_regular(path: Path) -> None:
    """Check, before a path is opened, that it is a plain file that we may read.

    Raises ManifestError if it is missing, not readable, a folder, a pipe or a device.
    """
    file = str(path)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        near = _near(path) if isinstance(error, FileNotFoundError) else None
        remedy = "Check the path and its permissions."
        if near is not None:
            remedy = f"Did you mean {near!r}?"
        raise refused(file, f"the manifest can't be read: {reason}", remedy) from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise refused(file, f"the manifest is {what}", "Name a .csv or .yaml file.")
    if not os.access(path, os.R_OK):
        raise refused(file, "the manifest can't be read", "Check the file's permissions.")
