"""What a person changes about jobs, batches and the account, and what a run asks before it buys."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from ..model.ledger import Refunds, Scope
from ..model.retry import Patience
from ..model.states import Blocked, HeldBack
from .queries import QueryStore
from .seen import BatchRow, BatchStatus
from .selection import Sought, Verdict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be spent, as a person set it; None leaves it as it is. Amounts are in micros.

    Attributes:
        campaigns: budgets of campaigns; None removes one.
        lifted: :attr:`Scope.BATCH` and :attr:`Scope.DAY`: whose budget is removed.
        checked: campaigns that must have a row: a misspelt one would cap nothing.
        max_price: the most that one video of the batch may cost.
        floor: minimum balance to leave in the account.
        refunds: which failed generations the provider refunds, from now on.
        begin: ``batch``, ``day``, ``max_price`` and ``min_balance`` that apply only if none is set.
    """

    batch: int | None = None
    campaigns: Mapping[str, int | None] = field(default_factory=dict)
    checked: Collection[str] = ()
    day: int | None = None
    max_price: int | None = None
    floor: int | None = None
    time_zone: str | None = None
    refunds: Refunds | None = None
    begin: Mapping[str, int] = field(default_factory=dict)
    lifted: Collection[Scope] = ()


@dataclass(frozen=True, slots=True)
class Replaced:
    """A budget that was replaced, in micros, or removed (None); with its campaign's name if any."""

    scope: Scope
    campaign: str | None
    old: int
    new: int | None


@dataclass(frozen=True, slots=True)
class TermsKept:
    """The effect of new terms: replaced budgets and refunds, and those of ``begin`` already set."""

    replaced: Sequence[Replaced] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    refunds_before: Refunds | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """A generation that another batch paid for, or a row that is no longer the same."""

    attempt_id: int
    generation_id: str | None  # None while it is unknown whether there is one
    batch: str
    at: datetime
    video_url: str | None  # even if the row that paid is gone; None: not known to be finished
    filed: bool


@dataclass(frozen=True, slots=True)
class PaidBefore:
    """A queued job whose request, by this fingerprint, was paid for under another batch."""

    job_id: int
    batch_id: int
    fingerprint: str
    paid: Paid


@dataclass(frozen=True, slots=True)
class Room:
    """Whether one of the jobs can be bought, or none is queued any more; what blocks the others."""

    some: bool
    blocked: Mapping[int, frozenset[Blocked]]

    def __or__(self, other: "Room") -> "Room":
        """Add what blocks other jobs."""
        blocked = dict(self.blocked)
        for batch_id, why in other.blocked.items():
            blocked[batch_id] = blocked.get(batch_id, frozenset()) | why
        return Room(self.some or other.some, blocked)


class Handing(StrEnum):
    """Which of some jobs are handed to the runner that serves.

    Attributes:
        NOTHING: none, as no runner is there; only what blocks them is looked at.
        SERVED: none, as the runner serves their batch anyway.
        ASKED: those that are not held back.
        BY_NAME: the same; jobs that nobody had asked for are asked for first.
        SINGLE: a single video that was just typed, which asks for it; not if something blocks it.
    """

    NOTHING = "nothing"
    SERVED = "served"
    ASKED = "asked"
    BY_NAME = "by_name"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Offered:
    """The result of an offer: whether a runner takes the jobs, and whether they can be bought."""

    served: bool
    room: Room


