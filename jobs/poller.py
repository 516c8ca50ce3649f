"""The poller: looks at every pending generation, by the list where several are due.

One page of the list answers for up to a hundred generations; single looks are for the rest
(docs/performance.md). Looks are free, so whatever fails is simply looked at again.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from .context import RunContext
from .pace import look_delay
from .provider import (
    Generation,
    GenerationPhase,
    ProviderError,
    RefusalCause,
    ThrottledError,
    TokenRefusedError,
    UnknownGenerationError,
)
from .states import FailureKind
from .store import looks
from .store.looks import Due, Progress

log = logging.getLogger(__name__)

LIST_FROM = 3
"""From so many due generations on, the list is read instead of single ones."""

SPARE_PAGES = 3
"""Pages read beyond what the due ones need, before the rest is looked at singly."""

SINGLE_LOOKS = 8
"""Single looks at the same time."""

LONGEST_NAP = 1.0
"""Seconds after which the table is asked again at the latest: acceptances come at any time."""

OVERDUE_EVERY = timedelta(minutes=10)
"""How often an overdue generation is looked at while a run goes on."""

CLOCK_DOUBT = timedelta(minutes=10)
"""How far the provider's ``created_at`` may be off when deciding that a page is old enough."""


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

    async def run(self) -> None:
        """Look at whatever is due, for ever."""
        while True:
            try:
                nap = await self.look()
            except TokenRefusedError as error:
                self._gate.refuse(RefusalCause.TOKEN, str(error))
                return
            except ThrottledError as error:
                nap = self._gate.throttle(error.retry_after)
            except ProviderError as error:
                log.info("looking failed: %s", error)
                nap = self._gate.unreachable()
            await self._clock.sleep(nap)

    async def look(self) -> float:
        """Look once at everything that is due; returns the seconds until the next look.

        Raises:
            ProviderError: the provider did not answer; nothing was changed for those not seen.
        """
        # what will be due in a moment is looked at along with what is: one page serves them all
        soon = self._clock.now() + timedelta(seconds=self._policy.poll_interval / 2)
        window = 2 * max(self._policy.max_in_flight, self._provider.list_limit)
        due = self._store.read(lambda connection: looks.due_looks(connection, soon, window))
        if due:
            missing = await self._by_list(due) if len(due) >= LIST_FROM else due
            await self._singly(missing)
            self._gate.wake()
        upcoming = self._store.read(looks.next_look)
        if upcoming is None:
            return LONGEST_NAP
        wait = (upcoming - self._clock.now()).total_seconds()
        return min(LONGEST_NAP, max(wait, self._policy.poll_interval / 4))

    async def _by_list(self, due: Sequence[Due]) -> list[Due]:
        """Read the list until every due generation was seen; returns those that were not."""
        missing = {item.generation_id: item for item in due}
        oldest = min(item.accepted_at for item in due) - CLOCK_DOUBT
        limit = self._provider.list_limit
        for page in range(len(due) // limit + 1 + SPARE_PAGES):
            seen = await self._provider.generations(limit, page * limit)
            self._gate.answered()
            await self._write(seen)
            for generation in seen:
                if generation.phase is not GenerationPhase.COMPLETED or generation.video_url:
                    missing.pop(generation.id, None)  # else a single look may tell the address
            last = min((g.created_at for g in seen if g.created_at), default=None)
            if not missing or len(seen) < limit or (last is not None and last < oldest):
                break
        return list(missing.values())

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
        if failures:
            raise failures[0]
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
            for item in unknown:
                if not self._give_up(connection, item.attempt_id, item.accepted_at, now):
                    next_look_at = self._next_look(item.accepted_at, None, now)
                    looks.postpone(connection, item.attempt_id, next_look_at)

        if seen or unknown:
            await self._store.commit(work)
        self._checkpoint("look-written")

    def _record(
        self, connection: Connection, attempt: Any, seen: Generation, now: datetime
    ) -> Progress | None:
        """Write an end down, or give back the progress of what goes on."""
        if seen.phase is GenerationPhase.COMPLETED and seen.video_url:
            looks.complete(connection, attempt.id, seen.video_url, now)
        elif seen.phase is GenerationPhase.FAILED:
            kind = seen.failure or FailureKind.SYSTEM
            message = seen.message or "the provider gave no reason"
            delay = self._policy.retry.decide(kind, attempt.retries, self._chance)
            looks.fail(connection, attempt.id, kind, message, now, delay)
        elif not self._give_up(
            connection, attempt.id, attempt.accepted_at, now, again=attempt.overdue_at is not None
        ):
            return Progress(attempt, seen, self._next_look(attempt.accepted_at, seen, now))
        return None

    def _give_up(
        self,
        connection: Connection,
        attempt_id: int,
        accepted_at: datetime,
        now: datetime,
        *,
        again: bool = False,
    ) -> bool:
        """Give up for this run what is overdue: only ever after a look that succeeded."""
        patience = timedelta(seconds=self._policy.generation_timeout)
        if not again and now - accepted_at <= patience:
            return False
        looks.overdue(connection, attempt_id, patience, now, OVERDUE_EVERY)
        return True

    def _next_look(self, accepted_at: datetime, seen: Generation | None, now: datetime) -> datetime:
        interval = self._policy.poll_interval
        patience = timedelta(seconds=self._policy.generation_timeout)
        delay = look_delay((now - accepted_at).total_seconds(), interval, seen)
        # never sleep past the moment at which patience ends, nor look more often than allowed
        next_look_at = min(now + timedelta(seconds=delay), accepted_at + patience)
        return max(next_look_at, now + timedelta(seconds=interval))
