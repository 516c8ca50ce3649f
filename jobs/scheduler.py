"""The scheduler: claims jobs at the run's pace, sends each intent once, writes its outcome down."""

import asyncio
import logging
import uuid
from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection

from .answers import Answers
from .context import RunContext
from .ending import Ending, Reason, Situation, serves, verdict
from .funds import Funds
from .judge import Judge
from .money import usd_text
from .pace import Pacer
from .provider import (
    Accepted,
    GenerationRequest,
    InDoubt,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
    Throttled,
    Unsent,
)
from .reconcile import Reconciler
from .store import (
    accounts,
    claims,
    doubts,
    handing,
    looks,
    outcomes,
    outstanding,
    steering,
)
from .store.claims import Claim, ClaimResult, ClaimTerms

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at the table while nothing happens: others may have changed it."""

MONEY_FIRST, MONEY_SLOWEST = 30.0, 600.0
"""Seconds between two looks at the balance while it is waited for: doubled each time."""

LONGEST_REST = 30.0
"""Seconds after which a turn is taken although the table has not changed."""

MOST_SENDING = 192
"""Submissions that wait for their answer at the same time: what a kill leaves in doubt, and what
needs connections of its own, stays small however much may be in flight (docs/performance.md)."""

ROOM_FROM = MOST_SENDING * 3 // 4
"""With fewer under way, more are sent: some together, so that they share a transaction."""

FRESH = 15.0
"""Seconds for which a balance reading is believed when it is what stands in the way."""


class Scheduler:
    """Submits until the run is over.

    Checkpoints: ``intent-written``, ``request-leaving``, ``answer-read``, ``outcome-written``.

    Args:
        context: of the run.
        funds: the balance.
        reconciler: which doubts may still settle by themselves.
    """

    def __init__(self, context: RunContext, funds: Funds, reconciler: Reconciler) -> None:
        self._store = context.store
        self._provider = context.provider
        self._clock = context.clock
        self._policy = context.policy
        self._gate = context.gate
        self._chance = context.chance
        self._checkpoint = context.checkpoint
        self._elsewhere = context.elsewhere
        self._looked_for = context.looked_for
        self._fence = context.fence
        self._funds = funds
        self._reconciler = reconciler
        self._judge = Judge(context, funds)
        self._answers = Answers(context, self._judge)
        self._doubted: list[int] = []
        self._pacer = Pacer(context.policy.rate, context.clock)
        self._sending: set[asyncio.Task[None]] = set()
        self._waits: dict[int, str] = {}
        self._serving = False
        self._told_of_doubts = False
        self._lacks_money = False
        self._warned = False
        self._money_pace = MONEY_FIRST
        self._money_look_at = 0.0

    async def run(self) -> Ending:
        """Submit until nothing is left, something stands in the way, or the run is stopped."""
        while True:
            self._reap()
            if self._lacks_money:
                await self._look_for_money()
            due = self._funds.due(self._policy.balance_interval, busy=bool(self._sending))
            stale = due and not self._lacks_money
            if self._gate.probing:
                await self._look_before_probe()
            elif stale and self._may_submit():
                await self._funds.refresh()
            want = self._wanted() if self._may_submit() else 0
            result, situation, again = await self._store.commit(
                lambda connection, want=want: self._turn(connection, want)  # type: ignore[misc]
            )
            if result.claims:
                self._pacer.take(len(result.claims))
                self._send(result.claims)
                continue
            self._lacks_money = self._awaits_money(result)
            if again:
                await self._funds.refresh()
                continue
            if situation.outstanding.ready and (self._gate.takes_nothing or self._funds.unread):
                self._stop_submitting()
            ending = verdict(situation)
            if ending is not None:
                return await self._cut_off(ending)
            await self._rest(situation, paced=not want)

    async def _cut_off(self, ending: Ending) -> Ending:
        """Put back what was refused last and may not be the rows' fault, and end for it."""
        attempts, refused = self._judge.cut_off()
        if refused is None or ending.reason is Reason.DATABASE:
            return ending
        put_back = await self._store.commit(
            lambda connection: [outcomes.put_back(connection, number) for number in attempts]
        )
        if ending.reason is not Reason.FINISHED or not any(put_back):
            return ending
        return Ending(Reason.UNDECIDED, refused.message)

    def _wanted(self) -> int:
        """Say how many submissions may start; some together, so that they share a transaction."""
        under_way = len(self._sending)
        if self._funds.wanted:  # what is bought beside it would hide what a doubt cost
            return 0
        if self._gate.careful:  # one alone shows whether submissions are taken again
            return 0 if under_way else min(self._pacer.available(), 1)
        free = MOST_SENDING - under_way if under_way < ROOM_FROM else 0
        return min(self._pacer.available(), free)

    async def _rest(self, situation: Situation, *, paced: bool) -> None:
        """Wait until a turn may find something new: while nothing changes, none is taken."""
        left = situation.outstanding
        mark, until = self._store.change_mark(), self._clock.monotonic() + LONGEST_REST
        while not await self._gate.pause(min(TICK, self._pacer.seconds_to_next() or TICK)):
            due = left.next_due is not None and self._clock.now() >= left.next_due
            now = self._clock.monotonic()
            late = now >= until or (self._lacks_money and now >= self._money_look_at)
            ready = paced and left.ready and self._may_submit()
            if due or late or ready or self._store.change_mark() != mark:
                return

    def _awaits_money(self, result: ClaimResult) -> bool:
        lacking = self._gate.refusal is RefusalCause.FUNDS or result.lacks_money
        return self._policy.wait_for_funds and lacking

    def _wants_reading(self, result: ClaimResult) -> bool:
        """Check whether the balance stands in the way as it was read some time ago."""
        stale = self._funds.age > FRESH and not self._awaits_money(result)
        return stale and result.lacks_money and self._may_submit()

    async def _look_for_money(self) -> None:
        """Read the balance, ever more rarely, until it suffices: the next claim decides that."""
        if self._clock.monotonic() < self._money_look_at:
            return
        if await self._funds.refresh():
            self._gate.forgive()
        self._money_look_at = self._clock.monotonic() + self._money_pace
        self._money_pace = min(2 * self._money_pace, MONEY_SLOWEST)

    async def _look_before_probe(self) -> None:
        """Look, free of charge, whether a submission is worth a try after those in doubt."""
        if self._store.read(lambda connection: outcomes.any_taken(connection, self._doubted)):
            self._gate.served()  # only the answers were lost
            self._doubted.clear()
        elif self._may_submit() and not self._sending and not await self._funds.refresh():
            self._gate.unreachable()

    def _stop_submitting(self) -> None:
        """Stop submitting what nobody takes: what is paid for is still polled to its end."""
        if self._gate.refusal is not None:
            return  # to say it again would only wake the run again
        minutes = self._policy.unreachable_patience / 60
        words = f"no submission was taken for {minutes:g} minutes ({self._gate.words})"
        self._gate.refuse(RefusalCause.BUSY, words)

    @property
    def sending(self) -> Collection[asyncio.Task[None]]:
        """Give the submissions that are under way."""
        return self._sending

    def abandon(self) -> None:
        """Cancel what is under way; its attempts stay open, for the caller to put in doubt."""
        for task in self._sending:
            task.cancel()

    def _may_submit(self) -> bool:
        if not self._policy.buys:
            return False
        gate = self._gate
        shut = gate.stopping or gate.refusal is not None or gate.takes_nothing
        return not shut and gate.shut_for == 0

    def _reap(self) -> None:
        for task in [task for task in self._sending if task.done()]:
            self._sending.discard(task)
            task.result()  # a bug must end the run, not vanish in a task

    def _turn(self, connection: Connection, want: int) -> tuple[ClaimResult, Situation, bool]:
        """Claim what may be claimed, and see in the same transaction what is left.

        Returns:
            What was claimed, how the run stands, and whether the balance is to be read first.
        """
        now = self._clock.now()
        result = ClaimResult()
        lost = self._fence.breach(connection)
        waiting = doubts.waiting(connection)
        own = [number for number, is_served in waiting.items() if is_served]
        if want and not lost:
            terms = ClaimTerms(
                # past its grace a doubt takes no slot: the next purchase may be what settles it
                window=self._policy.max_in_flight - self._reconciler.young(own),
                want=want,
                ceiling=self._policy.price_ceiling,
                patience=self._policy.send_within,
                elsewhere=self._elsewhere,
                looked_for=self._looked_for,
            )
            result = claims.claim(connection, now, terms, self._new_key)
            self._note_waits(connection, self._blocks(connection, result))
            self._warn_of_others(result)
        elif words := self._gate.waits_for(now):
            served = outstanding.served_batches(connection)
            self._note_waits(connection, dict.fromkeys(served, words))
        found = {batch: frozenset(why) for batch, why in result.blocked.items()}
        blocked = found if want and not result.claims else None
        gate = self._gate
        left = outstanding.outstanding(connection, now, self._policy.not_awaited)
        if not self._policy.buys:
            left = replace(left, ready=False, paused=False, next_due=None)
        if lost:  # what another run has under way there is not waited for
            left = replace(left, sending=len(self._sending))
        situation = Situation(
            outstanding=left,
            blocked=blocked,
            overdue_looks=looks.overdue_due(connection, now),
            hopeful=self._hopeful(waiting, own),
            crowded=result.crowded,
            waits_for_funds=self._policy.wait_for_funds,
            stopping=gate.stopping,
            out_of_reach=gate.out_of_reach,
            refusal=gate.refusal,
            refusal_message=gate.refusal_message,
            lost=lost,
        )
        again = self._wants_reading(result)
        if not lost:  # else it is the other run that says so
            self._note_serving(connection, serving=again or serves(situation))
        return result, situation, again

    def _hopeful(self, waiting: Collection[int], own: Collection[int]) -> int:
        """Count the doubts to wait for, other batches' too: what was bought here may settle them.

        They are settled, and nothing of those batches is bought.
        """
        hopeful = self._reconciler.hopeful(waiting)
        others = hopeful - self._reconciler.hopeful(own)
        if others and not self._told_of_doubts:
            self._told_of_doubts = True
            words = "of other batches are looked for before this run ends"
            log.warning("%d unconfirmed submission(s) %s", others, words)
        return hopeful

    def _note_serving(self, connection: Connection, *, serving: bool) -> None:
        """Write down in the turn itself, which saw all that was handed over, whether more is."""
        serving = serving and self._policy.buys
        if serving != self._serving:
            handing.set_serving(connection, serving=serving)
            self._serving = serving

    @staticmethod
    def _blocks(connection: Connection, result: ClaimResult) -> dict[int, str]:
        """Say per batch what stands in the way of its rest."""
        waits = {batch: ", ".join(sorted(why)) for batch, why in result.blocked.items()}
        if result.lacks_money:
            balance = (
                accounts.read_account(connection).balance_micros or 0
            )  # its reading is the cap
            waits = {
                batch: f"{text} (${usd_text(balance)} at the last look)"
                for batch, text in waits.items()
            }
        return waits

    def _note_waits(self, connection: Connection, waits: dict[int, str]) -> None:
        if waits != self._waits:
            steering.set_waiting(connection, dict.fromkeys(self._waits) | waits)
            self._waits = waits

    def _warn_of_others(self, result: ClaimResult) -> None:
        for generation_id in result.elsewhere:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            log.log(
                level,
                "somebody else is buying the same rows on this account (generation %s): such rows "
                "are held back, and not bought; --buy-again buys them",
                generation_id,
            )

    def _new_key(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def _send(self, claimed: list[Claim]) -> None:
        for claim in claimed:
            self._checkpoint("intent-written")
            task = asyncio.create_task(self._submit(claim), name=f"submit {claim.job_key}")
            self._sending.add(task)

    async def _submit(self, claim: Claim) -> None:
        def may_send() -> bool:
            self._checkpoint("request-leaving")
            return self._clock.now() < claim.send_before

        try:
            request = self._announced(claim.request)
            outcome = await self._provider.submit(request, claim.idempotency_key, may_send)
            self._checkpoint("answer-read")
            outcome = await self._judge.judged(claim, outcome)
            self._heed(claim, outcome)
            await self._store.commit(
                lambda connection: self._answers.write(connection, claim, outcome)
            )
            self._checkpoint("outcome-written")
        finally:
            if len(self._sending) <= ROOM_FROM:  # else no turn could do anything
                self._gate.wake()

    def _announced(self, request: GenerationRequest) -> GenerationRequest:
        """Name the run's own address for callbacks, where the row names none."""
        if self._policy.callback_url is None or request.callback_url is not None:
            return request
        return replace(request, callback_url=self._policy.callback_url)

    def _heed(self, claim: Claim, outcome: SubmitOutcome) -> None:
        """Draw the conclusions that concern every submission."""
        match outcome:
            case Throttled(retry_after, words):
                seconds = self._gate.throttle(retry_after, words)
                self._gate.not_served(retry_after)
                log.info("too many requests: every submission waits %.0f s", seconds)
            case Accepted() | Rejected() | Refused(sure=False):
                self._gate.served()
                self._doubted.clear()
                self._money_pace = MONEY_FIRST
            case Refused(cause, message):
                self._gate.refuse(cause, message)
            case Unsent(reason, unreachable=True):
                seconds = self._gate.unreachable(reason)
                self._gate.not_served()
                log.info("the provider can't be reached (%s): waiting %.0f s", reason, seconds)
            case Unsent():
                log.info("a submission was held back: %s", outcome.reason)
            case InDoubt(reason, cause):
                seconds = self._gate.doubted(reason, gateway=outcome.gateway)
                self._gate.not_served()
                self._doubted.append(claim.attempt_id)
                self._funds.want()
                log.info("a submission is in doubt: %s: the next waits %.0f s", reason, seconds)
                if cause is not None:
                    self._gate.refuse(cause, reason)
