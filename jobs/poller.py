"""The poller: looks at every pending generation, by the list where several are due.

One page of the list answers for up to a hundred generations; single looks are for the rest
(docs/performance.md). It is read where those that are due should stand, and no further. Looks are
free, so whatever fails is simply looked at again.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from .clock import JumpWatch
from .context import RunContext
from .gate import Patience
from .list_looks import ListLooks
from .pace import Announcements, look_delay
from .patience import given_up
from .provider import (
    Generation,
    GenerationPhase,
    ProviderError,
    RefusalCause,
    ThrottledError,
    UnreachableError,
)
from .states import FailureKind, JobState
from .store import doubts, looks, unended
from .store.looks import Due, Progress
from .troubles import CROWD, Troubles, is_outage

log = logging.getLogger(__name__)

SINGLE_LOOKS = 8
"""Single looks at the same time."""

LONGEST_NAP = 1.0
"""Seconds after which the table is asked again at the latest: acceptances come at any time."""

OVERDUE_EVERY = timedelta(minutes=10)
"""How often an overdue generation is looked at while a run goes on."""

JUMP = timedelta(seconds=5)
"""A wall clock that moved by more than this was set, or the machine slept."""

FARTHEST = timedelta(hours=1)
"""Nothing is planned farther ahead: looks 10 minutes, retries 15 (jobs/retry.py)."""


class Poller:
    """Looks until it is cancelled.

    Checkpoints: ``look-read``, ``look-written``.

    Args:
        context: of the run.
    """

    def __init__(self, context: RunContext) -> None:
        self._store = context.store
        self._provider = context.provider
        self._clock = context.clock
        self._policy = context.policy
        self._gate = context.gate
        self._chance = context.chance
        self._checkpoint = context.checkpoint
        self._durations = context.durations
        self._list = ListLooks(context, self._write)
        self._jumps = JumpWatch(context.clock)
        self._known_since: dict[int, float] = {}
        self._token = context.token
        self._troubles = Troubles()
        self._unseen = Patience(context.policy.unreachable_patience)
        self._announcements = Announcements()
        self._looked: dict[int, float] = {}
        self._mark: int | None = None
        self._given_up_at = float("-inf")
        self._upcoming: datetime | None = None

    async def run(self) -> None:
        """Look at whatever is due, for ever."""
        while True:
            try:
                nap = await self.look()
            except ProviderError as error:
                log.info("looking failed: %s", error)
                nap = self._gate.heed(error)
                if self._gate.refusal is RefusalCause.TOKEN:
                    return
            await self._clock.sleep(nap)

    async def look(self) -> float:
        """Look once at everything that is due; returns the seconds until the next look.

        Raises:
            ProviderError: the provider did not answer; nothing was changed for those not seen.
        """
        if abs(self._jumps.jump()) > JUMP:
            await self._store.commit(self._heed_clock)
        # what will be due in a moment is looked at along with what is: one page serves them all
        soon = self._clock.now() + timedelta(seconds=self._policy.poll_interval / 4)
        if self._mark == self._store.change_mark() and not self._is_due(soon):
            return self._nap()
        window = 2 * max(self._policy.max_in_flight, self._provider.list_limit)
        due = self._rested(
            self._store.read(lambda connection: looks.due_looks(connection, soon, window))
        )
        await self._look_at([*due, *self._given_up()])
        self._mark = self._store.change_mark()
        self._upcoming = self._store.read(looks.next_look)
        return self._nap()

    async def look_at_given_up(self) -> None:
        """Look at what people gave up: it stays paid for, and may have finished after all.

        Raises:
            ProviderError: the provider did not answer.
        """
        await self._look_at(self._given_up())

    async def _look_at(self, due: Sequence[Due]) -> None:
        if due:
            missing, listed = await self._list.look(due, self._troubles)
            await self._singly(missing, listed=listed)
            self._gate.wake()

    def _given_up(self) -> Sequence[Due]:
        """List what was given up; nothing before it is time to look at it again."""
        at = self._clock.monotonic()
        if at < self._given_up_at:
            return []
        self._given_up_at = at + OVERDUE_EVERY.total_seconds()
        return self._store.read(looks.given_up)

    def _rested(self, due: Sequence[Due]) -> Sequence[Due]:
        """Leave out what is announced within an interval of the last look at it."""
        now = self._clock.monotonic()
        since = now - self._policy.poll_interval
        self._looked = {number: at for number, at in self._looked.items() if at > since}
        rested = [item for item in due if not (item.announced and item.attempt_id in self._looked)]
        self._looked |= {item.attempt_id: now for item in rested}
        return rested

    def _is_due(self, soon: datetime) -> bool:
        return self._upcoming is not None and self._upcoming <= soon

    def _nap(self) -> float:
        longest = min(LONGEST_NAP, self._policy.poll_interval)
        if self._upcoming is None:
            return longest
        wait = (self._upcoming - self._clock.now()).total_seconds()
        return min(longest, max(wait, self._policy.poll_interval / 4))

    def _heed_clock(self, connection: Connection) -> None:
        farthest = max(FARTHEST, timedelta(seconds=3 * self._policy.poll_interval))
        looks.heed_clock(connection, self._clock.now(), farthest)

    async def _singly(self, due: Sequence[Due], *, listed: bool) -> None:
        """Look at each by itself; what fails is its own trouble, unless nobody answers.

        Args:
            due: those that the list did not show.
            listed: whether the list was read just now.
        """
        turns = asyncio.Semaphore(SINGLE_LOOKS)

        async def one(item: Due) -> Generation | ProviderError:
            async with turns:
                try:
                    return await self._provider.generation(item.generation_id)
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
        """Put off those in trouble of their own.

        Raises:
            ProviderError: it concerns everybody.
        """
        for _, error in failed:
            await self._token.check(error)
        throttled = [error for _, error in failed if isinstance(error, ThrottledError)]
        if throttled:
            raise throttled[0]
        for item, error in failed:
            # never an end by itself: the list may lag, or a proxy may lie (money.md)
            log.warning("generation %s could not be looked at: %s", item.generation_id, error)
            self._troubles.note(item.attempt_id)
        errors = [error for _, error in failed]
        if is_outage(errors, answered=answered):
            few = len(errors) < CROWD  # one whose look breaks the API's server is no outage
            answered = few and await self._token.balance_answers()
            if not answered:
                self._unseen.failed(self._clock.monotonic())
                if not self._unseen.is_over(self._clock.monotonic()):
                    raise UnreachableError(str(errors[0]))
                # something else is answered, or the run would be over: this is their own trouble
        await self._write((), [item for item, _ in failed])
        if answered:
            self._gate.answered()

    async def _write(self, seen: Sequence[Generation], unknown: Sequence[Due] = ()) -> None:
        self._checkpoint("look-read")
        now = self._clock.now()

        def work(connection: Connection) -> None:
            ours = looks.pending_ids(connection, [generation.id for generation in seen])
            unfinished = [
                progress
                for generation in seen
                if (attempt := ours.get(generation.id)) is not None
                and (progress := self._record(connection, attempt, generation, now))
            ]
            looks.progress(connection, unfinished)
            doubts.note_created(
                connection,
                {
                    attempt.id: generation.created_at
                    for generation in seen
                    if (attempt := ours.get(generation.id)) is not None
                    and attempt.created_at is None
                    and generation.created_at is not None
                    and generation.phase is not GenerationPhase.COMPLETED  # written with its end
                },
            )
            for item in unknown:
                age = max(self._known_for(item.attempt_id), now - item.accepted_at)
                if not self._give_up(connection, item.attempt_id, age, now):
                    looks.postpone(connection, item.attempt_id, self._next_try(item, now))

        if seen or unknown:
            await self._store.commit(work)
        self._checkpoint("look-written")

    def _record(
        self, connection: Connection, attempt: Any, seen: Generation, now: datetime
    ) -> Progress | None:
        """Write an end down, or give back the progress of what goes on."""
        announced = attempt.next_look_at == looks.ANNOUNCED
        if seen.phase is GenerationPhase.COMPLETED and seen.video_url:
            created_at = attempt.created_at or seen.created_at
            looks.complete(connection, attempt.id, seen.video_url, now, created_at)
            self._durations.note(attempt.kind, (now - attempt.accepted_at).total_seconds())
            self._announcements.found(announced=announced)
        elif seen.phase is GenerationPhase.FAILED:
            kind = seen.failure or FailureKind.UNKNOWN
            message = seen.message or "the provider gave no reason"
            delay = self._policy.retry.decide(kind, attempt.retries, self._chance)
            looks.fail(connection, attempt.id, kind, message, now, delay)
            self._announcements.found(announced=announced)
        elif not self._give_up(
            connection,
            attempt.id,
            self._age(attempt, seen.created_at, now),
            now,
            seen,
            again=attempt.overdue_at is not None,
        ):
            self._durations.note_unfinished(
                attempt.kind, (now - attempt.accepted_at).total_seconds()
            )
            earliest = self._durations.earliest(attempt.kind)
            planned = self._next_look(attempt.accepted_at, seen, now, earliest)
            if announced:  # perhaps after this look was sent, or the answer lags behind
                planned = now + timedelta(seconds=self._policy.poll_interval)
            if attempt.next_look_at is None or attempt.next_look_at <= now or _moved(attempt, seen):
                return Progress(attempt, seen, planned)
        return None

    def _give_up(
        self,
        connection: Connection,
        attempt_id: int,
        age: timedelta,
        now: datetime,
        seen: Generation | None = None,
        *,
        again: bool = False,
    ) -> bool:
        """Give up for this run what is overdue: only ever after a look that succeeded."""
        patience = timedelta(seconds=self._policy.generation_timeout)
        if not again and age <= patience:
            return False
        unended.overdue(connection, attempt_id, given_up(seen, patience, now + OVERDUE_EVERY), now)
        return True

    def _age(self, attempt: Any, created_at: datetime | None, now: datetime) -> timedelta:
        """Say how old a generation is, by our clock and by the provider's, the lesser of the two.

        A clock of ours that was set forward must not make a video of minutes overdue; nor one that
        was ahead when it was accepted, or a time that moves, a video that is never overdue.
        """
        ours: timedelta = now - attempt.accepted_at
        known = self._known_for(attempt.id)
        ahead = self._provider.clock_ahead
        if created_at is None or ahead is None:
            return max(known, ours - self._jumps.spread)
        theirs = now + ahead - created_at
        if theirs < timedelta(0):
            return max(known, ours)
        return max(known, theirs if ours < timedelta(0) else min(ours, theirs))

    def _known_for(self, attempt_id: int) -> timedelta:
        """Say for how long this run has looked at one: so old it is at least, by any clock."""
        since = self._known_since.setdefault(attempt_id, self._clock.monotonic())
        return timedelta(seconds=self._clock.monotonic() - since)

    def _next_look(
        self, accepted_at: datetime, seen: Generation | None, now: datetime, earliest: float = 0.0
    ) -> datetime:
        interval = self._policy.poll_interval
        patience = timedelta(seconds=self._policy.generation_timeout)
        usual = look_delay((now - accepted_at).total_seconds(), interval, seen, earliest)
        delay = self._announcements.stretched(usual, interval)
        # never sleep past the moment at which patience ends, nor look more often than allowed
        next_look_at = min(now + timedelta(seconds=delay), accepted_at + patience)
        return max(next_look_at, now + timedelta(seconds=interval))

    def _next_try(self, item: Due, now: datetime) -> datetime:
        """Say when one in trouble is looked at again: ever more rarely, at the end of patience."""
        interval = self._policy.poll_interval
        delay = self._troubles.delay(item.attempt_id, interval)
        patience = timedelta(seconds=self._policy.generation_timeout)
        next_try = min(now + timedelta(seconds=delay), item.accepted_at + patience)
        return max(next_try, now + timedelta(seconds=interval))


def _moved(attempt: Any, seen: Generation) -> bool:
    """Say whether a look shows something new of a generation that goes on."""
    before = (attempt.percent, attempt.queue_position, attempt.said_state)
    return before != (seen.percent, seen.queue_position, seen.said_state) or (
        seen.phase is GenerationPhase.PROCESSING and attempt.job_state == JobState.PENDING
    )
