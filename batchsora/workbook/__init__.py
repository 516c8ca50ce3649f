"""Workbooks (.xlsx): safe opening of foreign ones, results written into a copy, and new ones."""


class WorkbookError(Exception):
    """A workbook can't be used: ``problem`` is what is wrong, ``remedy`` what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy
