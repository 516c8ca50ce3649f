"""Doubts, in SQLite."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from ..account_list import Reading
from ..books import Books
from ..ledger import ACCOUNT_KEY
from ..ports.doubts import (
    D,
    DoubtDecision,
    DoubtSnapshot,
    DoubtStore,
    JobsDoubt,
    Ledger,
    MoneyBeside,
    OwnerJob,
    Searched,
    Settled,
    SuspectAttempt,
)
from ..ports.seen import AttemptRow
from ..provider import Generation
from ..suspects import WATCHED, ClockOffset, shown_since
from ..witness import Acceptance
from . import accounts, doubts, latecomers, outcomes, quiet, shown, takeovers, views
from .records import attempts as records
from .rows import load_budget

if TYPE_CHECKING:
    from .database import Store


class SqliteDoubts(DoubtStore):
    """What :class:`jobs.ports.doubts.DoubtStore` says.

    Args:
        store: the opened database.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def suspects(self, watched_since: datetime) -> Sequence[SuspectAttempt]:
        return self._store.read(lambda c: _suspects(c, watched_since))

    def clock_offsets(self, attempt_ids: Sequence[int]) -> Mapping[int, ClockOffset]:
        return self._store.read(lambda c: _offsets(c, attempt_ids))

    async def settle(
        self,
        reading: Reading,
        now: datetime,
        money: MoneyBeside | None,
        decide: Callable[[DoubtSnapshot], D],
        remember: Callable[[D, Settled], None],
    ) -> None:
        def work(connection: Connection) -> tuple[D, Settled]:
            snapshot = _snapshot(connection, reading, now, money)
            decided = decide(snapshot)
            return decided, _write(connection, snapshot, decided, now)

        await self._store.commit(work, lambda done: remember(*done))

    async def keep_lag(
        self,
        generation_ids: Sequence[str],
        longest: Callable[[Mapping[str, Acceptance]], float | None],
    ) -> Mapping[str, Acceptance]:
        def work(connection: Connection) -> Mapping[str, Acceptance]:
            ours = doubts.known(connection, generation_ids)
            lag = longest(ours)
            if lag is not None:
                accounts.keep_list_lag(connection, lag)
            return ours

        return await self._store.commit(work)

    async def note_unproven(self, why: Mapping[int, str]) -> None:
        await self._store.commit(lambda c: doubts.note_unproven(c, why))

    def of_job(self, job_id: int) -> JobsDoubt:
        def work(connection: Connection) -> JobsDoubt:
            last = views.attempts_of(connection, job_id)[-1]
            return JobsDoubt(
                _attempt(last),
                doubts.clock_offset(connection, last.id),
                last.doubt_clock,
                last.send_before,
                last.candidates or (),
            )

        return self._store.read(work)

    def search(
        self, attempt_id: int, reading: Reading, candidates: Sequence[Generation], since: datetime
    ) -> Searched:
        def work(connection: Connection) -> Searched:
            ours = doubts.known(connection, [one.id for one in reading.generations])
            found = [one for one in candidates if one.id not in ours]
            if found:
                doubts.note_candidates(connection, attempt_id, found)
            return Searched(
                len(found),
                ours,
                doubts.expected(connection, attempt_id, since),
                bool(accounts.known_generations(connection)),
                accounts.list_lag(connection),
            )

        return self._store.write(work)

    def owner_of(self, generation_id: str) -> OwnerJob | None:
        return self._store.read(lambda c: owner_job(c, generation_id))

    def adopt(self, attempt_id: int, generation_id: str, now: datetime) -> OwnerJob | bool:
        def work(connection: Connection) -> OwnerJob | bool:
            owner = owner_job(connection, generation_id)
            return owner or outcomes.adopt(connection, attempt_id, generation_id, now)

        return self._store.write(work)

    def void(self, attempt_id: int, reason: str, now: datetime) -> bool:
        return self._store.write(lambda c: outcomes.void(c, attempt_id, reason, now, on_word=True))

    def first_intent(self) -> datetime | None:
        return self._store.read(doubts.oldest_intent)

    def ledger(self, generation_ids: Sequence[str]) -> Ledger:
        def work(connection: Connection) -> Ledger:
            budget = load_budget(connection, ACCOUNT_KEY)
            account = accounts.read_account(connection)
            return Ledger(
                frozenset(takeovers.known_ids(connection, generation_ids)),
                budget.charged,
                budget.held,
                account.first_balance_micros,
                account.first_charged_micros or 0,
            )

        return self._store.read(work)


