"""What a person does to batches: which are served, what they wait for, how rows are limited."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from ..tables import BATCH, JOB


def activate(connection: Connection, batch_ids: Iterable[int]) -> None:
    """Make these, and no others, the batches that the runner serves.

    Batches that another terminal or the page activates while the runner lives are served as well.
    """
    wanted = list(batch_ids)
    connection.execute(update(BATCH).values(active=BATCH.c.id.in_(wanted), waiting_for=None))


def set_waiting(connection: Connection, waits: Mapping[int, str]) -> None:
    """Write down what each active batch waits for; the others wait for nothing."""
    for row in connection.execute(
        select(BATCH.c.id, BATCH.c.waiting_for).where(BATCH.c.active)
    ).all():
        wanted = waits.get(row.id)
        if wanted != row.waiting_for:
            connection.execute(update(BATCH).where(BATCH.c.id == row.id).values(waiting_for=wanted))


def set_max_price(connection: Connection, batch_id: int, micros: int) -> Any:
    """Keep the highest price that a batch may pay for one video; returns the one it had."""
    old = connection.execute(
        select(BATCH.c.max_price_micros).where(BATCH.c.id == batch_id)
    ).scalar_one()
    connection.execute(update(BATCH).where(BATCH.c.id == batch_id).values(max_price_micros=micros))
    return old


def last_row_of_first(connection: Connection, batch_id: int, rows: int) -> int | None:
    """Say which manifest row is the N-th, for ``--first N``; None when there are fewer."""
    return connection.execute(
        select(JOB.c.row)
        .distinct()
        .where(JOB.c.batch_id == batch_id, JOB.c.in_manifest)
        .order_by(JOB.c.row)
        .offset(rows - 1)
        .limit(1)
    ).scalar_one_or_none()
