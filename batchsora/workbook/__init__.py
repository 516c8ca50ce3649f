"""Workbooks (.xlsx): opening foreign ones safely, results written into a copy, and new ones."""

from batchsora.workbook.annotate import WIDTHS, Columns, annotate
from batchsora.workbook.cells import Link, shortened, too_long
from batchsora.workbook.kinds import KINDS
from batchsora.workbook.new import Sheet, write_workbook
from batchsora.workbook.package import check_package
from batchsora.workbook.problems import WorkbookError

__all__ = [
    "KINDS",
    "WIDTHS",
    "Columns",
    "Link",
    "Sheet",
    "WorkbookError",
    "annotate",
    "check_package",
    "shortened",
    "too_long",
    "write_workbook",
]
