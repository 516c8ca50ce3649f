"""Pictures over or in the cells of a sheet: what becomes of each.

Unless a person says that they are used, a row that shows one and names no image is refused: it
would be bought as a text alone. With ``--embedded-images`` each picture belongs to its row, or
its cell is reported with the reason why it can't be used.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final
from zipfile import ZipFile

from batchsora.manifest.books.choosing import EXCEL
from batchsora.manifest.books.model import Beside, Book, Picture, PictureInCellError, SheetRow
from batchsora.manifest.errors import FAILED, CellError, RowProblem, cell_name, shorten
from batchsora.manifest.raw import IMAGES, LARGEST_PART, Embedded, Reading
from batchsora.manifest.rows.model_headers import FURTHER_IMAGES
from batchsora.workbook.package import package_of

EMBEDDING: Final = (*EXCEL, ".ods")
"""The formats whose pictures can be taken out."""

_BLOCK: Final = 1024**2
_AS_FILE: Final = "Save it as a file, and write the file's name into the column 'image'"
_AGAIN: Final = "Save it as a JPEG or PNG, and insert that."
_VECTORS: Final = (
    (b"\x01\0\0\0", "an EMF"),
    (b"\xd7\xcd\xc6\x9a", "a WMF"),
    (b"\x01\0\t\0", "a WMF"),
)
_EMF: Final = b" EMF"


@dataclass
class SheetPictures:
    """The pictures of a sheet whose header was read.

    ``found`` has those that are used, or can't be, and is complete when all rows were read.
    """

    path: Path
    sheet: str
    headers: Sequence[str]
    ours: Mapping[str, int]
    reading: Reading
    book: Book
    beside: Beside
    found: list[Embedded] = field(default_factory=list)
    _rows: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    _parts: dict[str, Embedded] = field(default_factory=dict)
    _within: list[tuple[int, int, str]] = field(default_factory=list)

    @property
    def used(self) -> bool:
        """Return whether pictures become images."""
        return bool(self.reading.embedded_images)

    @property
    def _images(self) -> list[int]:
        return [self.ours[name] for name in (*IMAGES, *FURTHER_IMAGES) if name in self.ours]

    @cached_property
    def _over(self) -> dict[int, set[int]]:
        """Return the columns of the cells that pictures lie over, by the row."""
        found: dict[int, set[int]] = {}
        for one in self.beside.pictures:
            found.setdefault(one.row, set()).add(one.column)
        return found

    def begin(self) -> None:
        """Forget the rows that were read before."""
        for kept in (self.found, self._within, self._rows, self.hidden):
            kept.clear()

    def taken(self, row: SheetRow) -> SheetRow:
        """Note a row that may be a job, and take the pictures out of its cells."""
        if not self.used:
            return row
        self._rows.add(row.number)
        within = {at: why for at, why in row.faults.items() if isinstance(why, PictureInCellError)}
        if not within:
            return row
        cells, faults = [*row.cells], dict(row.faults)
        for place, why in within.items():
            picture = self.book.in_cell(why.key)
            if picture is None:  # another error, written as a picture is
                faults[place] = FAILED
            elif place in self._images or place not in self.ours.values():
                del faults[place]
                cells[place] = ""
                self._within.append((row.number, place, why.key))
        return row._replace(cells=cells, faults=faults)

    def problems(self, row: SheetRow) -> Iterator[RowProblem]:
        """Return the pictures of a row without another image: it would be bought without one."""
        over = self._over.get(row.number, set())
        within = {at for at, why in row.faults.items() if isinstance(why, PictureInCellError)}
        if self.used or self.reading.ignore_pictures:
            return
        use = "use it with --embedded-images, " if self.path.suffix.lower() in EMBEDDING else ""
        for place in sorted(over | within):
            if self._is_named(row, place):
                continue
            if place in over or place not in self.ours.values():
                yield self.problem(
                    row.number,
                    place,
                    f"a picture is {'over' if place in over else 'in'} the cell; a video of the "
                    "text alone would be bought",
                    f"{_AS_FILE}; or {use}delete it, or ignore it with --ignore-pictures.",
                )

    def _is_named(self, row: SheetRow, place: int) -> bool:
        """Return whether cells of a row name the image that a picture in a column would be."""
        further = {self.ours[name] for name in FURTHER_IMAGES if name in self.ours}
        first = [self.ours[name] for name in IMAGES if name in self.ours]
        places = [place] if place in further else first
        return any(at < len(row.cells) and row.cells[at].strip() for at in places)

    def remedy(self, place: int, fault: CellError) -> str:
        """Return what to do about the fault of a cell: a picture may be an image."""
        if isinstance(fault, PictureInCellError) and place in self._images and not self.used:
            return f"{fault.remedy[:-1]}; or use the picture with --embedded-images."
        return fault.remedy

    def loose(self) -> Iterator[RowProblem]:
        """Return a warning about pictures that lie on the sheet but at no cell."""
        if self.beside.loose and not self.reading.ignore_pictures:
            yield RowProblem(
                str(self.path),
                f"{self.beside.loose} picture(s) on the sheet {self.sheet!r} belong to none of "
                "its cells: no row uses them",
                "Anchor each to its cell, or write files' names into the column 'image'.",
            )

    def place(self) -> None:
        """Attach the pictures to their rows, once the rows are read."""
        if not self.used:
            return
        floating = [one for one in self.beside.pictures if not self._is_hidden(one)]
        if self.path.suffix.lower() not in EMBEDDING:
            why = f"a picture can't be extracted from a {self.path.suffix} workbook"
            for one in floating:
                self._refuse(one, why, "Save the workbook as .xlsx.")
            return
        with package_of(self.path) as package:
            for number, column, key in self._within:
                picture = self.book.in_cell(key)
                if picture is not None:
                    self._add(package, picture._replace(row=number, column=column))
            for one in floating:
                astray = self._astray(one)
                if astray is None:
                    self._add(package, one)
                else:  # reported at a job's row, so that it stops that
                    rows = [row for row, height in one.over if height and row in self._rows]
                    at = one if one.row in self._rows else one._replace(row=rows[0])
                    self._refuse(
                        at,
                        astray,
                        "Move it into its row and make it no higher than that; or "
                        f"{_AS_FILE[0].lower()}{_AS_FILE[1:]}.",
                    )

    def _is_hidden(self, picture: Picture) -> bool:
        """Return whether a picture lies in a row that is left out, and in no other."""
        seen = [row for row, height in picture.over if height and row not in self.hidden]
        return picture.row in self.hidden and not seen

    def _astray(self, picture: Picture) -> str | None:
        """Return why it is unclear to which row a picture belongs; None if it is clear."""
        over = dict(picture.over) or {picture.row: 1}
        rows = [row for row, height in over.items() if row in self._rows and height]
        total, own = sum(over.values()), over.get(picture.row, 0)
        if not total or rows == [picture.row] or (picture.row in rows and 2 * own > total):
            return None
        if picture.row not in self._rows and 2 * sum(over[row] for row in rows) <= total:
            return None  # over no job's row, or hardly: reported as that
        last = max(row for row, height in over.items() if height)
        spread = f"rows {picture.row} to {last}" if last > picture.row else f"row {last}"
        return f"a picture is over {spread}, but not mostly over the one where it begins"

    def _add(self, package: ZipFile, picture: Picture) -> None:
        """Add a picture that belongs to a row, or why it can't be used."""
        if picture.address:
            self._refuse(
                picture,
                f"the picture is only linked ({shorten(picture.address)}), and not in the workbook",
                "Write its address, or the name of its file, into the column 'image'.",
            )
        elif picture.part is None:
            self._refuse(
                picture, "the picture is not in the workbook", f"{_AS_FILE}, or insert it again."
            )
        elif picture.seen is not None:
            self._refuse(
                picture,
                f"the picture is {picture.seen} in the workbook, but the stored picture is not",
                f"{_AS_FILE}; or insert it again as it should be sent.",
            )
        else:
            known = self._parts.get(picture.part) or _looked_at(package, picture.part)
            self._parts[picture.part] = known
            self.found.append(replace(known, row=picture.row, column=picture.column))

    def _refuse(self, picture: Picture, problem: str, remedy: str) -> None:
        self.found.append(Embedded(picture.row, picture.column, None, None, 0, problem, remedy))

    def problem(
        self, row: int, place: int, problem: str, remedy: str, found: str | None = None
    ) -> RowProblem:
        """Return the problem of a cell."""
        return RowProblem(
            str(self.path),
            problem,
            remedy,
            row=row,
            column=self.headers[place] if place < len(self.headers) else None,
            found=shorten(found) if found else None,
            cell=cell_name(self.sheet, row, place),
        )


def _looked_at(package: ZipFile, name: str) -> Embedded:
    """Return the SHA-256 of a part, or why it surely can't be an image."""

    def unusable(problem: str, remedy: str) -> Embedded:
        return Embedded(0, 0, None, None, 0, problem, remedy)

    if name not in package.namelist():
        return unusable("the picture is not in the workbook", "Insert it again.")
    size = package.getinfo(name).file_size
    if size > LARGEST_PART:
        most = f"the picture is larger than {LARGEST_PART // 1024**2} MB"
        return unusable(most, "Insert a smaller one.")
    digest, head = hashlib.sha256(), b""
    with package.open(name) as file:
        while block := file.read(_BLOCK):
            head = head or block[:64]
            digest.update(block)
    for magic, what in _VECTORS:
        if head.startswith(magic) and (what != "an EMF" or _EMF in head):
            return unusable(f"the picture is actually {what}", _AGAIN)
    return Embedded(0, 0, name, digest.hexdigest(), size)
