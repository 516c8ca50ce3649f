"""What the answers to submissions leave in the database."""

import logging
from datetime import timedelta

from sqlalchemy import Connection

from .context import RunContext
from .judge import Judge
from .money import Micros
from .pace import look_delay
from .provider import Accepted, InDoubt, Refused, Rejected, SubmitOutcome, Throttled, Unsent
from .store import haste, late, outcomes
from .store.claims import Claim
from .suspects import WATCHED

log = logging.getLogger(__name__)


class Answers:
    """Writes down what became of submissions.

    Args:
        context: of the run.
        judge: knows which rows were failed for what is the account's refusal.
    """

    def __init__(self, context: RunContext, judge: Judge) -> None:
        self._clock = context.clock
        self._policy = context.policy
        self._durations = context.durations
        self._looked_for = context.looked_for
        self._judge = judge

    def write(self, connection: Connection, claim: Claim, outcome: SubmitOutcome) -> None:
        """Write an answer down.

        Args:
            connection: in a writing transaction.
            claim: what was sent.
            outcome: what became of it.
        """
        now = self._clock.now()
        attempt = claim.attempt_id
        match outcome:
            case Accepted(generation_id, price):
                self._accept(connection, claim, generation_id, price)
            case Rejected(kind, message):
                outcomes.reject(connection, attempt, kind, message, now)
            case Throttled(_, words):
                haste.throttle(connection, attempt, words, now)
            case Refused(cause, message, sure=False):
                haste.set_aside(connection, attempt, cause, message, now)
            case Refused(cause, message):
                haste.refuse(connection, attempt, cause, message, now)
                for number in self._judge.put_back():
                    outcomes.put_back(connection, number)
            case Unsent(reason):
                outcomes.release(connection, attempt, reason)
            case InDoubt(reason):
                outcomes.doubt(connection, attempt, reason, now, self._clock.boot())
        if not isinstance(outcome, Accepted | InDoubt):
            # it may be sent again: what it replaced may have turned up meanwhile
            self._looked_for.forget(late.voided(connection, now - WATCHED))

    def _accept(
        self, connection: Connection, claim: Claim, generation_id: str, price: Micros | None
    ) -> None:
        earliest = self._durations.earliest(claim.kind)
        delay = look_delay(0, self._policy.poll_interval, None, earliest)
        first_look = timedelta(seconds=delay)
        landed = outcomes.accept(
            connection, claim.attempt_id, generation_id, price, self._clock.now(), first_look
        )
        if not landed:
            log.error(
                "the acceptance of %s as %s was not expected", claim.attempt_id, generation_id
            )
        haste.let_forward(connection)
