"""Whether jobs that are asked for have room, as the claim of a runner will see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from ..database.tables import BATCH, JOB, QUEUED
from ..model.ledger import ACCOUNT_KEY, keys_of
from ..model.states import Blocked
from ..ports.control import Room
from . import accounts, prices
from .claims import BY_SCOPE, HoldLedger
from .prepared import Prepared, as_list, one_of
from .records.jobs import JobTerms

_LIKE: Final = Prepared(
    select(JOB.c.batch_id, JOB.c.kind, JOB.c.campaign, BATCH.c.paused, BATCH.c.max_price_micros)
    .distinct()
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .where(QUEUED, JOB.c.id.in_(one_of("jobs"))),
    JobTerms,
)


def in_the_way(connection: Connection, job_ids: Sequence[int], now: datetime, ceiling: int) -> Room:
    """Find what batches, campaigns and the day have in the way of jobs, before anybody waits.

    The balance is left out: what is known of it is as old as the runner's last reading, and the
    runner may wait for money. So is what passes by itself, and what jobs take from each other.

    Args:
        connection: in a writing transaction.
        job_ids: of jobs; one that has left the queue has room.
        now: decides which day's budget counts.
        ceiling: micros to hold for a kind whose price nobody knows yet.
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
    hold = prices.hold_of(ledger.price_of(job.kind), job.max_price_micros, ceiling)
    if hold is None:
        return Blocked.PRICE
    keys = keys_of(job.batch_id, job.campaign, day)
    full = ledger.without_room([key for key in keys if key != ACCOUNT_KEY], hold)
    return None if full is None else BY_SCOPE[full.scope]
