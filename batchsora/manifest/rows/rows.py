"""Turn one raw row into the jobs that it asks for, or everything that is wrong with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import MappingProxyType
from typing import TypeVar

from batchsora.manifest import values
from batchsora.manifest.errors import CellError, NotTakenError, RowProblem, cell_name, shorten
from batchsora.manifest.images.row_images import Images, Unread
from batchsora.manifest.raw import RawRow
from batchsora.manifest.rows import model_columns
from batchsora.manifest.rows.columns import Columns, way_to_map
from batchsora.manifest.rows.keys import Clash, Keys, content_key
from batchsora.manifest.rows.model_headers import OTHER
from batchsora.manifest.rows.rules import (
    BY_MODEL,
    ID,
    IMAGE_URL,
    MODEL,
    PROMPT,
    REPEATING,
    Rule,
    parameter_rule,
    rules_of,
)
from batchsora.providers.model import START, Model
from jobs.model.provider import GenerationRequest, ImageRef, Parameter
from jobs.model.spec import JobSpec

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Options:
    """The values of a row's columns with few different values: a million rows have a handful."""

    callback_url: str | None
    campaign: str | None
    priority: int
    count: int
    model: Model
    orientation: str
    duration: int | None
    parameters: Mapping[str, Parameter]

    def request(self, prompt: str, images: Mapping[str, ImageRef]) -> GenerationRequest:
        """Return what a row asks for, with its images by their roles."""
        return GenerationRequest(
            prompt,
            self.orientation,
            self.duration,
            images.get(START),
            self.callback_url,
            self.model.name,
            self.parameters,
            {role: image for role, image in images.items() if role != START},
        )


