"""Workbooks (.xlsx): safe opening of foreign ones, results written into a copy, and new ones."""


class WorkbookError(Exception):
    """A workbook can't be used: ``problem`` is what is wrong, ``remedy`` what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


def letters(column: int) -> str:
    """Return the name of a column, counted from 1."""
    named = ""
    while column:
        column, rest = divmod(column - 1, 26)
        named = chr(ord("A") + rest) + named
    return named
