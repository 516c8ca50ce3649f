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


class Judge:
    """Decides whether a refused submission is the fault of its row, the run or the token."""

    def __init__(self, context: RunContext, balance: BalanceMonitor) -> None:
        self._purchases: PurchaseStore = context.store.purchases
        self._policy = context.policy
        self._token = context.token
        self._balance = balance
        self._blame = Blame()

    async def judged(self, claim: Claim, outcome: SubmitOutcome) -> SubmitOutcome:
        """Return an outcome as it is to be booked: on the row, the run, or the token."""
        match outcome:
            case Refused(RefusalCause.ACCESS) | Refused(RefusalCause.ACCOUNT, sure=False):
                refused = await self._token.refused()
                if refused is not None:
                    return Refused(RefusalCause.TOKEN, str(refused))
            case Refused(RefusalCause.FUNDS, sure=False):
                if not await self._balance.suffice():
                    return replace(outcome, sure=True)
            case InDoubt(_, RefusalCause.FUNDS):
                lacking = not await self._balance.suffice()
                outcome = outcome if lacking else replace(outcome, cause=None)
        asked = claim.request
        own = asked.callback_url is not None or self._policy.callback_url is None
        heard = self._heard(claim, outcome)
        if not own and isinstance(outcome, Rejected) and outcome.about is About.CALLBACK:
            outcome = replace(outcome, message=self._policy.words.own_callback(outcome.message))
        return self._blame.judge(claim.attempt_id, outcome, asked, own_callback=own, heard=heard)

    def put_back(self) -> list[int]:
        """Return, once, the attempts whose rows failed before it was clear whose fault it is."""
        return self._blame.put_back()

    def cut_off(self) -> tuple[list[int], Refused | None]:
        """Return, once, the attempts that a run which ends now puts back, and why."""
        return self._blame.cut_off()

    def _heard(self, claim: Claim, outcome: SubmitOutcome) -> Heard:
        words = open_words(outcome)
        if words is None:
            return Heard.NEVER
        return self._purchases.heard(claim.attempt_id, words)


class Answers:
    """Keeps what became of submissions, and what that means for the next ones."""

    def __init__(self, context: RunContext, judge: Judge) -> None:
        self._purchases: PurchaseStore = context.store.purchases
        self._clock = context.clock
        self._policy = context.policy
        self._durations = context.durations
        self._looked_for = context.looked_for
        self._judge = judge

    async def keep(self, claim: Claim, outcome: SubmitOutcome) -> None:
        """Write down an outcome as it is to be booked; durable on return."""
        now = self._clock.now()
        sure = isinstance(outcome, Refused) and outcome.sure
        put_back = self._judge.put_back() if sure else ()
        if not isinstance(outcome, Accepted | InDoubt):
            # The row may be sent again, and a void that it replaces may have turned up since: look
            # for it first. This comes before the answer is written, because a turn in the same
            # transaction could claim the row; no void is missed, as a row gets none while its
            # attempt is open.
            self._looked_for.forget(self._purchases.voided(now - WATCHED))
        answer = Answer(
            claim.attempt_id, outcome, now, self._clock.boot(), self._first_look(claim), put_back
        )
        landed = await self._purchases.settle(answer)
        if isinstance(outcome, Accepted) and not landed:
            log.error(
                "the acceptance of %s as %s was not expected",
                claim.attempt_id,
                outcome.generation_id,
            )

    def _first_look(self, claim: Claim) -> timedelta:
        """Return how long after its acceptance a generation is looked at first."""
        earliest = self._durations.earliest(claim.kind)
        return timedelta(seconds=look_delay(0, self._policy.poll_interval, None, earliest))
