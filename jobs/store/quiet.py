"""Quiet readings of the balance, and what may have moved it since (:mod:`jobs.books`)."""

from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, text, update

from ..books import (
    GIVEN_UP_WITHIN,
    REFUNDED_WITHIN,
    ROUNDING,
    SHOWN_WITHIN,
    BalanceReading,
    Books,
)
from ..suspects import AHEAD
from ..tables import ACCOUNT, ATTEMPT, PRICE
from .prepared import Prepared

NEWEST: Final = 1000
"""Attempts among which one that was accepted just now is looked for."""

_ACCOUNT = Prepared(select(ACCOUNT))
_TIME = ATTEMPT.c.accepted_at.type


def _at(name: str) -> Any:
    return bindparam(name, type_=_TIME)


_ESTIMATED = Prepared(
    select(ATTEMPT.c.price_micros, ATTEMPT.c.hold_micros, PRICE.c.last_micros, ATTEMPT.c.intent_at)
    .outerjoin(PRICE, PRICE.c.kind == ATTEMPT.c.kind)
    .where(
        text("attempt.price_estimated"),
        ATTEMPT.c.accepted_at >= _at("since"),
        ATTEMPT.c.idempotency_key != "",  # what was taken over was charged to somebody before
    )
)
_BOUGHT_SINCE = Prepared(
    select(ATTEMPT.c.id)
    .where(
        ATTEMPT.c.id > select(func.max(ATTEMPT.c.id) - NEWEST).scalar_subquery(),
        ATTEMPT.c.accepted_at >= _at("lately"),
    )
    .limit(1)
)
_UNENDED = Prepared(
    select(ATTEMPT.c.generation_id, ATTEMPT.c.overdue_at).where(text("attempt.state = 'accepted'"))
)
_FAILED = Prepared(
    select(ATTEMPT.c.id)
    .where(text("attempt.state = 'failed'"), ATTEMPT.c.ended_at >= _at("since"))
    .limit(1)
)
_GIVEN_UP = Prepared(
    select(ATTEMPT.c.id)
    .where(text("attempt.state = 'abandoned'"), ATTEMPT.c.accepted_at >= _at("since"))
    .limit(1)
)
_UNDER_WAY = Prepared(
    select(func.coalesce(func.sum(ATTEMPT.c.hold_micros), 0)).where(
        text("attempt.state IN ('open', 'in_doubt')"),  # the partial index's own words
        text("attempt.state = 'open'"),
    )
)


def keep(connection: Connection, balance: int, mark: int, now: datetime) -> None:
    """Keep a reading while nothing was under way or in doubt.

    One that may not show what was bought just now is none.
    """
    account = _ACCOUNT.first(connection)
    steady = False
    if account.quiet_at is not None:
        fell = account.quiet_balance_micros - balance
        adopted = _ESTIMATED.all(connection, since=account.quiet_at)
        steady = abs(fell - _charged(account, mark, adopted)) <= ROUNDING
    if not steady and _BOUGHT_SINCE.first(connection, lately=now - SHOWN_WITHIN) is not None:
        return
    connection.execute(
        update(ACCOUNT).values(
            quiet_balance_micros=balance, quiet_charged_micros=mark, quiet_at=now
        )
    )


def books_since(
    connection: Connection,
    reading: BalanceReading,
    now: datetime,
    *,
    done: Container[str],
    strangers: int,
    polled: bool,
) -> Books | None:
    """Compare a reading of the balance with the last quiet one.

    Args:
        connection: a snapshot.
        reading: of the balance.
        now: the time.
        done: generations that the list, read after the balance, shows as completed.
        strangers: generations of others that are known, and that may be given back.
        polled: whether what has not ended is looked at meanwhile.

    Returns:
        None where there was no quiet reading yet, or a clock was wrong when it was taken.
    """
    account = _ACCOUNT.first(connection)
    quiet_at = account.quiet_at
    if quiet_at is None or quiet_at > now + AHEAD:
        return None
    shown = max(reading.shown or 0, account.quiet_charged_micros)
    unended = [row for row in _UNENDED.all(connection) if row.generation_id not in done]
    live = sum(row.overdue_at is None for row in unended) if polled else 0
    adopted = _ESTIMATED.all(connection, since=quiet_at)
    loose = (
        strangers,
        len(unended) - live,
        sum(row.intent_at < quiet_at for row in adopted),  # perhaps they were charged before
        _any(_FAILED, connection, quiet_at - REFUNDED_WITHIN),
        _any(_GIVEN_UP, connection, quiet_at - GIVEN_UP_WITHIN),
    )
    return Books(
        fell=account.quiet_balance_micros - reading.balance,
        charged=_charged(account, reading.mark, adopted),
        loose=sum(loose),
        passing=live + (reading.mark > shown),
        under_way=int(_UNDER_WAY.scalar(connection)),
    )


def _any(query: Prepared, connection: Connection, since: datetime) -> bool:
    return query.first(connection, since=since) is not None


def _charged(account: Any, mark: int, adopted: Sequence[Any]) -> int:
    """Return what was charged since the quiet reading, at the least that it can have been.

    What was ``adopted`` since is booked at the most: it may have cost what its kind cost when it
    was sent, or what it costs now, or nobody knows what.
    """
    most = sum(int(row.price_micros) for row in adopted)
    least = sum(
        min(int(row.price_micros), int(row.hold_micros), int(row.last_micros or 0))
        for row in adopted
    )
    return int(mark - account.quiet_charged_micros - (most - least))
