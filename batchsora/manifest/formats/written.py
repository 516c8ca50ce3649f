"""Read tables with results back before they replace those without."""

from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.formats.apart_table import open_apart
from batchsora.manifest.formats.csv_reader import open_csv
from batchsora.manifest.formats.sheet_reader import EXCEL
from batchsora.manifest.raw import PLAIN, RawRow, RawTable, Reading


def check_written(
    path: Path,
    draft: Path,
    headers: Mapping[str, str],
    there: Mapping[str, int],
    reading: Reading = PLAIN,
) -> None:
    """Check that a copy with results says the same as the table (text or workbook) in other cells.

    ``headers`` are those of the results' columns, ``there`` the columns of an earlier export, from
    0; the others were added. Raises ManifestError if the table can't be read, ValueError if the
    copy has other rows, or another text in a cell that is not ours.
    """
    try:
        table: RawTable
        copy: RawTable
        sheet = path.suffix.lower() in EXCEL
        if sheet:
            table, copy = open_apart(path, reading), open_apart(draft, reading)
        else:
            texts, copied = open_csv(path, reading), open_csv(draft, reading, path.suffix)
            if copied.dialect != texts.as_several().dialect:
                raise _differs(texts.header_row)
            table, copy = texts, copied
        missing = [headers[name] for name in headers if name not in there]
        first = len(copy.headers) - len(missing)
        ours = {*there.values(), *range(first, len(copy.headers))}
        if copy.header_row != table.header_row or copy.headers[first:] != tuple(missing):
            raise _differs(table.header_row)
        if _others(copy.headers, ours) != _others(table.headers, ours):
            raise _differs(table.header_row)
        for old, new in zip_longest(table.rows(), copy.rows()):
            if sheet and isinstance(old, RawRow) and isinstance(new, RawRow):
                new = _without_spread(old, new, range(len(table.headers), first))  # noqa: PLW2901
            if old is None or new is None or not _is_same(old, new, ours):
                raise _differs((old or new).row)
    except ManifestError as error:
        if error.problem.file != str(draft):
            raise
        raise ValueError(
            f"the results can't be written into the manifest: with them {error.problem.problem}. "
            "Export to another file with -o"
        ) from error


def _without_spread(old: RawRow, new: RawRow, between: range) -> RawRow:
    """Remove a merged cell's text from the columns between the table's last one and ours.

    They have no header, and are columns only in the copy.
    """
    empty = {place for place in between if place >= len(old.cells) or not old.cells[place]}
    return RawRow(new.row, ["" if p in empty else cell for p, cell in enumerate(new.cells)])


def _is_same(old: RawRow | RowProblem, new: RawRow | RowProblem, ours: Collection[int]) -> bool:
    """Return whether the cells of a row that are not ours are equal, except empty last ones."""
    if isinstance(old, RowProblem) or isinstance(new, RowProblem):
        return isinstance(old, RowProblem) and isinstance(new, RowProblem) and old.row == new.row
    return old == new or (old.row, _others(old.cells, ours)) == (new.row, _others(new.cells, ours))


def _others(cells: Sequence[str], ours: Collection[int]) -> list[str]:
    kept = [cell for place, cell in enumerate(cells) if place not in ours]
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _differs(row: int | None) -> ValueError:
    return ValueError(
        f"the results can't be written into the manifest: row {row} would be read differently "
        "next to the results. Export to another file with -o"
    )
