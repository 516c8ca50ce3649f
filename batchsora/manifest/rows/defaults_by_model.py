"""Defaults in a table of several models: each stands in the rows whose model takes it.

What a row says itself is never left out: that is an error of its cell.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from batchsora.manifest.errors import CellError, RowProblem, quoted, refused
from batchsora.manifest.images.row_images import Unread
from batchsora.manifest.raw import OtherRows, RawRow, RawTable, warnings_of
from batchsora.manifest.rows import model_columns
from batchsora.manifest.rows.rules import MODEL, REPEATING, Rule, parameter_rule, rules_of
from batchsora.providers.model import START, Model

_ROLES: Final[Mapping[str, str]] = {"image": START, "image_url": START, **model_columns.IMAGES}
_Default = tuple[int, str]
"""The place of a default's column, and its text."""


@dataclass(slots=True)
class _Seen:
    """What became of each default in the rows."""

    taken: set[_Default] = field(default_factory=set)
    left_out: dict[_Default, Counter[str]] = field(default_factory=dict)
    why: dict[_Default, CellError] = field(default_factory=dict)

    def leave_out(self, default: _Default, model: str, why: CellError) -> None:
        """Note a row without a default, and why it has none."""
        self.left_out.setdefault(default, Counter())[model] += 1
        self.why.setdefault(default, why)


@dataclass(frozen=True, slots=True)
class DefaultsByModel(OtherRows):
    """A table in whose rows those defaults are left out that their model does not take.

    Whether an image's file exists is not looked at.

    Attributes:
        known: the places of our columns.
        own_warnings: of which rows a default was left out; complete when all rows were read.
    """

    inner: RawTable
    known: Mapping[str, int]
    file: str
    own_warnings: list[RowProblem] = field(default_factory=list)

    @property
    def headers(self) -> tuple[str, ...]:
        """Return the headers as written."""
        return self.inner.headers

    @property
    def warnings(self) -> tuple[RowProblem, ...]:
        """Return the warnings of the file's reader, and those about defaults."""
        return (*warnings_of(self.inner), *self.own_warnings)

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows; raise ManifestError at their end if none can take a default."""
        self.own_warnings.clear()
        names = {place: name for name, place in self.known.items()}
        seen = _Seen()
        for raw in self.inner.rows():
            if isinstance(raw, RawRow) and raw.defaulted:
                yield raw._replace(cells=self._fitted(raw, names, seen), defaulted=())
            else:
                yield raw
        for (place, text), counts in seen.left_out.items():
            why, name = seen.why[place, text], names[place]
            if (place, text) not in seen.taken:
                raise refused(
                    self.file,
                    f"no row can take the default {name}={quoted(text)}: {why.problem}",
                    f"Change or remove the default. {_remedy(name, why)}".strip(),
                    column=name,
                )
            rows = ", ".join(f"{count} of {model}" for model, count in counts.items())
            self.own_warnings.append(
                RowProblem(
                    self.file,
                    f"the default {name}={quoted(text)} is left out of rows whose model does "
                    f"not take it ({rows})",
                    "No action is needed if that is intended.",
                    column=name,
                )
            )

    def _fitted(self, raw: RawRow, names: Mapping[int, str], seen: _Seen) -> Sequence[str]:
        cells = [*raw.cells]
        filled = {place: names[place] for place in raw.defaulted if place in names}
        model = self._model(cells, filled, seen)
        images = {
            role: image
            for name, role in _ROLES.items()
            if (place := self.known.get(name)) is not None
            and place < len(cells)
            and place not in filled
            and (image := Unread.read(cells[place])) is not None
        }
        for place in sorted(filled, key=lambda one: _ROLES.get(filled[one]) != START):
            name = filled[place]
            default = place, cells[place]
            why: CellError | None = None
            if model is None:
                if name in _ROLES or _rule(name, MODEL.absent) is not None:
                    cells[place] = ""  # the row has an error already
                continue
            image = Unread.read(cells[place])
            if (role := _ROLES.get(name)) is not None and image is not None:
                beside = {**images, role: image}
                why = dict(model_columns.image_problems(beside, model)).get(role)
                images = images if why else beside
            else:
                why = _refusal(name, cells[place], model)
            if why is None:
                seen.taken.add(default)
            else:
                seen.leave_out(default, model.name, why)
                cells[place] = ""
        return cells

    def _model(self, cells: Sequence[str], filled: Mapping[int, str], seen: _Seen) -> Model | None:
        """Return the model of a row; None if there is none of that name."""
        place = self.known.get("model")
        if place is None or place >= len(cells):
            return MODEL.absent
        try:
            return MODEL.read(cells[place])
        except CellError as error:
            if place in filled:
                seen.leave_out((place, cells[place]), "", error)
            return None


def _remedy(name: str, why: CellError) -> str:
    """Return what to write instead; of a model's other columns there is nothing to write."""
    return why.remedy if name in ("model", "orientation", "duration") else ""


@lru_cache(maxsize=256)
def _rule(column: str, model: Model) -> Rule | None:  # type: ignore[type-arg]
    """Return how a column's cells are read, if they can be judged without the rest of the row."""
    if model_columns.is_parameter(column):
        return parameter_rule(column, model)
    return next((one for one in (*rules_of(model), *REPEATING) if one.column == column), None)


@lru_cache(maxsize=1024)
def _refusal(column: str, text: str, model: Model) -> CellError | None:
    """Return why a model's row can't have a value; None if it can, or the row decides."""
    rule = _rule(column, model)
    try:
        if rule is not None:
            rule.read(text)
    except CellError as error:
        return error
    return None
