"""The account: the owner of this database, its balance, minimum balance, days and prices.

Prices of kinds are learned from answers, or set by a person (:mod:`jobs.model.pricing`).
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, func, select, update

from ..database.tables import ACCOUNT, ATTEMPT, BUDGET, PRICE
from ..evidence.books import BalanceReading
from ..model import pricing
from ..model.binding import token_hash, token_matches
from ..model.clock import Moment, latest_begun, zone_of
from ..model.ledger import ACCOUNT_KEY, Budget, Scope, day_key
from ..model.money import usd_text
from ..model.pricing import Known
from ..ports.account import AccountStore, BalanceRead, Listed, Ownership
from . import doubts, quiet, shown
from .bound import Bound, commits, reads
from .prepared import Prepared, columns_from
from .records import AccountRow, AttemptRow
from .rows import budgets_of, ensure_budget, load_budget

log = logging.getLogger(__name__)


def read_account(connection: Connection) -> AccountRow:
    """Read the one row of the account."""
    return shown.ACCOUNT_ROW.one(connection)


def keep(connection: Connection, **values: Any) -> None:
    """Set columns of the account's one row."""
    connection.execute(update(ACCOUNT).values(values))


def bind(connection: Connection, origin: str, token: str) -> None:
    """Bind the database to an API and an account, by a keyed hash: the token itself stays out."""
    salt = secrets.token_hex(16)
    keep(connection, api_origin=origin, token_salt=salt, token_hash=token_hash(salt, token))


_RUN = Prepared(select(ACCOUNT.c.run_id))


def is_run(connection: Connection, run_id: str) -> bool:
    """Check whether this is still the run that buys; read in the transaction of every claim."""
    return bool(_RUN.scalar(connection) == run_id)


_STARTING = "starting"
"""Stands for a run that has the lock and no id yet: it looks for earlier work, or asks."""
_STOP = Prepared(select(ACCOUNT.c.stop_run))


def begin(connection: Connection) -> None:
    """Forget the run before, and that it was asked to stop; one that is alive stops by itself."""
    keep(connection, run_id=None, stop_run=None)


def stop_is_asked(connection: Connection, run_id: str) -> bool:
    """Check whether a person has asked this run to stop; a later run has another id."""
    return _STOP.scalar(connection) in (run_id, _STARTING)


def stop_run(connection: Connection) -> None:
    """Ask the run that has the lock to stop; it does nothing to a later one."""
    keep(connection, stop_run=func.coalesce(ACCOUNT.c.run_id, _STARTING))


def set_time_zone(connection: Connection, zone: str) -> None:
    """Keep the time zone of the daily budget.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such zone.
    """
    ZoneInfo(zone)  # raises if there is no such zone
    keep(connection, time_zone=zone)


_ZONE = Prepared(select(ACCOUNT.c.time_zone))


def check_zone(connection: Connection) -> None:
    """Check that this machine knows the time zone of the daily budget."""
    zone_of(_ZONE.scalar(connection))


_CAP = Prepared(select(BUDGET.c.cap_micros).where(BUDGET.c.key == bindparam("of")))
_SET_CAP = Prepared(
    update(BUDGET).where(BUDGET.c.key == bindparam("of")).values(cap_micros=bindparam("cap"))
)


def cap(connection: Connection, key: str) -> int | None:
    """Read the kept cap of a budget."""
    found: int | None = _CAP.scalar(connection, of=key)
    return found


def set_cap(connection: Connection, key: str, cap: int | None) -> int | None:
    """Replace the kept cap of a budget; returns the one it had."""
    ensure_budget(connection, key)
    old: int | None = _CAP.scalar(connection, of=key)
    _SET_CAP.run(connection, of=key, cap=cap)
    return old


_LAST_DAY = Prepared(
    select(BUDGET.c.key, BUDGET.c.cap_micros)
    .where(*budgets_of(Scope.DAY))
    .order_by(BUDGET.c.key.desc())
    .limit(1)
)


def current_day(connection: Connection, now: datetime) -> str:
    """Name the day in which an intent of now counts, and make its budget.

    It is the calendar day in the account's time zone, and never moves backwards: a clock that is
    set back must not open yesterday's budget again. A new day gets the last day's cap.
    """
    today = now.astimezone(zone_of(_ZONE.scalar(connection))).date().isoformat()
    last, cap = _LAST_DAY.first(connection) or ("", None)
    if last >= day_key(today):
        return str(last).partition(":")[2]
    ensure_budget(connection, day_key(today), cap)
    return today


def today(connection: Connection, now: datetime) -> Budget:
    """Read the budget of the day in which an intent of now would count; nothing is written."""
    key = day_key(now.astimezone(zone_of(_ZONE.scalar(connection))).date().isoformat())
    last, cap = _LAST_DAY.first(connection) or ("", None)
    return load_budget(connection, last) if last >= key else Budget(key, cap, 0, 0)


