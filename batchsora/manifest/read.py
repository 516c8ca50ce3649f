"""Open a manifest: the public face of this package."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeVar

from batchsora.manifest.errors import ManifestError, RowProblem, refused
from batchsora.manifest.formats.apart_table import ApartTable, open_apart
from batchsora.manifest.formats.csv_formulas import ToldTable
from batchsora.manifest.formats.csv_reader import CsvTable, open_csv
from batchsora.manifest.formats.embedded import EmbeddedTable, with_pictures
from batchsora.manifest.formats.filtered import FilteredTable, LeftOut
from batchsora.manifest.formats.folder_reader import open_folder
from batchsora.manifest.formats.json_reader import JsonLines, open_jsonl
from batchsora.manifest.formats.sheet_reader import EXCEL, OTHERS
from batchsora.manifest.images.fitting import Fitter
from batchsora.manifest.images.row_images import Images, Unread
from batchsora.manifest.raw import (
    PLAIN,
    RawRow,
    RawTable,
    Reading,
    check_name,
    embedded_in,
    hidden_in,
    warnings_of,
    with_defaults,
)
from batchsora.manifest.rows.columns import Columns, understand
from batchsora.manifest.rows.defaults_by_model import DefaultsByModel
from batchsora.manifest.rows.lookalikes import Lookalikes
from batchsora.manifest.rows.own_models import own_models
from batchsora.manifest.rows.result_columns import results_among
from batchsora.manifest.rows.rows import RowReader
from batchsora.manifest.rows.spelling import folded
from batchsora.manifest.rows.whole_columns import ColumnReader
from jobs.model.provider import GenerationRequest
from jobs.model.spec import JobSpec, SpecRow, spec_row

__all__ = ["MOST_JOBS", "READERS", "Manifest", "ManifestError", "RowProblem", "open_manifest"]

READERS: Final[Mapping[str, Callable[[Path, Reading], RawTable]]] = {
    ".csv": open_csv,
    ".tsv": open_csv,
    ".tab": open_csv,
    ".txt": open_csv,
    ".yaml": open_apart,
    ".yml": open_apart,
    ".json": open_apart,
    ".jsonl": open_jsonl,
    ".ndjson": open_jsonl,
    **dict.fromkeys((*EXCEL, *OTHERS), open_apart),
}
"""The formats, by suffix. A new one is a module beside these and a line here.

