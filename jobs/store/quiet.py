"""Quiet readings of the balance, and what may have moved it since (:mod:`jobs.books`)."""

from collections.abc import Container
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, func, select, text, update

from ..books import REFUNDED_WITHIN, ROUNDING, SHOWN_WITHIN, BalanceReading, Books
from ..tables import ACCOUNT, ATTEMPT, JOB, PRICE
from .prepared import Prepared

_ACCOUNT = Prepared(select(ACCOUNT))
_TIME = ATTEMPT.c.accepted_at.type


def _at(name: str) -> Any:
    return bindparam(name, type_=_TIME)


_ESTIMATED = Prepared(
    select(
        ATTEMPT.c.price_micros,
        PRICE.c.last_micros,
        ATTEMPT.c.intent_at,
    )
    .outerjoin(PRICE, PRICE.c.kind == ATTEMPT.c.kind)
    .where(
        text("attempt.price_estimated"),
        ATTEMPT.c.accepted_at >= _at("since"),
        ATTEMPT.c.idempotency_key != "",  # what was taken over was charged to somebody before
    )
)
NEWEST: Final = 1000
"""Attempts among which one that was accepted just now is looked for."""

_BOUGHT_SINCE = Prepared(
    select(ATTEMPT.c.id)
    .where(
        ATTEMPT.c.id > select(func.max(ATTEMPT.c.id) - NEWEST).scalar_subquery(),
        ATTEMPT.c.accepted_at >= _at("lately"),
    )
    .limit(1)
)
_UNENDED = Prepared(
    select(ATTEMPT.c.generation_id, ATTEMPT.c.price_micros, ATTEMPT.c.overdue_at).where(
        text("attempt.state = 'accepted'")
    )
)
_ITS_LAST = and_(JOB.c.id == ATTEMPT.c.job_id, JOB.c.attempt_id == ATTEMPT.c.id)
_KEPT_KINDS = Prepared(
    select(JOB.c.error_kind)
    .distinct()
    .select_from(ATTEMPT.join(JOB, _ITS_LAST))
    .where(
        text("attempt.state = 'failed'"),
        ATTEMPT.c.ended_at.between(_at("since"), _at("until")),
        JOB.c.error_kind.is_not(None),
    )
)
_FAILED = Prepared(
    select(func.sum(ATTEMPT.c.price_micros).label("price"), JOB.c.error_kind)
    .select_from(ATTEMPT.outerjoin(JOB, _ITS_LAST))
    .where(text("attempt.state = 'failed'"), ATTEMPT.c.ended_at >= _at("since"))
    .group_by(JOB.c.error_kind)
)
_DEAREST = Prepared(select(func.coalesce(func.max(PRICE.c.highest_micros), 0)))


def keep(connection: Connection, balance: int, mark: int, now: datetime) -> None:
    """Keep a reading while nothing was under way or in doubt, and what it shows of refunds.

    One that may not show what was bought just now is none. Where the balance moved by nothing but
    our purchases since the last one, what failed was kept by the provider so far; where it fell by
    less, and by just what failed, all of that was given back.
    """
    account = _ACCOUNT.first(connection)
    beside = _moved_beside(connection, account, balance, mark)
    steady = beside is not None and abs(beside) <= ROUNDING
    if not steady and _BOUGHT_SINCE.first(connection, lately=now - SHOWN_WITHIN) is not None:
        return
    refunded = (
        beside is not None
        and not steady
        and (abs(beside + _refundable(connection, account)) <= ROUNDING)
    )
    connection.execute(
        update(ACCOUNT).values(
            quiet_balance_micros=balance,
            quiet_charged_micros=mark,
            quiet_at=now,
            steady_since=(account.steady_since if steady else None) or now,
            refunded_until=now if refunded else account.refunded_until,
        )
    )


def _moved_beside(connection: Connection, account: Any, balance: int, mark: int) -> int | None:
    """Return by how much the balance fell beside what we bought; None where that is unknown."""
    if account.quiet_at is None:
        return None
    overbooked = _overbooked(connection, account.quiet_at)
    if overbooked is None:
        return None
    charged = mark - account.quiet_charged_micros - overbooked
    return int(account.quiet_balance_micros - balance - charged)


def books_since(
    connection: Connection,
    reading: BalanceReading,
    *,
    alive: Container[str],
    strangers: int,
) -> Books | None:
    """Compare a reading of the balance with the last quiet one.

    Args:
        connection: a snapshot.
        reading: of the balance.
        alive: generations that the list, read after the balance, shows as not failed.
        strangers: generations of others that the list shows, and that may be given back.

    Returns:
        None where there was no quiet reading yet, or a price is only guessed.
    """
    account = _ACCOUNT.first(connection)
    beside = _moved_beside(connection, account, reading.balance, reading.mark)
    if beside is None:
        return None
    shown = max(reading.shown or 0, account.quiet_charged_micros)
    early = sum(
        row.price_micros
        for row in _ESTIMATED.all(connection, since=account.quiet_at)
        if row.intent_at < account.quiet_at  # adopted late: perhaps it was charged before
    )
    unended = [row for row in _UNENDED.all(connection) if row.generation_id not in alive]
    overdue = sum(row.price_micros for row in unended if row.overdue_at is not None)
    passing = reading.mark - shown + sum(row.price_micros for row in unended) - overdue
    fell = account.quiet_balance_micros - reading.balance
    return Books(
        fell=fell,
        charged=fell - beside,
        loose=early
        + overdue
        + _refundable(connection, account)
        + strangers * int(_DEAREST.scalar(connection)),
        passing=passing,
    )


def _overbooked(connection: Connection, since: datetime) -> int | None:
    """Sum up by how much estimated prices exceed what their kinds cost; None: that is unknown."""
    estimated = _ESTIMATED.all(connection, since=since)
    if any(row.last_micros is None for row in estimated):
        return None
    return sum(int(row.price_micros - row.last_micros) for row in estimated)


def _refundable(connection: Connection, account: Any) -> int:
    """Sum up what failed and may have been given back since the last quiet reading, in micros.

    Not what a quiet reading showed given back, nor failures of a kind of which one was watched for
    as long as refunds may take, and nothing was given back.
    """
    settled = account.quiet_at - REFUNDED_WITHIN
    kept: set[str] = set()
    if account.steady_since is not None and account.steady_since < settled:
        kept = set(_KEPT_KINDS.column(connection, since=account.steady_since, until=settled))
    since = max(settled, account.refunded_until or settled)
    failed = _FAILED.all(connection, since=since)
    return sum(int(row.price) for row in failed if row.error_kind not in kept)
