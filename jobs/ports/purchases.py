"""What the engine asks of its store to buy; only the run that holds the lock calls it, in order.

::

    take_over → follow_voids → serve → turn, turn, … → wait → leave
                                        └ settle, for each claim of a turn
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from ..evidence.blame import Heard
from ..evidence.elsewhere import Elsewhere, Key
from ..evidence.looked_for import FoundInTurn, LookedFor
from ..model.provider import GenerationRequest, Marked, SubmitOutcome
from ..model.states import Blocked, Reason


class Lost(StrEnum):
    """Why a run must stop using its job table."""

    GONE = "gone"
    REPLACED = "replaced"
    LINKED = "linked"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Breach:
    """How a run lost its database, and where its purchases are written."""

    database: Path
    lost: Lost
    copy: Path | None = None  # of what was written into a file that is gone
    trouble: str = ""  # why copying failed


@dataclass(frozen=True, slots=True)
class Recovery:
    """How many submissions of an earlier runner are in doubt now, and overdue looks come first."""

    doubts: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A job whose intent is on disk and whose money is held: its POST may leave."""

    attempt_id: int
    job_id: int
    batch_id: int
    job_key: str
    kind: str
    request: GenerationRequest
    idempotency_key: str
    send_before: datetime


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """The terms on which jobs may be claimed; what a run remembers is only read."""

    window: int  # unfinished generations at most, over all batches
    want: int  # claims at most now (what the pace allows)
    ceiling: int  # micros to hold for a kind without a known price
    patience: timedelta  # how long after the intent its POST may still leave
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    looked_for: LookedFor = field(default_factory=LookedFor)
    marked: Callable[[GenerationRequest], Marked] = Marked  # without a mark
    blind: frozenset[str] = frozenset()  # how kinds of families begin that have no list
    doubts_most: int = 1  # of such a family nothing is bought while so many wait for a person


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was claimed, and what blocked the rest.

    Attributes:
        blocked: what blocked the rest, by batch id.
        others: generations of others because of which jobs were held back.
        crowded: paid generations of any batch fill the window, or rows wait for a look at the list:
            a slot will come free.
        found: about the rows that were looked at; to be kept (:meth:`LookedFor.keep`).
        copies: shown prompts with others' purchase and our batch, handled; to be forgotten
            (:meth:`Elsewhere.forget`).
    """

    claims: Sequence[Claim] = ()
    blocked: Mapping[int, frozenset[Blocked]] = field(default_factory=dict)
    others: Sequence[str] = ()
    crowded: bool = False
    found: FoundInTurn | None = None
    copies: Mapping[Key, tuple[str, int]] = field(default_factory=dict)

    @property
    def lacks_money(self) -> bool:
        """Check whether the balance blocks any batch."""
        return any(Blocked.BALANCE in why for why in self.blocked.values())


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What is still to do of the active batches, and of the jobs that were handed over."""

    ready: bool = False  # something is queued and due
    paused: bool = False  # something is queued in a batch that a person paused
    sending: int = 0  # jobs with an open attempt, at least; also the next two
    pending: int = 0
    in_doubt: int = 0
    next_due: datetime | None = None  # of what is queued for later; None: there is nothing


