"""Workbooks (.xlsx): opening foreign ones safely, results written into a copy, and new ones."""

from batchsora.workbook.annotate import annotate
from batchsora.workbook.cells import Link
from batchsora.workbook.new import write_workbook
from batchsora.workbook.package import check_package
from batchsora.workbook.problems import WorkbookError

__all__ = ["Link", "WorkbookError", "annotate", "check_package", "write_workbook"]
