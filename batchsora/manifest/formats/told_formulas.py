"""Recognize formulas by their text, in tables whose cells have no type of their own."""

from collections.abc import Collection
from dataclasses import replace

from batchsora.manifest.formats.apart_table import ApartTable
from batchsora.manifest.formats.csv_formulas import ToldTable
from batchsora.manifest.formats.csv_reader import CsvTable
from batchsora.manifest.formats.json_reader import JsonLines
from batchsora.manifest.raw import RawTable


def with_formulas_told(
    table: RawTable, read: Collection[int], results: Collection[int]
) -> RawTable:
    """Return a table that recognizes formulas in these columns; workbooks always do."""
    if isinstance(table, CsvTable):
        return replace(table, read=frozenset(read))
    if isinstance(table, JsonLines) or (isinstance(table, ApartTable) and table.sheet is None):
        return ToldTable(table, tuple(read), tuple(results))
    return table