def owner_job(connection: Connection, generation_id: str) -> OwnerJob | None:
    """Return the job that has a generation; None where no attempt has it."""
    row = views.attempt_of_generation(connection, generation_id)
    return None if row is None else OwnerJob(row.key, row.batch)


def _attempt(row: records.SuspectAttempt | AttemptRow, **more: Any) -> SuspectAttempt:
    return SuspectAttempt(
        id=row.id,
        state=row.state,
        prompt=row.prompt,
        request_key=row.request_key or "",
        intent_at=row.intent_at,
        # after a crash: of the moment at which a later runner took the lock
        sent_until=row.doubt_since or row.send_before,
        ended_at=row.ended_at,
        unproven=row.unproven,
        **more,
    )


def _suspects(connection: Connection, watched_since: datetime) -> list[SuspectAttempt]:
    return [
        _attempt(row, price=row.price or 0, replaced_at=row.replaced_at)
        for row in doubts.suspects(connection, watched_since)
    ]


def _offsets(connection: Connection, attempt_ids: Sequence[int]) -> dict[int, ClockOffset]:
    return {number: doubts.clock_offset(connection, number) for number in attempt_ids}


def _snapshot(
    connection: Connection, reading: Reading, now: datetime, money: MoneyBeside | None
) -> DoubtSnapshot:
    """Read what is known beside a reading; first what the list itself tells is kept."""
    ours = doubts.known(connection, [generation.id for generation in reading.generations])
    doubts.note_created(connection, _created(reading, ours))
    suspects = _suspects(connection, now - WATCHED)
    since = shown_since((one.intent_at for one in suspects), now)
    expected: Sequence[Acceptance] = ()
    if since is not None:
        expected = doubts.expected(connection, min(one.id for one in suspects), since)
    books, claimed = None, frozenset[str]()
    if money is not None:
        claimed = frozenset(takeovers.known_ids(connection, money.strangers))
        books = _books(connection, money, len(money.strangers - claimed) + money.more, now)
    offsets = _offsets(connection, [one.id for one in suspects])
    return DoubtSnapshot(suspects, offsets, ours, expected, books, claimed)


def _created(reading: Reading, ours: Mapping[str, Acceptance]) -> dict[int, datetime]:
    """Return the provider's times of our generations that are not kept yet, by attempt."""
    return {
        known.attempt_id: generation.created_at
        for generation in reading.generations
        if (known := ours.get(generation.id)) is not None
        and not known.dated
        and generation.created_at is not None
    }


def _books(
    connection: Connection, money: MoneyBeside, strangers: int, now: datetime
) -> Books | None:
    """Note what the balance shows, and compare it with the last quiet reading."""
    shown.watch(connection, money.reading.balance, accounts.charged_so_far(connection))
    return quiet.books_since(
        connection,
        money.reading,
        now,
        done=money.completed,
        strangers=strangers,
        polled=money.polled,
    )


def _write(
    connection: Connection, snapshot: DoubtSnapshot, decided: DoubtDecision, now: datetime
) -> Settled:
    settlement = decided.settlement
    if decided.lag is not None:
        accounts.keep_list_lag(connection, decided.lag)
    adopted = [
        (number, generation.id)
        for number, generation in settlement.adopt
        if outcomes.adopt(connection, number, generation.id, now)
    ]
    voided = [
        number
        for number in settlement.void
        if outcomes.void(connection, number, decided.why_void, now, decided.most_voids)
    ]
    appeared = [
        (number, generation.id, latecomers.reappear(connection, number, generation.id, now))
        for number, generation in settlement.appeared
    ]
    for number, candidates in settlement.contested.items():
        doubts.note_candidates(connection, number, candidates)
    told = {one.id: one.unproven for one in snapshot.suspects}
    why = {n: text for n, text in settlement.unproven.items() if told.get(n) != text}
    doubts.note_unproven(connection, why)
    return Settled(snapshot, adopted, voided, appeared)
