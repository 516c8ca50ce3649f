"""Attempts whose generation may be in the account under an id we do not know, and their ends."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from ..model.clock import LATEST, UNMEASURED
from ..model.families import Kind
from ..model.provider import Generation, Span
from ..model.states import AttemptState

NARROW = timedelta(seconds=30)  # how far beyond its window a creation may lie by a measured clock
WIDE = timedelta(minutes=10)  # how far before its window a reading that proves absence must look
ROUGH = timedelta(minutes=10)
"""How long before its window a creation may have been for all that is known, where order alone
tells: what others made of the same prompt before that, the look before buying has shown."""

WATCHED = timedelta(hours=1)  # how long a void is watched for a generation that turns up after all
AHEAD = timedelta(minutes=1)  # an intent farther in our future is of a clock that was set back


class Appeared(StrEnum):
    """What the generation of a void is that turned up."""

    ADOPTED = "adopted"
    SURPLUS = "surplus"


def shown_since(intents: Iterable[datetime], now: datetime) -> datetime | None:
    """Return since when, by our clock, a reading must show what was sent; None: unknown.

    That is a little later than the time back to which the list is read.
    """
    times = [intent for intent in intents if intent <= now + AHEAD]
    return min(times) - WIDE + timedelta(minutes=1) if times else None


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """By how much the provider's clock is ahead of ours, at least and at most."""

    least: timedelta = timedelta(0)
    most: timedelta = timedelta(0)
    known: bool = False  # False when nothing shows it, and both are mere defaults
    measured: bool = False  # by our acceptances and the times in the list

    def at_least(self, ahead: timedelta) -> timedelta:
        """Return the least of what another source says and of what is known here."""
        return min(ahead, self.least) if self.known else ahead

    def widened(self, least: timedelta, most: timedelta) -> "ClockOffset":
        """Extend the range by what another source says."""
        if not self.known:
            return ClockOffset(least, most, known=True)
        return replace(self, least=min(self.least, least), most=max(self.most, most))

    def by_order(self) -> "ClockOffset":
        """Return it where order says when something was created: by times of our own clock."""
        return replace(self, known=True, measured=True)

    def loosened(self, by: timedelta) -> "ClockOffset":
        """Extend the range on both sides: our own clock was set in between."""
        return replace(self, least=self.least - by, most=self.most + by)


@dataclass(frozen=True, slots=True)
class SuspectAttempt:
    """An attempt whose generation may be in the account under an id we do not know.

    Attributes:
        state: ``open`` (its POST is under way), ``in_doubt``, or ``void`` (watched on).
        kind: the key of its price kind, which names its family.
        request_key: of what was asked for; attempts with equal ones may be taken for each other.
        intent_at: when its intent was written, by our clock, as all times here.
        sent_until: since when its request can't be under way any more: when its connection ended;
            after a crash, when a later runner took the lock, or until when it had to be sent.
        ended_at: when it became a void; None for the others.
        unproven: why the list could not settle it, as it is kept for people.
        price: what it would have cost, in micros; 0: not known.
        replaced_at: when the intent of a void's replacement was written: what was created later may
            be the replacement's, or anybody's. None: there is none.
        mark: what the list shows of its request and of no other; None: it has none.
        announced_as: the generation that a callback to its own address named; None: none came.
    """

    id: int
    state: str
    kind: str
    prompt: str
    request_key: str
    intent_at: datetime
    sent_until: datetime
    ended_at: datetime | None = None
    unproven: str | None = None
    price: int = 0
    replaced_at: datetime | None = None
    mark: str | None = None
    announced_as: str | None = None

    @property
    def family(self) -> str:
        """Return whose list may show its generation."""
        return Kind.parse(self.kind).family


@dataclass(frozen=True, slots=True)
class Suspect:
    """What is known of an attempt when a reading of the list is judged.

    Attributes:
        key: of its prompt as the list echoes it, :meth:`jobs.evidence.echo.Echo.key`.
        offset: of the provider's clock at that time.
        past_grace: the reading began after its grace and the longest lag of the list.
        shown: another grace has passed, in which the balance shows what was charged.
        clean_before: an earlier clean reading, a grace ago, did not show it either.
        clock_skewed: its times were written by a clock that was set back since: they prove nothing,
            and any generation of its prompt may be its own.
    """

    attempt: SuspectAttempt
    key: str
    offset: ClockOffset = ClockOffset()
    past_grace: bool = False
    shown: bool = False
    clean_before: bool = False
    clock_skewed: bool = False

    @property
    def wide_from(self) -> datetime:
        """Return the earliest time of its creation, by the provider's clock."""
        margin = WIDE if self.offset.measured else UNMEASURED
        return self.attempt.intent_at + self.offset.least - margin

    def fits(self, created: Span, grace: timedelta) -> bool:
        """Check whether a creation may be in its narrow window.

        A late acceptance may take a grace, and what has been voided is watched for longer.
        """
        if self.clock_skewed and self.attempt.state != AttemptState.VOID:
            return True
        since, until = self._window(grace)
        return since <= created.until and created.since <= until

    def surely_fits(self, created: Span, grace: timedelta) -> bool:
        """Check whether a creation that fits is not known too roughly to say so (:data:`ROUGH`).

        Nor may the clocks be: a jump of ours leaves none that fits surely.
        """
        since, until = self._window(grace)
        unsure = self.offset.most - self.offset.least
        return since + unsure - ROUGH <= created.since and created.until <= until - unsure

    def _window(self, grace: timedelta) -> Span:
        margin = NARROW if self.offset.known else WIDE
        since = self.attempt.intent_at + self.offset.least - margin
        if self.attempt.state == AttemptState.OPEN:
            return Span(since, LATEST)
        late = WATCHED if self.attempt.state == AttemptState.VOID else grace
        until = self.attempt.sent_until + self.offset.most + late + margin
        if self.attempt.replaced_at is not None:
            until = min(until, self.attempt.replaced_at + self.offset.least)
        return Span(since, until)


@dataclass(slots=True)
class Settlement:
    """What a reading settles.

    Attributes:
        adopt: doubts and the generations that are theirs.
        appeared: voids whose generation turned up after all.
        void: doubts that are shown never to have been created.
        contested: doubts that can't be told apart from others' work, and their candidates.
        clean: doubts that a clean reading after their grace did not show, still without proof.
        passing: doubts past their grace that a later reading of the balance will decide.
        unstable: doubts and voids whose candidates were not in the list for long enough yet.
        unproven: doubts past their grace that this reading can't settle, and why, for people.
    """

    adopt: list[tuple[int, Generation]] = field(default_factory=list)
    appeared: list[tuple[int, Generation]] = field(default_factory=list)
    void: list[int] = field(default_factory=list)
    contested: dict[int, tuple[Generation, ...]] = field(default_factory=dict)
    clean: list[int] = field(default_factory=list)
    passing: list[int] = field(default_factory=list)
    unstable: list[int] = field(default_factory=list)
    unproven: dict[int, str] = field(default_factory=dict)