What is read as a stream, with bounds of its own, is read here; the rest in a process apart.
"""

T = TypeVar("T", bound=JobSpec | RowProblem | SpecRow)

LUMP: Final = 500
"""Rows that are read together, column by column."""

PICTURES: Final = 16
"""Rows whose pictures are read together."""

MOST_JOBS: Final = 2_000_000
"""A manifest that asks for more is a mistake (``count`` in every row), not an order."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest whose head was read and understood; its rows are read on request.

    Attributes:
        path: as given.
        name: of the batch, unless it is given otherwise: from YAML, or the file's stem.
        columns: the person's headers in order, as written, without result columns of an export.
        budget: the batch's cap in USD, if the manifest has one.
        campaign_budgets: the caps of campaigns in USD.
        notes: what was done to pictures in the last reading of rows.
        lookalikes: what that reading found about columns by their cells.
        left_out: what it found not to be rows.
        results: the places of the columns of an earlier export, by the result.
        headers: all of the file's as written, those of results as well.
        pictures: the files that rows named in that reading.
    """

    path: Path
    name: str
    columns: tuple[str, ...]
    budget: Decimal | None
    campaign_budgets: Mapping[str, Decimal]
    _table: RawTable = field(repr=False)
    _meaning: Columns = field(repr=False)
    _allow_outside: bool = field(repr=False)
    _reading: Reading = field(repr=False)
    _fitter: Fitter | None = field(repr=False)
    notes: list[str] = field(default_factory=list)
    results: Mapping[str, int] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    pictures: set[Path] = field(default_factory=set)
    _pictures_in: EmbeddedTable | None = field(repr=False, default=None)
    _kept: Sequence[Path] = field(repr=False, default=())
    lookalikes: list[RowProblem] = field(default_factory=list)
    _own_models: Sequence[RowProblem] = field(repr=False, default=())
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def warnings(self) -> tuple[RowProblem, ...]:
        """Return what a person should check; each has the shape of a problem."""
        return (
            *self._meaning.warnings,
            *self._own_models,
            *warnings_of(self._table),
            *self.lookalikes,
        )

    @property
    def suspicious_columns(self) -> tuple[str, ...]:
        """Return the columns that are probably meant as ours, but are not read so.

        Their values would be silently ignored, so whoever spends money should stop here. Columns
        that are recognized by their cells are included once the rows were read.
        """
        told = (*self._own_models, *self.lookalikes)
        found = (problem.column for problem in told if problem.column is not None)
        return (*self._meaning.suspicious, *found)

    @property
    def source(self) -> str:
        """Return the manifest's absolute path, with the sheet of a workbook."""
        path = str(self.path.resolve())
        return path if self._table.sheet is None else f"{path}#{self._table.sheet}"

    @property
    def read_as(self) -> dict[str, Any]:
        """Return where it is and how it was read; kept with the batch (:func:`read_again`)."""
        kept = self._reading.as_json() | {"path": str(self.path.resolve())}
        if self._fitter is not None:
            kept["fit_images"] = True
        return kept if self._table.sheet is None else kept | {"sheet": self._table.sheet}

    @property
    def taken_for(self) -> tuple[list[tuple[str, str]], list[str]]:
        """Return our columns with their headers as written, and the headers of the person's own."""
        headers, known = self._table.headers, self._meaning.known
        places = {place: name for name, place in known.items()}
        ours = [(places[place], headers[place]) for place in sorted(places)]
        return ours, [headers[place] for place in self._meaning.carried if place not in places]

    @property
    def defaults(self) -> Mapping[str, str]:
        """Return what an empty cell means, by the name of our column."""
        return self._reading.defaults

    @property
    def header_row(self) -> int | None:
        """Return the row of the headers; None if they have none of their own."""
        return self._table.header_row

    def rows(self) -> Iterator[JobSpec | RowProblem]:
        """Read the rows in the file's order: a job for each video, or what is wrong.

        A row with problems yields a :class:`RowProblem` for each and no job. Each call reads the
        files again. If it raises ManifestError in the middle (damaged quotes, another encoding
        further down, too many jobs), nothing of the manifest should be used.
        """
        return self._rows(self._pictures())

    def _pictures(self) -> Images:
        folder = self.path if self.path.is_dir() else self.path.parent
        self.notes.clear()
        self.pictures.clear()
        return Images(
            folder,
            allow_outside=self._allow_outside,
            fitter=self._fitter,
            more=None if self._reading.images is None else Path(self._reading.images),
            kept=self._kept,
            notes=self.notes,
        )

    def spec_rows(
        self, kind_of: Callable[[GenerationRequest], str]
    ) -> Iterator[SpecRow | RowProblem]:
        """Read the rows as :meth:`rows` does, but as columns of the job table: the quick way.

        ``kind_of`` returns the price kind of a request.

        Raises:
            ManifestError: as :meth:`rows` does.
        """
        pictures = self._pictures()
        reader = self._row_reader(pictures)
        columns = ColumnReader(reader, kind_of)

        watch = Lookalikes(self._meaning, self._table.headers)

        def lumps() -> Iterator[Iterable[SpecRow | RowProblem]]:
            rows = self._table.rows()
            while lump := list(islice(rows, LUMP)):
                watch.see(lump)
                plain = [raw for raw in lump if isinstance(raw, RawRow)]
                quick = columns.read(plain) if len(plain) == len(lump) else []
                yield quick
                for place, raw in enumerate(lump[len(quick) :], len(quick)):
                    if (place - len(quick)) % PICTURES == 0:
                        reader.prepare(lump[place : place + PICTURES])
                    for item in self._read(reader, raw):
                        if isinstance(item, RowProblem):
                            yield (item,)
                        else:
                            yield (spec_row(item, kind_of(item.request)),)
            found = watch.warnings(str(self.path), self._table.headers, self._table.header_row)
            # columns whose headers say it already are left out
            said = self._meaning.suspicious
            self.lookalikes[:] = [one for one in found if one.column not in said]
            self.notes[:0] = pictures.elsewhere
            self.pictures.update(pictures.used)
            if self._pictures_in is not None:
                self.notes[:0] = self._pictures_in.notes

        return self._bounded(chain.from_iterable(lumps()))

    def named_rows(self) -> Iterator[JobSpec]:
        """Read the row of each key, in the file's order, without looking at pictures.

        Rows that are hidden now come last: they may have been bought before they were hidden.

        Raises:
            ManifestError: as :meth:`rows` does.
        """
        rows: set[int] = set()
        keys: set[str] = set()
        for spec in self._named():
            yield spec
            rows.add(spec.row)
            keys.add(spec.key)
        if not hidden_in(self._table):
            return
        whole = open_manifest(self.path, reading=replace(self._reading, include_hidden=True))
        for spec in whole._named():  # noqa: SLF001 - one of us
            if spec.row not in rows and spec.key not in keys:
                yield spec

    def _named(self) -> Iterator[JobSpec]:
        return (item for item in self._rows(Unread()) if isinstance(item, JobSpec))

    def _rows(self, pictures: Images | Unread) -> Iterator[JobSpec | RowProblem]:
        reader = self._row_reader(pictures)
        items = (item for raw in self._table.rows() for item in self._read(reader, raw))
        return self._bounded(items)

    def _row_reader(self, pictures: Images | Unread) -> RowReader:
        headers, sheet = self._table.headers, self._table.sheet
        drawn = {} if self._pictures_in is None else self._pictures_in.drawn
        return RowReader(str(self.path), headers, self._meaning, pictures, sheet, drawn)

    @staticmethod
    def _read(
        reader: RowReader, raw: RawRow | RowProblem
    ) -> Sequence[JobSpec] | Sequence[RowProblem]:
        return reader.read(raw) if isinstance(raw, RawRow) else (raw,)

    def _bounded(self, items: Iterable[T]) -> Iterator[T]:
        """Return items; raise ManifestError after the most that a manifest may have."""
        for jobs, item in enumerate(items):
            if jobs == MOST_JOBS:
                raise refused(
                    str(self.path),
                    f"the manifest asks for more than {MOST_JOBS} videos",
                    "Split it.",
                    row=item.row,
                )
            yield item


