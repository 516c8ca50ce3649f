"""The reconciler: takes over what an earlier runner left, and settles doubts from the list.

It looks at the account's list at start and whenever something is in doubt, at a slowing pace, and
settles what :func:`jobs.settling.settle` finds settled. Voids are watched on for a while: what
turns up after all is adopted, or written down as paid for nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from .account_list import Reading, read_back
from .clock import JumpWatch
from .context import RunContext
from .provider import ProviderError, RefusalCause
from .settling import AHEAD, WATCHED, ClockOffset, Settlement, Suspect, settle
from .states import AttemptState
from .store import Store, doubts, latecomers, looks, outcomes
from .store.latecomers import Appeared
from .text import prompt_key

log = logging.getLogger(__name__)

NAP = 1.0
"""Seconds between two looks at the table for new doubts."""

SLOWEST = 60.0
"""Seconds between two looks at the list for one doubt, at most, before it is given up."""

WATCH_EVERY, WATCH_SLOWEST = 30.0, 600.0
"""Seconds between two looks for a void."""

DATE_PRECISION = timedelta(seconds=2)
"""How far a ``Date`` may be off: it has whole seconds, and was on its way."""

FARTHEST = timedelta(days=8)
"""A look or a retry planned farther ahead than any flag allows: the clock was set back since."""

MOST_VOIDS = 5
"""Submissions of a job that may come to nothing before it fails."""

FIRST_LOOKS = 3
"""Looks at the list for voids of earlier runs, at most, before anything is bought."""

FRUITLESS = 3
"""Looks after two graces that settle nothing: then the doubt waits for a person."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an earlier runner left behind.

    Attributes:
        doubts: attempts whose submission was under way when it ended, now in doubt.
        overdue: overdue generations that this run looks at first.
    """

    doubts: int
    overdue: int


def recover(store: Store, now: datetime) -> Recovery:
    """Take over from a runner that ended in any way; the lock must be held."""

    def work(connection: Connection) -> Recovery:
        looks.heed_clock(connection, now, FARTHEST)
        return Recovery(
            doubts=outcomes.doubt_all_open(connection, now),
            overdue=looks.look_again_at_overdue(connection, now),
        )

    return store.write(work)


@dataclass(slots=True)
class _Watch:
    """What this process knows of one suspect.

    Attributes:
        since: when it was first seen here, by the monotonic clock.
        credit: seconds that had passed by then since its request ended. The wall clock is asked
            only once: a jump while we watch moves nothing.
        look_at: when the list is to be read for it.
        clean_at: when the first clean reading after its grace began.
        fruitless: readings since two graces were over.
    """

    since: float
    credit: float
    look_at: float
    clean_at: float | None = None
    fruitless: int = 0

    def age(self, at: float) -> float:
        """Say how many seconds ago its request ended."""
        return self.credit + at - self.since

    def had_its_chance(self, began: float, over: float, grace: float) -> bool:
        """Say whether there was time here for two clean looks, a grace apart."""
        first = self.since if self.clean_at is None else self.clean_at
        return self.age(began) >= over + grace and began - first >= grace

    @property
    def hopeless(self) -> bool:
        """Say whether looking on has no point: a person must say what it is."""
        return self.fruitless >= FRUITLESS


class Reconciler:
    """Settles doubts until it is cancelled.

    Checkpoints: ``list-read``, ``doubts-settled``.

    Args:
        context: of the run.
    """

    def __init__(self, context: RunContext) -> None:
        self._store = context.store
        self._provider = context.provider
        self._clock = context.clock
        self._policy = context.policy
        self._gate = context.gate
        self._checkpoint = context.checkpoint
        self._watches: dict[int, _Watch] = {}
        self._mark: int | None = None
        self._stable: dict[frozenset[str], float] = {}
        self._jumps = JumpWatch(context.clock)
        self._first_reading: datetime | None = None
        self._shown: set[str] = set()
        self._lag = 0.0
        self._unstable = False
        self.surplus = 0
        """Voids whose generation turned up when their replacement had been paid for too."""

        self.reappeared = 0
        """Voids whose generation turned up, and is their row's video."""

    async def run(self) -> None:
        """Look whenever it is time, for ever; ends by itself only on a refused token."""
        while True:
            nap = NAP
            if self.notice():
                try:
                    await self.look()
                except ProviderError as error:
                    log.info("the list could not be read: %s", error)
                    nap = self._gate.heed(error)
                    if self._gate.refusal is RefusalCause.TOKEN:
                        return
                else:
                    self._gate.answered()
            await self._clock.sleep(max(nap, self._gate.closed_for))

    def hopeful(self, connection: Connection, *, everywhere: bool = False) -> int:
        """Count the doubts that may still settle by themselves, of active batches or of all."""
        hopeless = (number for number, watch in self._watches.items() if watch.hopeless)
        return doubts.hopeful(connection, hopeless, everywhere=everywhere)

    async def look_at_voids(self) -> None:
        """Look for what earlier runs took for never made, before it is bought again.

        What turned up is adopted when it stood for as long as the list may lag.

        Raises:
            ProviderError: the list can't be read.
        """
        self.notice()
        for _ in range(FIRST_LOOKS):
            if not any(row.state == AttemptState.VOID for row in self._suspects()):
                return
            await self.look()
            if not self._unstable:
                return
            await self._clock.sleep(max(self._lag, self._policy.poll_interval))

    async def look(self) -> None:
        """Read the list as far back as the oldest suspect asks for, and settle what it settles.

        Raises:
            ProviderError: the list can't be read.
        """
        found = self._suspects()
        if not found:
            return
        began = self._clock.monotonic()
        since = self._store.read(
            lambda connection: min(
                suspect.wide_from for suspect in self._described(connection, found, began)
            )
        )
        reading = await read_back(self._provider, self._clock, since)
        self._checkpoint("list-read")
        await self._store.commit(lambda connection: self._settle(connection, reading, began))
        self._checkpoint("doubts-settled")
        self._gate.wake()

    def _suspects(self) -> Sequence[Any]:
        watched_since = self._clock.now() - WATCHED
        return self._store.read(lambda connection: doubts.suspects(connection, watched_since))

    def notice(self) -> bool:
        """See what is in doubt, and whether it is time to read the list for any of it."""
        now, at = self._clock.now(), self._clock.monotonic()
        self._jumps.jump()
        mark = self._store.change_mark()
        if mark == self._mark:
            return any(watch.look_at <= at for watch in self._watches.values())
        self._mark = mark
        found = [row for row in self._suspects() if row.state != AttemptState.OPEN]
        for row in found:
            if row.id not in self._watches:
                passed = (now - _sent_until(row)).total_seconds()
                # a doubt is looked for at once; a void was looked for when it became one
                later = WATCH_EVERY if row.state == AttemptState.VOID else 0.0
                credit = max(passed, -self._policy.send_patience)
                self._watches[row.id] = _Watch(at, credit, at + later)
        gone = self._watches.keys() - {row.id for row in found}
        for number in gone:
            del self._watches[number]
        return any(watch.look_at <= at for watch in self._watches.values())

    def _described(
        self, connection: Connection, rows: Sequence[Any], began: float
    ) -> list[Suspect]:
        return [self._suspect(connection, row, began) for row in rows]

    def _suspect(self, connection: Connection, row: Any, began: float) -> Suspect:
        watch = self._watches.get(row.id)
        grace = self._policy.grace
        return Suspect(
            attempt_id=row.id,
            state=row.state,
            key=prompt_key(row.prompt),
            fingerprint=row.fingerprint,
            sent_from=row.intent_at,
            sent_until=_sent_until(row),
            offset=self._offset(connection, row.id),
            ripe=watch is not None and watch.age(began) >= grace + self._lag,
            clean_before=watch is not None
            and watch.clean_at is not None
            and began - watch.clean_at >= grace,
            adrift=row.intent_at > self._clock.now() + AHEAD,
            replaced_at=row.replaced_at,
        )

    def _offset(self, connection: Connection, attempt_id: int) -> ClockOffset:
        """Bring together what tells how the clocks stood: our acceptances, and the last answer.

        A jump of our own clock while we watch makes every time of ours doubtful by that much.
        """
        offset = doubts.clock_offset(connection, attempt_id)
        ahead = self._provider.clock_ahead
        if ahead is not None:
            offset = offset.widened(ahead - DATE_PRECISION, ahead + DATE_PRECISION)
        return offset.loosened(self._jumps.spread)

    def _settle(self, connection: Connection, reading: Reading, began: float) -> None:
        now = self._clock.now()
        known = doubts.known(connection, [generation.id for generation in reading.generations])
        self._learn(connection, reading, known)
        rows = doubts.suspects(connection, now - WATCHED)
        witness = max((one.attempt_id for one in known.values() if one.bought), default=0)
        settlement = settle(
            self._described(connection, rows, began),
            reading,
            known,
            witness,
            timedelta(seconds=self._policy.grace),
            self._stable_for(began),
        )
        self._write(connection, settlement, now)
        self._unstable = bool(settlement.unstable)
        self._schedule(rows, settlement, began)

    def _write(self, connection: Connection, settlement: Settlement, now: datetime) -> None:
        for number, generation in settlement.adopt:
            if outcomes.adopt(connection, number, generation.id, now):
                log.info("attempt %d is settled: it is generation %s", number, generation.id)
        for number in settlement.void:
            reason = "not in the account's list after the grace: never made"
            if outcomes.void(connection, number, reason, now, MOST_VOIDS):
                log.info("attempt %d is settled: it was never made", number)
        for number, generation in settlement.appeared:
            self._tell_appeared(
                latecomers.reappear(connection, number, generation.id, now), number, generation.id
            )
        for number, candidates in settlement.contested.items():
            doubts.note_candidates(connection, number, candidates)

    def _tell_appeared(self, found: Appeared | None, number: int, generation_id: str) -> None:
        if found is Appeared.ADOPTED:
            self.reappeared += 1
            log.warning(
                "generation %s turned up after attempt %d had counted as never made: it is its "
                "row's video, and charged to the caps",
                generation_id,
                number,
            )
        elif found is Appeared.SURPLUS:
            self.surplus += 1
            log.error(
                "generation %s turned up after attempt %d had counted as never made, and its "
                "replacement was sent: it is paid for twice, and charged to the caps",
                generation_id,
                number,
            )

    def _schedule(self, rows: Sequence[Any], settlement: Settlement, began: float) -> None:
        """Note what was seen of each suspect, and say when the list is read for it again."""
        at = self._clock.monotonic()
        grace = self._policy.grace
        for row in rows:
            watch = self._watches.get(row.id)
            if watch is None:
                continue
            unstable = row.id in settlement.unstable
            if row.state == AttemptState.VOID and not unstable:
                watched = (self._clock.now() - row.ended_at).total_seconds()
                watch.look_at = at + min(max(watched, WATCH_EVERY), WATCH_SLOWEST)
                continue
            if row.id in settlement.clean and watch.clean_at is None:
                watch.clean_at = began
            over = grace + self._lag
            if row.id in settlement.contested:
                watch.fruitless += watch.age(began) >= over
            elif watch.had_its_chance(began, over, grace):
                watch.fruitless += 1
            watch.look_at = at + self._next_look(watch, at, over, unstable=unstable)

    def _next_look(self, watch: _Watch, at: float, over: float, *, unstable: bool) -> float:
        """Say in how many seconds the list is read again for a doubt: ever more rarely."""
        age, poll = watch.age(at), self._policy.poll_interval
        pace = min(max(age / 2, poll), SLOWEST)
        if unstable:
            return min(pace, max(self._lag, poll))
        if watch.hopeless:
            return WATCH_SLOWEST
        if age < over:
            return min(pace, over - age)
        if watch.clean_at is not None:
            return min(pace, max(watch.clean_at + self._policy.grace - at, 0.0))
        return pace

    def _stable_for(self, began: float) -> Callable[[frozenset[str]], bool]:
        before, self._stable = self._stable, {}

        def stable(candidates: frozenset[str]) -> bool:
            since = self._stable[candidates] = before.get(candidates, began)
            return began - since >= max(self._lag, self._policy.poll_interval)

        return stable

    def _learn(
        self, connection: Connection, reading: Reading, known: dict[str, doubts.Known]
    ) -> None:
        """Keep the provider's times of our generations, and see how far its list lags behind."""
        created: dict[int, datetime] = {}
        first = self._first_reading = self._first_reading or reading.began
        for generation in reading.generations:
            ours = known.get(generation.id)
            if ours is not None:
                if not ours.dated and generation.created_at is not None:
                    created[ours.attempt_id] = generation.created_at
                if generation.id not in self._shown and ours.accepted_at >= first:
                    late = (reading.began - ours.accepted_at).total_seconds()
                    self._lag = min(max(self._lag, late), self._policy.grace)
            self._shown.add(generation.id)
        doubts.note_created(connection, created)


def _sent_until(row: Any) -> datetime:
    """Say when the request of an attempt can't have been under way any more.

    It is the end of its socket, which was seen; after a crash the moment at which a later runner
    took the lock, or ``send_before`` (:func:`jobs.store.outcomes.doubt_all_open`).
    """
    sent_until: datetime = row.doubt_since or row.send_before
    return sent_until
