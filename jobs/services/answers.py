"""Keeping what became of submissions."""

import logging
from dataclasses import replace
from datetime import timedelta

from ..evidence.blame import Blame, Heard, open_words
from ..evidence.suspects import WATCHED
from ..model.provider import (
    About,
    Accepted,
    InDoubt,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
)
from ..ports.purchases import Answer, Claim, PurchaseStore
from ..runtime.balance_monitor import BalanceMonitor
from ..runtime.pace import look_delay
from ..runtime.run_context import RunContext

log = logging.getLogger(__name__)


class Answers:
    """Decides whose fault a refused submission is, and keeps what became of each."""

    def __init__(self, context: RunContext, balance: BalanceMonitor) -> None:
        self._run = context
        self._purchases: PurchaseStore = context.store.purchases
        self._balance = balance
        self._blame = Blame()

    async def judged(self, claim: Claim, outcome: SubmitOutcome) -> SubmitOutcome:
        """Return an outcome as it is to be booked: on the row, the run, or the token."""
        match outcome:
            case Refused(RefusalCause.ACCESS) | Refused(RefusalCause.ACCOUNT, sure=False):
                refused = await self._run.token.refused()
                if refused is not None:
                    return Refused(RefusalCause.TOKEN, str(refused))
            case Refused(RefusalCause.FUNDS, sure=False):
                if not await self._balance.suffice():
                    return replace(outcome, sure=True)
            case InDoubt(_, RefusalCause.FUNDS):
                lacking = not await self._balance.suffice()
                outcome = outcome if lacking else replace(outcome, cause=None)
        asked = claim.request
        own = asked.callback_url is not None or self._run.policy.callback_of is None
        heard = self._heard(claim, outcome)
        if not own and isinstance(outcome, Rejected) and outcome.about is About.CALLBACK:
            outcome = replace(outcome, message=self._run.policy.words.own_callback(outcome.message))
        return self._blame.judge(claim.attempt_id, outcome, asked, own_callback=own, heard=heard)

    def cut_off(self) -> tuple[list[int], Refused | None]:
        """Return, once, the attempts that a run which ends now puts back, and why."""
        return self._blame.cut_off()

    def _heard(self, claim: Claim, outcome: SubmitOutcome) -> Heard:
        words = open_words(outcome)
        if words is None:
            return Heard.NEVER
        return self._purchases.heard(claim.attempt_id, words)

    async def keep(self, claim: Claim, outcome: SubmitOutcome) -> None:
        """Write down an outcome as it is to be booked; durable on return."""
        now = self._run.clock.now()
        sure = isinstance(outcome, Refused) and outcome.sure
        put_back = self._blame.put_back() if sure else ()
        if not isinstance(outcome, Accepted | InDoubt):
            # The row may be sent again, and a void that it replaces may have turned up since: look
            # for it first. This comes before the answer is written, because a turn in the same
            # transaction could claim the row; no void is missed, as a row gets none while its
            # attempt is open.
            self._run.looked_for.forget(self._purchases.voided(now - WATCHED))
        boot, first_look = self._run.clock.boot(), self._first_look(claim)
        answer = Answer(claim.attempt_id, outcome, now, boot, first_look, put_back)
        landed = await self._purchases.settle(answer)
        if isinstance(outcome, Accepted) and not landed:
            log.error(
                "the acceptance of %s as %s was not expected",
                claim.attempt_id,
                outcome.generation_id,
            )

    def _first_look(self, claim: Claim) -> timedelta:
        earliest = self._run.durations.earliest(claim.kind)
        times = self._run.provider.times(claim.kind)
        interval = self._run.policy.poll_interval
        return timedelta(seconds=look_delay(times, 0, interval, None, earliest))
