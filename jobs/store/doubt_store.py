"""Doubts, in SQLite."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from ..evidence.account_list import Reading
from ..evidence.books import Books
from ..evidence.ours import Acceptance
from ..evidence.suspects import WATCHED, Appeared, ClockOffset, shown_since
from ..model.ledger import ACCOUNT_KEY
from ..model.provider import Generation
from ..ports.doubts import (
    D,
    DoubtDecision,
    DoubtSnapshot,
    DoubtStore,
    JobsDoubt,
    Ledger,
    MoneyBeside,
    Searched,
    Settled,
)
from ..ports.seen import GenerationOwner
from . import accounts, doubts, latecomers, outcomes, quiet, shown, views
from .bound import Bound, commits, reads, writes
from .rows import load_budget


def _keep_lag(
    connection: Connection,
    family: str,
    generation_ids: Sequence[str],
    longest: Callable[[Mapping[str, Acceptance]], float | None],
) -> Mapping[str, Acceptance]:
    ours = doubts.known(connection, generation_ids)
    lag = longest(ours)
    if lag is not None:
        accounts.keep_list_lag(connection, family, lag)
    return ours


def _of_job(connection: Connection, job_id: int) -> JobsDoubt:
    last = views.attempts_of(connection, job_id)[-1]
    return JobsDoubt(
        doubts.LAST_OF_JOB.one(connection, job=job_id),
        doubts.clock_offset(connection, last.id),
        last.doubt_clock,
        last.send_before,
        last.candidates or (),
    )


def _search(
    connection: Connection,
    attempt_id: int,
    reading: Reading,
    candidates: Sequence[Generation],
    since: datetime,
) -> Searched:
    ours = doubts.known(connection, [one.id for one in reading.generations])
    found = [one for one in candidates if one.id not in ours]
    if found:
        doubts.note_candidates(connection, attempt_id, found)
    return Searched(
        len(found),
        ours,
        doubts.expected(connection, reading.family, attempt_id, since),
        bool(accounts.known_generations(connection)),
        accounts.list_lag(connection, reading.family),
    )


def _adopt(
    connection: Connection, attempt_id: int, generation_id: str, now: datetime
) -> GenerationOwner | bool:
    owner = views.attempt_of_generation(connection, generation_id)
    return owner or outcomes.adopt(connection, attempt_id, generation_id, now)


def _settle_named(
    connection: Connection, attempt_id: int, generation_id: str, now: datetime
) -> Appeared | None:
    if views.attempt_of_generation(connection, generation_id) is not None:
        return None
    if outcomes.adopt(connection, attempt_id, generation_id, now):
        return Appeared.ADOPTED
    return latecomers.reappear(connection, attempt_id, generation_id, now)


def _void(connection: Connection, attempt_id: int, reason: str, now: datetime) -> bool:
    return outcomes.void(connection, attempt_id, reason, now, on_word=True)


def _ledger(connection: Connection, generation_ids: Sequence[str]) -> Ledger:
    budget = load_budget(connection, ACCOUNT_KEY)
    account = accounts.read_account(connection)
    return Ledger(
        frozenset(doubts.known(connection, generation_ids)),
        budget.charged,
        budget.held,
        account.first_balance_micros,
        account.first_charged_micros or 0,
    )


def _offsets(connection: Connection, attempt_ids: Sequence[int]) -> dict[int, ClockOffset]:
    return {number: doubts.clock_offset(connection, number) for number in attempt_ids}


def _snapshot(
    connection: Connection, reading: Reading, now: datetime, money: MoneyBeside | None
) -> DoubtSnapshot:
    """Read what is known beside a reading; first what the list itself shows is kept."""
    ours = doubts.known(connection, [generation.id for generation in reading.generations])
    doubts.note_created(connection, _created(reading, ours))
    suspects = [
        one for one in doubts.suspects(connection, now - WATCHED) if one.family == reading.family
    ]
    since = shown_since((one.intent_at for one in suspects), now)
    expected: Sequence[Acceptance] = ()
    if since is not None:
        oldest = min(one.id for one in suspects)
        expected = doubts.expected(connection, reading.family, oldest, since)
    books, claimed = None, frozenset[str]()
    if money is not None:
        claimed = frozenset(doubts.known(connection, [*money.strangers]))
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
    connection: Connection,
    family: str,
    snapshot: DoubtSnapshot,
    decided: DoubtDecision,
    now: datetime,
) -> Settled:
    settlement = decided.settlement
    if decided.lag is not None:
        accounts.keep_list_lag(connection, family, decided.lag)
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


class SqliteDoubts(Bound, DoubtStore):
    """What :class:`jobs.ports.doubts.DoubtStore` says."""

    adopt = writes(_adopt)
    clock_offsets = reads(_offsets)
    first_intent = reads(doubts.oldest_intent)
    kinds_bought = reads(doubts.kinds_bought)
    kinds_queued = reads(doubts.kinds_queued)
    kinds_under_way = reads(doubts.kinds_under_way)
    known = reads(doubts.known)
    keep_lag = commits(_keep_lag)
    ledger = reads(_ledger)
    note_unproven = commits(doubts.note_unproven)
    of_job = reads(_of_job)
    owner_of = reads(views.attempt_of_generation)
    search = writes(_search)
    settle_named = commits(_settle_named)
    suspects = reads(doubts.suspects)
    void = writes(_void)

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
            return decided, _write(connection, reading.family, snapshot, decided, now)

        await self._store.commit(work, lambda done: remember(*done))
