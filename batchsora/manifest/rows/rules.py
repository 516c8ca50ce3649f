"""The rules of our columns: one table, for a single cell with its error and for whole columns.

A rule reads one cell, or a whole column, quickly if it knows texts that are their own value.
Columns with few different cells don't need that: the result of their combination is remembered
(:class:`Options`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

from batchsora.manifest import values
from batchsora.manifest.images import row_images

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rule(Generic[_T]):
    """How the cells of a column are read.

    Attributes:
        column: its name.
        parse: returns the value of a cell's text, or raises a ``CellError``.
        absent: the value in every row of a table without the column.
        ordinary: matches only texts that ``parse`` returns as they are.
    """

    column: str
    parse: Callable[[str], _T]
    absent: _T
    ordinary: re.Pattern[str] | None = None

    def read(self, text: str) -> _T:
        """Read one cell; raise CellError if it is not valid, or a formula that has failed."""
        if text.lstrip()[:1] in values.FAILED_BEGIN:
            values.refuse_formula(text)
        return self.parse(text)

    def read_all(self, cells: Sequence[str]) -> list[_T]:
        """Read a whole column; raise CellError if one of its cells is not valid."""
        read = self.read
        if self.ordinary is None:
            return [read(text) for text in cells]
        ordinary = self.ordinary.fullmatch
        return [cast("_T", text) if ordinary(text) else read(text) for text in cells]


@dataclass(frozen=True, slots=True)
class Options:
    """The values of a row's columns with few different values.

    A million rows have a handful of such combinations.
    """

    orientation: str
    duration: int
    callback_url: str | None
    campaign: str | None
    priority: int
    count: int


PROMPT: Final = Rule("prompt", values.prompt, "", values.ORDINARY_PROMPT)
ID: Final[Rule[str | None]] = Rule("id", values.row_id, None, values.ORDINARY_NAME)
IMAGE_URL: Final = Rule("image_url", row_images.url, None)
REPEATING: Final[tuple[Rule[Any], ...]] = (
    Rule("orientation", values.orientation, values.MODEL.orientations[0]),
    Rule("duration", values.duration, values.MODEL.durations[0]),
    Rule("callback_url", values.callback_url, None),
    Rule("campaign", values.campaign, None),
    Rule("priority", values.priority, 0),
    Rule("count", values.count, 1),
)
"""The rules of :class:`Options`, in its order."""
