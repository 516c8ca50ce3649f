"""Looks before buying: what rows have already, in the account's list or in our own past.

What a look finds is compared with the rows in one snapshot, and held back with them. A person, or
an option, then says whether it is taken over at no cost or bought again.
"""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from ..evidence.echo import Echo
from ..evidence.looked_for import Wish
from ..evidence.matching import Match, WantedRow
from ..evidence.sight import Bought
from ..evidence.suspects import ClockOffset
from ..evidence.witness import Acceptance
from ..model.provider import Generation
from .doubts import OwnerJob
from .selection import Sought

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Words:
    """Which words of people count although the list proves nothing, by our clock.

    Attributes:
        since: what was said before does not.
        until: now; what is later was said while the clock was wrong.
    """

    since: datetime
    until: datetime

    def cover(self, said: datetime | None) -> bool:
        """Check whether a row is bought because of what was said."""
        return said is not None and self.since < said <= self.until


@dataclass(frozen=True, slots=True)
class ListShown:
    """What of a reading of the list the store needs, to say what it knows beside it.

    Attributes:
        generation_ids: that it shows.
        accepted_since: it must show all of ours that were accepted later, by our clock;
        created_since: all that were created later, by the provider's;
        due_by: but none that was accepted later, by our clock;
        newest: and the last so many of the others, however old they are.
    """

    generation_ids: Sequence[str]
    accepted_since: datetime
    created_since: datetime
    due_by: datetime
    newest: int


@dataclass(frozen=True, slots=True)
class Listed:
    """What a store knows beside a reading of the list.

    Attributes:
        ours: the generations in it that attempts of ours have.
        must_show: what it must show.
        lag: seconds after which the list shows what was accepted, as measured; None: never yet.
    """

    ours: Mapping[str, Acceptance]
    must_show: Sequence[Bought]
    lag: float | None


@dataclass(frozen=True, slots=True)
class RowsSnapshot:
    """What a store knows of the rows that are sought.

    Attributes:
        listed: beside the list; None where none was read.
        rows: in the manifests' order; read while they are gone through, once.
        doubtful: when each prompt was sent whose generation may be there unknown to us.
        offset: the provider's times against our clock, by the few that we bought last.
        words: which words of people count.
        wishes: what the rows ask for that were tried or asked for by name before; of jobs that are
            sought by number, all.
        alike: maps shown prompts, folded, to what all rows ask for that they may belong to, by what
            the list does to prompts.
    """

    listed: Listed | None
    rows: Iterator[WantedRow]
    doubtful: Mapping[str, datetime]
    offset: ClockOffset
    words: Words
    wishes: Mapping[int, Wish]
    alike: Callable[[Container[str], Echo], Mapping[str, Collection[str]]]


@dataclass(frozen=True, slots=True)
class Comparison(Generic[T]):
    """How the rows that are sought are compared with what the account's list showed.

    Attributes:
        shown: what it did; None where no list was read.
        at: by our clock.
        decide: what it comes to.
    """

    sought: Sought
    shown: ListShown | None
    at: datetime
    decide: Callable[[RowsSnapshot], T]


@dataclass(frozen=True, slots=True)
class Found:
    """What a look says of rows, to be written with them where they are still as compared.

    Attributes:
        matches: jobs that need not be bought.
        not_looked: jobs that were not found, and could be there all the same.
        released: rows that were held back, and need not be any more.
        looked_for: whose rows were looked for in the whole list; None where it was not whole.
        looked_at: what the rows asked for that were compared, whatever was found, by number; of a
            look before a run those that were tried or asked for by name before.
    """

    matches: Sequence[Match] = ()
    not_looked: Sequence[int] = ()
    released: Sequence[WantedRow] = ()
    looked_for: Sought | None = None
    looked_at: Mapping[int, Wish] = field(default_factory=dict)

    @property
    def compared(self) -> Sought:
        """Name the rows that were compared, whatever was found."""
        return Sought((), jobs=self.looked_at)

    def unchanged(self, now: Mapping[int, Wish]) -> dict[int, Wish]:
        """Name the rows that were compared and need no other look: what holds them is no find.

        A row that was found, left the queue and came back is not among them: what held it back is
        forgotten then.

        Args:
            now: what those that nothing was found about ask for, after what was found and what a
                person said to it was written.

        Returns:
            What they ask for, where it is still what they were compared as.
        """
        return {number: wish for number, wish in now.items() if self.looked_at[number] == wish}


@dataclass(frozen=True, slots=True)
class PaidHeld:
    """What our own past has of rows that are looked for beside a run.

    Attributes:
        taken: each row that is held back now: its batch, and the attempt that paid for the same.
        sought: the rows for which the list is to be read, and noted as that.
    """

    taken: Sequence[tuple[int, int]]
    sought: Sought


@dataclass(frozen=True, slots=True)
class UnlookedHeld:
    """Rows for which the list could not be read.

    Attributes:
        held: how many are held back now.
        wishes: what the others ask for, which a person said to buy all the same.
    """

    held: int
    wishes: Mapping[int, Wish]


class AdoptionStore(Protocol):
    """What looks before buying read and write."""

    def count(self, sought: Sought) -> int:
        """Count the queued rows that are sought."""

    def listed(self, shown: ListShown) -> Listed:
        """Return what is known beside a reading of the list."""

    def compare(self, comparison: Comparison[T]) -> T:
        """Compare rows with what the list showed, on one snapshot; returns what was decided."""

    def hold_back(self, found: Found) -> None:
        """Hold back what must wait, and release what need not wait any more, in one transaction."""

    def take_over(self, matches: Iterable[Match], now: datetime, ahead: float) -> int:
        """Make matched generations the jobs' own, at no cost; returns how many landed.

        Args:
            matches: which, where their rows are still as compared.
            now: the time.
            ahead: seconds by which the provider's clock is ahead of ours, at least.
        """

    def take_over_by_word(
        self, job_id: int, generation: Generation, now: datetime, ahead: float
    ) -> OwnerJob | bool:
        """Make a generation a queued job's own, at no cost, because a person said that it is.

        Returns:
            Whether it landed; or the job that has the generation already.
        """

    def typed(self, job_ids: Collection[int]) -> Mapping[int, Wish]:
        """Return what those of some jobs ask for that are single videos, handed to a run."""

    async def hold_paid(self, job_ids: Collection[int]) -> PaidHeld:
        """Hold those of some queued rows back that this database has paid for, beside a run."""

    async def hold_found(self, found: Found) -> Mapping[int, Wish]:
        """Hold back as :meth:`hold_back` does; returns :meth:`Found.unchanged` as of then."""

    async def hold_unlooked(self, job_ids: Collection[int]) -> UnlookedHeld:
        """Hold those of some rows back that nobody said in this run, or for it, to buy anyway."""