class RowReader:
    """Turns the raw rows of one manifest, in order, into jobs.

    Args:
        file: the manifest's path, for messages.
        headers: as written.
        columns: what they mean.
        pictures: finds images.
        sheet: of a workbook, so that its cells are named as people see them.
        drawn: the column of the workbook's picture that is a row's image, by the row.

    Attributes:
        pick: returns the carried cells of a row.
        repeating: returns the cells with few different values.
        unusual: the places of cells that are rarely filled.
    """

    def __init__(
        self,
        file: str,
        headers: Sequence[str],
        columns: Columns,
        pictures: Images | Unread,
        sheet: str | None = None,
        drawn: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        self._headers = headers
        self._columns = columns
        self._images = pictures
        self.keys = Keys()
        self._places = known = columns.known
        self._picture_rule = Rule("image", pictures.read, None)
        self._file = file
        self._sheet = sheet
        self._drawn = drawn
        self._row = 0
        self._faults: list[RowProblem] = []
        self.names = [headers[place] for place in columns.carried]
        self.pick = _picker(columns.carried, len(headers))
        self.prompt = known["prompt"]
        self.id = known.get("id")
        self.width = len(headers)
        self._further = {
            role: Rule(name, pictures.read, None)
            for name, role in model_columns.IMAGES.items()
            if name in known
        }
        further = (rule.column for rule in self._further.values())
        images = [known[name] for name in ("image", "image_url", *further) if name in known]
        self._image_places = images
        self.unusual = (*columns.nameless, *images)
        self._parameters = {
            name: model_columns.parameter_name(name)
            for name in known
            if model_columns.is_parameter(name)
        }
        few = (*(rule.column for rule in REPEATING), *BY_MODEL, *self._parameters)
        repeating = [known[name] for name in few if name in known]
        self.repeating = _picker(repeating, len(headers))
        self._options: dict[tuple[str, ...], Options] = {}

    def prepare(self, lump: Iterable[RawRow | RowProblem]) -> None:
        """Read the pictures that some rows name, several at once, before :meth:`read` is called."""
        url = self._places.get("image_url")
        places = [place for place in self._image_places if place != url]
        if places:
            rows = [raw.cells for raw in lump if isinstance(raw, RawRow)]
            self._images.prepare(
                cells[place] for cells in rows for place in places if place < len(cells)
            )

    def read(self, raw: RawRow) -> Sequence[JobSpec] | Sequence[RowProblem]:
        """Return the jobs of a row, or its problems; never both."""
        self._row, self._faults = raw.row, []
        cells = self._squared(raw.cells)
        words = self._parsed(cells, PROMPT)
        key = self._parsed(cells, ID)
        images = self._pictures(cells)
        options = self._options.get(tuple(self.repeating(cells))) or self._optional(cells)
        if not self._faults:
            self._check(words, images, options.model)
        if self._faults:
            return self._faults
        request = options.request(words, images)
        count = options.count
        if key is None:
            names = self.keys.of_content(content_key(request), raw.row, count)
        else:
            names = self.keys.of_id(key, raw.row, count)
        if isinstance(names, Clash):
            self._add(
                self.id,
                key,
                f"the key {names.key!r} is already used by row {names.row}",
                "Give one of the two rows another id.",
            )
            return self._faults
        written = dict(zip(self.names, self.pick(cells), strict=True))
        return [
            JobSpec(
                name,
                key is None,
                raw.row,
                request,
                options.campaign,
                options.priority,
                written if count == 1 else self._of_variant(written, key and name),
            )
            for name in names
        ]

    def options(self, cells: Sequence[str]) -> Options | None:
        """Parse a row's cells with few different values; None if one is faulty."""
        self._faults = []
        found = self._optional(cells)
        return None if self._faults else found

    def _optional(self, cells: Sequence[str]) -> Options:
        """Parse a row's cells with few different values, and remember the result."""
        model = self._parsed(cells, MODEL)
        orientation, duration = (self._parsed(cells, rule) for rule in rules_of(model))
        callback_url, campaign, priority, count = (self._parsed(cells, one) for one in REPEATING)
        asked = self._asked(cells, model)
        options = Options(
            callback_url, campaign, priority, count, model, orientation, duration, asked
        )
        if not self._faults:
            if len(self._options) == values.REMEMBERED:
                self._options.clear()
            self._options[tuple(self.repeating(cells))] = options
        return options

    def _asked(self, cells: Sequence[str], model: Model) -> Mapping[str, Parameter]:
        """Parse the cells of parameters; those of one that is needed and not given are faulty."""
        found: dict[str, Parameter] = {}
        for column, name in self._parameters.items():
            if (value := self._parsed(cells, parameter_rule(column, model))) is not None:
                found[name] = value
        for name, one in model.parameters.items():
            if one.needed and name not in found:
                place = self._places.get("model", self.prompt)
                self._add(place, None, f"{model.name} needs {name}", f"Add a column {OTHER}{name}.")
        return found

    def _check(self, prompt: str, images: Mapping[str, ImageRef], model: Model) -> None:
        """Note what of prompt and images the model does not take."""
        if (wrong := model_columns.prompt_problem(prompt, model)) is not None:
            self._add(self.prompt, prompt, wrong.problem, wrong.remedy)
        for role, found in model_columns.image_problems(images, model):
            place = self._place_of(role)
            self._add(place, None, found.problem, self._remedy(found, place))

    def _remedy(self, error: CellError, place: int) -> str:
        """Return what to do; a column that no model of its rows takes may be a person's own."""
        if not (self._file and isinstance(error, NotTakenError)):  # no file: it was typed
            return error.remedy
        own = way_to_map(self._headers[place], "")
        return f"{error.remedy} If it is your own column, {own} keeps it as it is."

    def _place_of(self, role: str) -> int:
        if (rule := self._further.get(role)) is not None:
            return self._places[rule.column]
        names = ("image", "image_url") if role == START else ()
        return next((self._places[name] for name in names if name in self._places), self.prompt)

    def _of_variant(self, written: dict[str, str], key: str | None) -> dict[str, str]:
        """Return the cells of one variant alone.

        An export loaded again must mean the same videos: ``count`` is 1, and an id the variant's
        own. An empty id stays empty, because identical rows without id number themselves.
        """
        changed = {self._headers[self._places["count"]]: "1"}
        if key is not None:
            changed[self._headers[self._places["id"]]] = key
        return written | changed

    def _squared(self, cells: Sequence[str]) -> Sequence[str]:
        """Return a row with one cell for each header; others that are filled are faults."""
        width = len(self._headers)
        if len(cells) < width:
            cells = [*cells, *[""] * (width - len(cells))]
        elif len(cells) > width:
            extra = next((p for p in range(width, len(cells)) if cells[p].strip()), None)
            if extra is not None and self._sheet is not None:
                self._add(
                    extra,
                    cells[extra],
                    "the column of this cell has no name",
                    "Add a name to the header, or clear the cell.",
                )
            elif extra is not None:
                self._add(
                    extra,
                    cells[extra],
                    f"the row has {len(cells)} cells, the header only {width}",
                    "Put a text that contains the separator in double quotes.",
                )
            cells = cells[:width]
        for place in self._columns.nameless:
            if cells[place].strip():
                self._add(
                    place,
                    cells[place],
                    f"column {place + 1} has no name",
                    "Add a name to the header.",
                )
        return cells

    def _add(self, place: int | None, text: str | None, problem: str, remedy: str) -> None:
        """Note a fault of a column; ``place`` is None for the row as a whole.

        A column without a name, or beyond the header, is named by its cell alone.
        """
        column = None
        if place is not None and place < len(self._headers):
            column = self._headers[place] if self._headers[place].strip() else None
        shown = None if text is None else shorten(text)
        cell = None
        if place is not None and place == self._places.get("image") and self._row in self._drawn:
            place, shown = self._drawn[self._row], None
            column = self._headers[place] if place < len(self._headers) else None
            cell = cell_name(self._sheet or "", self._row, place)
        elif self._sheet is not None:
            cell = cell_name(self._sheet, self._row, place)
        self._faults.append(
            RowProblem(
                self._file, problem, remedy, row=self._row, column=column, found=shown, cell=cell
            )
        )

    def _parsed(self, cells: Sequence[str], rule: Rule[_T]) -> _T:
        """Parse one cell, if there is such a column; a fault is noted."""
        place = self._places.get(rule.column)
        if place is None:
            return rule.absent
        try:
            return rule.read(cells[place])
        except CellError as error:
            found = cells[place].removeprefix(values.WRITTEN)
            self._add(place, found or None, error.problem, self._remedy(error, place))
            return rule.absent

    def _pictures(self, cells: Sequence[str]) -> dict[str, ImageRef]:
        """Find a row's images, by their roles."""
        start = self._picture(cells)
        found = {} if start is None else {START: start}
        for role, rule in self._further.items():
            if (image := self._parsed(cells, rule)) is not None:
                found[role] = image
        return found

    def _picture(self, cells: Sequence[str]) -> ImageRef | None:
        one = self._parsed(cells, self._picture_rule)
        other = self._parsed(cells, IMAGE_URL)
        if one is not None and other is not None:
            self._add(
                self._places["image_url"],
                other.source,
                "the row has an image and an image_url",
                "Keep one of them.",
            )
        return one or other


def _picker(places: Sequence[int], width: int) -> Callable[[Sequence[str]], Sequence[str]]:
    if not places:
        return lambda _: ()
    if list(places) == list(range(width)):
        return lambda cells: cells
    if len(places) == 1:
        return lambda cells: (cells[places[0]],)
    return itemgetter(*places)
