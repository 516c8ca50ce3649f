"""Which sheet of a workbook is read, and which of its rows has the headers."""

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from batchsora.manifest.books.model import Book, SheetRow
from batchsora.manifest.errors import ManifestError, refused
from batchsora.manifest.rows.headers import meaning
from batchsora.manifest.rows.spelling import folded

MOST_SHEETS: Final = 30
"""Other sheets that are searched for a column of prompts."""


class Header(NamedTuple):
    """The row of a sheet's headers: the first visible one, neither blank nor a title, or None.

    ``titles`` are the numbers of the rows above it whose only text is merged over several columns.
    """

    row: SheetRow | None
    titles: tuple[int, ...] = ()


def header_of(
    book: Book,
    sheet: str,
    *,
    include_hidden: bool = False,
    said: Collection[str] = (),
    at: int | None = None,
) -> Header:
    """Find the row of a sheet's headers, which may be hidden if ``include_hidden``.

    ``said`` are headers whose meaning a person gave; none of them is a title. ``at`` is the row if
    a person named it; where it is blank, the next one counts.
    """
    own = {folded(header) for header in said}
    spread: set[tuple[int, int]] | None = None
    titles: list[SheetRow] = []
    for row in book.rows(sheet):
        if row.blank or (row.hidden and not include_hidden):
            continue
        if at is not None:
            if row.number < at:
                continue
            return Header(row)
        filled = [place for place, cell in enumerate(row.cells) if cell.strip()]
        if len(filled) != 1 or row.faults:
            return Header(row, tuple(title.number for title in titles))
        if spread is None:
            merges = book.beside(sheet).merges
            spread = {(area.top, area.left) for area in merges if area.right > area.left}
        text = row.cells[filled[0]]
        is_title = (row.number, filled[0]) in spread and meaning(text) is None
        if not is_title or folded(text) in own:
            return Header(row, tuple(title.number for title in titles))
        titles.append(row)
    return Header(next(iter(titles), None))


def named(names: Sequence[str], wanted: str) -> str | None:
    """Find a sheet by its name; case and outer white space may differ if that is one sheet."""
    if wanted in names:
        return wanted
    near = [name for name in names if name.strip().casefold() == wanted.strip().casefold()]
    return near[0] if len(near) == 1 else None


def no_sheet(path: Path, names: list[str], wanted: str | None) -> ManifestError:
    """Return the error of a sheet that does not exist."""
    near = get_close_matches(wanted or "", names, 1)
    return refused(
        str(path),
        "the workbook has no sheet" if wanted is None else f"there is no sheet {wanted!r}",
        (f"Did you mean {near[0]!r}? " if near else "")
        + f"It has: {', '.join(repr(name) for name in names[:20]) or 'none'}.",
    )


def others_with_prompts(book: Book, sheet: str) -> Iterator[str]:
    """Return the names of other visible sheets with a column of prompts."""
    others = [name for name in book.visible() if name != sheet]
    for name in others[:MOST_SHEETS]:
        header = header_of(book, name).row
        if header is not None and any(meaning(cell) == "prompt" for cell in header.cells):
            yield name


def other_sheet(book: Book, sheet: str) -> str:
    """Return a hint to another sheet with a column of prompts; "" if there is none."""
    for name in others_with_prompts(book, sheet):
        return f" The sheet {name!r} has one: --sheet {quoted(name)}."
    return ""


def quoted(name: str) -> str:
    """Return a sheet's name so that a shell takes it as one word."""
    return name if name.isalnum() else "'" + name.replace("'", "'\\''") + "'"
