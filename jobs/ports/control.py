"""What a person says about jobs, batches and the account, and what a run asks before it buys."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from ..model.again import Patience
from ..model.ledger import Refunds, Scope
from ..model.states import Blocked, HeldBack
from .queries import QueryStore
from .seen import BatchRow, BatchStatus
from .selection import Sought, Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be spent, as a person said it; None leaves what is kept. Amounts are in micros.

    Attributes:
        batch: the batch's budget.
        campaigns: budgets of its campaigns.
        checked: campaigns of which a row must be there: a misspelt one would spend without end.
        day: the budget of the calendar day.
        max_price: the most that one video of the batch may cost.
        floor: what the account must not fall below.
        time_zone: whose calendar days the day's budget counts.
        refunds: which failed generations the account gets its money back for, from now on.
        begin: ``batch``, ``day``, ``max_price`` and ``min_balance`` that count only where none is
            kept.
    """

    batch: int | None = None
    campaigns: Mapping[str, int] = field(default_factory=dict)
    checked: Collection[str] = ()
    day: int | None = None
    max_price: int | None = None
    floor: int | None = None
    time_zone: str | None = None
    refunds: Refunds | None = None
    begin: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replaced:
    """A budget that another one has replaced, in micros; of a campaign with its name."""

    scope: Scope
    campaign: str | None
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class TermsKept:
    """What became of terms.

    Attributes:
        replaced: budgets that were others before.
        passed_over: of :attr:`Terms.begin`, by name, what is kept and is not what was said.
        refunds_before: what was said before, where something else is said now.
    """

    replaced: Sequence[Replaced] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    refunds_before: Refunds | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """A generation that another batch paid for, or a row that is no longer the same.

    Attributes:
        generation_id: None while it is not known whether there is one.
        batch: its name; a removed one's as well.
        at: when it was asked for.
        video_url: where the video is, whatever became of the row that paid for it; None where it
            is not known to be finished.
        filed: whether its file is here.
    """

    attempt_id: int
    generation_id: str | None
    batch: str
    at: datetime
    video_url: str | None
    filed: bool


@dataclass(frozen=True, slots=True)
class PaidBefore:
    """A queued job whose request was paid for under another batch, and the job's own batch.

    Attributes:
        fingerprint: of what the job asked for then.
    """

    job_id: int
    batch_id: int
    fingerprint: str
    paid: Paid


@dataclass(frozen=True, slots=True)
class Room:
    """Whether jobs can be bought.

    Attributes:
        some: True when one of them can, or none is queued any more.
        blocked: what is in the way of others, by the number of their batch, as a run tells it.
    """

    some: bool
    blocked: Mapping[int, frozenset[Blocked]]

    def __or__(self, other: "Room") -> "Room":
        """Add what is in the way of other jobs."""
        blocked = dict(self.blocked)
        for batch_id, why in other.blocked.items():
            blocked[batch_id] = blocked.get(batch_id, frozenset()) | why
        return Room(self.some or other.some, blocked)


class Handing(StrEnum):
    """What of some jobs is handed to the runner that serves.

    Attributes:
        NOTHING: nobody is there to take them: only what is in their way is looked at.
        SERVED: nothing: the runner serves their batch anyway.
        ASKED: those that nothing holds back.
        BY_NAME: the same, after those were asked for that nobody had asked for.
        SINGLE: a single video that was just typed, which is asking for it; nothing of it where
            something is in its way.
    """

    NOTHING = "nothing"
    SERVED = "served"
    ASKED = "asked"
    BY_NAME = "by_name"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Offered:
    """What became of jobs that were offered: whether a runner takes them up, and their room."""

    served: bool
    room: Room


