"""Whether a job that is handed to a living runner has room, as that runner's claim will see it."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select

from ..ledger import ACCOUNT_KEY, keys_of
from ..tables import BATCH, JOB, QUEUED
from . import accounts, prices
from .claims import BY_SCOPE, Blocked
from .prepared import Prepared
from .till import Till

_JOB: Final = Prepared(
    select(JOB.c.batch_id, JOB.c.kind, JOB.c.campaign, BATCH.c.paused, BATCH.c.max_price_micros)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(QUEUED, JOB.c.id == bindparam("job"))
)


def in_the_way(
    connection: Connection, job_id: int, now: datetime, ceiling: int
) -> dict[int, frozenset[Blocked]]:
    """Find what its batch, campaign and day have in the way of a job, before anybody waits for it.

    The balance is left out: what is known of it is as old as the runner's last reading, and the
    runner may wait for money. So is what passes by itself.

    Args:
        connection: in a writing transaction.
        job_id: of a job; one that has left the queue has room.
        now: decides which day's budget counts.
        ceiling: micros to hold for a kind whose price nobody knows yet.

    Returns:
        The reason, by the number of its batch, as a run tells it; empty where there is room.
    """
    job = _JOB.first(connection, job=job_id)
    if job is None:
        return {}
    if job.paused:
        return {job.batch_id: frozenset({Blocked.PAUSED})}
    till = Till(connection)
    hold = prices.hold_of(till.price_of(job.kind), job.max_price_micros, ceiling)
    if hold is None:
        return {job.batch_id: frozenset({Blocked.PRICE})}
    keys = keys_of(job.batch_id, job.campaign, accounts.current_day(connection, now))
    full = till.without_room([key for key in keys if key != ACCOUNT_KEY], hold)
    return {} if full is None else {job.batch_id: frozenset({BY_SCOPE[full.scope]})}
