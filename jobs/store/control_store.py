"""What a person says, written to SQLite (:class:`jobs.ports.control.ControlStore`)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, select

from ..database.tables import BATCH, JOB, QUEUED
from ..model.errors import NoSuchCampaignError
from ..model.ledger import ACCOUNT_KEY, Scope, batch_key, campaign_key, day_key, keys_of
from ..model.retry import Patience
from ..model.states import FOUND, Blocked, HeldBack
from ..ports.control import (
    ControlStore,
    Handing,
    Offered,
    PaidBefore,
    Replaced,
    Room,
    Terms,
    TermsKept,
)
from ..ports.queries import QueryStore
from ..ports.seen import BatchRow, BatchStatus
from ..ports.selection import Sought
from . import accounts, browsing, handing, holding, looks, past, steering, views, voids
from .bound import Bound, writes
from .claims import BY_SCOPE
from .hold_ledger import HoldLedger
from .prepared import Prepared, as_list, one_of
from .query_store import Queries
from .records import JobTerms
from .rows import change

T = TypeVar("T")


def _reword(
    connection: Connection, job_ids: Sequence[int], prompt: str, give_up: Patience | None
) -> list[int]:
    return [one for one in job_ids if steering.reword(connection, one, prompt, give_up)]


def _pause(connection: Connection, name: str) -> tuple[bool, BatchStatus]:
    (batch,) = views.find_batches(connection, name)
    changed = steering.set_paused(connection, batch.id, paused=True)
    return changed, views.batch_status(connection, batch)


_LIKE: Final = Prepared(
    select(JOB.c.batch_id, JOB.c.kind, JOB.c.campaign, BATCH.c.paused, BATCH.c.max_price_micros)
    .distinct()
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(QUEUED, JOB.c.id.in_(one_of("jobs"))),
    JobTerms,
)


def in_the_way(connection: Connection, job_ids: Sequence[int], now: datetime, ceiling: int) -> Room:
    """Find what stops jobs in their batches, campaigns and the day, before anybody waits.

    The balance is left out: what is known of it is as old as the runner's last reading, and the
    runner may wait for money. So is what passes without action, and what jobs take from each other.
    A job that has left the queue has room. ``ceiling`` is what a kind without a known price holds.
    """
    ledger, day = HoldLedger(connection), accounts.current_day(connection, now)
    found = _LIKE.all(connection, jobs=as_list(job_ids))
    room = Room(some=not found, blocked={})
    for one in found:
        why = _why_not(ledger, one, day, ceiling)
        room |= Room(why is None, {} if why is None else {one.batch_id: frozenset({why})})
    return room


def _why_not(ledger: HoldLedger, job: JobTerms, day: str, ceiling: int) -> Blocked | None:
    if job.paused:
        return Blocked.PAUSED
    hold = accounts.hold_of(ledger.price_of(job.kind), job.max_price_micros, ceiling)
    if hold is None:
        return Blocked.PRICE
    keys = keys_of(job.batch_id, job.campaign, day)
    full = ledger.without_room([key for key in keys if key != ACCOUNT_KEY], hold)
    return None if full is None else BY_SCOPE[full.scope]


def _offer(
    connection: Connection, job_ids: Sequence[int], now: datetime, how: Handing, ceiling: int
) -> Offered:
    there = in_the_way(connection, job_ids, now, ceiling)
    return Offered(_offered(connection, job_ids, how, free=not there.blocked), there)


def _overrule(
    connection: Connection, sought: Sought, now: datetime, reason: HeldBack | None = None
) -> None:
    holding.overrule(connection, sought, now, reason)
    holding.release(connection, sought, FOUND if reason is None else [reason])


def _share(connection: Connection, found: Iterable[PaidBefore], now: datetime) -> int:
    return sum(past.share(connection, one, now) for one in found)


def _begin(connection: Connection) -> None:
    accounts.begin(connection)
    steering.serve_none(connection)


def _keep_place(
    connection: Connection,
    host: str,
    *,
    seal: str | None = None,
    bind: tuple[str, str] | None = None,
) -> None:
    accounts.keep(connection, host=host)
    if bind is not None:
        accounts.bind(connection, *bind)
    if seal is not None:
        accounts.keep(connection, seal=seal)


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


def keep_terms(connection: Connection, batch_id: int, said: Terms, now: datetime) -> TermsKept:
    """Keep what a person says may be spent of a batch and of the account."""
    if said.time_zone is not None:  # first: it says which day it is
        accounts.set_time_zone(connection, said.time_zone)
    terms, passed_over = _begin_with(connection, batch_id, said, now)
    replaced: list[Replaced] = []

    def cap(scope: Scope, key: str, new: int | None, campaign: str | None = None) -> None:
        old = accounts.set_cap(connection, key, new)
        if old is not None and old != new:
            replaced.append(Replaced(scope, campaign, old, new))

    if terms.batch is not None or Scope.BATCH in terms.lifted:
        cap(Scope.BATCH, batch_key(batch_id), terms.batch)
    _check_campaigns(connection, batch_id, terms.checked)
    for name, amount in terms.campaigns.items():
        cap(Scope.CAMPAIGN, campaign_key(batch_id, name), amount, name)
    if terms.day is not None or Scope.DAY in terms.lifted:
        cap(Scope.DAY, day_key(accounts.current_day(connection, now)), terms.day)
    if terms.max_price is not None:
        change(connection, BATCH, batch_id, max_price_micros=terms.max_price)
    if terms.floor is not None:
        accounts.keep(connection, floor_micros=terms.floor)
    before = None
    if terms.refunds is not None:
        before = steering.set_refunds(connection, batch_id, terms.refunds)
    return TermsKept(replaced, passed_over, None if before is terms.refunds else before)


def _begin_with(
    connection: Connection, batch_id: int, terms: Terms, now: datetime
) -> tuple[Terms, Mapping[str, int]]:
    """Apply initial values where nothing is set or kept; return the terms, and what differs."""
    passed_over: dict[str, int] = {}
    counts: dict[str, Any] = {}
    for name, micros in terms.begin.items():
        kept = _kept(connection, batch_id, name, now)
        if kept is None:
            counts["floor" if name == "min_balance" else name] = micros
        elif kept != micros:
            passed_over[name] = kept
    return replace(terms, **counts), passed_over


def _kept(connection: Connection, batch_id: int, name: str, now: datetime) -> int | None:
    match name:
        case "batch":
            return accounts.cap(connection, batch_key(batch_id))
        case "day":
            return accounts.cap(connection, day_key(accounts.current_day(connection, now)))
        case "max_price":
            price = select(BATCH.c.max_price_micros).where(BATCH.c.id == batch_id)
            kept: int | None = connection.execute(price).scalar_one()
            return kept
    return accounts.read_account(connection).floor_micros or None


def _check_campaigns(connection: Connection, batch_id: int, campaigns: Collection[str]) -> None:
    """Refuse a cap that would cap nothing: a misspelt campaign would spend without limit."""
    known = views.campaigns(connection, batch_id) if campaigns else []
    for name in campaigns:
        if name not in known:
            raise NoSuchCampaignError(name, known[:10])


class Control(Bound, ControlStore):
    """Changes what a person says, each in a transaction of its own."""

    announce_prices = writes(accounts.announce_prices)
    archive = writes(steering.archive)
    ask_for = writes(ask_for)
    begin = writes(_begin)
    bind = writes(accounts.bind)
    buy_unlooked = writes(holding.buy_unlooked)
    cancel = writes(steering.cancel)
    follow_voids = writes(voids.follow)
    forget_price = writes(accounts.forget_price)
    give_up = writes(steering.abandon)
    hand_over = writes(handing.hand_over)
    hold_paid_before = writes(past.hold)
    judge = writes(browsing.judge)
    keep_place = writes(_keep_place)
    look_sooner = writes(looks.announce)
    name_generations = writes(looks.name)
    offer = writes(_offer)
    overrule = writes(_overrule)
    pause = writes(_pause)
    redo = writes(steering.redo)
    remove = writes(steering.remove)
    reset_day = writes(accounts.reset_day)
    retry = writes(steering.retry)
    reword = writes(_reword)
    set_price = writes(accounts.set_price)
    set_terms = writes(keep_terms)
    share = writes(_share)
    stop_run = writes(accounts.stop_run)

    def resume(self, name: str, agree: Callable[[QueryStore, BatchRow], T]) -> tuple[bool, T]:
        def work(connection: Connection) -> tuple[bool, T]:
            (batch,) = views.find_batches(connection, name)
            found = agree(Queries.on(connection), batch)
            return steering.set_paused(connection, batch.id, paused=False), found

        return self._store.write(work)