class ControlStore(Protocol):
    """Changes that a person makes; each method is one transaction, durable on return.

    A running runner applies a change within a second. What may be moved is decided inside the
    transaction: a job which something else moved first is left as it is.
    """

    def set_terms(self, batch_id: int, said: Terms, now: datetime) -> TermsKept:
        """Keep what may be spent of a batch and of the account; LoadError: no such campaign.

        Raises:
            LoadError: the batch has no such campaign.
        """

    def retry(
        self, job_ids: Sequence[int], give_up: Patience | None, *, now: datetime | None
    ) -> list[int]:
        """Queue failed and cancelled jobs again, and ask for those held back; return those moved.

        Attempts that will not end are given up first. What was found about held ones by ``now`` is
        overruled for good; None: until the next look.
        """

    def reword(self, job_ids: Sequence[int], prompt: str, give_up: Patience | None) -> list[int]:
        """Queue jobs again with another prompt; return those that were moved."""

    def redo(self, job_ids: Sequence[int], now: datetime) -> list[int]:
        """Queue completed jobs for another attempt; what was made stays with its attempt."""

    def cancel(self, job_ids: Sequence[int], now: datetime) -> list[int]:
        """Cancel queued jobs; return those that were queued. What is paid for stays."""

    def give_up(self, job_ids: Sequence[int], patience: Patience) -> list[int]:
        """Give up attempts that will not end, but are still looked at; return their jobs."""

    def remove(self, batch_id: int, now: datetime) -> int:
        """Remove a batch from all lists; return how many jobs that cancelled.

        NotAllowedError: something of it is under way, or in doubt.

        Raises:
            NotAllowedError: something of it is under way, or in doubt.
        """

    def archive(self, batch_id: int, now: datetime | None) -> None:
        """Archive a finished batch, or None: bring it back; so does a load, a run and a retry.

        Raises:
            NotAllowedError: jobs of it are left.
        """

    def stop_run(self) -> None:
        """Ask the run that has the lock to stop, as by Ctrl-C: it submits nothing more.

        Also one that has not begun to buy; no later run.
        """

    def pause(self, name: str) -> tuple[bool, BatchStatus]:
        """Pause a batch or raise NotFoundError; return whether that was new, and its status."""

    def resume(self, name: str, agree: Callable[[QueryStore, BatchRow], T]) -> tuple[bool, T]:
        """Resume a batch; return whether it was paused, and what ``agree`` returned.

        ``agree`` sees in the transaction what would be bought; if it raises, the batch stays as it
        was. NotFoundError: no such batch.
        """

    def offer(self, job_ids: Sequence[int], now: datetime, how: Handing, ceiling: int) -> Offered:
        """Hand jobs to the runner that serves, and check whether they can be bought.

        Jobs of a paused batch are handed over when it is resumed; jobs that something was found
        about are never handed over (docs/decisions/0014-consent-is-state-of-the-row.md).
        ``job_ids`` are some hundreds at most, so that a runner never waits for long; ``ceiling``:
        micros to hold for a kind without a known price.
        """

    def hand_over(self, job_ids: Collection[int]) -> None:
        """Hand jobs to a run that is about to begin, with the lock held: it buys only these."""

    def ask_for(self, sought: Sought, now: datetime, *, again: bool) -> None:
        """Write down which rows a person asked for, existing ones too if ``again``; which not."""

    def overrule(self, sought: Sought, now: datetime, reason: HeldBack | None = None) -> None:
        """Let rows be bought despite what was found by ``now``, for a reason or any."""

    def buy_unlooked(self, sought: Sought, job_ids: Iterable[int], now: datetime) -> None:
        """Let rows be bought that could not be looked for, those that a person was asked about."""

    def hold_paid_before(self, sought: Sought) -> list[PaidBefore]:
        """Hold rows back that this database has paid for under another batch, and list them."""

    def share(self, found: Iterable[PaidBefore], now: datetime) -> int:
        """Share videos paid for before with rows, at no cost; return how many took one."""

    def follow_voids(self) -> None:
        """Move voids to the rows that ask for the same now; before the rows' attempts are noted."""

    def judge(self, attempt_id: int, verdict: Verdict | None, now: datetime) -> None:
        """Keep what a person thinks of an attempt's video; None forgets it."""

    def set_price(self, kind: str, price: int, now: datetime) -> None:
        """Keep what a kind costs, in micros, until an answer shows another price."""

    def forget_price(self, kind: str) -> None:
        """Forget what a kind costs: the next submission of it goes alone."""

    def announce_prices(self, announced: Mapping[str, int], now: datetime) -> None:
        """Keep announced prices, in micros by kind, if none was learned or set."""

    def reset_day(self, now: datetime) -> list[str]:
        """Move what was spent and held on future days to today; return those days."""

    def begin(self) -> None:
        """Begin with no batch served, no run at work and none to stop, with the lock held.

        A killed runner could not do that itself; one that lives although its lock file was deleted
        stops because of this transaction, or it would find nothing left to do.
        """

    def bind(self, origin: str, token: str) -> None:
        """Bind the database to an API and an account, by a keyed hash: the token stays out."""

    def keep_place(
        self, host: str, *, seal: str | None = None, bind: tuple[str, str] | None = None
    ) -> None:
        """Keep the host, the seal and the binding of a database; None leaves what is kept."""

    def name_generations(self, named: Mapping[int, str]) -> int:
        """Keep which generations callbacks to attempts' own addresses named; return how many.

        Only of attempts whose generation is not known. A run looks at them before it believes it.
        """

    def look_sooner(self, generation_ids: Sequence[str]) -> int:
        """Look now at what a callback says has ended; return how many were ours and awaited."""
