"""Buying from a SQLite database, as the engine asks for it (:mod:`jobs.ports.purchases`)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ..model.provider import Accepted, InDoubt, Refused, Rejected, Throttled, Unsent
from ..model.states import Reason
from ..ports.purchases import (
    Answer,
    Claimed,
    D,
    LeftBehind,
    Lost,
    PurchaseStore,
    Recovery,
    Turn,
    TurnTerms,
)
from . import (
    accounts,
    claims,
    doubts,
    events,
    handing,
    haste,
    latecomers,
    looks,
    outcomes,
    outstanding,
    steering,
    takeovers,
    voids,
)
from .bound import Bound, commits, reads, writes
from .update_store import fold_ids

FARTHEST = timedelta(days=8)
"""A look or a retry planned farther ahead than any flag allows: the clock was set back since."""


def recover(connection: Connection, now: datetime, boot: str | None = None) -> Recovery:
    """Take over from a runner that ended in any way; the lock must be held."""
    looks.heed_clock(connection, now, FARTHEST)
    fold_ids(connection)
    return Recovery(
        doubts=outcomes.doubt_all_open(connection, now, boot),
        overdue=looks.look_again_at_overdue(connection, now),
    )


def _take_over(
    connection: Connection, run_id: str, now: datetime, boot: str | None = None
) -> Recovery:
    # every other run stops at its next turn
    accounts.keep(connection, run_id=run_id, run_at=now)
    events.take_over(connection, now)
    return recover(connection, now, boot)


def _follow_voids(connection: Connection, since: datetime) -> Sequence[int]:
    voids.follow(connection)
    return takeovers.voided(connection, since)


def _put_back(connection: Connection, attempt_ids: Sequence[int]) -> int:
    return sum(outcomes.put_back(connection, one) for one in attempt_ids)


def _leave(
    connection: Connection,
    run_id: str,
    now: datetime,
    boot: str | None,
    turned_up: Collection[int],
    reason: Reason | None,
    message: str = "",
) -> LeftBehind:
    left = LeftBehind(
        outstanding.served_batches(connection),
        handing.jobs(connection),
        latecomers.surplus_of(connection, turned_up),
    )
    if accounts.is_run(connection, run_id):  # else it is the other run that serves, sends
        outcomes.doubt_all_open(connection, now, boot, living=True)
        steering.serve_none(connection)
        events.run_ended(connection, now, reason, message)
    return left


def _settle(connection: Connection, answer: Answer) -> bool:
    """Write an answer down; False for an acceptance that did not land."""
    attempt, now = answer.attempt_id, answer.at
    match answer.outcome:
        case Accepted(generation_id, price):
            landed = outcomes.accept(
                connection, attempt, generation_id, price, now, answer.first_look
            )
            haste.let_forward(connection)
            return landed
        case Rejected(kind, message):
            outcomes.reject(connection, attempt, kind, message, now)
        case Throttled(_, words):
            haste.throttle(connection, attempt, words, now)
        case Refused(cause, message, sure=False):
            haste.set_aside(connection, attempt, cause, message, now)
        case Refused(cause, message):
            haste.refuse(connection, attempt, cause, message, now)
            for number in answer.put_back:
                outcomes.put_back(connection, number)
        case Unsent(reason):
            outcomes.release(connection, attempt, reason)
        case InDoubt(reason):
            outcomes.doubt(connection, attempt, reason, now, answer.boot)
    return True


class SqlitePurchases(Bound, PurchaseStore):
    """What :class:`jobs.ports.purchases.PurchaseStore` says."""

    any_taken = reads(outcomes.any_taken)
    doubts = reads(doubts.waiting)
    follow_voids = writes(_follow_voids)
    heard = reads(haste.heard)
    leave = writes(_leave)
    newest_attempt = reads(takeovers.newest_attempt)
    put_back = commits(_put_back)
    serve = writes(steering.serve)
    settle = commits(_settle)
    take_over = writes(_take_over)
    voided = reads(takeovers.voided)
    refused = writes(events.run_ended)
    wait = writes(steering.set_waiting)

    def lost(self, run_id: str) -> Lost | None:
        return self._store.read(lambda connection: self._lost(connection, run_id))

    def _lost(self, connection: Connection, run_id: str) -> Lost | None:
        change = self._store.change_of_file()
        if change is not None or accounts.is_run(connection, run_id):
            return change
        return Lost.TAKEN

    async def turn(
        self, terms: TurnTerms, decide: Callable[[Turn], D], keep: Callable[[Turn, D], None]
    ) -> tuple[Turn, D]:
        def work(connection: Connection) -> tuple[Turn, D]:
            seen = self._seen(connection, terms)
            decision = decide(seen)
            if decision.waits is not None:
                steering.set_waiting(connection, decision.waits, terms.now, seen.claimed.blocked)
            if decision.serving is not None:
                handing.set_serving(connection, serving=decision.serving)
            return seen, decision

        return await self._store.commit(work, lambda taken: keep(*taken))

    def _seen(self, connection: Connection, terms: TurnTerms) -> Turn:
        lost = self._lost(connection, terms.run_id)
        waiting = doubts.waiting(connection)
        claimed: Claimed = Claimed()
        served: Sequence[int] = ()
        if terms.claim is not None and lost is None:
            own = {number for number, is_served in waiting.items() if is_served}
            slots = terms.claim.window - len(own.difference(terms.past_grace))
            claim = replace(terms.claim, window=slots)
            claimed = claims.claim(connection, terms.now, claim, terms.new_key)
        elif terms.tells_served:
            served = outstanding.served_batches(connection)
        return Turn(
            claimed=claimed,
            left=outstanding.outstanding(connection, terms.now, terms.not_awaited),
            doubts=waiting,
            overdue_looks=looks.OVERDUE_DUE.first(connection, now=terms.now) is not None,
            balance=(
                accounts.read_account(connection).balance_micros if claimed.lacks_money else None
            ),
            served=served,
            lost=lost,
        )
