"""How the cells of each column of ours are read: for some of them the row's model decides."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final, Generic, TypeVar, cast

from batchsora.manifest import values
from batchsora.manifest.images import row_images
from batchsora.manifest.rows import model_columns
from batchsora.providers.model import Model
from batchsora.providers.registry import DEFAULT_MODEL
from jobs.model.provider import Parameter

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


PROMPT: Final = Rule("prompt", values.prompt, "", values.ORDINARY_PROMPT)
ID: Final[Rule[str | None]] = Rule("id", values.row_id, None, values.ORDINARY_NAME)
IMAGE_URL: Final = Rule("image_url", row_images.url, None)
REPEATING: Final[tuple[Rule[Any], ...]] = (
    Rule("callback_url", values.callback_url, None),
    Rule("campaign", values.campaign, None),
    Rule("priority", values.priority, 0),
    Rule("count", values.count, 1),
)
"""The first rules of :class:`Options`, in its order."""

MODEL: Final = Rule("model", model_columns.model_of, DEFAULT_MODEL)
BY_MODEL: Final = ("model", "orientation", "duration")
"""Columns with few different values, as those of parameters, whose meaning is the model's."""


@lru_cache(maxsize=64)
def rules_of(model: Model) -> tuple[Rule[Any], Rule[Any]]:
    """Return how orientation and duration of a model's rows are read."""
    return (
        Rule(
            "orientation",
            partial(model_columns.orientation, model=model),
            model.orientations[0],
        ),
        Rule(
            "duration",
            partial(model_columns.duration, model=model),
            model.durations[0] if model.durations else None,
        ),
    )


def parameter_rule(column: str, model: Model) -> Rule[Parameter | None]:
    """Return how a column of a parameter is read in a model's rows."""
    name = model_columns.parameter_name(column)
    return Rule(column, partial(model_columns.parameter, name=name, model=model), None)
