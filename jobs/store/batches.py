"""Finding and making the batch of a manifest."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from ..database.tables import BATCH
from ..model.errors import NamesakeError
from ..ports.loading import WRITTEN
from ..ports.seen import BatchRow
from .prepared import Prepared

_NAMED = Prepared(select(BATCH).where(BATCH.c.name == bindparam("name")))
_FROM = Prepared(
    select(BATCH)
    .where(BATCH.c.source == bindparam("source"), BATCH.c.removed_at.is_(None))
    .order_by(BATCH.c.id.desc())
    .limit(1)
)


def find_batch(connection: Connection, name: str | None, source: str) -> BatchRow | None:
    """Find the batch that a manifest was loaded as, by name if given, else by its path."""
    if name is not None:
        found = _NAMED.first(connection, name=name)
    else:
        found = _FROM.first(connection, source=source)
    return None if found is None else BatchRow(*found)


def batch_of(
    connection: Connection, name: str | None, default_name: str, source: str | None
) -> BatchRow | None:
    """Find the batch that :func:`open_batch` would open; None when it would make one."""
    batch = find_batch(connection, name, source or "")
    if batch is not None or name is not None:
        return batch
    namesake = find_batch(connection, default_name, source or "")
    if namesake is not None and namesake.source not in (None, source):
        raise NamesakeError(default_name, namesake.source)
    return namesake


def open_batch(
    connection: Connection,
    name: str | None,
    default_name: str,
    source: str | None,
    columns: Iterable[str],
    now: datetime,
    reading: Mapping[str, Any] | None = None,
) -> int:
    """Find or make the batch of a manifest, and keep its columns.

    Args:
        name: as the person gave it; None leaves the choice to path and default.
        default_name: the manifest's own name, or its stem.
        source: names the manifest, such as its absolute path; None for a batch that has none.
        columns: the manifest's own columns, for the export.
        now: when a new batch begins.
        reading: where the manifest is and how it was read, for whoever writes results into it.

    Raises:
        LoadError: another file is loaded under the default name.
    """
    batch = batch_of(connection, name, default_name, source)
    if batch is not None:
        written = WRITTEN if source == batch.source else WRITTEN[:1]
        kept = {name: said for name, said in (batch.reading or {}).items() if name in written}
        connection.execute(
            update(BATCH)
            .where(BATCH.c.id == batch.id)
            .values(
                source=source,
                columns=list(columns),
                reading={**kept, **(reading or {})} or None,
            )
        )
        return batch.id
    return int(
        connection.execute(
            insert(BATCH).values(
                name=name or default_name,
                source=source,
                columns=list(columns),
                reading=reading,
                active=False,
                paused=False,
                created_at=now,
            )
        ).inserted_primary_key[0]  # type: ignore[index]
    )


def keep_written(connection: Connection, batch_id: int, name: str, said: Any) -> None:
    """Keep with a batch what was written for it: one of :data:`jobs.ports.loading.WRITTEN`.

    Args:
        batch_id: the batch.
        name: what it is; what was kept under it is replaced.
        said: as JSON.
    """
    kept: dict[str, Any] | None = connection.execute(
        select(BATCH.c.reading).where(BATCH.c.id == batch_id)
    ).scalar_one()
    connection.execute(
        update(BATCH).where(BATCH.c.id == batch_id).values(reading={**(kept or {}), name: said})
    )
