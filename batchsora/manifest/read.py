"""Opening a manifest: the public face of this package.

::

    manifest = open_manifest(Path("campaign.csv"))
    for item in manifest.rows():
        match item:
            case JobSpec(): ...
            case RowProblem(): ...
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from batchsora.manifest.columns import Columns, understand
from batchsora.manifest.csv_reader import open_csv
from batchsora.manifest.errors import ManifestError, RowProblem, refused
from batchsora.manifest.images import Images
from batchsora.manifest.raw import RawRow, RawTable
from batchsora.manifest.rows import RowReader
from batchsora.manifest.yaml_reader import open_yaml
from jobs.spec import JobSpec

__all__ = ["MOST_JOBS", "READERS", "Manifest", "ManifestError", "RowProblem", "open_manifest"]

READERS: Final[Mapping[str, Callable[[Path], RawTable]]] = {
    ".csv": open_csv,
    ".yaml": open_yaml,
    ".yml": open_yaml,
}
"""The formats, by suffix. A new one is a module beside these and a line here."""

MOST_JOBS: Final = 2_000_000
"""A manifest that asks for more is a mistake (``count`` in every row), not an order."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest whose head was read and understood; its rows come as they are asked for.

    Attributes:
        path: as given.
        name: of the batch, unless somebody says otherwise: what YAML says, or the file's stem.
        columns: the person's headers in order, as written, without result columns of an export.
        budget: the batch's cap in USD, if the manifest has one.
        campaign_budgets: the caps of campaigns in USD.
        warnings: what a person should look at; each has the shape of a problem.
        suspicious_columns: headers that look misspelt; their values would be silently ignored, so
            whoever spends money should stop here.
    """

    path: Path
    name: str
    columns: tuple[str, ...]
    budget: Decimal | None
    campaign_budgets: Mapping[str, Decimal]
    warnings: tuple[RowProblem, ...]
    suspicious_columns: tuple[str, ...]
    _table: RawTable = field(repr=False)
    _meaning: Columns = field(repr=False)
    _allow_outside: bool = field(repr=False)

    def rows(self) -> Iterator[JobSpec | RowProblem]:
        """Read the rows in the file's order: a job for each wanted video, or what is wrong.

        A row with problems gives one :class:`RowProblem` for each and no job. May be called again;
        each time files are read anew.

        Raises:
            ManifestError: in the middle, when the file can't be read to its end (damaged quotes,
                another encoding further down, too many jobs): nothing of it should be used then.
        """
        file = str(self.path)
        pictures = Images(self.path.parent, allow_outside=self._allow_outside)
        reader = RowReader(file, self._table.headers, self._meaning, pictures)
        jobs = 0
        for raw in self._table.rows():
            if not isinstance(raw, RawRow):
                yield raw
                continue
            for item in reader.read(raw):
                jobs += 1
                if jobs > MOST_JOBS:
                    raise refused(
                        file,
                        f"the manifest asks for more than {MOST_JOBS} videos",
                        "Split it.",
                        row=raw.row,
                    )
                yield item


def open_manifest(path: Path, *, allow_outside: bool = False) -> Manifest:
    """Open a manifest and understand its head.

    Args:
        path: a ``.csv``, ``.yaml`` or ``.yml`` file.
        allow_outside: whether images may lie outside the manifest's folder.

    Raises:
        ManifestError: the file is refused: missing, of another format, damaged, without prompts.
    """
    file = str(path)
    _check_name(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise refused(
            file,
            f"a manifest can't be read from {path.suffix or 'a file without suffix'!r}",
            f"Name a file that ends with {', '.join(READERS)}.",
        )
    table = reader(path)
    meaning = understand(file, table.headers, table.header_row)
    if next(table.rows(), None) is None:
        raise refused(file, "there is no row below the header", "Write one row for each video.")
    settings = table.settings
    return Manifest(
        path=path,
        name=settings.batch or path.stem,
        columns=tuple(table.headers[place] for place in meaning.carried),
        budget=settings.budget,
        campaign_budgets=settings.campaign_budgets,
        warnings=meaning.warnings,
        suspicious_columns=meaning.suspicious,
        _table=table,
        _meaning=meaning,
        _allow_outside=allow_outside,
    )


def _check_name(path: Path) -> None:
    """Make sure that a path can be kept in the database and shown in JSON.

    Raises:
        ManifestError: it has bytes that are no UTF-8.
    """
    try:
        os.fspath(path.absolute()).encode()
    except UnicodeEncodeError as error:
        shown = os.fspath(path).encode("utf-8", "replace").decode()
        raise refused(
            shown, "the name of the file or of its folder is not UTF-8", "Rename it."
        ) from error
