"""The poller: looks at every pending generation, by the list where several are due.

A page of the list answers for up to a hundred; single looks are for the rest (docs/performance.md).
Looks are free, so whatever fails is simply looked at again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from ..model.clock import JumpWatch
from ..model.provider import (
    Generation,
    GenerationPhase,
    ProviderError,
    RefusalCause,
    ThrottledError,
    UnreachableError,
)
from ..model.states import FailureKind, JobState
from ..ports.updates import (
    Completed,
    Due,
    Failed,
    Overdue,
    Progress,
    UnendedAttempt,
    Updates,
)
from ..runtime.pace import Announcements, Durations, look_delay
from ..runtime.provider_health import Patience
from ..runtime.run_context import RunContext
from ..runtime.troubles import CROWD, Troubles, is_outage
from .list_looks import ListLooks

log = logging.getLogger(__name__)

_GIVEN_UP_AS: Mapping[GenerationPhase | None, FailureKind] = {
    GenerationPhase.UNKNOWN: FailureKind.UNKNOWN,
    GenerationPhase.COMPLETED: FailureKind.NO_FILE,
}
"""Why a job fails whose generation we waited for too long; from every other phase: overdue."""

SINGLE_LOOKS = 8  # single looks at the same time
LONGEST_NAP = 1.0  # seconds until the table is asked again: acceptances come at any time
OVERDUE_EVERY = timedelta(minutes=10)  # how often an overdue generation is looked at during a run
JUMP = timedelta(seconds=5)  # a wall clock that moved by more was set, or the machine slept
FARTHEST = timedelta(hours=1)  # nothing is planned farther ahead: looks 10 minutes, retries 15


@dataclass(frozen=True, slots=True)
class _Decided(Updates):
    """What looks resulted in, and what the poller has to remember of it."""

    met: list[int] = field(default_factory=list)  # not ended, or not seen
    durations: Durations = field(default_factory=Durations)
    announcements: Announcements = field(default_factory=Announcements)


class Poller:
    """Looks until it is cancelled. Checkpoints: ``look-read``, ``look-written``."""

    def __init__(self, context: RunContext) -> None:
        self._run = context
        self._times = lru_cache(context.provider.times)
        self._list = ListLooks(context, self._write)
        self._jumps = JumpWatch(context.clock)
        self._known_since: dict[int, float] = {}
        self._troubles = Troubles()
        self._unseen = Patience(context.policy.unreachable_patience)
        self._announcements = Announcements()
        self._looked: dict[int, float] = {}
        self._mark: int | None = None
        self._given_up_at = float("-inf")
        self._upcoming: datetime | None = None

    async def run(self) -> None:
        """Look at whatever is due, until cancelled."""
        while True:
            try:
                nap = await self.look()
            except ProviderError as error:
                log.info("looking failed: %s", error)
                nap = self._run.health.heed(error)
                if self._run.health.refusal is RefusalCause.TOKEN:
                    return
            await self._run.clock.sleep(nap)

    async def look(self) -> float:
        """Look once at everything that is due; return the seconds until the next look.

        A ProviderError leaves generations that were not seen unchanged.

        Raises:
            ProviderError: the provider did not answer; generations that were not seen are
                unchanged.
        """
        if abs(self._jumps.jump()) > JUMP:
            farthest = max(FARTHEST, timedelta(seconds=3 * self._run.policy.poll_interval))
            await self._run.store.updates.bring_back(self._run.clock.now(), farthest)
        # what is due in a moment is looked at now too: one page shows them all
        soon = self._run.clock.now() + timedelta(seconds=self._run.policy.poll_interval / 4)
        idle = self._upcoming is None or self._upcoming > soon
        if idle and self._mark == self._run.store.change_mark():
            return self._nap()
        window = 2 * max(self._run.policy.max_in_flight, self._run.provider.list_limit)
        due = self._rested(self._run.store.updates.due(soon, window))
        await self._look_at([*due, *self._given_up()])
        self._mark = self._run.store.change_mark()
        self._upcoming = self._run.store.updates.next_look()
        return self._nap()

    async def look_at_given_up(self) -> None:
        """Look at what people gave up: it is paid for, and may have finished after all.

        Raises:
            ProviderError: the provider did not answer.
        """
        await self._look_at(self._given_up())

    async def _look_at(self, due: Sequence[Due]) -> None:
        if due:
            missing, listed = await self._list.look(due, self._troubles)
            await self._singly(missing, listed=listed)
            self._run.health.wake()

    def _given_up(self) -> Sequence[Due]:
        """List what was given up; empty until it is time to look at it again."""
        at = self._run.clock.monotonic()
        if at < self._given_up_at:
            return []
        self._given_up_at = at + OVERDUE_EVERY.total_seconds()
        return self._run.store.updates.given_up()

    def _rested(self, due: Sequence[Due]) -> Sequence[Due]:
        """Leave out what a callback announced within one poll interval of the last look at it."""
        now = self._run.clock.monotonic()
        since = now - self._run.policy.poll_interval
        self._looked = {number: at for number, at in self._looked.items() if at > since}
        rested = [item for item in due if not (item.announced and item.attempt_id in self._looked)]
        self._looked |= {item.attempt_id: now for item in rested}
        return rested

    def _nap(self) -> float:
        longest = min(LONGEST_NAP, self._run.policy.poll_interval)
        if self._upcoming is None:
            return longest
        wait = (self._upcoming - self._run.clock.now()).total_seconds()
        return min(longest, max(wait, self._run.policy.poll_interval / 4))

    async def _singly(self, due: Sequence[Due], *, listed: bool) -> None:
        """Look at each singly; a failure is its own, unless nothing at all is answered."""
        turns = asyncio.Semaphore(SINGLE_LOOKS)

        async def one(item: Due) -> Generation | ProviderError:
            async with turns:
                try:
                    return await self._run.provider.generation(item.generation_id)
                except ProviderError as error:
                    return error

        if listed:
            self._unseen.succeeded()
        if not due:
            return
        answers = await asyncio.gather(*(one(item) for item in due))
        seen = [answer for answer in answers if isinstance(answer, Generation)]
        if seen:
            self._unseen.succeeded()
        for item, answer in zip(due, answers, strict=True):
            if isinstance(answer, Generation):
                self._troubles.clear(item.attempt_id)
        failed = [
            (item, answer)
            for item, answer in zip(due, answers, strict=True)
            if isinstance(answer, ProviderError)
        ]
        await self._write(seen)
        await self._heed_failures(failed, answered=listed or bool(seen))

    async def _heed_failures(
        self, failed: Sequence[tuple[Due, ProviderError]], *, answered: bool
    ) -> None:
        """Postpone those whose look failed for a reason of their own; else raise ProviderError."""
        for _, error in failed:
            await self._run.token.check(error)
        throttled = [error for _, error in failed if isinstance(error, ThrottledError)]
        if throttled:
            raise throttled[0]
        alike: dict[str, list[str]] = {}  # without a network all of them fail in the same words
        for item, error in failed:
            # never an end by itself: the list may lag, or a proxy may lie (money.md)
            alike.setdefault(str(error), []).append(item.generation_id)
            self._troubles.note(item.attempt_id)
        for words, (first, *others) in alike.items():
            more = f" and {len(others)} more" if others else ""
            log.warning("generation %s%s could not be looked at: %s", first, more, words)
        errors = [error for _, error in failed]
        if is_outage(errors, answered=answered):
            few = (
                len(errors) < CROWD
            )  # one generation whose look breaks the server is not an outage
            answered = few and await self._run.token.balance_answers()
            if not answered:
                self._unseen.failed(self._run.clock.monotonic())
                if not self._unseen.is_over(self._run.clock.monotonic()):
                    raise UnreachableError(str(errors[0]))
                # other requests are answered, or the run would have ended: the failure is their own
        await self._write((), [item for item, _ in failed])
        if answered:
            self._run.health.answered()

    async def _write(self, seen: Sequence[Generation], unknown: Sequence[Due] = ()) -> None:
        self._run.checkpoint("look-read")
        now = self._run.clock.now()
        if seen or unknown:
            decided = await self._run.store.updates.record(
                [generation.id for generation in seen],
                now,
                lambda ours: self._decide(ours, seen, unknown, now),
            )
            self._remember(decided)
        self._run.checkpoint("look-written")

    def _decide(
        self,
        ours: Mapping[str, UnendedAttempt],
        seen: Sequence[Generation],
        unknown: Sequence[Due],
        now: datetime,
    ) -> _Decided:
        """Decide what looks result in; each uses the durations that earlier ones showed."""
        decided = _Decided(
            durations=self._run.durations.copy(), announcements=self._announcements.copy()
        )
        for generation in seen:
            attempt = ours.get(generation.id)
            if attempt is None:
                continue
            self._judge(attempt, generation, now, decided)
            created_at = None if attempt.created_at else generation.created_at
            # of a finished one it is written with its end
            if created_at is not None and generation.phase is not GenerationPhase.COMPLETED:
                decided.created[attempt.id] = created_at
        for item in unknown:
            decided.met.append(item.attempt_id)
            age = max(self._known_for(item.attempt_id), now - item.accepted_at)
            if age > self._patience:
                decided.ends.append(self._overdue(item.attempt_id, None, now))
            else:
                decided.postponed[item.attempt_id] = self._next_try(item, now)
        return decided

    def _remember(self, decided: _Decided) -> None:
        """Keep what looks showed, once it is durable.

        Only the poller changes this, and it waits for each recording: no decision in between is
        lost.
        """
        self._run.durations.take(decided.durations)
        self._announcements = decided.announcements
        at = self._run.clock.monotonic()
        for number in decided.met:
            self._known_since.setdefault(number, at)

    def _judge(
        self, attempt: UnendedAttempt, seen: Generation, now: datetime, decided: _Decided
    ) -> None:
        """Decide what a look at one of ours means: its end, or when it is looked at again."""
        age = (now - attempt.accepted_at).total_seconds()
        if seen.phase is GenerationPhase.COMPLETED and seen.video_url:
            created_at = attempt.created_at or seen.created_at
            decided.ends.append(Completed(attempt.id, seen.video_url, created_at))
            decided.durations.note(attempt.kind, age)
            decided.announcements.found(announced=attempt.announced)
        elif seen.phase is GenerationPhase.FAILED:
            kind = seen.failure or FailureKind.UNKNOWN
            message = seen.message or "the provider gave no reason"
            # random: if the transaction is tried again, another delay is as good
            delay = self._run.policy.retry.decide(kind, attempt.retries, self._run.chance)
            decided.ends.append(Failed(attempt.id, kind, message, delay))
            decided.announcements.found(announced=attempt.announced)
        elif self._is_overdue(attempt, seen, now, decided):
            decided.ends.append(self._overdue(attempt.id, seen, now))
        else:
            decided.durations.note_unfinished(attempt.kind, age)
            planned = self._next_look(attempt, seen, now, decided)
            if attempt.next_look_at is None or attempt.next_look_at <= now or _moved(attempt, seen):
                decided.progress.append(Progress(attempt, seen, planned))

    def _is_overdue(
        self, attempt: UnendedAttempt, seen: Generation, now: datetime, decided: _Decided
    ) -> bool:
        """Check whether we have waited too long for one: only after a look that succeeded."""
        decided.met.append(attempt.id)
        age = self._age(attempt, seen.created_at, now)
        return attempt.overdue_at is not None or age > self._patience

    def _overdue(self, attempt_id: int, seen: Generation | None, now: datetime) -> Overdue:
        """Give a generation up for this run, by where it was seen last; it is still looked at."""
        phase, state = (None, None) if seen is None else (seen.phase, seen.said_state)
        kind = _GIVEN_UP_AS.get(phase, FailureKind.OVERDUE)
        message = self._run.policy.words.given_up(
            kind, self._run.policy.generation_timeout / 60, state
        )
        return Overdue(attempt_id, kind, message, now + OVERDUE_EVERY, state)

    @property
    def _patience(self) -> timedelta:
        return timedelta(seconds=self._run.policy.generation_timeout)

    def _age(
        self, attempt: UnendedAttempt, created_at: datetime | None, now: datetime
    ) -> timedelta:
        """Return how old a generation is: the smaller of its ages by our clock and the provider's.

        If our clock was set forward, a video of some minutes must not become overdue. If it was
        ahead at the acceptance, or the provider's time moves, a video must not stay for ever.
        """
        ours = now - attempt.accepted_at
        known = self._known_for(attempt.id)
        ahead = self._run.provider.clock_ahead
        if created_at is None or ahead is None:
            return max(known, ours - self._jumps.spread)
        theirs = now + ahead - created_at
        if theirs < timedelta(0):
            return max(known, ours)
        return max(known, theirs if ours < timedelta(0) else min(ours, theirs))

    def _known_for(self, attempt_id: int) -> timedelta:
        """Return how long this run has looked at one: its least age by any clock."""
        at = self._run.clock.monotonic()
        return timedelta(seconds=at - self._known_since.get(attempt_id, at))

    def _next_look(
        self, attempt: UnendedAttempt, seen: Generation, now: datetime, decided: _Decided
    ) -> datetime:
        interval = self._run.policy.poll_interval
        if attempt.announced:  # perhaps after this look was sent, or the answer lags behind
            return now + timedelta(seconds=interval)
        age = (now - attempt.accepted_at).total_seconds()
        times, earliest = self._times(attempt.kind), decided.durations.earliest(attempt.kind)
        usual = look_delay(times, age, interval, seen, earliest)
        delay = decided.announcements.stretched(usual, interval)
        # never sleep past the moment at which patience ends, nor look more often than allowed
        next_look_at = min(now + timedelta(seconds=delay), attempt.accepted_at + self._patience)
        return max(next_look_at, now + timedelta(seconds=interval))

    def _next_try(self, item: Due, now: datetime) -> datetime:
        interval = self._run.policy.poll_interval
        delay = self._troubles.delay(item.attempt_id, interval)
        next_try = min(now + timedelta(seconds=delay), item.accepted_at + self._patience)
        return max(next_try, now + timedelta(seconds=interval))


def _moved(attempt: UnendedAttempt, seen: Generation) -> bool:
    before = (attempt.percent, attempt.queue_position, attempt.said_state)
    return before != (seen.percent, seen.queue_position, seen.said_state) or (
        seen.phase is GenerationPhase.PROCESSING and attempt.job_state == JobState.PENDING
    )
