"""The reconciler: settles doubts from the account's list.

It looks at the account's list at start and whenever something is in doubt, at a slowing pace, and
settles what :func:`jobs.settling.settle` finds settled. Voids are watched on for a while: what
turns up after all is adopted, or written down as paid for nothing.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from .account_list import Reading, read_back, read_page
from .balance import BalanceWitness
from .books import BalanceReading, Books
from .clock import PRECISION, JumpWatch
from .context import RunContext
from .echo import Echo
from .elsewhere import FAR
from .gate import Patience
from .lag import LagMeter
from .provider import (
    GenerationPhase,
    ProviderError,
    RefusalCause,
    ThrottledError,
    TokenRefusedError,
)
from .settling import settle
from .states import AttemptState
from .store import (
    accounts,
    doubts,
    latecomers,
    outcomes,
    quiet,
    shown,
    takeovers,
)
from .store.latecomers import Appeared
from .suspects import AHEAD, WATCHED, WIDE, ClockOffset, Settlement, Suspect
from .watches import Watches, sent_until
from .witness import Acceptance, Witness, judge

log = logging.getLogger(__name__)

NAP = 1.0
"""Seconds between two looks at the table for new doubts."""

MOST_PROBES = 20
"""Readings of the list that a run makes only to see how far it is behind."""

MOST_VOIDS = 5
"""Submissions of a job that may come to nothing before it fails."""

FIRST_LOOKS = 3
"""Looks at the list for voids of earlier runs, at most, before anything is bought."""


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
        self._note_others = context.note_others
        self._strangers = context.strangers
        self._throttled = Patience(context.policy.unreachable_patience)
        self._mark: int | None = None
        self._stable: dict[frozenset[str], float] = {}
        self._jumps = JumpWatch(context.clock)
        self._lag = LagMeter(context.store.read(accounts.list_lag), context.policy.grace)
        self._watches = Watches(context.policy, self._lag)
        self._balance = BalanceWitness(context.store.account, context.provider, context.clock)
        self._looked_far = False
        self._probes = 0
        self._probe_at = 0.0
        self._unstable = False
        self.polls = True
        """Whether somebody looks at what has not ended meanwhile."""

        self.surplus: list[int] = []
        """Voids whose generation turned up, and whose replacement may be paid for as well."""

        self.reappeared = 0
        """Voids whose generation turned up, and is their row's video."""

    async def run(self) -> None:
        """Look whenever it is time, for ever; ends by itself only on a refused token."""
        while True:
            began = self._clock.monotonic()
            try:
                if self.notice():
                    await self.look()
                    self._throttled.succeeded()
                    self._gate.answered()
                elif self._wants_probe():
                    await self._probe()
            except (ThrottledError, TokenRefusedError) as error:
                seconds = self._gate.heed(error)
                if self._gate.refusal is RefusalCause.TOKEN:
                    return
                # who asks us to wait is waited for; for ever it would keep the run with its doubts
                now = self._clock.monotonic()
                self._throttled.failed(now, now + seconds)
                if self._throttled.is_over(now):
                    await self._missed(error, began)
            except ProviderError as error:
                # that concerns the list alone: single looks and purchases may go on
                await self._missed(error, began)
            await self._clock.sleep(max(NAP, self._gate.closed_for))

    async def _missed(self, error: ProviderError, began: float) -> None:
        log.info("the list could not be read: %s", error)
        late = self._watches.missed(began, self._clock.monotonic())
        if late:
            why = dict.fromkeys(late, f"the list can't be read: {error}")
            await self._store.commit(lambda c: doubts.note_unproven(c, why))
            self._gate.wake()

    def hopeful(self, waiting: Collection[int]) -> int:
        """Count the doubts that may still settle by themselves, of those that wait."""
        return len(set(waiting) - self._watches.hopeless())

    def past_grace(self) -> Collection[int]:
        """Return the doubts that take no slot: they keep their money."""
        return self._watches.past_grace(self._clock.monotonic())

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
            await self._clock.sleep(max(self._lag.longest or 0.0, self._policy.poll_interval))

    async def look(self) -> None:
        """Read the list as far back as the oldest suspect asks for, and settle what it settles.

        Raises:
            ProviderError: the list can't be read.
        """
        found = self._suspects()
        if not found:
            return
        began = self._clock.monotonic()
        self._balance.note()
        ripe = self._watches.any_ripe(found, began)
        # before the list: what that shows as completed was not given back when this was read
        money = await self._balance.read(self._watches.over) if ripe else None
        described = self._store.read(lambda c: self._described(c, found, began, Echo()))
        since = min(one.wide_from for one in described)
        far = self._clock.now() - FAR  # once a run: what others bought, and may be given back
        if money is not None and not self._looked_far:
            since = min(since, far)
        reading = await read_back(self._provider, self._clock, since)
        self._looked_far |= reading.covers(far)
        self._note_others(reading.generations)
        self._checkpoint("list-read")
        await self._store.commit(lambda c: self._settle(c, reading, money, began))
        self._checkpoint("doubts-settled")
        self._gate.wake()

    def _wants_probe(self) -> bool:
        """Check whether the list is to be read only to see how far behind it is."""
        wanted = self._policy.buys and self._lag.longest is None and self._probes < MOST_PROBES
        return wanted and self._clock.monotonic() >= self._probe_at

    async def _probe(self) -> None:
        """Read the newest page: how long the list takes must be known before there is a doubt."""
        self._probes += 1
        wait = self._policy.poll_interval * 1.5 ** min(self._probes, 10)
        self._probe_at = self._clock.monotonic() + wait
        began = self._clock.now()
        page = await read_page(self._provider, self._clock, 0)
        self._note_others(page)
        ids = [one.id for one in page]
        await self._store.commit(lambda c: self._measure(c, began, doubts.known(c, ids)))

    def _suspects(self) -> Sequence[Any]:
        since = self._clock.now() - WATCHED
        return self._store.read(lambda c: doubts.suspects(c, since))

    def notice(self) -> bool:
        """See what is in doubt, and whether it is time to read the list for any of it."""
        at = self._clock.monotonic()
        self._jumps.jump()
        mark = self._store.change_mark()
        if mark != self._mark:
            self._mark = mark
            found = [row for row in self._suspects() if row.state != AttemptState.OPEN]
            self._watches.heed(found, self._clock.now(), at)
        return self._watches.is_due(at)

    def _described(
        self, connection: Connection, rows: Sequence[Any], began: float, echo: Echo
    ) -> list[Suspect]:
        return [self._suspect(connection, row, began, echo) for row in rows]

    def _suspect(self, connection: Connection, row: Any, began: float, echo: Echo) -> Suspect:
        return Suspect(
            attempt_id=row.id,
            state=row.state,
            prompt=row.prompt,
            key=echo.key(row.prompt),
            request=row.request_key,
            sent_from=row.intent_at,
            sent_until=sent_until(row),
            offset=self._offset(connection, row.id),
            ripe=self._watches.is_ripe(row.id, began),
            shown=self._watches.is_shown(row.id, began),
            clean_before=self._watches.was_clean(row.id, began),
            adrift=row.intent_at > self._clock.now() + AHEAD,
            price=row.price or 0,
            replaced_at=row.replaced_at,
        )

    def _offset(self, connection: Connection, attempt_id: int) -> ClockOffset:
        """Bring together what tells how the clocks stood: our acceptances, and the last answer.

        A jump of our own clock while we watch makes every time of ours doubtful by that much.
        """
        offset = doubts.clock_offset(connection, attempt_id)
        ahead = self._provider.clock_ahead
        if ahead is not None:
            offset = offset.widened(ahead - PRECISION, ahead + PRECISION)
        return offset.loosened(self._jumps.spread)

    def _settle(
        self,
        connection: Connection,
        reading: Reading,
        money: BalanceReading | None,
        began: float,
    ) -> None:
        now = self._clock.now()
        known = doubts.known(connection, [generation.id for generation in reading.generations])
        self._learn(connection, reading, known)
        rows = doubts.suspects(connection, now - WATCHED)
        witness = self._witness(connection, reading, known, rows)
        if money is not None:
            shown.watch(connection, money.balance, accounts.charged_so_far(connection))
            witness = replace(witness, books=self._books(connection, money, reading))
        settlement = settle(
            self._described(connection, rows, began, witness.echo or Echo()),
            reading,
            known,
            witness,
            timedelta(seconds=self._policy.grace),
            self._stable_for(began),
        )
        self._write(connection, settlement, now)
        self._unstable = bool(settlement.unstable)
        told = {row.id: row.unproven for row in rows}
        why = {n: text for n, text in settlement.unproven.items() if told.get(n) != text}
        doubts.note_unproven(connection, why)
        self._watches.schedule(rows, settlement, began, now, self._clock.monotonic())

    def _witness(
        self,
        connection: Connection,
        reading: Reading,
        known: Mapping[str, Acceptance],
        rows: Sequence[Any],
    ) -> Witness:
        """Find out what a reading is good for."""
        times = [row.intent_at for row in rows if row.intent_at <= self._clock.now() + AHEAD]
        expected: Sequence[Acceptance] = ()
        if times:
            # a little less far back than the list was read
            since = min(times) - WIDE + timedelta(minutes=1)
            expected = doubts.expected(connection, min(row.id for row in rows), since)
        lag = self._lag.longest
        tolerance = timedelta(seconds=max(self._policy.grace, lag or 0.0)) + self._jumps.spread
        return judge(reading, list(known.values()), expected, tolerance, lag)

    def _books(
        self, connection: Connection, money: BalanceReading, reading: Reading
    ) -> Books | None:
        """Compare the balance with the last quiet reading; the list tells what has not failed."""
        return quiet.books_since(
            connection,
            money,
            self._clock.now(),
            # one under way may be given back a moment before its state says so
            done={one.id for one in reading.generations if one.phase is GenerationPhase.COMPLETED},
            strangers=self._strangers.count(lambda ids: takeovers.known_ids(connection, ids))
            + (not self._looked_far),
            polled=self.polls,
        )

    def _write(self, connection: Connection, settlement: Settlement, now: datetime) -> None:
        for number, generation in settlement.adopt:
            if outcomes.adopt(connection, number, generation.id, now):
                log.info("attempt %d is settled: it is generation %s", number, generation.id)
        for number in settlement.void:
            reason = "not in the account's list after the grace, nor in its balance: never made"
            if outcomes.void(connection, number, reason, now, MOST_VOIDS):
                log.info("attempt %d is settled: it was never made", number)
        for number, generation in settlement.appeared:
            found = latecomers.reappear(connection, number, generation.id, now)
            if found is None:  # its row is being sent
                settlement.unstable.append(number)
            self._tell_appeared(found, number, generation.id)
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
            self.surplus.append(number)
            log.error(
                "generation %s turned up after attempt %d had counted as never made, and its "
                "replacement was sent: it is paid for twice, and charged to the caps",
                generation_id,
                number,
            )

    def _stable_for(self, began: float) -> Callable[[frozenset[str]], bool]:
        before, self._stable = self._stable, {}

        def stable(candidates: frozenset[str]) -> bool:
            since = self._stable[candidates] = before.get(candidates, began)
            return began - since >= max(self._lag.longest or 0.0, self._policy.poll_interval)

        return stable

    def _learn(
        self, connection: Connection, reading: Reading, known: Mapping[str, Acceptance]
    ) -> None:
        """Keep the provider's times of our generations, and see how far its list lags behind."""
        created = {
            ours.attempt_id: generation.created_at
            for generation in reading.generations
            if (ours := known.get(generation.id)) is not None
            and not ours.dated
            and generation.created_at is not None
        }
        doubts.note_created(connection, created)
        self._measure(connection, reading.began, known)

    def _measure(
        self, connection: Connection, began: datetime, known: Mapping[str, Acceptance]
    ) -> None:
        shown = [(name, ours.accepted_at) for name, ours in known.items() if ours.bought]
        if self._lag.heed(began, shown, self._jumps.spread.total_seconds()):
            accounts.keep_list_lag(connection, self._lag.longest)
