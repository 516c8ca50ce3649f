"""Loads rows into a database in one step."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jobs.model.provider import GenerationRequest
from jobs.model.spec import JobSpec, spec_row
from jobs.ports.loading import LoadReport
from jobs.store import incoming, loading


def load(
    connection: Connection,
    batch_id: int,
    specs: Iterable[JobSpec],
    kind_of: Callable[[GenerationRequest], str],
    now: datetime,
    *on_change: Any,
    **options: Any,
) -> LoadReport:
    """Fill the temporary table with rows, and bring them into a batch."""
    incoming.fill(connection, (spec_row(spec, kind_of(spec.request)) for spec in specs))
    return loading.merge(connection, batch_id, now, *on_change, **options)
