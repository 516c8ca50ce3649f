"""Days of the daily budget that lie in the future, because a clock was wrong when they began."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from ..database.tables import ATTEMPT, BUDGET
from ..model.days import latest_begun
from ..model.ledger import Scope, day_key
from . import accounts
from .rows import budgets_of, ensure_budget


def future_days(connection: Connection, now: datetime) -> list[str]:
    """List the days of the budget that have begun nowhere yet, first to last."""
    found = connection.execute(
        select(BUDGET.c.key)
        .where(BUDGET.c.key > day_key(latest_begun(now)), *budgets_of(Scope.DAY))
        .order_by(BUDGET.c.key)
    )
    return [str(key.partition(":")[2]) for (key,) in found]


def reset_day(connection: Connection, now: datetime) -> list[str]:
    """Move what was spent and reserved under days of the future to the day that it is.

    Also the attempts: what becomes of them later is booked where their reservation is.

    Returns:
        The days that are gone.
    """
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
    today = accounts.current_day(connection, now)
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
