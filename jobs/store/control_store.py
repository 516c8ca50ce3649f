"""What a person says, written to SQLite (:class:`jobs.ports.control.ControlStore`)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from ..again import Patience
from ..ports.control import Handing, Offered, PaidBefore, Terms, TermsKept
from ..ports.queries import QueryStore
from ..ports.seen import BatchRow, BatchStatus
from ..ports.selection import Sought, Verdict
from ..states import FOUND, HeldBack
from . import (
    accounts,
    days,
    handing,
    holding,
    looks,
    past,
    prices,
    reviews,
    room,
    standing,
    steering,
    terms,
    views,
    voids,
)
from .query_store import Queries

if TYPE_CHECKING:
    from .database import Store

T = TypeVar("T")


class Control:
    """Changes what a person says, each in a transaction of its own.

    Args:
        store: that writes.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store

    def set_terms(self, batch_id: int, said: Terms, now: datetime) -> TermsKept:
        return self._store.write(lambda c: terms.keep(c, batch_id, said, now))

    def retry(
        self, job_ids: Sequence[int], give_up: Patience | None, *, now: datetime | None
    ) -> list[int]:
        return self._store.write(lambda c: steering.retry(c, job_ids, give_up, now=now))

    def reword(self, job_ids: Sequence[int], prompt: str, give_up: Patience | None) -> list[int]:
        return self._store.write(
            lambda c: [one for one in job_ids if steering.reword(c, one, prompt, give_up)]
        )

    def redo(self, job_ids: Sequence[int], now: datetime) -> list[int]:
        return self._store.write(lambda c: steering.redo(c, job_ids, now))

    def cancel(self, job_ids: Sequence[int], now: datetime) -> list[int]:
        return self._store.write(lambda c: steering.cancel(c, job_ids, now))

    def give_up(self, job_ids: Sequence[int], patience: Patience) -> list[int]:
        return self._store.write(lambda c: standing.give_up(c, job_ids, patience))

    def remove(self, batch_id: int, now: datetime) -> int:
        return self._store.write(lambda c: steering.remove(c, batch_id, now))

    def pause(self, name: str) -> tuple[bool, BatchStatus]:
        def work(connection: Connection) -> tuple[bool, BatchStatus]:
            (batch,) = views.find_batches(connection, name)
            changed = steering.set_paused(connection, batch.id, paused=True)
            return changed, views.batch_status(connection, batch)

        return self._store.write(work)

    def resume(self, name: str, agree: Callable[[QueryStore, BatchRow], T]) -> tuple[bool, T]:
        def work(connection: Connection) -> tuple[bool, T]:
            (batch,) = views.find_batches(connection, name)
            found = agree(Queries.on(connection), batch)
            return steering.set_paused(connection, batch.id, paused=False), found

        return self._store.write(work)

    def offer(self, job_ids: Sequence[int], now: datetime, how: Handing, ceiling: int) -> Offered:
        def work(connection: Connection) -> Offered:
            there = room.in_the_way(connection, job_ids, now, ceiling)
            return Offered(_offered(connection, job_ids, how, free=not there.blocked), there)

        return self._store.write(work)

    def hand_over(self, job_ids: Collection[int]) -> None:
        self._store.write(lambda c: handing.hand_over(c, job_ids))

    def ask_for(self, sought: Sought, now: datetime, *, again: bool) -> None:
        self._store.write(lambda c: ask_for(c, sought, now, again=again))

    def overrule(self, sought: Sought, now: datetime, reason: HeldBack | None = None) -> None:
        def work(connection: Connection) -> None:
            holding.overrule(connection, sought, now, reason)
            holding.release(connection, sought, FOUND if reason is None else [reason])

        self._store.write(work)

    def buy_unlooked(self, sought: Sought, job_ids: Iterable[int], now: datetime) -> None:
        self._store.write(lambda c: holding.buy_unlooked(c, sought, job_ids, now))

    def hold_paid_before(self, sought: Sought) -> list[PaidBefore]:
        return self._store.write(lambda c: past.hold(c, sought))

    def share(self, found: Iterable[PaidBefore], now: datetime) -> int:
        return self._store.write(lambda c: sum(past.share(c, one, now) for one in found))

    def follow_voids(self) -> None:
        self._store.write(voids.follow)

    def judge(self, attempt_id: int, verdict: Verdict | None, now: datetime) -> None:
        self._store.write(lambda c: reviews.judge(c, attempt_id, verdict, now))

    def set_price(self, kind: str, price: int, now: datetime) -> None:
        self._store.write(lambda c: prices.put(c, kind, price, now))

    def forget_price(self, kind: str) -> None:
        self._store.write(lambda c: prices.forget(c, kind))

    def announce_prices(self, announced: Mapping[str, int], now: datetime) -> None:
        self._store.write(lambda c: accounts.announce_prices(c, announced, now))

    def reset_day(self, now: datetime) -> list[str]:
        return self._store.write(lambda c: days.reset_day(c, now))

    def begin(self) -> None:
        def work(connection: Connection) -> None:
            accounts.take_over(connection)
            steering.serve_none(connection)

        self._store.write(work)

    def bind(self, origin: str, token: str) -> None:
        self._store.write(lambda c: accounts.bind(c, origin, token))

    def keep_place(
        self, host: str, *, seal: str | None = None, bind: tuple[str, str] | None = None
    ) -> None:
        def work(connection: Connection) -> None:
            accounts.keep_host(connection, host)
            if bind is not None:
                accounts.bind(connection, *bind)
            if seal is not None:
                accounts.keep_seal(connection, seal)

        self._store.write(work)

    def look_sooner(self, generation_ids: Sequence[str]) -> None:
        self._store.write(lambda c: looks.announce(c, generation_ids))


def _offered(connection: Connection, job_ids: Sequence[int], how: Handing, *, free: bool) -> bool:
    """Hand jobs over, and say whether a runner takes them up."""
    match how:
        case Handing.NOTHING:
            return False
        case Handing.SERVED:
            return handing.is_served(connection)
        case Handing.BY_NAME if handing.is_served(connection):
            holding.ask_by_name(connection, job_ids)
        case Handing.SINGLE:
            return free and handing.offer(connection, job_ids, unasked=True)
    return handing.offer(connection, job_ids)


def ask_for(connection: Connection, sought: Sought, now: datetime, *, again: bool) -> None:
    """Write down with rows what a person has asked for now, and what was left out."""
    if again:
        holding.overrule(connection, sought, now)
    holding.release(connection, sought, sought.overruled(again=again))
    for batch_id, rows in sought.rows.items():
        holding.pick(connection, batch_id, rows)
