"""Doubts: submissions whose end nobody knows, and how the list, or a person, settles them.

The reconciler reads the suspects, then the account's list, and has what that settles written down
in one transaction. A void, which counts as never made, is watched on: its generation may turn up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from ..evidence.account_list import Reading
from ..evidence.books import BalanceReading, Books
from ..evidence.suspects import Appeared, ClockOffset, Settlement
from ..evidence.witness import Acceptance
from ..model.provider import Generation


@dataclass(frozen=True, slots=True)
class SuspectAttempt:
    """An attempt whose generation may be in the account without our knowing its id.

    Attributes:
        state: ``open`` (its POST is under way), ``in_doubt``, or ``void`` (watched on).
        prompt: as it was sent.
        request_key: what was asked for, however the prompt is spelled.
        intent_at: when its intent was written, by our clock.
        sent_until: when its request can't have been under way any more, by our clock: the end of
            its socket, which was seen; after a crash the moment at which a later runner took the
            lock, or before which it had to be sent.
        ended_at: when it became a void; None for the others.
        unproven: why the list could not settle it, as it is kept for people.
        price: what it would have cost, in micros, as far as is known; 0: it is not.
        replaced_at: when the intent of a void's replacement was written; None: there is none.
    """

    id: int
    state: str
    prompt: str
    request_key: str
    intent_at: datetime
    sent_until: datetime
    ended_at: datetime | None = None
    unproven: str | None = None
    price: int = 0
    replaced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MoneyBeside:
    """A reading of the balance beside one of the list, and what the run knows of what moves it.

    Attributes:
        completed: generations that the list, read after the balance, shows as completed.
        strangers: generations of others that are known, and that may be given back.
        more: how many more there are at least.
        polled: what has not ended is looked at meanwhile.
    """

    reading: BalanceReading
    completed: frozenset[str]
    strangers: frozenset[str]
    more: int
    polled: bool


@dataclass(frozen=True, slots=True)
class DoubtSnapshot:
    """What a store knows beside a reading of the account's list.

    Attributes:
        suspects: doubts, submissions under way, and the voids that are watched.
        offsets: how the clocks stood around each suspect, by attempt.
        ours: the generations in the reading that attempts of ours have.
        expected: the generations of ours that the reading must show.
        books: what the balance says; None where it was not read, or can't be compared.
        claimed: those of :attr:`MoneyBeside.strangers` that are ours by now.
    """

    suspects: Sequence[SuspectAttempt]
    offsets: Mapping[int, ClockOffset]
    ours: Mapping[str, Acceptance]
    expected: Sequence[Acceptance]
    books: Books | None = None
    claimed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DoubtDecision:
    """What is to be written of a reading.

    Attributes:
        settlement: of its fields all but ``clean``, ``passing`` and ``unstable`` are written.
        why_void: for people.
        most_voids: after so many of its submissions came to nothing, a job fails.
        lag: the longest time in seconds that the list took to show an acceptance, to be kept; None:
            nothing new.
    """

    settlement: Settlement
    why_void: str
    most_voids: int
    lag: float | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What was written of a reading.

    Attributes:
        adopted: the doubts that are settled as generations, and these.
        voided: the doubts that are settled as never made.
        appeared: each void that turned up, its generation, and what that is; None where nothing
            was written: its row is being sent, or it was settled meanwhile.
    """

    snapshot: DoubtSnapshot
    adopted: Sequence[tuple[int, str]]
    voided: Sequence[int]
    appeared: Sequence[tuple[int, str, Appeared | None]]


@dataclass(frozen=True, slots=True)
class JobsDoubt:
    """The last attempt of a job.

    Attributes:
        offset: how the clocks stood around it.
        doubt_clock: when it went in doubt, by :meth:`jobs.model.clock.Clock.boot`; None: not known.
        send_before: when its request had to have left.
        candidates: the generations that it could be, as they are kept for people:
            ``generation_id``, ``status`` and ``created_at``.
    """

    attempt: SuspectAttempt
    offset: ClockOffset
    doubt_clock: str | None
    send_before: datetime
    candidates: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Searched:
    """What is known beside a reading of the list that was made for one doubt.

    Attributes:
        found: how many generations the doubt could be that no attempt has.
        ours: the generations in the reading that attempts of ours have.
        expected: the generations of ours that the reading must show.
        any_ours: any generation is ours at all.
        lag: seconds after which the list shows what was accepted, as measured; None: never yet.
    """

    found: int
    ours: Mapping[str, Acceptance]
    expected: Sequence[Acceptance]
    any_ours: bool
    lag: float | None


@dataclass(frozen=True, slots=True)
class OwnerJob:
    """The job that has a generation already."""

    key: str
    batch: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a store says beside the account's list, for an audit; money in micros.

    Attributes:
        ours: which generations of the list attempts of ours have.
        charged: in all.
        held: for submissions whose outcome is not known.
        first_balance: the first reading of the balance; None before one.
        first_charged: what had been charged when that began.
    """

    ours: frozenset[str]
    charged: int
    held: int
    first_balance: int | None
    first_charged: int


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

        The times that the list tells of generations of ours are kept, and what the balance shows is
        noted, before ``decide`` is asked.

        Args:
            reading: of the list.
            now: the time.
            money: a reading of the balance that began before it; None: there was none to be had.
            decide: from what is known in the transaction.
            remember: told what was decided and written, once, as soon as it is durable and before
                anything else goes on; also where the task that waits was cancelled meanwhile: that
                something is paid for twice must be told.
        """

    async def keep_lag(
        self,
        generation_ids: Sequence[str],
        longest: Callable[[Mapping[str, Acceptance]], float | None],
    ) -> Mapping[str, Acceptance]:
        """Keep how long the list took to show an acceptance at most, by a page of it.

        Args:
            generation_ids: that the page shows.
            longest: the seconds, from those of them that attempts of ours have; None: nothing new.

        Returns:
            The latter.
        """

    async def note_unproven(self, why: Mapping[int, str]) -> None:
        """Keep why doubts could not be settled, by attempt, for people."""

    def of_job(self, job_id: int) -> JobsDoubt:
        """Return the last attempt of a job."""

    def search(
        self, attempt_id: int, reading: Reading, candidates: Sequence[Generation], since: datetime
    ) -> Searched:
        """Keep which generations a doubt could be, for whoever resolves it.

        Args:
            attempt_id: of the doubt.
            reading: of the list, made for it.
            candidates: those of it that the doubt could be, unless an attempt of ours has them.
            since: what was sent before need not be shown.
        """

    def owner_of(self, generation_id: str) -> OwnerJob | None:
        """Return the job that has a generation; None where no attempt has it."""

    def adopt(self, attempt_id: int, generation_id: str, now: datetime) -> OwnerJob | bool:
        """Settle a doubt by a person's word: this generation is its own.

        Returns:
            Whether it landed; or the job that has the generation already.
        """

    def void(self, attempt_id: int, reason: str, now: datetime) -> bool:
        """Settle a doubt by a person's word: nothing was made. Returns whether it landed."""

    def first_intent(self) -> datetime | None:
        """Return when something was first bought; None: never."""

    def ledger(self, generation_ids: Sequence[str]) -> Ledger:
        """Return what an audit compares with the account's list and its balance."""
