"""Doubts: submissions with an unknown outcome, and how the list, or a person, settles them.

A void, which counts as never made, stays watched: its generation may turn up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from ..evidence.account_list import Reading
from ..evidence.books import BalanceReading, Books
from ..evidence.ours import Acceptance
from ..evidence.suspects import Appeared, ClockOffset, Settlement, SuspectAttempt
from ..model.provider import Generation
from .seen import GenerationOwner


@dataclass(frozen=True, slots=True)
class MoneyBeside:
    """A reading of the balance beside those of lists, and what may have changed the balance."""

    reading: BalanceReading
    completed: frozenset[str]  # in the lists, which were read after the balance
    strangers: frozenset[str]  # of others, and may be refunded, and how many more at least
    more: int
    polled: bool  # unfinished generations are polled at the same time


@dataclass(frozen=True, slots=True)
class DoubtSnapshot:
    """What a store knows beside a reading of a family's list."""

    suspects: Sequence[SuspectAttempt]  # of the family: doubts, open submissions, watched voids
    offsets: Mapping[int, ClockOffset]
    ours: Mapping[str, Acceptance]  # the generations in the reading that attempts of ours have
    expected: Sequence[Acceptance]  # the generations of ours that the reading must show
    books: Books | None = None  # what the balance shows; None: not read, or not comparable
    claimed: frozenset[str] = frozenset()  # the strangers of MoneyBeside that are ours by now


@dataclass(frozen=True, slots=True)
class DoubtDecision:
    """What is to be written of a reading."""

    settlement: Settlement  # all its fields but clean, passing and unstable are written
    why_void: str
    most_voids: int  # a job fails after so many voids
    lag: float | None = None  # most seconds the list took to show an acceptance; None: no news


@dataclass(frozen=True, slots=True)
class Settled:
    """What was written of a reading: doubts adopted as generations, or voided.

    Attributes:
        appeared: each void that turned up, its generation, and what that is; None if nothing was
            written: its row is being sent, or it was settled in between.
    """

    snapshot: DoubtSnapshot
    adopted: Sequence[tuple[int, str]]
    voided: Sequence[int]
    appeared: Sequence[tuple[int, str, Appeared | None]]


@dataclass(frozen=True, slots=True)
class JobsDoubt:
    """The last attempt of a job.

    Attributes:
        doubt_clock: when it went in doubt, by :meth:`jobs.model.clock.Clock.boot`; None: not known.
        send_before: until when its request had to be sent.
        candidates: what it could be, for people: ``generation_id``, ``status`` and ``created_at``.
    """

    attempt: SuspectAttempt
    offset: ClockOffset
    doubt_clock: str | None
    send_before: datetime
    candidates: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Searched:
    """What is known beside a reading of the list that was made for one doubt."""

    found: int  # how many generations the doubt could be that no attempt has
    ours: Mapping[str, Acceptance]
    expected: Sequence[Acceptance]  # the generations of ours that the reading must show
    any_ours: bool  # whether any generation is ours at all
    lag: float | None  # measured seconds until the list shows an acceptance; None: not measured yet


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the store knows, to compare with the account's list; money in micros."""

    ours: frozenset[str]
    charged: int
    held: int  # for submissions with an unknown outcome
    first_balance: int | None  # the first reading of the balance; None before that
    first_charged: int  # what had been charged when that reading began


D = TypeVar("D", bound=DoubtDecision)


class DoubtStore(Protocol):
    """What settling doubts reads and writes."""

    def suspects(self, watched_since: datetime) -> Sequence[SuspectAttempt]:
        """List the suspects; voids that ended later than a time are among them."""

    def clock_offsets(self, attempt_ids: Sequence[int]) -> Mapping[int, ClockOffset]:
        """Measure the provider's clock against ours around the times of some attempts."""

    async def settle(
        self,
        reading: Reading,
        now: datetime,
        money: MoneyBeside | None,
        decide: Callable[[DoubtSnapshot], D],
        remember: Callable[[D, Settled], None],
    ) -> None:
        """Settle what a reading of the list settles, all in one transaction.

        The times of our generations in the list are kept, and what the balance shows is noted,
        before ``decide`` is called.

        Args:
            money: a reading of the balance that began before it; None: it could not be read.
            remember: called once with what was decided and written, as soon as it is durable and
                before any other task runs, even if the waiting task was cancelled: a video that is
                paid for twice must be reported.
        """

    async def keep_lag(
        self,
        family: str,
        generation_ids: Sequence[str],
        longest: Callable[[Mapping[str, Acceptance]], float | None],
    ) -> Mapping[str, Acceptance]:
        """Keep the longest lag of a list, in seconds (None: no news); return ours on the page."""

    def known(self, generation_ids: Sequence[str]) -> Mapping[str, Acceptance]:
        """Find which generations are attempts of ours."""

    def kinds_queued(self) -> Sequence[str]:
        """List the kinds of which something is queued in the batches that are served."""

    def kinds_under_way(self) -> Sequence[str]:
        """List the kinds of which a paid generation has not ended."""

    def kinds_bought(self) -> Sequence[str]:
        """List the kinds of all attempts."""

    async def note_unproven(self, why: Mapping[int, str]) -> None:
        """Keep why doubts could not be settled, by attempt, for people."""

    def of_job(self, job_id: int) -> JobsDoubt:
        """Return the last attempt of a job."""

    def search(
        self, attempt_id: int, reading: Reading, candidates: Sequence[Generation], since: datetime
    ) -> Searched:
        """Keep which candidates, without our attempts', a doubt could be, for who resolves it.

        What was sent before ``since`` need not be shown by the reading.
        """

    def owner_of(self, generation_id: str) -> GenerationOwner | None:
        """Return the job that has a generation; None if no attempt has it."""

    def adopt(self, attempt_id: int, generation_id: str, now: datetime) -> GenerationOwner | bool:
        """Settle a doubt on a person's word; return whether it landed, or the job that has it."""

    async def settle_named(
        self, attempt_id: int, generation_id: str, now: datetime
    ) -> Appeared | None:
        """Settle a doubt, or a void, by the generation that a callback to its address named.

        Returns what came of it; None: it was settled in between, or another attempt has it.
        """

    def void(self, attempt_id: int, reason: str, now: datetime) -> bool:
        """Settle a doubt on a person's word: nothing was made. Return whether it landed."""

    def first_intent(self) -> datetime | None:
        """Return when something was first bought; None: never."""

    def ledger(self, generation_ids: Sequence[str]) -> Ledger:
        """Return what an audit compares with the account's list and its balance."""
