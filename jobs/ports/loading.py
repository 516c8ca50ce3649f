"""What is added and kept: rows of manifests, single videos, downloaded files."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from ..model.spec import AskedRow, JobSpec, SpecRow
from ..model.states import HeldBack
from .control import Terms, TermsKept
from .queries import QueryStore
from .seen import FileRow
from .selection import Sought

EXPORTS: Final = "exports"
RESULTS: Final = "results"
WRITTEN: Final = (EXPORTS, RESULTS)
"""Keys of a batch's ``reading`` that name the tables, and the manifest columns, that we wrote; a
manifest that is loaded again leaves them as they are. The columns are those of one source."""


class OnChange(StrEnum):
    """What to do about rows that were paid for and then edited."""

    STOP = "stop"
    REDO = "redo"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """Into which batch staged rows are brought, and how.

    Attributes:
        name: of the batch, as the person gave it; None leaves the choice to path and default.
        default_name: the manifest's own name, or its stem.
        reading: where the manifest is and how it was read.
        whole: False when rows were left out (invalid ones), so that nothing is cancelled.
        held_back: why the rows that this load queues or edits are not bought yet.
    """

    name: str | None
    default_name: str
    source: str | None
    columns: Sequence[str]
    reading: Mapping[str, Any] | None
    on_change: OnChange
    whole: bool
    held_back: HeldBack


@dataclass(slots=True)
class LoadReport:
    """What a load did, by the keys of rows.

    Attributes:
        edited: paid rows whose edit was *not* followed (:attr:`OnChange.REDO` does).
        redone: paid rows that are bought again, those that failed among them.
        busy: edited rows that are under way just now: load again when they are finished.
        cancelled: unpaid rows that are no longer in the manifest.
    """

    batch_id: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    edited: list[str] = field(default_factory=list)
    redone: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)


class StagedRow(NamedTuple):
    """A row of a manifest that waits for its load, with the columns of :class:`SpecRow`."""

    key: str
    key_from_content: bool
    row: int
    asked: AskedRow
    campaign: str | None
    priority: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class StagedCount:
    """How many staged rows have a price kind and a campaign."""

    kind: str
    campaign: str | None
    jobs: int


Place = tuple[int, int]  # A job's batch and number: files are wanted in this order


class WantedFile(NamedTuple):
    """A completed job whose file is not here yet; ``path`` is where it will be, once planned."""

    batch_id: int
    job_id: int
    attempt_id: int
    batch: str
    key: str
    video_url: str
    generation_id: str
    tries: int
    path: str | None

    @property
    def place(self) -> Place:
        """Return its place, to continue after it."""
        return self.batch_id, self.job_id


class LoadStore(Protocol):
    """Adds rows, and keeps which files are here.

    :meth:`stage` reads a manifest's rows, however long that takes, into a place that only this
    store sees, without a lock; :meth:`load` brings them into their batch at once.
    """

    def stage(self, rows: Iterable[SpecRow]) -> int:
        """Keep rows with distinct keys for :meth:`load`, in place of earlier ones; count them."""

    def staged_rows(self) -> list[int]:
        """List the manifest's rows of which something is staged, ascending, each once."""

    def staged_counts(self, rows: Collection[int] | None = None) -> list[StagedCount]:
        """Count what is staged (of some rows) by kind and campaign, as they begin."""

    def staged_first(self, most: int, rows: Collection[int] | None = None) -> list[StagedRow]:
        """Read the first of what is staged: of all rows, or of some."""

    def load(
        self,
        order: LoadOrder,
        said: Terms,
        now: datetime,
        agree: Callable[[LoadReport], object],
    ) -> tuple[LoadReport, TermsKept]:
        """Bring what is staged into its batch, and keep the terms: all or nothing.

        If ``agree``, called in the transaction with what the load did, raises, all is rolled back.
        LoadError: the batch is ambiguous, edits need a decision, or no row has a campaign with a
        cap.
        """

    def add(
        self,
        batch: str,
        columns: Sequence[str],
        check: Callable[[QueryStore], object],
        make: Callable[[int], tuple[JobSpec, str]],
        said: Terms,
        now: datetime,
    ) -> tuple[int, TermsKept]:
        """Add one job to a batch of single videos, made if missing, and keep the terms, at once.

        It is unasked: it is bought only while it is handed over, and by no later run. ``check`` is
        called in the transaction; if it raises, all is rolled back. ``make`` makes the job, with a
        new key, and its price kind from the row number. ``columns`` are added to the batch's.
        Returns its number, and the effect of the terms.
        """

    def note(
        self,
        batch_ids: Sequence[int],
        *,
        named: bool,
        pick: Callable[[Sequence[int]], Collection[int]] | None = None,
    ) -> Sought:
        """Note which rows a run may buy and what they ask for now, in temporary tables.

        Between a look and the purchase a person may be asked: a row that is loaded or edited in
        between was not looked for, and nobody was asked about it. One note at a time. ``pick``
        chooses rows of a batch's manifest; None: all.
        """

    def note_sought(self, sought: Sought) -> Sought:
        """Note given rows, as :meth:`note`."""

    def keep_written(
        self, batch_ids: Collection[int], name: str, change: Callable[[Any], Any]
    ) -> None:
        """Change what was written for batches (JSON or None), one of :data:`WRITTEN`, at once."""

    def wanted_files(
        self,
        batch_ids: Sequence[int],
        limit: int,
        *,
        after: Place = (0, 0),
        keys: Sequence[str] = (),
    ) -> list[WantedFile]:
        """List completed jobs without a file after a place, of some keys if any are given."""

    def files_there(self, batch_ids: Sequence[int]) -> list[FileRow]:
        """List the fetched files, to check them; a row that shares a video shares its file too."""

    def file_of(self, attempt_id: int) -> FileRow | None:
        """Read the file of an attempt; None when it was not fetched."""

    def is_of_another(self, wanted: WantedFile, path: str) -> bool:
        """Check whether the file of another attempt is at a path."""

    async def plan_file(self, wanted: WantedFile, path: str) -> None:
        """Write down where a file will be, so that what a crash leaves there is known as ours."""

    async def record_file(
        self, wanted: WantedFile, path: str, size: int, sha256: str, now: datetime
    ) -> None:
        """Write down that a whole file is there; its size is in bytes."""

    async def record_file_error(self, wanted: WantedFile, error: str) -> None:
        """Write down why a file could not be fetched; its job stays completed."""

    def forget_files(self, gone: Iterable[FileRow]) -> None:
        """Make files wanted again that are no longer where they were put, at once."""
