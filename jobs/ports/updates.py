"""Looks at generations: which are due, and what they showed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol, TypeVar

from ..model.provider import Generation
from ..model.states import FailureKind

ANNOUNCED: Final = datetime.fromtimestamp(0, UTC)
"""The next look of a generation whose end a callback announced: due, whatever the clock says."""

FAR: Final = 20_000  # most generations of ours that are counted to find one in the account's list


class Due(NamedTuple):
    """A generation of ours that is to be looked at."""

    attempt_id: int
    generation_id: str
    accepted_at: datetime
    overdue: bool  # given up for a run, or by a person
    announced: bool = False  # its end, by a callback


@dataclass(frozen=True, slots=True)
class Places:
    """Where generations of ours are in the account's list."""

    newer: Mapping[int, int]  # how many of ours are newer, by attempt, up to FAR
    under_way: int  # submissions whose generations may come before all of them


class UnendedAttempt(NamedTuple):
    """An attempt whose generation has not ended, as far as this database knows."""

    id: int
    job_id: int
    generation_id: str
    kind: str
    accepted_at: datetime
    overdue_at: datetime | None  # when a run gave it up; None: it did not
    created_at: datetime | None  # the provider's own time of the generation, where it is kept
    next_look_at: datetime | None
    percent: int | None
    queue_position: int | None
    said_state: str | None  # the provider's own word for its state, if we do not know it
    job_state: str
    retries: int  # of its job so far

    @property
    def announced(self) -> bool:
        """Check whether a callback has announced its end."""
        return self.next_look_at == ANNOUNCED


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished video; ``created_at``: the provider's time of it, to be kept; None: not known."""

    attempt_id: int
    video_url: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A generation that failed, in the provider's words."""

    attempt_id: int
    kind: FailureKind
    message: str
    retry_after: timedelta | None  # None: the job fails


@dataclass(frozen=True, slots=True)
class Overdue:
    """A generation that a run gives up: it is paid for, and looked at again."""

    attempt_id: int
    kind: FailureKind  # of jobs.model.states.UNENDED
    message: str
    next_look_at: datetime
    said_state: str | None = None  # the provider's own word, if we do not know it


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an unfinished generation is, and when it is looked at again."""

    attempt: UnendedAttempt
    seen: Generation
    next_look_at: datetime


@dataclass(frozen=True, slots=True)
class Updates:
    """The results of looks at any number of generations, by attempt."""

    ends: list[Completed | Failed | Overdue] = field(default_factory=list)  # each attempt once
    progress: list[Progress] = field(default_factory=list)  # of unfinished ones
    created: dict[int, datetime] = field(default_factory=dict)  # the provider's times of them
    postponed: dict[int, datetime] = field(default_factory=dict)  # of those not seen


U = TypeVar("U", bound=Updates)


class UpdateStore(Protocol):
    """What looks at generations read and write."""

    def due(self, now: datetime, limit: int) -> Sequence[Due]:
        """List the generations whose next look is due by a time, the longest waiting first."""

    def given_up(self) -> Sequence[Due]:
        """List the generations that people gave up, of jobs that have failed."""

    def next_look(self) -> datetime | None:
        """Return when the next look is due; None when nothing is pending."""

    def places(self, family: str, attempt_ids: Sequence[int]) -> Places:
        """Return where in their family's list the generations of some attempts are."""

    async def record(
        self,
        generation_ids: Sequence[str],
        now: datetime,
        decide: Callable[[Mapping[str, UnendedAttempt]], U],
    ) -> U:
        """Write down what looks showed, in one transaction; return what was decided.

        ``decide`` gets those seen that are unended attempts of ours, by generation. An end lands
        only if its attempt has not ended in between.
        """

    async def bring_back(self, now: datetime, farthest: timedelta) -> None:
        """Make looks and queued jobs due that lie farther ahead, because a clock was set back."""
