"""What every reader of a file format yields; all that is shared starts from here.

A new format is one module with one function ``open_FORMAT(path) -> RawTable`` and one line in
:data:`batchsora.manifest.read.READERS`. It knows its syntax and nothing of columns' meanings.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, Protocol

from batchsora.manifest.errors import RowProblem, refused


class RawRow(NamedTuple):
    """One row as it stands in the file.

    Attributes:
        row: its place, as an editor counts.
        cells: as many texts as the file has there, in the order of the headers.
    """

    row: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a manifest says beside its rows; only YAML can.

    Attributes:
        batch: the batch's name, or None.
        budget: its cap in USD, or None.
        campaign_budgets: caps of campaigns in USD.
    """

    batch: str | None = None
    budget: Decimal | None = None
    campaign_budgets: Mapping[str, Decimal] = field(default_factory=dict)


class RawTable(Protocol):
    """A manifest as its format's reader sees it."""

    @property
    def headers(self) -> tuple[str, ...]:
        """Give the headers as written, in order; an empty one is a column without a name."""
        ...

    @property
    def header_row(self) -> int | None:
        """Say where the headers stand, where they have a place of their own."""
        ...

    @property
    def settings(self) -> Settings:
        """Give what the file says beside its rows."""
        ...

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Read the rows in the file's order; wholly blank ones may be left out.

        Raises:
            ManifestError: the file can't be read to its end.
        """
        ...


def check_regular(path: Path) -> None:
    """Make sure that a path is a plain file, before anything opens it.

    Raises:
        ManifestError: it is missing, not readable by us, a folder, a pipe or a device.
    """
    file = str(path)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise refused(
            file, f"the manifest can't be read: {reason}", "Check the path and its permissions."
        ) from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise refused(file, f"this is {what}, not a manifest", "Name a .csv or .yaml file.")
    if not os.access(path, os.R_OK):
        raise refused(file, "the manifest can't be read", "Check the file's permissions.")
