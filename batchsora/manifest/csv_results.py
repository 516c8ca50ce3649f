"""Results written into a text table as it stands: separator, line ends, quotes and encoding."""

import codecs
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TextIO

from batchsora.manifest.csv_reader import CsvTable, open_csv, records
from batchsora.manifest.headers import folded
from batchsora.manifest.raw import PLAIN, Reading
from batchsora.tables import RESULT_COLUMNS, neutralised


def encoding_of(path: Path, reading: Reading = PLAIN) -> str:
    """Say how to write a table so that it is encoded as it was.

    Raises:
        ManifestError: it can't be read.
    """
    encoding = open_csv(path, reading).dialect.encoding
    if encoding != "utf-8-sig":
        return encoding
    with path.open("rb") as file:
        return encoding if file.read(3) == codecs.BOM_UTF8 else "utf-8"


def write_csv_results(
    path: Path, target: TextIO, results: Mapping[int, Mapping[str, str]], reading: Reading = PLAIN
) -> None:
    """Copy a text table with results in columns of their own, those of an earlier export replaced.

    Args:
        path: the table.
        target: opened with :func:`encoding_of` and without translation of line ends.
        results: by row number and result column; a row that has none keeps no old ones.
        reading: as the table is to be read.

    Raises:
        ManifestError: the table can't be read to its end.
    """
    table = open_csv(path, reading)
    places = _places(table)
    width = max(len(table.headers), *(place + 1 for place in places.values()))
    line_end, quoted = _style(table)
    writer = csv.writer(
        target,
        delimiter=table.dialect.delimiter,
        lineterminator=line_end,
        quoting=_quoting(table, quoted=quoted),
        quotechar='"' if table.dialect.quotes else None,
    )
    if table.dialect.named:
        target.write(f"sep={table.dialect.delimiter}{line_end}")
    written = 1 if table.dialect.named else 0
    for row, cells in records(table):
        target.write(line_end * (row - written - 1))  # blank rows stay where they are
        line = [*cells, *[""] * (width - len(cells))]
        said = results.get(row, {})
        for name, place in places.items():
            if row == table.header_row:
                line[place] = line[place] or name
            else:
                line[place] = neutralised(said.get(name, ""))
        if not table.dialect.quotes:  # such a table has no way to write a line break
            line = [" ".join(cell.split("\n")) for cell in line]
        writer.writerow(line)
        written = row


def _quoting(table: CsvTable, *, quoted: bool) -> Literal[0, 1, 3]:
    if not table.dialect.quotes:
        return csv.QUOTE_NONE
    return csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL


def _places(table: CsvTable) -> dict[str, int]:
    """Find the columns of an earlier export, or make them behind the last one."""
    there = {folded(header): place for place, header in enumerate(table.headers)}
    if all(folded(name) in there for name in RESULT_COLUMNS):
        return {name: there[folded(name)] for name in RESULT_COLUMNS}
    end = len(table.headers)  # some of them alone are the person's own
    return {name: end + number for number, name in enumerate(RESULT_COLUMNS)}


def _style(table: CsvTable) -> tuple[str, bool]:
    """See how lines end, and whether every cell is quoted."""
    with table.path.open(encoding=table.dialect.encoding, newline="") as file:
        line = next((line for line in file if line.strip()), "\n")
    ends = [end for end in ("\r\n", "\n", "\r") if line.endswith(end)]
    cells = line.strip().split(table.dialect.delimiter)
    quoted = all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)
    return (ends or ["\n"])[0], quoted