@dataclass(frozen=True, slots=True)
class TurnTerms:
    """The terms of one turn of the scheduler."""

    now: datetime
    run_id: str
    new_key: Callable[[], str]  # of a request that is sent for the first time
    claim: ClaimTerms | None = None  # None: nothing is bought in this turn
    past_grace: Collection[int] = ()  # doubts that take no slot: the next purchase may settle them
    not_awaited: Collection[int] = ()  # batches not waited for while they are paused
    tells_served: bool = False  # return the served batches if nothing may be claimed


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn has claimed, and what it saw in the same transaction."""

    claimed: Claimed  # empty if the terms allow nothing, or the job table is lost
    left: Outstanding  # what is still to do, after these claims
    doubts: Mapping[int, bool]  # all attempts in doubt, and whether their job is served
    overdue_looks: bool
    balance: int | None = None  # at the last reading, in micros, if it blocks purchases
    served: Sequence[int] = ()  # batches that are served, if they were asked for
    lost: Lost | None = None  # why the run must stop; None while it may continue


@dataclass(frozen=True, slots=True)
class Decision:
    """What a run decides after a turn, written in the same transaction; None: as it is."""

    waits: Mapping[int, str | None] | None  # a served batch that is not named waits for nothing
    serving: bool | None  # whether jobs that are handed over from now on are taken


D = TypeVar("D", bound=Decision)


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a POST."""

    attempt_id: int  # of an open attempt, or of one in doubt that is answered after all
    outcome: SubmitOutcome
    at: datetime  # when it came; boot: the same by Clock.boot
    boot: str | None = None
    first_look: timedelta = timedelta(0)  # until an accepted one is looked at
    put_back: Sequence[int] = ()  # their rows had failed by no fault of their own


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What a run served and was handed; ``surplus``: late generations that are paid for twice."""

    served: Sequence[int]
    handed: Sequence[int]
    surplus: int


class PurchaseStore(Protocol):
    """The job table, for the run that buys."""

    def take_over(self, run_id: str, now: datetime, boot: str | None = None) -> Recovery:
        """Take the job table over from an earlier run, with the lock held, in one transaction.

        Every other run stops at its next turn, and what it was sending is in doubt.
        """

    def lost(self, run_id: str) -> Lost | None:
        """Return why a run must stop using the job table; None while it may continue."""

    def newest_attempt(self) -> int:
        """Return the number of the newest attempt; 0: there is none."""

    def follow_voids(self, since: datetime) -> Sequence[int]:
        """Move each void to the row that asks for it; return :meth:`voided`."""

    def voided(self, since: datetime) -> Sequence[int]:
        """List the rows with an attempt that became a void since: it may still turn up."""

    def serve(self, batch_ids: Sequence[int], now: datetime) -> None:
        """Serve batches from now on; they wait for nothing. The run has started."""

    def refused(self, now: datetime, reason: Reason | None, message: str) -> None:
        """Write down why a run ended before it served anything."""

    async def turn(
        self, terms: TurnTerms, decide: Callable[[Turn], D], keep: Callable[[Turn, D], None]
    ) -> tuple[Turn, D]:
        """Claim what may be claimed and see what is left, in one transaction; durable on return.

        Args:
            decide: called in the transaction; what it returns is written there, so that no job is
                handed over between the last look and the note that none is taken any more.
            keep: called as soon as the turn is durable, before any other task runs: what the run
                remembers of its purchases must not be older than a page of the list that is read at
                the same time.
        """

    async def settle(self, answer: Answer) -> bool:
        """Write an answer down; durable on return, and written even if the caller is cancelled.

        Answers of one turn of the loop share a transaction; one that can't be written does not
        affect the others. Returns False for an acceptance that did not land: its attempt was
        settled already, or another attempt has the generation.
        """

    async def put_back(self, attempt_ids: Sequence[int]) -> int:
        """Queue jobs again whose refusal was not their fault; return how many there were."""

    def any_taken(self, attempt_ids: Sequence[int]) -> bool:
        """Check whether the provider turned out to have taken any of some attempts."""

    def heard(self, attempt_id: int, message: str) -> Heard:
        """Find whether the row of an attempt has heard a refusal before, for the same request."""

    def doubts(self) -> Mapping[int, bool]:
        """Map all attempts in doubt to whether their job is served."""

    def wait(self, waits: Mapping[int, str | None], now: datetime) -> None:
        """Write down what batches wait for; a served one that is not named waits for nothing."""

    def leave(
        self,
        run_id: str,
        now: datetime,
        boot: str | None,
        turned_up: Collection[int],
        reason: Reason | None,
        message: str = "",
    ) -> LeftBehind:
        """End a run: what it has under way is in doubt, and nothing is served any more.

        A run that lost the job table to another one changes nothing. ``turned_up``: voids of this
        run; ``reason`` None: by an error of this program; ``message``: the provider's words.
        """
