"""Make pictures in a workbook the images of its rows (``--embedded-images``).

A picture in a column of a further image (``end_image``) is that one, any other the first frame.

The reader, in its process, finds at which row each picture is, and its SHA-256. EmbeddedTable
writes that into the rows (``embedded:`` and the SHA-256), so a row keeps its key and its request
from load to load, and an export finds the pictures again. take_out reads the bytes, also apart, and
keeps each under its SHA-256, where Images finds it.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from batchsora.apart import ApartError, Bounds, ask
from batchsora.manifest.errors import RowProblem, cell_name, refused
from batchsora.manifest.formats.filtered import FilteredTable
from batchsora.manifest.images.picture_paths import embedded_name, embedded_text, keep
from batchsora.manifest.images.row_images import kept_file
from batchsora.manifest.raw import (
    IMAGES,
    LARGEST_PART,
    Embedded,
    OtherRows,
    RawRow,
    warnings_of,
)
from batchsora.manifest.rows.model_headers import FURTHER_IMAGES

TASK: Final = "batchsora.manifest.formats.embedded:prepare"
MB: Final = 1024**2
NAMED: Final = 10
"""How many pictures are named; the rest is counted."""
_MOST_ANSWER: Final = 1024 * MB


@dataclass(frozen=True, slots=True)
class EmbeddedTable(OtherRows):
    """A sheet with the pictures at its rows in the columns of images.

    ``image`` is added if it is missing and a picture is a first frame.

    Attributes:
        folder: where the pictures are kept; None: only the rows' keys are wanted.
        drawn: the column of the picture that is a row's first frame, by the row; as far as rows
            were read.
        further: the pictures that are other images of their rows, as far as rows were read.
        own_warnings: about pictures that are no row's image; complete when all rows were read.
    """

    inner: FilteredTable
    file: str
    pictures: Sequence[Embedded]
    headers: tuple[str, ...]
    folder: Path | None
    drawn: dict[int, int] = field(default_factory=dict)
    further: list[Embedded] = field(default_factory=list)
    own_warnings: list[RowProblem] = field(default_factory=list)

    @property
    def warnings(self) -> tuple[RowProblem, ...]:
        """Return the warnings of the file's reader, and those about pictures."""
        return (*warnings_of(self.inner), *self.own_warnings)

    @property
    def notes(self) -> list[str]:
        """Return how many pictures are images, if any are."""
        many = len(self.drawn) + len(self.further)
        said = "1 picture is" if many == 1 else f"{many} pictures are"
        return [f"{said} extracted from the workbook"] if many else []

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows, with their pictures; raise ManifestError if these can't be extracted."""
        self.drawn.clear()
        self.further.clear()
        self.own_warnings.clear()
        if self.folder is not None:
            take_out(Path(self.file), self.folder, self.pictures)
        at: dict[int, list[Embedded]] = {}
        for one in self.pictures:
            at.setdefault(one.row, []).append(one)
        named: list[Embedded] = []
        last = 0
        for raw in self.inner.rows():
            last = raw.row or last
            here = at.pop(last, [])
            if isinstance(raw, RawRow):
                raw = self._widened(raw)  # noqa: PLW2901 - the same row
                beside = [one for one in here if self._names_one(raw, one)]
                named += beside
                here = [one for one in here if one not in beside]
            yield from (problems := self._problems(here))
            if isinstance(raw, RawRow) and here and not problems:
                yield self._with(raw, here)
            elif not (problems and isinstance(raw, RawRow)):
                yield raw
        out = self.inner.left_out
        aside = {*out.headers, *out.comments, *out.totals}
        unused = [one for here in at.values() for one in here]
        first = self.header_row or 0
        within = [one for one in unused if first < one.row < last and one.row not in aside]
        astray = "a picture is over a row without a prompt"
        for one in within:
            yield self._problem(one, astray, "Move it into its row, or delete it.")
        self._tell([one for one in unused if one not in within], named)

    def _widened(self, raw: RawRow) -> RawRow:
        """Return a row with a cell for its image, if the sheet has no column of images."""
        own = len(self.inner.headers)
        if own == len(self.headers):
            return raw
        short = [""] * (own - len(raw.cells))
        # cells beyond the last column stay there, where they are reported as faults
        return RawRow(raw.row, [*raw.cells[:own], *short, "", *raw.cells[own:]])

    def _is_further(self, picture: Embedded) -> bool:
        """Return whether a picture lies in a column of another image than the first frame."""
        known = self.inner.known
        return any(known.get(name) == picture.column for name in FURTHER_IMAGES)

    def _names_one(self, raw: RawRow, picture: Embedded) -> bool:
        """Return whether a row's cells name the image that a picture would be."""
        known = self.inner.known
        places = [known[name] for name in IMAGES if name in known]
        if self._is_further(picture):
            places = [picture.column]
        return any(place < len(raw.cells) and raw.cells[place].strip() for place in places)

    def _with(self, raw: RawRow, pictures: Sequence[Embedded]) -> RawRow:
        cells = [*raw.cells, *[""] * (len(self.headers) - len(raw.cells))]
        for one in pictures:
            if self._is_further(one):
                place = one.column
                self.further.append(one)
            else:
                place = self.inner.known.get("image", len(self.headers) - 1)
                self.drawn[raw.row] = one.column
            cells[place] = embedded_text(one.sha256 or "")
        return RawRow(raw.row, cells)

    def _problems(self, here: Sequence[Embedded]) -> list[RowProblem]:
        found = [self._problem(one, one.problem, one.remedy or "") for one in here if one.problem]
        if found:
            return found
        first = [one for one in here if not self._is_further(one)]
        if len({one.sha256 for one in first}) > 1:
            cells = " and ".join(dict.fromkeys(self._cell(one) for one in first))
            found.append(
                self._problem(
                    first[1],
                    f"several pictures belong to one row ({cells}), but a video begins with "
                    "only one",
                    "Delete the others, or move them into rows of their own.",
                )
            )
        for place in dict.fromkeys(one.column for one in here if one not in first):
            alike = [one for one in here if one.column == place]
            if len({one.sha256 for one in alike}) > 1:
                several = "several pictures are in one cell"
                found.append(self._problem(alike[1], several, "Keep one of them."))
        return found

    def _problem(self, one: Embedded, problem: str, remedy: str) -> RowProblem:
        own = self.inner.headers
        header = own[one.column] if one.column < len(own) else None
        return RowProblem(
            self.file, problem, remedy, row=one.row, column=header, cell=self._cell(one)
        )

    def _cell(self, one: Embedded) -> str:
        return cell_name(self.sheet or "", one.row, one.column)

    def _tell(self, unused: Sequence[Embedded], named: Sequence[Embedded]) -> None:
        """Add a warning about pictures that no row uses."""
        told = (
            (unused, "over rows that are not videos"),
            (named, "at rows whose cells name an image, which is sent instead"),
        )
        for pictures, where in told:
            if not pictures:
                continue
            cells = [*dict.fromkeys(self._cell(one) for one in pictures)]
            shown = ", ".join(cells[:NAMED]) + (", …" if len(cells) > NAMED else "")
            many = "1 picture is" if len(pictures) == 1 else f"{len(pictures)} pictures are"
            self.own_warnings.append(
                RowProblem(
                    self.file,
                    f"{many} {where} ({shown}): not sent",
                    "No action is needed if that is intended.",
                    cell=cells[0],
                )
            )