class ControlStore(Protocol):
    """Changes what a person says; each method is one transaction, durable on return.

    A runner that is alive takes a change up within a second. What may be moved is decided inside
    the transaction, so that what something else was quicker to move is left as it is.
    """

    def set_terms(self, batch_id: int, said: Terms, now: datetime) -> TermsKept:
        """Keep what may be spent of a batch and of the account.

        Raises:
            LoadError: a campaign that must be there is none of the batch's.
        """

    def retry(
        self, job_ids: Sequence[int], give_up: Patience | None, *, now: datetime | None
    ) -> list[int]:
        """Queue failed and cancelled jobs again, and ask for those that were held back.

        Args:
            job_ids: which.
            give_up: attempts that will not end are given up first, on these terms.
            now: what was found about held ones by then is overruled for good; None: until the next
                look.

        Returns:
            Those that were moved.
        """

    def reword(self, job_ids: Sequence[int], prompt: str, give_up: Patience | None) -> list[int]:
        """Queue jobs again with another prompt; returns those that were moved."""

    def redo(self, job_ids: Sequence[int], now: datetime) -> list[int]:
        """Queue completed jobs for another attempt; what was made stays with its attempt."""

    def cancel(self, job_ids: Sequence[int], now: datetime) -> list[int]:
        """Take queued jobs out of the queue; returns those that were: what is paid for stays."""

    def give_up(self, job_ids: Sequence[int], patience: Patience) -> list[int]:
        """Give up attempts that will not end: their charges stay; they are still looked at."""

    def remove(self, batch_id: int, now: datetime) -> int:
        """Take a batch out of every list, its name free again; returns how many jobs it cancelled.

        Raises:
            NotAllowedError: something of it is under way, or in doubt.
        """

    def pause(self, name: str) -> tuple[bool, BatchStatus]:
        """Pause a batch, so that nothing more of it is submitted.

        Returns:
            Whether it was not paused before, and where it stands.

        Raises:
            NotFoundError: there is no such batch.
        """

    def resume(self, name: str, agree: Callable[[QueryStore, BatchRow], T]) -> tuple[bool, T]:
        """Resume a batch.

        Args:
            name: of the batch.
            agree: sees in the transaction what that lets be bought; what it raises leaves the batch
                as it was.

        Returns:
            Whether it was paused before, and what ``agree`` gave.

        Raises:
            NotFoundError: there is no such batch.
        """

    def offer(self, job_ids: Sequence[int], now: datetime, how: Handing, ceiling: int) -> Offered:
        """Hand jobs to the runner that serves, and see what room they have.

        Those of a paused batch are handed over by its resume, and those that something was found
        about by nobody (docs/decisions/0014-consent-is-state-of-the-row.md).

        Args:
            job_ids: some hundreds at most, so that a runner never waits for long.
            now: decides which day's budget counts.
            how: what of them is handed over.
            ceiling: micros to hold for a kind whose price nobody knows yet.
        """

    def hand_over(self, job_ids: Collection[int]) -> None:
        """Hand jobs to the run that begins with the runner's lock held: it buys these alone."""

    def ask_for(self, sought: Sought, now: datetime, *, again: bool) -> None:
        """Write down with rows what a person has asked for now, and what was left out.

        Args:
            sought: the rows, with what was picked of them.
            now: what there is of them by then is meant.
            again: a person said to buy what exists, too.
        """

    def overrule(self, sought: Sought, now: datetime, reason: HeldBack | None = None) -> None:
        """Let rows be bought whatever was found about them by now: a person said so.

        Args:
            sought: the rows.
            now: what turns up later is not meant.
            reason: only rows that are held back for it; None: for anything that was found.
        """

    def buy_unlooked(self, sought: Sought, job_ids: Iterable[int], now: datetime) -> None:
        """Let rows be bought that could not be looked for, those that a person was asked about."""

    def hold_paid_before(self, sought: Sought) -> list[PaidBefore]:
        """Hold rows back that this database has paid for under another batch, and list them."""

    def share(self, found: Iterable[PaidBefore], now: datetime) -> int:
        """Share videos paid for before with rows, at no cost; returns how many took one."""

    def follow_voids(self) -> None:
        """Give attempts that count as never made to the rows that ask for the same now.

        Before it is noted which attempts the rows have (:mod:`jobs.store.voids`).
        """

    def judge(self, attempt_id: int, verdict: Verdict | None, now: datetime) -> None:
        """Keep what a person thinks of an attempt's video; None forgets it."""

    def set_price(self, kind: str, price: int, now: datetime) -> None:
        """Keep what a kind costs, in micros, until an answer tells otherwise."""

    def forget_price(self, kind: str) -> None:
        """Forget what a kind costs: the next submission of it goes alone."""

    def announce_prices(self, announced: Mapping[str, int], now: datetime) -> None:
        """Take announced prices, in micros by kind, where none was learned or set."""

    def reset_day(self, now: datetime) -> list[str]:
        """Move what was spent and held under days of the future to today; list those days."""

    def begin(self) -> None:
        """Begin with no batch served and no run at work, with the runner's lock held.

        A runner that was killed could not see to that; one that lives although its lock file was
        deleted stops by the same transaction, else it would find nothing left to do.
        """

    def bind(self, origin: str, token: str) -> None:
        """Bind the database to an API and an account, by a keyed hash: the token stays out."""

    def keep_place(
        self, host: str, *, seal: str | None = None, bind: tuple[str, str] | None = None
    ) -> None:
        """Keep where the database is used, and by whom.

        Args:
            host: as :func:`jobs.model.host.this_host` names it.
            seal: as :class:`jobs.database.seal.Sealer` makes it; None leaves the one that is kept.
            bind: origin and token, as :meth:`bind`; None leaves what is kept.
        """

    def look_sooner(self, generation_ids: Sequence[str]) -> int:
        """Have generations looked at now, because somebody says that they have ended.

        Nothing else follows from it: what became of them is what the look shows.

        Returns:
            How many were ours, unfinished, and not announced already.
        """
