"""What is wrong with the rows of a manifest, for people: what many of them share is said once."""

from collections.abc import Hashable, Sequence
from typing import Final

from batchsora.manifest.errors import RowProblem, rows_text

MOST_ALIKE: Final = 5
"""Rows with the same fault in the same column that are named one by one."""


def told(problems: Sequence[RowProblem]) -> list[str]:
    """Return a line for each fault, in the rows' order; one of many rows names the others."""
    alike: dict[Hashable, list[RowProblem]] = {}
    for one in problems:
        alike.setdefault((one.file, one.column, one.problem, one.remedy), []).append(one)
    lines: list[tuple[int, str]] = []
    place = {id(one): number for number, one in enumerate(problems)}
    for group in alike.values():
        rows = [one.row for one in group[1:] if one.row is not None]
        if len(group) <= MOST_ALIKE or len(rows) < len(group) - 1:
            lines += [(place[id(one)], str(one)) for one in group]
        else:
            more = rows_text(rows).replace("row", "more row", 1)
            lines.append((place[id(group[0])], f"{group[0]} The same in {more}."))
    return [line for _, line in sorted(lines)]
