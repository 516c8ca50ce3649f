"""The fields that say what a manifest's columns are: what is offered, and what a form says.

Columns and sheets are fields by their numbers, which belong to one content of the file; a form for
another content, or about what the file does not have, is refused.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from batchsora.manifest import values
from batchsora.manifest.errors import ManifestError, RowProblem, refused
from batchsora.manifest.heads import Head, head_of
from batchsora.manifest.raw import PLAIN, Reading
from batchsora.manifest.rows.columns import MOST_COLUMNS, gone
from batchsora.manifest.rows.headers import LONGEST_HEADER, SYNONYMS, meaning, resembled
from batchsora.manifest.rows.spelling import folded
from batchsora.options import ReadingOptions
from batchsora.usecases.kept_reading import as_before
from batchsora.usecases.manifest_options import Source, sha256_of
from batchsora.web.uploads import Form
from batchsora.web.written_fields import FIELDS, Written, written_of, written_said
from batchsora.workbook import letters

SHOWN: Final = 60  # columns that are offered, those that may be ours first
OWN: Final = "-"  # a column of the person's own, carried along unread
DEFAULTS: Final = tuple(name for name in SYNONYMS if name != "id")  # may have a default
LONGEST_DEFAULT: Final = values.LONGEST_URL

_SPOKEN: Final = ("sheet", "hidden", "pictures", "images", "fit", *FIELDS)
_NUMBERED: Final = ("column-", "gone-", "default-", "empty-")
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a file before its rows are read."""

    sha256: str  # of its content
    head: Head  # its sheets, and the headers of the one that is read
    before: Reading  # how it was read before, as far as that applies now

    @property
    def offered(self) -> Mapping[int, str]:
        """Return the headers that can be chosen, by place: those with a name of their own."""
        headers = self.head.headers
        if len(headers) > MOST_COLUMNS:
            return {}
        times = Counter(header.strip() for header in headers)
        return {
            place: header
            for place, header in enumerate(headers)
            if header.strip() and times[header.strip()] == 1 and len(header) <= LONGEST_HEADER
        }

    @property
    def gone(self) -> Mapping[str, tuple[str, str]]:
        """Return headers of before that are missing now, with their meaning, by a token."""
        missing = gone(self.before, self.head.headers)
        return {
            sha256(header.encode("utf-8", "surrogatepass")).hexdigest()[:16]: (header, name)
            for header, name in missing.items()
            if name
        }


def look(path: Path, database: Path, name: str | None, said: Reading = PLAIN) -> Looked:
    """Look at a file: at the chosen sheet, and as the text is said to be written.

    Raises:
        ManifestError: it can't be read as a table at all.
    """
    content = sha256_of(path)
    before = as_before(Source(path, said), database, name).reading
    return Looked(content, head_of(path, before), before)


def is_said(form: Form) -> bool:
    """Return whether a form says anything about how the file is read."""
    return any(
        text and (name in _SPOKEN or name.startswith(_NUMBERED))
        for name, text in form.fields.items()
    )


def read_spoken(
    form: Form, path: Path, look_at: Callable[[Reading], Looked], folders: Mapping[str, Path]
) -> ReadingOptions:
    """Return how a form says that a file is read.

    ``look_at`` looks at the file by its chosen sheet and how it is written; ``folders`` are those
    that hold pictures, by name.

    Raises:
        ManifestError: the form is for another content, names what is not there, or gives two
            columns the same meaning.
    """
    if not is_said(form):
        return ReadingOptions()
    written = written_said(form)
    looked = look_at(written)
    if form.text("content") != looked.sha256:
        raise refused(
            path.name,
            "the file has changed since its columns were shown, so your choices for them do not "
            "count",
            "Choose them again.",
        )
    sheet = sheet_said(form, looked)
    if sheet is not None:
        looked = look_at(replace(written, sheet=sheet))
    elif form.text("sheet"):
        raise _no_such(path)
    pictures, images = form.text("pictures"), folders.get(form.text("images"))
    if images is None and form.text("images"):
        raise refused(path.name, "this folder has no pictures now", "Choose another one.")
    return ReadingOptions(
        sheet=sheet,
        # choices for another sheet or separator are about other columns
        columns=_columns(form, looked, path) if form.text("at") == _at(looked.head) else {},
        defaults=dict(_defaults(form, path)),
        include_hidden={"yes": True, "no": False}.get(form.text("hidden")),
        ignore_pictures={"ignore": True, "refuse": False}.get(pictures),
        embedded_images={"use": True, "refuse": False}.get(pictures),
        images=None if images is None else str(images),
        fit_images={"yes": True, "no": False}.get(form.text("fit")),
        encoding=written.encoding,
        delimiter=written.delimiter,
        header_row=written.header_row,
    )


def sheet_said(form: Form, looked: Looked) -> str | None:
    """Return the chosen sheet of a file with this content; None where none was chosen."""
    sheets = looked.head.sheets
    place = _number(form.text("sheet"), range(len(sheets)))
    return None if place is None or form.text("content") != looked.sha256 else sheets[place]


def _at(head: Head) -> str:
    """Return the name of the columns that fields are for: of their sheet, and all headers as read.

    Another separator or encoding makes other columns of the same bytes.
    """
    place = head.sheets.index(head.sheet) if head.sheet in head.sheets else None
    named = json.dumps([place, *head.headers])
    return sha256(named.encode()).hexdigest()[:16]


def _columns(form: Form, looked: Looked, path: Path) -> dict[str, str]:
    offered, said = looked.offered, {}
    for field, text in form.fields.items():
        if (
            field.startswith("gone-")
            and text
            and (token := field.removeprefix("gone-")) in looked.gone
        ):
            said[looked.gone[token][0]] = ""
        if not (field.startswith("column-") and text):
            continue
        place = _number(field.removeprefix("column-"), offered)
        if place is None:
            raise _no_such(path)
        header = offered[place]
        if text != OWN and text not in SYNONYMS:
            raise refused(
                path.name, "not a valid choice for a column", "Choose one of those offered."
            )
        name = "" if text == OWN else text
        if name and name in said.values():
            twin = next(other for other, meant in said.items() if meant == name)
            raise refused(
                path.name,
                f"two columns can't both be {name!r}: {twin!r} and {header!r}",
                "Choose one of them.",
            )
        said[header] = name
    return said


def _said_defaults(form: Form) -> Iterator[tuple[str, str]]:
    for name in DEFAULTS:
        text = form.text(f"default-{name}").strip()
        if text or form.text(f"empty-{name}") == "yes":
            yield name, text


def _defaults(form: Form, path: Path) -> Iterator[tuple[str, str]]:
    for name, text in _said_defaults(form):
        if len(text) > LONGEST_DEFAULT or values.CONTROL.search(text):
            raise refused(
                path.name,
                f"the value for empty cells of {name!r} is too long, or has control characters",
                f"Write at most {LONGEST_DEFAULT} characters.",
            )
        yield name, text


def _number(text: str, offered: Container[int]) -> int | None:
    """Return the number of a column or sheet; None where none such was offered."""
    plain = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return int(text) if plain and int(text) in offered else None