_CHARGED = Prepared(select(BUDGET.c.charged_micros).where(BUDGET.c.key == ACCOUNT_KEY))


def charged_so_far(connection: Connection) -> int:
    """Read what was ever charged: the mark to take when a reading of the balance begins."""
    return int(_CHARGED.scalar(connection))


def balance_covers_holds(connection: Connection) -> bool:
    """Check whether the last reading covers all that is held or was charged since it began.

    The minimum balance is left out: it is ours, and the provider knows nothing of it.
    """
    account = load_budget(connection, ACCOUNT_KEY)
    floor = read_account(connection).floor_micros
    return account.cap is not None and account.cap + floor >= account.charged + account.held


_NOW = bindparam("now", type_=ACCOUNT.c.balance_at.type)
_KEEP_BALANCE = Prepared(
    update(ACCOUNT).values(balance_micros=bindparam("balance"), balance_at=_NOW)
)
_KEEP_FIRST_BALANCE = Prepared(
    update(ACCOUNT)
    .where(ACCOUNT.c.first_balance_at.is_(None))
    .values(
        first_balance_micros=bindparam("balance"),
        first_balance_at=_NOW,
        first_charged_micros=bindparam("mark"),
    )
)


def record_balance(connection: Connection, read: BalanceRead) -> bool:
    """Keep a reading of the balance (:meth:`jobs.ports.account.AccountStore.record_balance`).

    What was charged since the reading began, and all that is held, may or may not be in it already:
    both count against it (money.md, *Caps*). So the account's cap becomes what had been charged
    when the reading began, plus the reading, less the minimum balance.
    """
    balance, mark, now = read.balance, read.mark, read.at
    floor = read_account(connection).floor_micros
    _KEEP_BALANCE.run(connection, balance=balance, now=now)
    _KEEP_FIRST_BALANCE.run(connection, balance=balance, now=now, mark=mark)
    set_cap(connection, ACCOUNT_KEY, mark + balance - floor)
    charged = charged_so_far(connection)
    unsettled = shown.watch(connection, balance, charged)
    if charged == mark and not unsettled.open and not unsettled.doubts:
        theirs = None if read.ahead is None else now + read.ahead
        reading = BalanceReading(balance, mark)
        quiet.keep(connection, reading, read.began or Moment(now), now, theirs, read.grace)
    return charged == mark and not unsettled.open


def list_lag(connection: Connection, family: str) -> float | None:
    """Read how long a family's list took to show an acceptance at most, in seconds."""
    return read_account(connection).list_lags.get(family)


def keep_list_lag(connection: Connection, family: str, seconds: float) -> None:
    """Keep how long a family's list took to show an acceptance."""
    keep(connection, list_lags=read_account(connection).list_lags | {family: seconds})


def announce_prices(connection: Connection, announced: Mapping[str, int], now: datetime) -> None:
    """Keep announced prices, in micros by kind, if none was learned or set."""
    rows = connection.execute(select(PRICE.c.kind, PRICE.c.source, PRICE.c.last_micros))
    known = {kind: (source, last) for kind, source, last in rows}
    for kind, micros in announced.items():
        source, last = known.get(kind, ("configured", None))
        if source == "configured" and last != micros:
            found = {"last_micros": micros, "highest_micros": micros, "seen_at": now}
            _put_price(connection, kind, "configured", found)


_KNOWN = {
    "last": PRICE.c.last_micros,
    "highest": PRICE.c.highest_micros,
    "odd": PRICE.c.odd_micros,
}
_PRICE = Prepared(
    select(*columns_from(PRICE, Known, **_KNOWN)).where(PRICE.c.kind == bindparam("kind")), Known
)


def price_of(connection: Connection, kind: str) -> Known | None:
    """Read what is known of a kind's price; None when nothing is."""
    return _PRICE.first(connection, kind=kind)


WITNESSES = 3
"""Generations of ours by which a new token may show that it has the same account."""


def known_generations(connection: Connection) -> list[str]:
    """Return our newest generations, by which a new token can show that it has the same account."""
    newest = (
        select(ATTEMPT.c.generation_id)
        .where(ATTEMPT.c.generation_id.is_not(None))
        .order_by(ATTEMPT.c.id.desc())
        .limit(WITNESSES)
    )
    return list(connection.execute(newest).scalars())


def future_days(connection: Connection, now: datetime) -> list[str]:
    """List the days of the daily budget that have not begun anywhere: a clock was wrong."""
    found = connection.execute(
        select(BUDGET.c.key)
        .where(BUDGET.c.key > day_key(latest_begun(now)), *budgets_of(Scope.DAY))
        .order_by(BUDGET.c.key)
    )
    return [str(key.partition(":")[2]) for (key,) in found]


