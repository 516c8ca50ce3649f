"""Buying from a SQLite database, as the engine asks for it (:mod:`jobs.ports.purchases`)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from ..blame import Heard
from ..ports.purchases import Answer, Claimed, D, LeftBehind, Lost, Recovery, Turn, TurnTerms
from . import (
    accounts,
    answers,
    claims,
    doubts,
    handing,
    late,
    latecomers,
    looks,
    outcomes,
    outstanding,
    recovery,
    refusals,
    steering,
    voids,
)

if TYPE_CHECKING:
    from .database import Store


class SqlitePurchases:
    """Implement :class:`jobs.ports.purchases.PurchaseStore`.

    Args:
        store: the opened database.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def take_over(self, run_id: str, now: datetime, boot: str | None = None) -> Recovery:
        def work(connection: Connection) -> Recovery:
            accounts.take_over_by(connection, run_id, now)
            return recovery.recover(connection, now, boot)

        return self._store.write(work)

    def lost(self, run_id: str) -> Lost | None:
        return self._store.read(lambda connection: self._lost(connection, run_id))

    def _lost(self, connection: Connection, run_id: str) -> Lost | None:
        change = self._store.change_of_file()
        if change is not None or accounts.is_run(connection, run_id):
            return change
        return Lost.TAKEN

    def newest_attempt(self) -> int:
        return self._store.read(late.newest_attempt)

    def follow_voids(self, since: datetime) -> Sequence[int]:
        def work(connection: Connection) -> Sequence[int]:
            voids.follow(connection)
            return late.voided(connection, since)

        return self._store.write(work)

    def voided(self, since: datetime) -> Sequence[int]:
        return self._store.read(lambda connection: late.voided(connection, since))

    def serve(self, batch_ids: Sequence[int]) -> None:
        self._store.write(lambda connection: steering.serve(connection, batch_ids))

    async def turn(
        self, terms: TurnTerms, decide: Callable[[Turn], D], keep: Callable[[Turn, D], None]
    ) -> tuple[Turn, D]:
        def work(connection: Connection) -> tuple[Turn, D]:
            seen = self._seen(connection, terms)
            decision = decide(seen)
            if decision.waits is not None:
                steering.set_waiting(connection, decision.waits)
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
            overdue_looks=looks.overdue_due(connection, terms.now),
            balance=(
                accounts.read_account(connection).balance_micros if claimed.lacks_money else None
            ),
            served=served,
            lost=lost,
        )

    async def settle(self, answer: Answer) -> bool:
        return await self._store.commit(lambda connection: answers.write(connection, answer))

    async def put_back(self, attempt_ids: Sequence[int]) -> int:
        return await self._store.commit(
            lambda connection: sum(outcomes.put_back(connection, n) for n in attempt_ids)
        )

    def any_taken(self, attempt_ids: Sequence[int]) -> bool:
        return self._store.read(lambda connection: outcomes.any_taken(connection, attempt_ids))

    def heard(self, attempt_id: int, message: str) -> Heard:
        return self._store.read(lambda connection: refusals.heard(connection, attempt_id, message))

    def doubts(self) -> Mapping[int, bool]:
        return self._store.read(doubts.waiting)

    def wait(self, waits: Mapping[int, str | None]) -> None:
        self._store.write(lambda connection: steering.set_waiting(connection, waits))

    def leave(
        self, run_id: str, now: datetime, boot: str | None, turned_up: Collection[int]
    ) -> LeftBehind:
        def work(connection: Connection) -> LeftBehind:
            left = LeftBehind(
                outstanding.served_batches(connection),
                handing.jobs(connection),
                latecomers.surplus_of(connection, turned_up),
            )
            if accounts.is_run(connection, run_id):  # else it is the other run that serves, sends
                outcomes.doubt_all_open(connection, now, boot, living=True)
                steering.serve_none(connection)
            return left

        return self._store.write(work)