def open_manifest(
    path: Path,
    *,
    allow_outside: bool = False,
    reading: Reading = PLAIN,
    fitter: Fitter | None = None,
    kept: Sequence[Path] = (),
) -> Manifest:
    """Open a manifest and understand its head.

    Args:
        path: a file whose suffix is one of :data:`READERS`, or a folder of pictures.
        allow_outside: whether images may lie outside the manifest's folder.
        reading: what the file doesn't say itself.
        fitter: converts pictures that the provider does not take; None: they are errors.
        kept: folders with pictures from workbooks; the first is written to.

    Raises:
        ManifestError: the file is refused: missing, of another format, damaged, without prompts.
    """
    file = str(path)
    check_name(path)
    reader = open_folder if path.is_dir() else READERS.get(path.suffix.lower())
    if reader is None:
        raise refused(
            file,
            f"a manifest can't be read from {path.suffix or 'a file without suffix'!r}",
            f"Save it as .xlsx or CSV UTF-8. Supported: {', '.join(READERS)}.",
        )
    if reading.sheet is not None and path.suffix.lower() not in (*EXCEL, *OTHERS):
        raise refused(file, "only a workbook has sheets", "Remove --sheet.")
    if reading.header_row is not None and path.suffix.lower() not in (*EXCEL, *OTHERS):
        raise refused(
            file,
            "the row of the headers can be chosen in a workbook only",
            "Remove --header-row; delete the lines above the headers.",
        )
    if reading.embedded_images and reading.ignore_pictures:
        raise refused(
            file,
            "pictures can't be both used and ignored",
            "Use either --embedded-images or --ignore-pictures.",
        )
    table = reader(path, reading)
    headers = table.headers
    there = {folded(header) for header in headers}
    said = {
        header: name
        for header, name in reading.columns.items()
        if header not in reading.kept or folded(header) in there
    }
    results = results_among(table.headers, table.rows(), reading.results, said)
    own = [] if table.header_row is None else own_models(file, table, said, results)
    said |= {one.column: "" for one in own if one.column is not None}
    meaning = understand(file, table.headers, table.header_row, said, results)
    left_out = LeftOut()
    drawings: EmbeddedTable | None = None
    table = _with_formulas_told(table, meaning.known.values(), results)
    if table.header_row is not None:  # in a tree each job is written as one
        always = bool(reading.defaults.get("prompt"))
        embedded = embedded_in(table)
        table = FilteredTable(table, meaning.known, meaning.nameless, file, always, left_out)
        if embedded:
            table = drawings = with_pictures(table, embedded, next(iter(kept), None))
            meaning = understand(file, table.headers, table.header_row, said, results)
    if reading.defaults:
        table = with_defaults(table, meaning.known, reading.defaults)
        meaning = understand(file, table.headers, table.header_row, said, results)
    if reading.defaults or table.header_row is None:
        table = DefaultsByModel(table, meaning.known, file)
    if next(table.rows(), None) is None:
        hidden = " ".join(f"{one.problem}: {one.remedy}" for one in warnings_of(table))
        problem = "; ".join(["there are no rows below the header", *left_out.words()])
        raise refused(file, problem, hidden or "Write one row for each video.")
    settings = table.settings
    return Manifest(
        path=path,
        name=settings.batch or (path.resolve().name if path.is_dir() else path.stem),
        columns=tuple(table.headers[place] for place in meaning.carried),
        budget=settings.budget,
        campaign_budgets=settings.campaign_budgets,
        _table=table,
        _meaning=meaning,
        _allow_outside=allow_outside,
        _reading=reading,
        _fitter=fitter,
        left_out=left_out,
        results={name: place for place, name in results.items()},
        headers=headers,
        _pictures_in=drawings,
        _kept=kept,
        _own_models=own,
    )


def _with_formulas_told(
    table: RawTable, read: Collection[int], results: Collection[int]
) -> RawTable:
    """Return a table that recognizes formulas in these columns; workbooks always do."""
    if isinstance(table, CsvTable):
        return replace(table, read=frozenset(read))
    if isinstance(table, JsonLines) or (isinstance(table, ApartTable) and table.sheet is None):
        return ToldTable(table, tuple(read), tuple(results))
    return table


def read_again(read_as: Mapping[str, Any]) -> Manifest:
    """Open a manifest as :attr:`Manifest.read_as` says, or raise ManifestError."""
    return open_manifest(Path(read_as["path"]), reading=Reading.of(read_as))
