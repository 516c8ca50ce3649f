"""The scheduler: claims jobs at the run's rate, sends each intent once, writes down its outcome."""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..model.families import EvidenceClass, Kind, kinds_of
from ..model.money import usd_text
from ..model.provider import (
    Accepted,
    GenerationRequest,
    InDoubt,
    Marked,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
    Throttled,
    Unsent,
)
from ..model.states import Reason
from ..ports.purchases import (
    Breach,
    Claim,
    Claimed,
    ClaimTerms,
    Decision,
    PurchaseStore,
    Turn,
    TurnTerms,
)
from ..reconciliation.reconciler import Reconciler
from ..runtime.balance_monitor import BalanceMonitor
from ..runtime.pace import Pacer
from ..runtime.run_context import RunContext
from .answers import Answers
from .run_outcome import Ending, Situation, serves, verdict

log = logging.getLogger(__name__)

TICK = 1.0  # seconds between two looks at the table while idle: other processes may have changed it

MONEY_FIRST, MONEY_SLOWEST = 30.0, 600.0
"""Seconds between two readings while we wait for money: doubled each time."""

LONGEST_REST = 30.0  # seconds after which a turn is taken although the table has not changed

MOST_SENDING = 192
"""Submissions that wait for their answer at the same time: what a kill leaves in doubt, and what
needs connections of its own, stays small however much may be in flight (docs/performance.md)."""

ROOM_FROM = MOST_SENDING * 3 // 4  # with fewer under way, more are sent, to share a transaction
FRESH = 15.0  # seconds for which a reading of the balance that blocks purchases is trusted


@dataclass(frozen=True, slots=True)
class _Decision(Decision):
    """What a turn means for the run."""

    situation: Situation
    reads_again: bool  # the balance is to be read before the next turn
    resolvable_of_others: int  # doubts of other batches that the list may still settle


