"""What commands, page, report and export ask of the job table: one Protocol, typed answers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from ..evidence.looked_for import Wish
from ..model.ledger import Budget
from ..model.retry import Patience, WhyNot
from ..model.states import HeldBack
from .seen import (
    AccountRow,
    AttemptRow,
    BatchRow,
    BatchStatus,
    Bucket,
    FailureGroup,
    GenerationOwner,
    JobRow,
    Page,
    PaidTwice,
    Part,
    PriceRow,
    QueuedJob,
    Taken,
    Unanswered,
)
from .selection import EVERYTHING, Filter, Shelf, Sought, Wanted


class QueryStore(Protocol):
    """Answers questions, each on one consistent snapshot, all in one inside of :meth:`snapshot`."""

    def snapshot(self) -> AbstractContextManager["QueryStore"]:
        """Ask several questions about one moment; nothing may be awaited inside."""

    def integrity(self) -> str:
        """Check the whole file: ``ok``, or the first thing that is damaged."""

    def account(self) -> AccountRow:
        """Read whose database this is, and what was seen of the account."""

    def check_zone(self) -> None:
        """Raise DatabaseUnusableError if this machine does not know the daily budget's zone."""

    def future_days(self, now: datetime) -> list[str]:
        """List the days of the daily budget that have not begun anywhere yet, first to last."""

    def prices(self) -> dict[str, PriceRow]:
        """Read what is known of each kind's price, by kind."""

    def odd_prices(self, since: datetime) -> list[PriceRow]:
        """List the kinds with an odd price, not confirmed yet, that was charged since a time."""

    def cap(self, key: str) -> int | None:
        """Read the cap of a budget (:mod:`jobs.model.ledger`) in micros; None: no cap."""

    def today(self, now: datetime) -> Budget:
        """Read the daily budget of the account's day; its cap is None where there is none."""

    def batches(self, name: str | None = None) -> list[BatchRow]:
        """List the batches in the order of loading, or the one of that name or NotFoundError.

        Raises:
            NotFoundError: there is none of that name.
        """

    def batch_of(self, name: str | None, default_name: str, source: str | None) -> BatchRow | None:
        """Find the batch that a load goes into (:class:`LoadOrder`); None: it would make one.

        LoadError: another file is loaded under the default name.

        Raises:
            LoadError: another file is loaded under the default name.
        """

    def find_batch(self, name: str | None, source: str) -> BatchRow | None:
        """Find a batch by its name if that is given, else the newest that has that source."""

    def status(self, batch: BatchRow) -> BatchStatus:
        """Sum a batch up."""

    def statuses(self, among: Collection[int] | None = None) -> list[BatchStatus]:
        """Sum all batches up, or some by their numbers."""

    def spent_on(self, first: str, last: str) -> Budget:
        """Add up what was spent, refunded and reserved on some days, given as ISO dates.

        Days are those of the account's time zone; a video belongs to that on which it was sent.
        """

    def stop_is_asked(self, run_id: str) -> bool:
        """Check whether a person has asked this run to stop."""

    def jobs(self, wanted: Wanted = EVERYTHING, order: str = "row") -> list[JobRow]:
        """List jobs in one of :data:`jobs.queries.jobs.ORDERS`; NotFoundError: no such batch.

        Raises:
            NotFoundError: there is no batch of that name.
        """

    def each_job(self, wanted: Wanted = EVERYTHING) -> Iterator[JobRow]:
        """Stream jobs by row, only inside of :meth:`snapshot`; NotFoundError: no such batch.

        Raises:
            NotFoundError: there is no batch of that name.
        """

    def failures(self, wanted: Wanted) -> list[FailureGroup]:
        """Group failed jobs by kind and words, most frequent first; NotFoundError: no batch.

        Raises:
            NotFoundError: there is no batch of that name.
        """

    def job(self, key: str, batch: str | None = None) -> JobRow:
        """Find one job by key or number (``#12``); NotFoundError: none, or in several batches.

        Raises:
            NotFoundError: none, or several batches have that key.
        """

    def numbered(self, job_ids: Sequence[int]) -> list[JobRow]:
        """Read jobs by their numbers, in that order; removed batches' as well."""

    def attempts_of(self, job_id: int) -> list[AttemptRow]:
        """List a job's attempts, the first one first."""

    def owners(self, generation_ids: Collection[str]) -> dict[str, GenerationOwner]:
        """Find the jobs that have generations, by generation id; unknown ids are left out."""

    def rows_of(self, batch_id: int) -> list[int]:
        """List the rows of a batch's manifest in their order, each once."""

    def queued(self, batch_id: int, held_back: Collection[HeldBack] = ()) -> list[QueuedJob]:
        """List the jobs of a batch that may be bought if some reasons are overruled."""

    def queued_by_kind(
        self,
        batch_id: int,
        rows: Collection[int] | None = None,
        held_back: Collection[HeldBack] = (),
    ) -> dict[str, int]:
        """Count them by price kind: of all rows, or of some and those asked for by name."""

    def may_be_retried(
        self, job_ids: Collection[int], give_up: Patience | None = None
    ) -> dict[int, WhyNot | None]:
        """Return why each of some jobs may not be bought again; None if it may."""

    def may_be_given_up(
        self, job_ids: Collection[int], patience: Patience
    ) -> dict[int, WhyNot | None]:
        """Return why the attempt of each of some jobs may not be given up; None if it may."""

    def held_for(self, sought: Sought, reason: HeldBack) -> int:
        """Count the rows that are held back for a reason, of those that are sought."""

    def found_and_asked(self, batch_id: int) -> int:
        """Count the rows of a batch that were asked for, and wait because of what was found."""

    def waiting(self, batch_ids: Sequence[int]) -> list[int]:
        """List the queued rows that wait because they may be paid for already."""

    def wishes(self, sought: Sought, *, free: bool = False) -> dict[int, Wish]:
        """Read what sought rows ask for that a look must know; ``free``: without findings."""

    def any_unended(self, batch_id: int) -> bool:
        """Check whether a job of a batch failed for us, and may still finish at the provider."""

    def doubts(self) -> int:
        """Count the attempts whose generation we don't know."""

    def twice_micros(self) -> int:
        """Return what all batches together paid for twice, in micros."""

    def paid_twice(self) -> list[PaidTwice]:
        """List what was paid for twice, by batch."""

    def is_served(self) -> bool:
        """Check whether a runner takes what is handed over; a killed one may have left it so."""

    def is_awaited(self, generation_id: str) -> bool:
        """Check whether a generation is ours, unfinished, and its end not announced already."""

    def unanswered(self, attempt_id: int) -> Unanswered | None:
        """Return an attempt whose generation is not known, a void too; None: it is known."""

    def served_batches(self) -> list[int]:
        """List the batches that a runner serves, and those with jobs that were handed to it."""

    def parts(self, job_ids: Collection[int]) -> Mapping[int, Part]:
        """Count the states of some jobs, by batch."""

    def page(
        self,
        batch_id: int,
        which: Filter,
        limit: int,
        *,
        after: int = 0,
        before: int | None = None,
    ) -> Page:
        """Read a page of jobs by number, after one, or before one, which overrides ``after``."""

    def newest_number(self) -> int:
        """Return the highest number of a job; 0 if there is none."""

    def found_after(self, batch: str, number: int, prompt: str) -> JobRow | None:
        """Find the first job of a batch with this prompt, to the letter, and a higher number."""

    def recent(self, batch_id: int, limit: int) -> list[JobRow]:
        """List the completed jobs whose files came last, the newest first."""

    def under_way(self, batch_id: int, limit: int) -> list[JobRow]:
        """List the jobs that are paid for and not finished, the most advanced first."""

    def ended_span(self, batch_id: int) -> tuple[datetime, datetime] | None:
        """Return when the first and the last job of a batch ended; None if none has."""

    def ended_since(self, batch_id: int, since: datetime) -> tuple[int, datetime] | None:
        """Count the jobs that ended since a moment, with when the first of them did."""

    def course(self, batch_id: int, seconds: int) -> list[Bucket]:
        """Sum up what ended and was charged, by spans of so many seconds, without empty ones."""

    def durations(self, batch_id: int, seconds: int) -> list[tuple[int, int]]:
        """Count completed jobs by how long they took, in spans of so many seconds."""

    def taken(self, batch_id: int) -> Taken | None:
        """Return how long the completed jobs of a batch took; None when there is none."""

    def videos(self, batch_id: int, shelf: Shelf, limit: int, offset: int = 0) -> list[JobRow]:
        """Read some jobs whose videos are here."""

    def verdicts(self, attempt_ids: Sequence[int]) -> dict[int, str]:
        """Read what a person thinks of some attempts; those without a verdict are left out."""

    def videos_since(self, batch_id: int, shelf: Shelf, since: datetime) -> int:
        """Count the videos that came after a moment."""

    def kinds(self, batch_id: int) -> list[str]:
        """Read the price kinds of a batch's jobs, each once, in their order."""
