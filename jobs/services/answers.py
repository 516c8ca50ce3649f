"""Keeping what became of submissions."""

import logging
from datetime import timedelta

from ..evidence.suspects import WATCHED
from ..model.provider import Accepted, InDoubt, Refused, SubmitOutcome
from ..ports.purchases import Answer, Claim, PurchaseStore
from ..runtime.pace import look_delay
from ..runtime.run_context import RunContext
from .judge import Judge

log = logging.getLogger(__name__)


class Answers:
    """Keeps what became of submissions, and what that means for the next ones.

    Args:
        context: of the run.
        judge: knows which rows were failed for what is the account's refusal.
    """

    def __init__(self, context: RunContext, judge: Judge) -> None:
        self._purchases: PurchaseStore = context.store.purchases
        self._clock = context.clock
        self._policy = context.policy
        self._durations = context.durations
        self._looked_for = context.looked_for
        self._judge = judge

    async def keep(self, claim: Claim, outcome: SubmitOutcome) -> None:
        """Write an answer down; durable on return.

        Args:
            claim: what was sent.
            outcome: what became of it, as it is to be booked.
        """
        now = self._clock.now()
        sure = isinstance(outcome, Refused) and outcome.sure
        put_back = self._judge.put_back() if sure else ()
        if not isinstance(outcome, Accepted | InDoubt):
            # It may be sent again: what it replaced may have turned up meanwhile. Before the answer
            # is written: a turn in the same transaction could claim the row. None of its own voids
            # can be missed, as it gets no other one while this attempt is open.
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