class Scheduler:
    """Submits until the run is over.

    Checkpoints: ``intent-written``, ``request-leaving``, ``answer-read``, ``outcome-written``.
    """

    def __init__(
        self, context: RunContext, balance: BalanceMonitor, reconciler: Reconciler
    ) -> None:
        self._run = context
        self._purchases: PurchaseStore = context.store.purchases
        self._balance = balance
        self._reconciler = reconciler
        self._answers = Answers(context, balance)
        self._doubted: list[int] = []
        families = context.provider.families.values()
        self._blind = frozenset(
            kinds_of(one.provider, one.name) for one in families if not one.has_list
        )
        self._pacer = Pacer(context.policy.rate, context.clock)
        self.sending: set[asyncio.Task[None]] = set()  # submissions under way
        self._waits: dict[int, str] = {}
        self._serving = False
        self._told_of_doubts = False
        self._lacks_money = False
        self._warned = False
        self._money_pace = MONEY_FIRST
        self._money_look_at = 0.0

    async def run(self) -> Ending:
        """Submit until nothing is left, something blocks the rest, or the run is stopped."""
        while True:
            self._reap()
            if self._lacks_money:
                await self._look_for_money()
            due = self._balance.due(self._run.policy.balance_interval, busy=bool(self.sending))
            stale = due and not self._lacks_money
            if self._run.health.probing:
                await self._look_before_probe()
            elif stale and self._may_submit():
                await self._balance.refresh()
            want = self._wanted() if self._may_submit() else 0
            turn, decision = await self._turn(want)
            if turn.claimed.claims:
                self._pacer.take(len(turn.claimed.claims))
                self._send(turn.claimed.claims)
                continue
            self._lacks_money = self._awaits_money(turn.claimed)
            if decision.reads_again:
                await self._balance.refresh()
                continue
            situation = decision.situation
            if situation.outstanding.ready and (
                self._run.health.takes_nothing or self._balance.unread
            ):
                self._stop_submitting()
            ending = verdict(situation)
            if ending is not None:
                return await self._cut_off(ending)
            await self._rest(situation, paced=not want)

    async def _cut_off(self, ending: Ending) -> Ending:
        """Put back the rows refused last if it may not be their fault, and end for that."""
        attempts, refused = self._answers.cut_off()
        if refused is None or ending.reason is Reason.DATABASE:
            return ending
        put_back = await self._purchases.put_back(attempts)
        if ending.reason is not Reason.FINISHED or not put_back:
            return ending
        return Ending(Reason.UNDECIDED, refused.message)

    def _wanted(self) -> int:
        """Return how many submissions may start; some together: they share a transaction."""
        under_way = len(self.sending)
        if self._balance.wanted:  # a purchase at the same time would hide what a doubt cost
            return 0
        if self._run.health.careful:  # one alone shows whether submissions are taken again
            return 0 if under_way else min(self._pacer.available(), 1)
        free = MOST_SENDING - under_way if under_way < ROOM_FROM else 0
        return min(self._pacer.available(), free)

    async def _rest(self, situation: Situation, *, paced: bool) -> None:
        """Wait until a turn may find something new; without a change no turn is taken."""
        left = situation.outstanding
        mark, until = self._run.store.change_mark(), self._run.clock.monotonic() + LONGEST_REST
        while not await self._run.health.pause(min(TICK, self._pacer.seconds_to_next() or TICK)):
            due = left.next_due is not None and self._run.clock.now() >= left.next_due
            now = self._run.clock.monotonic()
            late = now >= until or (self._lacks_money and now >= self._money_look_at)
            ready = paced and left.ready and self._may_submit()
            if due or late or ready or self._run.store.change_mark() != mark:
                return

    def _awaits_money(self, claimed: Claimed) -> bool:
        lacking = self._run.health.refusal is RefusalCause.FUNDS or claimed.lacks_money
        return self._run.policy.wait_for_funds and lacking

    def _wants_reading(self, claimed: Claimed) -> bool:
        """Check whether an old reading of the balance blocks purchases."""
        stale = self._balance.age > FRESH and not self._awaits_money(claimed)
        return stale and claimed.lacks_money and self._may_submit()

    async def _look_for_money(self) -> None:
        """Read the balance, ever more rarely; the next claim decides whether it suffices."""
        if self._run.clock.monotonic() < self._money_look_at:
            return
        if await self._balance.refresh():
            self._run.health.forgive()
        self._money_look_at = self._run.clock.monotonic() + self._money_pace
        self._money_pace = min(2 * self._money_pace, MONEY_SLOWEST)

    async def _look_before_probe(self) -> None:
        """Check, free of charge, whether another submission is worth a try after doubts."""
        if self._purchases.any_taken(self._doubted):
            self._run.health.served()  # only the answers were lost
            self._doubted.clear()
        elif self._may_submit() and not self.sending and not await self._balance.refresh():
            self._run.health.unreachable()

    def _stop_submitting(self) -> None:
        """Stop submitting because nothing is taken; what is paid for is still polled to its end."""
        if self._run.health.refusal is not None:
            return  # repeating it would only wake the run again
        minutes = self._run.policy.unreachable_patience / 60
        words = self._run.policy.words.takes_nothing(minutes, self._run.health.words)
        self._run.health.refuse(RefusalCause.BUSY, words)

    def abandon(self) -> None:
        """Cancel what is under way; its attempts stay open, for the caller to put in doubt."""
        for task in self.sending:
            task.cancel()

    def _may_submit(self) -> bool:
        if not self._run.policy.buys:
            return False
        health = self._run.health
        shut = health.stopping or health.refusal is not None or health.takes_nothing
        return not shut and health.shut_for == 0

    def _reap(self) -> None:
        for task in [task for task in self.sending if task.done()]:
            self.sending.discard(task)
            task.result()  # a bug must end the run, not vanish in a task

    async def _turn(self, want: int) -> tuple[Turn, "_Decision"]:
        now = self._run.clock.now()
        claim = ClaimTerms(
            window=self._run.policy.max_in_flight,
            want=want,
            ceiling=self._run.policy.price_ceiling,
            patience=self._run.policy.send_within,
            marked=self._marked,
            blind=self._blind,
            doubts_most=self._run.policy.doubts_most,
            elsewhere=self._run.elsewhere,
            looked_for=self._run.looked_for,
        )
        pause = self._run.health.pause_at(now)
        wait = "" if pause is None else self._run.policy.words.paused(pause)
        terms = TurnTerms(
            now=now,
            run_id=self._run.run_id,
            new_key=self._new_key,
            claim=claim if want else None,
            past_grace=self._reconciler.past_grace() if want else (),
            not_awaited=self._run.policy.not_awaited,
            tells_served=bool(wait),
        )
        return await self._purchases.turn(
            terms, lambda turn: self._decided(turn, want, wait), self._keep
        )

    def _decided(self, turn: Turn, want: int, wait: str) -> "_Decision":
        health, claimed, left = self._run.health, turn.claimed, turn.left
        lost = turn.lost
        if not self._run.policy.buys:
            left = replace(left, ready=False, paused=False, next_due=None)
        if lost is not None:  # the other run waits for what it has under way
            left = replace(left, sending=len(self.sending))
        own = [number for number, is_served in turn.doubts.items() if is_served]
        resolvable = self._reconciler.resolvable(turn.doubts)
        situation = Situation(
            outstanding=left,
            blocked=claimed.blocked if want and not claimed.claims else None,
            overdue_looks=turn.overdue_looks,
            resolvable=resolvable,
            crowded=claimed.crowded,
            waits_for_funds=self._run.policy.wait_for_funds,
            stopping=health.stopping,
            out_of_reach=health.out_of_reach,
            refusal=health.refusal,
            refusal_message=health.refusal_message,
            breach=None if lost is None else Breach(self._run.store.path, lost),
        )
        again = self._wants_reading(claimed)
        serving = self._run.policy.buys and (again or serves(situation))
        return _Decision(
            situation=situation,
            reads_again=again,
            resolvable_of_others=resolvable - self._reconciler.resolvable(own),
            waits=self._news_of_waits(turn, want, wait),
            # if the job table is lost, the other run writes this
            serving=None if lost is not None or serving == self._serving else serving,
        )

    def _news_of_waits(self, turn: Turn, want: int, wait: str) -> Mapping[int, str | None] | None:
        """Return what blocks the rest of each batch; None if that is written already."""
        if want and turn.lost is None:
            waits = {batch: ", ".join(sorted(why)) for batch, why in turn.claimed.blocked.items()}
            if turn.balance is not None:
                last = f" (${usd_text(turn.balance)} at the last look)"
                waits = {batch: f"{text}{last}" for batch, text in waits.items()}
        elif wait:
            waits = dict.fromkeys(turn.served, wait)
        else:
            return None
        return None if waits == self._waits else dict.fromkeys(self._waits) | waits

    def _keep(self, turn: Turn, decision: "_Decision") -> None:
        """Remember what a turn did, once it is durable."""
        claimed = turn.claimed
        self._run.elsewhere.forget(claimed.copies)
        for claim in claimed.claims:
            family = Kind.parse(claim.kind).family
            self._run.elsewhere.bought(family, claim.request.prompt, claim.batch_id)
        if claimed.found is not None:
            self._run.looked_for.keep(claimed.found)
        if decision.waits is not None:
            self._waits = {batch: why for batch, why in decision.waits.items() if why is not None}
        if decision.serving is not None:
            self._serving = decision.serving
        self._warn_of_others(claimed)
        if decision.resolvable_of_others and not self._told_of_doubts:
            # we only settle them, and buy nothing of those batches: our purchases may be what
            # settles them
            self._told_of_doubts = True
            words = "of other batches are looked for before this run ends"
            log.warning("%d unconfirmed submission(s) %s", decision.resolvable_of_others, words)

    def _warn_of_others(self, claimed: Claimed) -> None:
        for generation_id in claimed.others:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            log.log(
                level,
                "somebody else is buying the same rows on this account (generation %s): such rows "
                "are held back, and not bought",
                generation_id,
            )

    def _marked(self, request: GenerationRequest) -> Marked:
        """Put a mark of its own into a request whose family's list shows it."""
        provider = self._run.provider
        family = provider.families.get(provider.kind(request).family)
        if family is None or family.evidence is not EvidenceClass.MARKED:
            return Marked(request)
        # each attempt's own: the key of a void is used again for its replacement
        return provider.marked(request, self._new_key())

    def _new_key(self) -> str:
        return str(uuid.UUID(int=self._run.chance.getrandbits(128), version=4))

    def _send(self, claimed: Sequence[Claim]) -> None:
        for claim in claimed:
            self._run.checkpoint("intent-written")
            task = asyncio.create_task(self._submit(claim), name=f"submit {claim.job_key}")
            self.sending.add(task)

    async def _submit(self, claim: Claim) -> None:
        def may_send() -> bool:
            self._run.checkpoint("request-leaving")
            return self._run.clock.now() < claim.send_before

        try:
            request = self._announced(claim)
            outcome = await self._run.provider.submit(request, claim.idempotency_key, may_send)
            self._run.checkpoint("answer-read")
            outcome = await self._answers.judged(claim, outcome)
            self._heed(claim, outcome)
            await self._answers.keep(claim, outcome)
            self._run.checkpoint("outcome-written")
        finally:
            if len(self.sending) <= ROOM_FROM:  # otherwise a turn could claim nothing
                self._run.health.wake()

    def _announced(self, claim: Claim) -> GenerationRequest:
        address_of = self._run.policy.callback_of
        if address_of is None or claim.request.callback_url is not None:
            return claim.request
        address = address_of(claim.attempt_id, claim.idempotency_key)
        return replace(claim.request, callback_url=address)

    def _heed(self, claim: Claim, outcome: SubmitOutcome) -> None:
        match outcome:
            case Throttled(retry_after, words):
                seconds = self._run.health.throttle(retry_after, words)
                self._run.health.not_served(retry_after)
                log.info("too many requests: every submission waits %.0f s", seconds)
            case Accepted() | Rejected() | Refused(sure=False):
                self._run.health.served()
                self._doubted.clear()
                self._money_pace = MONEY_FIRST
            case Refused(cause, message):
                self._run.health.refuse(cause, message)
            case Unsent(reason, unreachable=True):
                seconds = self._run.health.unreachable(reason)
                self._run.health.not_served()
                log.info("the provider can't be reached (%s): waiting %.0f s", reason, seconds)
            case Unsent():
                log.info("a submission was held back: %s", outcome.reason)
            case InDoubt(reason, cause):
                seconds = self._run.health.doubted(reason, gateway=outcome.gateway)
                self._run.health.not_served()
                self._doubted.append(claim.attempt_id)
                self._balance.want()
                log.info("a submission is in doubt: %s: the next waits %.0f s", reason, seconds)
                if cause is not None:
                    self._run.health.refuse(cause, reason)
