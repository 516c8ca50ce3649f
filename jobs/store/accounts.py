"""The account: the owner of this database, its balance, minimum balance, days and prices."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from ..database.tables import ACCOUNT, ATTEMPT, BUDGET, PRICE, UNSETTLED
from ..evidence.books import BalanceReading
from ..model.binding import token_hash
from ..model.clock import Moment, latest_begun, zone_of
from ..model.ledger import ACCOUNT_KEY, Scope, day_key
from ..ports.account import BalanceRead
from . import quiet, shown
from .prepared import Prepared, read
from .records.accounts import AccountRow, BudgetCap, PriceRow
from .rows import budgets_of, ensure_budget, load_budget


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


def set_time_zone(connection: Connection, zone: str) -> None:
    """Keep the time zone of the daily budget.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such zone.
    """
    ZoneInfo(zone)
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
    .limit(1),
    BudgetCap,
)


def current_day(connection: Connection, now: datetime) -> str:
    """Name the day in which an intent of now counts, and make its budget.

    It is the calendar day in the account's time zone, and never moves backwards: a clock that is
    set back must not open yesterday's budget again. A new day gets the last day's cap.
    """
    today = now.astimezone(zone_of(_ZONE.scalar(connection))).date().isoformat()
    last = _LAST_DAY.first(connection)
    if last is not None and last.key >= day_key(today):
        return last.key.partition(":")[2]
    ensure_budget(connection, day_key(today), None if last is None else last.cap_micros)
    return today


_CHARGED = Prepared(select(BUDGET.c.charged_micros).where(BUDGET.c.key == ACCOUNT_KEY))


def charged_so_far(connection: Connection) -> int:
    """Read what was ever charged: the mark to take when a reading of the balance begins."""
    return int(_CHARGED.scalar(connection))


def balance_covers_holds(connection: Connection) -> bool:
    """Check whether the last reading covers all that is held or was charged since it began.

    The minimum balance is left out: it is ours, and the provider knows nothing of it.
    """
    floor = connection.execute(select(ACCOUNT.c.floor_micros)).scalar_one()
    account = load_budget(connection, ACCOUNT_KEY)
    known = account.cap is not None
    return known and account.cap + floor >= account.charged + account.held


_FLOOR = Prepared(select(ACCOUNT.c.floor_micros))
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
    floor = _FLOOR.scalar(connection)
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


_LIST_LAG = Prepared(select(ACCOUNT.c.list_lag))


def list_lag(connection: Connection) -> float | None:
    """Read how long the account's list took to show an acceptance at most, in seconds."""
    lag: float | None = _LIST_LAG.scalar(connection)
    return lag


def announce_prices(connection: Connection, announced: Mapping[str, int], now: datetime) -> None:
    """Keep announced prices, in micros by kind, if none was learned or set."""
    known = known_prices(connection)
    for kind, micros in announced.items():
        row = known.get(kind)
        if row is None:
            connection.execute(
                insert(PRICE).values(
                    kind=kind,
                    last_micros=micros,
                    highest_micros=micros,
                    source="configured",
                    seen_at=now,
                )
            )
        elif row.source == "configured" and row.last_micros != micros:
            connection.execute(
                update(PRICE)
                .where(PRICE.c.kind == kind)
                .values(last_micros=micros, highest_micros=micros, seen_at=now)
            )


_PRICE = Prepared(select(PRICE).where(PRICE.c.kind == bindparam("kind")), PriceRow)


def price_of(connection: Connection, kind: str) -> PriceRow | None:
    """Read what is known of a kind's price; None when nothing is."""
    return _PRICE.first(connection, kind=kind)


def known_prices(connection: Connection) -> dict[str, PriceRow]:
    """Read every price by its kind's key."""
    return {row.kind: row for row in read(connection, select(PRICE), PriceRow)}


def has_unsettled(connection: Connection) -> bool:
    """Check whether there are attempts whose generation may be in the account unknown to us."""
    return connection.execute(select(ATTEMPT.c.id).where(UNSETTLED).limit(1)).first() is not None


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