def _no_such(path: Path) -> ManifestError:
    return refused(path.name, "the file has no such column or sheet", "Open its plan again.")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that can be chosen."""

    place: int  # its number
    header: str  # as written
    chosen: str  # a column of ours, :data:`OWN`, or empty
    as_read: str  # which column of ours it is if nothing is chosen, or empty
    asked: bool  # it needs an answer
    letter: str  # as a spreadsheet names it, or empty


@dataclass(frozen=True, slots=True)
class PreviewedRow:
    """One of the first rows, with the cells of the columns that are shown."""

    number: int  # as an editor counts
    cells: Sequence[tuple[str, str]]  # text, and what is wrong with it, or empty
    wrong: str  # what is wrong with the row as a whole, or empty


@dataclass(frozen=True, slots=True)
class Fields:
    """What can be chosen for a file, and was."""

    content: str  # of the file that the numbers belong to
    at: str  # of the columns that the numbers belong to
    sheet: str | None  # its name, or None
    chosen: str | None  # the chosen sheet, or None
    sheets: Mapping[int, str]  # by number; empty where there is only one
    columns: Sequence[Column]  # that can be chosen
    more: int  # number of columns that are not shown
    # columns of before that are missing, with their meaning, by a token
    gone: Mapping[str, tuple[str, str]]
    # columns of ours, and their value for empty cells since before, or empty
    defaults: Mapping[str, str]
    defaulted: bool  # one is set now
    hidden: bool  # offer to read hidden rows
    pictures: bool  # offer what to do with pictures over cells
    fit: bool  # offer to convert pictures that would be refused
    folders: Sequence[str]  # that hold pictures, by name, where pictures are missing
    written: Written  # how a text is written
    asked: bool  # something must be chosen
    said: bool  # something was chosen
    rows: Sequence[PreviewedRow]  # the first ones
    header_row: int | None  # of the headers in a workbook


def fields_of(
    looked: Looked,  # the file
    form: Form,  # what was chosen
    *,
    taken: Mapping[str, str] | None = None,  # what its headers were taken for, if it could be read
    asked: Collection[str] = (),  # the headers that need an answer
    told: Iterable[str] = (),  # messages; the options that they name are offered
    folders: Callable[[], Iterable[str]] = tuple,  # lists those that hold pictures
    wrong: Sequence[RowProblem] = (),  # what is wrong with rows
) -> Fields | None:
    """Return what can be chosen for a file; None where that is nothing."""
    head, offered, before = looked.head, looked.offered, looked.before
    at = _at(head)
    counts = form.text("content") == looked.sha256 and form.text("at") == at
    kept = {folded(header): name for header, name in before.columns.items()}
    words = " ".join(told)
    columns = []
    for place, header in offered.items():
        chosen = form.text(f"column-{place}") if counts else ""
        if taken is None or chosen:
            as_read = kept.get(folded(header), meaning(header) or "")
        else:
            as_read = taken.get(header, "")
        named = header in asked or (taken is None and repr(header) in words)
        letter = "" if head.sheet is None else letters(place + 1)
        columns.append(Column(place, header, chosen, as_read, named and not chosen, letter))
    shown = columns
    if len(columns) > SHOWN:
        likely = [c for c in columns if c.chosen or c.as_read or c.asked or resembled(c.header, ())]
        first = [*dict.fromkeys(column.place for column in (*likely, *columns))][:SHOWN]
        shown = [column for column in columns if column.place in first]
    sheets = dict(enumerate(head.sheets)) if len(head.sheets) > 1 else {}
    written = written_of(form, words, before)
    row = form.text("header_row")
    if not (columns or sheets or written.encodings or written.delimiters or row):
        return None
    seen = any(option in words for option in ("--ignore-pictures", "--embedded-images"))
    flags = (before.ignore_pictures, before.embedded_images, form.text("pictures"))
    missing = "--images" in words or before.images or form.text("images")
    return Fields(
        content=looked.sha256,
        at=at,
        sheet=head.sheet,
        chosen=sheet_said(form, looked),
        sheets=sheets,
        columns=shown,
        more=len(columns) - len(shown),
        gone=looked.gone,
        defaults={name: before.defaults.get(name, "") for name in DEFAULTS},
        defaulted=any(True for _ in _said_defaults(form)),
        hidden="--include-hidden" in words or bool(before.include_hidden or form.text("hidden")),
        pictures=seen or any(flags),
        fit=any((column.chosen or column.as_read) == "image" for column in columns),
        folders=list(folders()) if missing else [],
        written=written,
        asked=bool(asked),
        said=is_said(form),
        rows=_previewed(head, shown, wrong),
        header_row=head.header_row,
    )


def _previewed(
    head: Head, columns: Sequence[Column], wrong: Iterable[RowProblem]
) -> list[PreviewedRow]:
    """Return the first rows, each problem beside its cell."""
    numbers, headers = {row.row for row in head.rows}, {column.header for column in columns}
    said: dict[tuple[int, str | None], str] = {}
    for one in wrong:
        if one.row in numbers:
            where = one.row, one.column if one.column in headers else None
            said.setdefault(where, f"{one.problem}. {one.remedy}")
    return [
        PreviewedRow(
            number,
            [
                (
                    cells[column.place] if column.place < len(cells) else "",
                    said.get((number, column.header), ""),
                )
                for column in columns
            ],
            said.get((number, None), ""),
        )
        for number, cells, _ in head.rows
    ]


def unread_fields(path: Path, form: Form, told: Iterable[str]) -> Fields | None:
    """Return what can be chosen for a file whose headers can't be read, or None.

    Raises:
        ManifestError: it can't be read at all.
    """
    unread = Looked(sha256_of(path), Head(()), PLAIN)
    fields = fields_of(unread, form, told=told)
    return None if fields is None else replace(fields, defaults={})
