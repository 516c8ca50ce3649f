"""The poller: looks at every pending generation, by the list where several are due.

One page of the list answers for up to a hundred generations; single looks are for the rest
(docs/performance.md). It is read where those that are due should stand, and no further. Looks are
free, so whatever fails is simply looked at again.
"""

import asyncio
import functools
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from .clock import JumpWatch
from .context import RunContext
from .pace import Announcements, look_delay
from .pages import LIST_FROM, next_page
from .patience import given_up
from .provider import (
    Generation,
    GenerationPhase,
    ProviderError,
    RefusalCause,
    UnknownGenerationError,
    UnreachableError,
)
from .states import FailureKind, JobState
from .store import doubts, looks, takeovers, unended
from .store.looks import Due, Progress

log = logging.getLogger(__name__)

PASSES = 2
"""How often the list is gone through for one look, before the rest is looked at singly."""

SINGLE_LOOKS = 8
"""Single looks at the same time."""

LONGEST_NAP = 1.0
"""Seconds after which the table is asked again at the latest: acceptances come at any time."""

OVERDUE_EVERY = timedelta(minutes=10)
"""How often an overdue generation is looked at while a run goes on."""

STUBBORN = 3
"""Failed looks in a row after which a generation is looked for in the list instead."""

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
        self._elsewhere = context.elsewhere
        self._pushed_down = 0
        self._jumps = JumpWatch(context.clock)
        self._failed: Counter[int] = Counter()
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
            missing = await self._by_list(due) if len(due) >= LIST_FROM else due
            await self._singly(missing)
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

    async def _by_list(self, due: Sequence[Due]) -> list[Due]:
        """Read the list where the due generations should stand; returns those not seen there.

        The list moves while it is read: where they stand is worked out anew before each page.
        """
        missing = {item.generation_id: item for item in due}
        strays = dict(missing)
        for _ in range(PASSES):
            if len(strays) < LIST_FROM:
                break
            strays, ended = await self._pass(missing, strays)
            if len(missing) == len(due):  # ever deeper; from the top again when the list has ended
                deeper = 2 * self._pushed_down + self._provider.list_limit
                self._pushed_down = 0 if ended or deeper > looks.FAR else deeper
        return list(missing.values())

    async def _pass(
        self, missing: dict[str, Due], listed: dict[str, Due]
    ) -> tuple[dict[str, Due], bool]:
        """Go through the pages where some should stand.

        Returns:
            Those that stood elsewhere, and whether the list ended on the last page.
        """
        met: list[tuple[int, int]] = []
        strays: dict[str, Due] = {}
        ended = False
        while listed and not ended:
            places, unsure = self._places(listed)
            begin, members = next_page(places, self._provider.list_limit, unsure)
            taken = {name: listed.pop(name) for name in members}
            if begin is not None:
                strays |= taken
                ended = await self._page(begin, missing, places, met)
        self._learn_places(met)
        return {name: item for name, item in strays.items() if name in missing}, ended

    async def _page(
        self,
        offset: int,
        missing: dict[str, Due],
        places: Mapping[str, int],
        met: list[tuple[int, int]],
    ) -> bool:
        """Read a page, and strike off what it shows; returns whether the list ends there."""
        seen = await self._provider.generations(self._provider.list_limit, offset)
        self._gate.answered()
        known = functools.partial(takeovers.known, self._store)
        self._elsewhere.note(seen, self._provider.clock_ahead, known)
        await self._write(seen)
        for place, generation in enumerate(seen, offset):
            if generation.id in places:
                met.append((place, places[generation.id]))
            if generation.phase is not GenerationPhase.COMPLETED or generation.video_url:
                missing.pop(generation.id, None)  # else a single look may tell the address
        return len(seen) < self._provider.list_limit

    def _places(self, listed: Mapping[str, Due]) -> tuple[dict[str, int], int]:
        """Say where generations should stand in the list just now, and how unsure that is."""
        numbers = [item.attempt_id for item in listed.values()]
        newer, under_way = self._store.read(lambda connection: looks.newer(connection, numbers))
        places = {
            item.generation_id: newer.get(item.attempt_id, looks.FAR) + self._pushed_down
            for item in listed.values()
        }
        return places, under_way

    def _learn_places(self, met: Sequence[tuple[int, int]]) -> None:
        """See how far what other clients of the account made pushes ours down the list.

        Generations of one moment may stand in any order, so only the order of places counts.

        Args:
            met: where generations stood, and where they were expected.
        """
        if met:
            stood, expected = (sorted(places) for places in zip(*met, strict=True))
            off = sorted(place - due for place, due in zip(stood, expected, strict=True))
            self._pushed_down = max(0, self._pushed_down + off[len(off) // 2])

    async def _singly(self, due: Sequence[Due]) -> None:
        turns = asyncio.Semaphore(SINGLE_LOOKS)

        async def one(item: Due) -> Generation | None:
            async with turns:
                try:
                    return await self._provider.generation(item.generation_id)
                except UnknownGenerationError:
                    # never an end by itself: the list may lag, or a proxy may lie (money.md)
                    log.warning("the provider does not know generation %s", item.generation_id)
                    return None

        if not due:
            return
        answers = await asyncio.gather(*(one(item) for item in due), return_exceptions=True)
        seen = [answer for answer in answers if isinstance(answer, Generation)]
        unknown = [item for item, answer in zip(due, answers, strict=True) if answer is None]
        await self._write(seen, unknown)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        stubborn = self._stubborn(due, answers)
        if stubborn and all(isinstance(failure, UnreachableError) for failure in failures):
            # the list may show what its own look does not; it failing too ends this look
            await self._write((), await self._by_list(stubborn))
        elif failures:
            raise failures[0]
        self._gate.answered()

    def _stubborn(self, due: Sequence[Due], answers: Sequence[object]) -> list[Due]:
        """Count the looks that failed in a row; gives those that never succeed."""
        for item, answer in zip(due, answers, strict=True):
            if isinstance(answer, UnreachableError):
                self._failed[item.attempt_id] += 1
            else:
                self._failed.pop(item.attempt_id, None)
        failed = [item for item in due if item.attempt_id in self._failed]
        stubborn = [item for item in failed if self._failed[item.attempt_id] >= STUBBORN]
        return stubborn if len(stubborn) == len(failed) else []

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
                if not self._give_up(connection, item.attempt_id, now - item.accepted_at, now):
                    next_look_at = self._next_look(item.accepted_at, None, now)
                    looks.postpone(connection, item.attempt_id, next_look_at)

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
            self._age(attempt.accepted_at, seen.created_at, now),
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

    def _age(self, accepted_at: datetime, created_at: datetime | None, now: datetime) -> timedelta:
        """Say how old a generation is, by our clock and by the provider's, the lesser of the two.

        A clock of ours that was set forward must not make a video of minutes overdue.
        """
        ours, ahead = now - accepted_at, self._provider.clock_ahead
        if created_at is None or ahead is None:
            return ours - self._jumps.spread
        theirs = now + ahead - created_at
        return min(ours, theirs) if theirs >= timedelta(0) else ours

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


def _moved(attempt: Any, seen: Generation) -> bool:
    """Say whether a look shows something new of a generation that goes on."""
    before = (attempt.percent, attempt.queue_position, attempt.said_state)
    return before != (seen.percent, seen.queue_position, seen.said_state) or (
        seen.phase is GenerationPhase.PROCESSING and attempt.job_state == JobState.PENDING
    )
