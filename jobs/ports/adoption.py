"""Looks before buying: videos that rows have already, in the account's list or in our own past.

Such rows are held back, until a person or an option takes the video over or buys it again.
"""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from ..evidence.echo import Echo
from ..evidence.looked_for import Wish
from ..evidence.matching import Match, WantedRow
from ..evidence.ours import Acceptance
from ..evidence.sight import Bought
from ..evidence.suspects import ClockOffset
from ..model.families import Family
from ..model.provider import Generation
from .seen import GenerationOwner
from .selection import Sought

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Words:
    """Which instructions of people count although the list proves nothing, by our clock.

    Earlier ones than ``since`` do not; later ones than ``until``, now, were given by a wrong clock.
    """

    since: datetime
    until: datetime

    def cover(self, said: datetime | None) -> bool:
        """Check whether an instruction of that time lets a row be bought."""
        return said is not None and self.since < said <= self.until


@dataclass(frozen=True, slots=True)
class ListShown:
    """What the store needs of a reading of a family's list, to add what it knows."""

    family: Family
    generation_ids: Sequence[str]  # that it shows
    accepted_since: datetime  # it must show all of ours that were accepted later, by our clock
    created_since: datetime  # all that were created later, by the provider's
    due_by: datetime  # but none that was accepted later, by our clock
    newest: int  # and the last so many of the others, however old they are


@dataclass(frozen=True, slots=True)
class Listed:
    """What the store knows about a reading of the list: ours in it, and what it must show.

    ``lag``: measured seconds until the list shows an acceptance; None: not measured yet.
    """

    ours: Mapping[str, Acceptance]
    must_show: Sequence[Bought]
    lag: float | None


@dataclass(frozen=True, slots=True)
class RowsSnapshot:
    """What the store knows of the rows that are sought.

    Attributes:
        listed: about the list; None if none was read.
        rows: in the manifests' order; can be iterated once.
        doubtful: prompts whose generation may be there unknown to us, and when each was sent.
        offset: the provider's times against our clock, by the few that we bought last.
        words: which instructions of people count.
        wishes: what the rows ask for that were tried or asked for by name before; of jobs that are
            sought by number, all.
        alike: maps shown prompts, folded, to the requests of all rows that they may belong to,
            given what the list does to prompts.
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
    """How sought rows are compared with what the list showed; None: it was not read.

    They are of one family, and so is the list.
    """

    sought: Sought
    shown: ListShown | None
    at: datetime
    decide: Callable[[RowsSnapshot], T]


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a look, written to the rows that are still as compared.

    Attributes:
        matches: jobs that need not be bought.
        not_looked: jobs that were not found, but could be there.
        released: rows that were held back, and need not be any more.
        looked_for: the rows that were looked for in whole lists.
        looked_at: the requests of the compared rows, by number; in a look before a run, only of
            those that were tried or asked for by name before.
    """

    matches: Sequence[Match] = ()
    not_looked: Sequence[int] = ()
    released: Sequence[WantedRow] = ()
    looked_for: Sequence[Sought] = ()
    looked_at: Mapping[int, Wish] = field(default_factory=dict)

    @property
    def compared(self) -> Sought:
        """Return the rows that were compared, whatever was found."""
        return Sought((), jobs=self.looked_at)

    def unchanged(self, now: Mapping[int, Wish]) -> dict[int, Wish]:
        """Return the compared rows that need no other look: nothing that was found holds them back.

        A row that was found, left the queue and came back is not among them: what held it back is
        forgotten then. ``now`` has the requests of rows that nothing was found about, after
        findings and a person's answers were written.
        """
        return {number: wish for number, wish in now.items() if self.looked_at[number] == wish}


@dataclass(frozen=True, slots=True)
class PaidHeld:
    """What our own past has of rows that are looked for during a run."""

    taken: Sequence[tuple[int, int]]  # batch of a row held back now, and the attempt that paid
    sought: Sought  # for which the list is to be read; noted


@dataclass(frozen=True, slots=True)
class UnlookedHeld:
    """How many unlooked rows are held back, and the requests of those that a person said to buy."""

    held: int
    wishes: Mapping[int, Wish]


class AdoptionStore(Protocol):
    """What looks before buying read and write."""

    def count(self, sought: Sought) -> Counter[str]:
        """Count the queued rows that are sought, by their kinds."""

    def listed(self, shown: ListShown) -> Listed:
        """Return what is known about a reading of the list."""

    def compare(self, comparison: Comparison[T]) -> T:
        """Compare rows with what the list showed, on one snapshot; return what was decided."""

    def hold_back(self, found: Found) -> None:
        """Hold back what must wait, and release what need not wait any more, in one transaction."""

    def take_over(self, matches: Iterable[Match], now: datetime, ahead: float) -> int:
        """Make matched generations the jobs' own, at no cost; return how many landed.

        Rows that are no longer as compared are skipped. ``ahead``: seconds by which the provider's
        clock is ahead of ours, at least.
        """

    def take_over_by_word(
        self, job_id: int, generation: Generation, now: datetime, ahead: float
    ) -> GenerationOwner | bool:
        """Make a generation a queued job's own, at no cost; return whether it was, or its job."""

    def typed(self, job_ids: Collection[int]) -> Mapping[int, Wish]:
        """Return the requests of some jobs that are single videos handed to a run."""

    async def hold_paid(self, job_ids: Collection[int]) -> PaidHeld:
        """Hold back those of some queued rows that this database has paid for, during a run."""

    async def hold_found(self, found: Found) -> Mapping[int, Wish]:
        """Hold back as :meth:`hold_back` does; return :meth:`Found.unchanged` as of then."""

    async def hold_unlooked(self, job_ids: Collection[int]) -> UnlookedHeld:
        """Hold back those of some rows that nobody said to buy anyway in this run, or for it."""