def reset_day(connection: Connection, now: datetime) -> list[str]:
    """Move what was spent and reserved on future days to today, with the attempts of those days."""
    gone = future_days(connection, now)
    if not gone:
        return []
    keys = [day_key(day) for day in gone]
    whose = BUDGET.c.key.in_(keys)
    charged, held, refunded = connection.execute(
        select(
            func.sum(BUDGET.c.charged_micros),
            func.sum(BUDGET.c.held_micros),
            func.sum(BUDGET.c.refunded_micros),
        ).where(whose)
    ).one()
    cap = connection.execute(
        select(BUDGET.c.cap_micros).where(BUDGET.c.key == keys[-1])
    ).scalar_one()
    connection.execute(delete(BUDGET).where(whose))
    today = current_day(connection, now)
    ensure_budget(connection, day_key(today))
    connection.execute(
        update(BUDGET)
        .where(BUDGET.c.key == day_key(today))
        .values(
            cap_micros=cap,
            charged_micros=BUDGET.c.charged_micros + charged,
            held_micros=BUDGET.c.held_micros + held,
            refunded_micros=BUDGET.c.refunded_micros + refunded,
        )
    )
    connection.execute(update(ATTEMPT).where(ATTEMPT.c.day.in_(gone)).values(day=today))
    return gone


def hold_of(known: Known | None, limit: int | None, ceiling: int) -> int | None:
    """Return what to hold for one submission of a kind, in micros; None if it may not be bought.

    ``limit`` is the batch's highest price for one video, ``ceiling`` what a kind without a known
    price holds.
    """
    if known is None:
        price = ceiling if limit is None else limit
        return None if limit == 0 else price
    return None if limit is not None and known.highest > limit else known.highest


def learn_price(connection: Connection, attempt: AttemptRow, price: int, now: datetime) -> None:
    """Learn from the price in an answer, in micros, above 0."""
    kind = attempt.kind
    last, highest, seen_at = attempt.last_micros, attempt.highest_micros, attempt.price_seen_at
    known = None
    if last is not None and highest is not None and seen_at is not None:
        known = Known(last, highest, seen_at, attempt.odd_micros, attempt.odd_at)
    found = pricing.learn(known, price, now)
    if known is None and found is not None:
        connection.execute(PRICE.insert().values(kind=kind, source="learned", **_values(found)))
        return
    odd = found is not None and known is not None and found.odd_at == now
    if odd and known is not None:
        log.warning(
            "%s cost $%s, and $%s before: charged, but trusted only when it is seen again",
            kind,
            usd_text(price),
            usd_text(known.last),
        )
    values = {} if found is None else _values(found)
    if not odd and attempt.price_source != "learned":
        values |= {"source": "learned", "seen_at": now}  # what was announced or set is confirmed
    if values:
        connection.execute(update(PRICE).where(PRICE.c.kind == kind).values(values))


def _values(known: Known) -> dict[str, Any]:
    return {
        "last_micros": known.last,
        "highest_micros": known.highest,
        "seen_at": known.seen_at,
        "odd_micros": known.odd,
        "odd_at": known.odd_at,
    }


def set_price(connection: Connection, kind: str, price: int, now: datetime) -> None:
    """Set what a kind costs, in micros, as a person says, until an answer shows another."""
    _put_price(connection, kind, "set", _values(Known(price, price, now)))


def _put_price(connection: Connection, kind: str, source: str, known: Mapping[str, Any]) -> None:
    values = {**known, "source": source}
    changed = connection.execute(update(PRICE).where(PRICE.c.kind == kind).values(values))
    if not changed.rowcount:
        connection.execute(PRICE.insert().values(kind=kind, **values))


def forget_price(connection: Connection, kind: str) -> None:
    """Forget what a kind costs: the next submission of it goes alone."""
    connection.execute(delete(PRICE).where(PRICE.c.kind == kind))


def _ownership(connection: Connection, origin: str, token: str) -> Ownership:
    account = read_account(connection)
    ours = token_matches(account, origin, token)
    if ours is not False:
        return Ownership(ours, account.api_origin)
    unsettled = doubts.count(connection) > 0
    return Ownership(ours, account.api_origin, known_generations(connection), unsettled)


def _listed(connection: Connection, generation_ids: Sequence[str]) -> Listed:
    return Listed(doubts.known(connection, generation_ids), doubts.newest_offset(connection))


class SqliteAccount(Bound, AccountStore):
    """What :class:`jobs.ports.account.AccountStore` says."""

    bind = commits(bind)
    charged = reads(charged_so_far)
    covers_holds = reads(balance_covers_holds)
    list_lag = reads(list_lag)
    listed = reads(_listed)
    ownership = reads(_ownership)
    record_balance = commits(record_balance)
