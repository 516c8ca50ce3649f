"""Rows of events."""

from datetime import datetime
from typing import NamedTuple


class EventRow(NamedTuple):
    """An event, with what its batch, job and attempt are called now; None: they are gone."""

    id: int
    at: datetime
    kind: str
    batch_id: int | None
    job_id: int | None
    attempt_id: int | None
    reason: str | None
    message: str | None
    name: str | None
    key: str | None
    row: int | None
    generation_id: str | None
    price_micros: int | None
