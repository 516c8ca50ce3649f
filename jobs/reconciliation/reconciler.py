"""The reconciler: settles doubts from the account's list.

It reads the list at the start and whenever something is in doubt, ever more rarely, and writes what
:func:`jobs.evidence.settling.settle` decides. A void stays watched for a while: if it turns up
after all it is adopted, or written down as paid for twice.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ..evidence.account_list import Reading, read_page
from ..evidence.books import BalanceReading
from ..evidence.echo import Echo
from ..evidence.settling import settle
from ..evidence.suspects import AHEAD, WATCHED, Appeared, ClockOffset, Suspect, SuspectAttempt
from ..evidence.witness import judge
from ..model.clock import PRECISION, JumpWatch
from ..model.provider import (
    GenerationPhase,
    ProviderError,
    RefusalCause,
    ThrottledError,
    TokenRefusedError,
)
from ..model.states import AttemptState
from ..ports.doubts import DoubtDecision, DoubtSnapshot, MoneyBeside, Settled
from ..runtime.balance_monitor import BalanceWitness
from ..runtime.provider_health import Patience
from ..runtime.run_context import RunContext
from .account_lists import AccountLists
from .callback_names import CallbackNames
from .watch_schedule import Lags, Watches

log = logging.getLogger(__name__)

NAP = 1.0  # seconds between two looks at the table for new doubts
MOST_PROBES = 20  # readings of the list that a run makes only to measure how late it is
MOST_VOIDS = 5  # voids of a job after which it fails
FIRST_LOOKS = 3  # looks at the list for voids of earlier runs, at most, before anything is bought

WHY_VOID = "not in the account's list after the grace, nor in its balance: never made"
"""The reason that is kept with a void, for people."""

NO_LIST = "the provider has no list of this model that could show it"
"""The reason that is kept with a doubt which only a person can settle."""


@dataclass(frozen=True, slots=True)
class _Decided(DoubtDecision):
    """What a reading settles, and what the reconciler has to remember of it."""

    standing: dict[frozenset[str], float] = field(default_factory=dict)
    """Since when, by the monotonic clock, each set of candidates is unchanged."""


class Reconciler:
    """Settles doubts until it is cancelled. Checkpoints: ``list-read``, ``doubts-settled``."""

    def __init__(self, context: RunContext) -> None:
        self._run = context
        self._throttled = Patience(context.policy.unreachable_patience)
        self._change: int | None = None
        self._stable: dict[str, dict[frozenset[str], float]] = {}
        self._jumps = JumpWatch(context.clock)
        self._lags = Lags(context.store.account.list_lag, context.policy.grace)
        self._watches = Watches(context.policy, self._lags)
        self._balance = BalanceWitness(context.store.account, context.provider, context.clock)
        self._lists = AccountLists(context)
        self._probes: Counter[str] = Counter()
        self._probe_at = 0.0
        self._unlisted: frozenset[int] = frozenset()
        self._unsaid: Mapping[int, str] = {}
        self._callbacks = CallbackNames(context)
        self._unstable = False
        self.polls = True  # unfinished generations are polled at the same time
        # the run's own look and a late look may end together: what the first settles must be
        # remembered before the second is decided
        self._settling = asyncio.Lock()
        self.surplus: list[int] = []
        """Voids whose generation turned up, and whose replacement was sent as well, by attempt."""

        self.reappeared = 0
        """Voids whose generation turned up, and is their row's video."""

    async def run(self) -> None:
        """Look whenever it is time; ends only on a refused token."""
        while True:
            began = self._run.clock.monotonic()
            due: Collection[str] = ()
            try:
                due = self.notice()
                if self._unsaid:
                    await self._run.store.doubts.note_unproven(self._unsaid)
                if self._callbacks.waiting:
                    due = ()  # the lists are read next time
                    await self._look_at_named()
                elif due:
                    await self.look(due)
                    self._throttled.succeeded()
                    self._run.health.answered()
                elif family := self._wants_probe():
                    await self._probe(family)
            except (ThrottledError, TokenRefusedError) as error:
                seconds = self._run.health.heed(error)
                if self._run.health.refusal is RefusalCause.TOKEN:
                    return
                # we wait when asked to, but not for ever: the doubts would keep the run alive
                now = self._run.clock.monotonic()
                self._throttled.failed(now, now + seconds)
                if self._throttled.is_over(now):
                    await self._missed(due, error, began)
            except ProviderError as error:
                # concerns the list alone: single looks and purchases continue
                await self._missed(due, error, began)
            await self._run.clock.sleep(max(NAP, self._run.health.closed_for))

    async def _look_at_named(self) -> None:
        async for one, name in self._callbacks.confirmed():
            async with self._settling:
                now = self._run.clock.now()
                found = await self._run.store.doubts.settle_named(one.id, name, now)
                if one.state == AttemptState.IN_DOUBT and found is Appeared.ADOPTED:
                    log.info("attempt %d is settled: its callback named %s", one.id, name)
                else:
                    self._tell_appeared(found, one.id, name)
            self._run.health.wake()

    async def _missed(self, families: Collection[str], error: ProviderError, began: float) -> None:
        log.info("the list could not be read: %s", error)
        late = self._watches.missed(families, began, self._run.clock.monotonic())
        if late:
            why = dict.fromkeys(late, f"the list can't be read: {error}")
            await self._run.store.doubts.note_unproven(why)
            self._run.health.wake()

    def resolvable(self, waiting: Collection[int]) -> int:
        """Count the doubts that may still settle by themselves, of those that wait."""
        return len(set(waiting) - self._watches.hopeless() - self._unlisted)

    def past_grace(self) -> Collection[int]:
        """Return the doubts that take no slot of the window; they still hold their money."""
        return self._watches.past_grace(self._run.clock.monotonic()) | self._unlisted

    async def look_at_voids(self) -> None:
        """Look for the voids of earlier runs, before they are bought again.

        One that turned up is adopted once it was in the list for as long as the list may lag.

        Raises:
            ProviderError: the list can't be read.
        """
        self.notice()
        await self._look_at_named()
        for _ in range(FIRST_LOOKS):
            if not any(row.state == AttemptState.VOID for row in self._suspects()):
                return
            self._unstable = False
            await self.look()
            if not self._unstable:
                return
            lags = [self._lags.of(row.family).longest or 0.0 for row in self._suspects()]
            await self._run.clock.sleep(max([*lags, self._run.policy.poll_interval]))

    async def look(self, families: Collection[str] | None = None) -> None:
        """Read lists as far back as the oldest suspect needs, and settle what they prove.

        Args:
            families: whose lists; None: all that have suspects.

        Raises:
            ProviderError: no list that has suspects can be read.
        """
        found = [one for one in self._suspects() if families is None or one.family in families]
        if not found:
            return
        began = self._run.clock.monotonic()
        self._balance.note()
        past_grace = self._watches.any_past_grace(found, began)
        names = dict.fromkeys(one.family for one in found)
        # before the lists: what these show as completed had not been refunded by then
        late = max(self._watches.over(name) for name in names)
        money = await self._balance.read(late) if past_grace else None
        since = self._since(found, began)
        readings, missed = await self._lists.read(since, with_others=money is not None)
        self._run.checkpoint("list-read")
        beside = None if money is None else self._beside(money, readings)
        async with self._settling:
            for reading in readings:
                if reading.family in names:
                    await self._settle(reading, beside, began)
        self._run.checkpoint("doubts-settled")
        self._run.health.wake()
        if missed and not names.keys() - missed.keys():
            raise next(iter(missed.values()))
        for name, error in missed.items():
            await self._missed([name], error, began)

    def _since(self, found: Sequence[SuspectAttempt], began: float) -> dict[str, datetime]:
        """Return how far back each family's list must be read, by the provider's clock."""
        offsets = self._run.store.doubts.clock_offsets([one.id for one in found])
        since: dict[str, datetime] = {}
        for one in self._described(found, offsets, began, Echo(), None, by_order=True):
            name = one.attempt.family
            since[name] = min(since.get(name, one.wide_from), one.wide_from)
        return since

    async def _settle(self, reading: Reading, money: MoneyBeside | None, began: float) -> None:
        await self._run.store.doubts.settle(
            reading,
            self._run.clock.now(),
            money,
            lambda snapshot: self._decide(snapshot, reading, began),
            lambda decided, settled: self._remember(decided, settled, reading, began),
        )

    def _wants_probe(self) -> str | None:
        """Return whose list to read only to measure its lag; None: no one's."""
        if not self._run.policy.buys or self._run.clock.monotonic() < self._probe_at:
            return None
        return next(
            (
                name
                for name in sorted(self._lists.bought_of(), key=lambda name: self._probes[name])
                if self._lags.of(name).longest is None and self._probes[name] < MOST_PROBES
            ),
            None,
        )

    async def _probe(self, family: str) -> None:
        """Read the newest page: the lag of the list must be known before there is a doubt."""
        self._probes[family] += 1
        wait = self._run.policy.poll_interval * 1.5 ** min(self._probes[family], 10)
        self._probe_at = self._run.clock.monotonic() + wait
        began = self._run.clock.now()
        page = await read_page(self._run.provider, self._run.clock, family, 0)
        self._run.note_others(page)
        ids = [one.id for one in page]
        async with self._settling:
            ours = await self._run.store.doubts.keep_lag(
                family, ids, lambda ours: self._lags.longer(family, began, ours, self._jumps.spread)
            )
            self._lags.heed(family, began, ours, self._jumps.spread)

    def _suspects(self) -> Sequence[SuspectAttempt]:
        """List the suspects that a list may show."""
        found = self._run.store.doubts.suspects(self._run.clock.now() - WATCHED)
        self._callbacks.heed(found)
        listed = self._lists.listed
        doubts = [one for one in found if one.state == AttemptState.IN_DOUBT]
        unlisted = frozenset(one.id for one in doubts if one.family not in listed)
        unsaid = [one.id for one in doubts if one.id in unlisted and one.unproven is None]
        self._unsaid = dict.fromkeys(unsaid, NO_LIST)
        if unlisted != self._unlisted:
            self._unlisted = unlisted
            self._run.health.wake()
        return [one for one in found if one.family in listed]

    def notice(self) -> Collection[str]:
        """Update the suspects; return whose lists it is time to read for any of them."""
        at = self._run.clock.monotonic()
        self._jumps.jump()
        mark = self._run.store.change_mark()
        if mark != self._change:
            self._change = mark
            found = [row for row in self._suspects() if row.state != AttemptState.OPEN]
            self._watches.heed(found, self._run.clock.now(), at)
        return self._watches.due(at)

    def _described(
        self,
        rows: Iterable[SuspectAttempt],
        offsets: Mapping[int, ClockOffset],
        began: float,
        echo: Echo,
        lag: float | None,
        *,
        by_order: bool,
    ) -> list[Suspect]:
        now = self._run.clock.now()
        ordered = self._lists.ordered if by_order else ()
        return [
            Suspect(
                row,
                echo.key(row.prompt),
                self._offset(offsets[row.id], by_order=row.family in ordered),
                *self._watches.standing(row.id, began, lag),
                clock_skewed=row.intent_at > now + AHEAD,
            )
            for row in rows
        ]

    def _offset(self, measured: ClockOffset, *, by_order: bool) -> ClockOffset:
        """Combine what shows the offset of the clocks: our acceptances, and the last answer.

        A jump of our own clock while we watch makes each of our times uncertain by that much.
        """
        ahead = self._run.provider.clock_ahead
        if ahead is not None:
            measured = measured.widened(ahead - PRECISION, ahead + PRECISION)
        if by_order:
            measured = measured.by_order()
        return measured.loosened(self._jumps.spread)

    def _beside(self, money: BalanceReading, readings: Sequence[Reading]) -> MoneyBeside:
        return MoneyBeside(
            money,
            # an unfinished one may be refunded a moment before its state says so
            completed=frozenset(
                one.id
                for reading in readings
                for one in reading.generations
                if one.phase is GenerationPhase.COMPLETED
            ),
            strangers=self._run.strangers.seen,
            more=self._run.strangers.more + (not self._lists.looked_far),
            polled=self.polls,
        )

    def _decide(self, snapshot: DoubtSnapshot, reading: Reading, began: float) -> _Decided:
        """Decide what a reading settles; :meth:`_remember` keeps the rest once that is durable."""
        spread = self._jumps.spread
        longer = self._lags.longer(reading.family, reading.began, snapshot.ours, spread)
        lag = self._lags.of(reading.family).longest if longer is None else longer
        tolerance = timedelta(seconds=max(self._run.policy.grace, lag or 0.0)) + spread
        ours = list(snapshot.ours.values())
        witness = replace(
            judge(reading, ours, snapshot.expected, tolerance, lag), books=snapshot.books
        )
        echo = witness.echo or Echo()
        standing: dict[frozenset[str], float] = {}
        settlement = settle(
            self._described(
                snapshot.suspects, snapshot.offsets, began, echo, lag, by_order=reading.by_order
            ),
            reading,
            snapshot.ours,
            witness,
            timedelta(seconds=self._run.policy.grace),
            self._stable_for(reading.family, began, standing, lag),
        )
        return _Decided(settlement, WHY_VOID, MOST_VOIDS, longer, standing)

    def _stable_for(
        self, family: str, began: float, standing: dict[frozenset[str], float], lag: float | None
    ) -> Callable[[frozenset[str]], bool]:
        before = self._stable.get(family, {})

        def stable(candidates: frozenset[str]) -> bool:
            since = standing[candidates] = before.get(candidates, began)
            return began - since >= max(lag or 0.0, self._run.policy.poll_interval)

        return stable

    def _remember(
        self, decided: _Decided, settled: Settled, reading: Reading, began: float
    ) -> None:
        snapshot, settlement = settled.snapshot, decided.settlement
        self._lags.heed(reading.family, reading.began, snapshot.ours, self._jumps.spread)
        self._stable[reading.family] = decided.standing
        self._run.strangers.forget(snapshot.claimed)
        self._tell(settled)
        # its row is being sent: that answer decides
        settlement.unstable += [number for number, _, found in settled.appeared if found is None]
        self._unstable |= bool(settlement.unstable)
        now, at = self._run.clock.now(), self._run.clock.monotonic()
        self._watches.schedule(snapshot.suspects, settlement, began, now, at)

    def _tell(self, settled: Settled) -> None:
        for number, name in settled.adopted:
            log.info("attempt %d is settled: it is generation %s", number, name)
        for number in settled.voided:
            log.info("attempt %d is settled: it was never made", number)
        for number, name, found in settled.appeared:
            self._tell_appeared(found, number, name)

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