def with_pictures(
    table: FilteredTable, pictures: Sequence[Embedded], folder: Path | None
) -> EmbeddedTable:
    """Return a sheet with its pictures, kept in a folder (None: only keys are wanted), as images.

    Raises ManifestError if the sheet has a column ``image`` that means something else.
    """
    headers = table.headers
    further = {table.known.get(name) for name in FURTHER_IMAGES}
    if "image" not in table.known and any(one.column not in further for one in pictures):
        if any(header.strip().casefold() == "image" for header in headers):
            raise refused(
                table.file,
                "pictures in the sheet need the column 'image', which is mapped to something else",
                "Rename that column.",
                row=table.header_row,
            )
        headers = (*headers, "image")
    return EmbeddedTable(table, table.file, pictures, headers, folder)


def take_out(path: Path, folder: Path, pictures: Sequence[Embedded]) -> None:
    """Keep the bytes of a workbook's usable pictures, each under its SHA-256.

    Raises ManifestError if they can't be read or written, or have changed.
    """
    usable = [one for one in pictures if one.part and one.sha256 and not one.problem]
    wanted = {one.sha256 or "": one for one in reversed(usable)}
    missing = {sha: one for sha, one in wanted.items() if kept_file([folder], sha) is None}
    if not missing:
        return
    try:
        for data in _bytes_of(path, [*missing.values()]):
            sha256 = hashlib.sha256(data).hexdigest()
            if missing.pop(sha256, None) is not None:
                keep(folder, embedded_name(sha256, data), data)
    except OSError as error:
        raise refused(
            str(path),
            f"its pictures can't be extracted: {error.strerror or error}",
            f"Free some space, and check the permissions of {folder}.",
        ) from error
    if missing:
        raise refused(str(path), "the workbook changed while it was read", "Run the command again.")


def _bytes_of(path: Path, pictures: Sequence[Embedded]) -> Iterator[bytes]:
    """Read parts of a workbook in a separate process."""
    from batchsora.apart.answers import decoded  # noqa: PLC0415 - pydantic, needed here alone
    from batchsora.manifest import answers  # noqa: PLC0415 - as above

    total, largest = sum(one.size for one in pictures), max(one.size for one in pictures)
    bounds = Bounds(
        20 + total // (4 * MB), 192 * MB + 8 * largest, min(_MOST_ANSWER, 64 * MB + 2 * total)
    )
    given = {"path": str(path.absolute()), "parts": [one.part for one in pictures]}
    try:
        for line in ask(TASK, given, bounds).lines():
            said = decoded(line, answers.PART)
            if isinstance(said, answers.Unusable):
                raise refused(str(path), said.problem, said.remedy)
            yield said.data
    except ApartError as error:
        raise refused(
            str(path),
            f"its pictures can't be extracted: {error}",
            "Save them as files, and write the files' names into the column 'image'.",
        ) from error


def prepare(given: Mapping[str, Any]) -> Callable[[], Iterator[Any]]:
    """Import what opens a workbook, in the separate process; return the function that reads."""
    from batchsora.workbook import WorkbookError  # noqa: PLC0415 - lxml
    from batchsora.workbook.package import package_of  # noqa: PLC0415 - as above

    def work() -> Iterator[Any]:
        try:
            with package_of(Path(given["path"])) as package:
                for part in given["parts"]:
                    if package.getinfo(part).file_size > LARGEST_PART:
                        continue  # it was smaller: the workbook has changed
                    data = base64.b64encode(package.read(part)).decode("ascii")
                    yield {"part": part, "data": data}
        except WorkbookError as error:
            yield {"problem": error.problem, "remedy": error.remedy}
        except OSError as error:
            yield {"problem": f"the file can't be read: {error.strerror}", "remedy": "Try again."}

    return work
