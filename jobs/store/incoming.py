"""The rows of a manifest on their way in: a temporary table beside the database.

It is filled without a lock on the database, however long reading takes: a run in another process
goes on. What is in it when a process ends is gone.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from sqlalchemy import JSON, Boolean, Column, Connection, Integer, MetaData, Table, Text

from ..provider import GenerationRequest
from ..spec import JobSpec
from .prepared import driver

KindOf = Callable[[GenerationRequest], str]
TOGETHER: Final = 100
"""Rows of one INSERT (docs/performance.md, *Loading*)."""

INCOMING: Final = Table(
    "incoming",
    MetaData(schema="temp"),
    Column("key", Text),
    Column("key_from_content", Boolean),
    Column("row", Integer),
    Column("fingerprint", Text),
    Column("kind", Text),
    Column("prompt", Text),
    Column("orientation", Text),
    Column("duration", Integer),
    Column("image", JSON(none_as_null=True)),
    Column("callback_url", Text),
    Column("campaign", Text),
    Column("priority", Integer),
    Column("cells", JSON),
)
NAMES: Final = tuple(INCOMING.c.keys())


class IncomingRow(NamedTuple):
    """A row as the temporary table has it; ``image`` and ``cells`` are JSON."""

    key: str
    key_from_content: bool
    row: int
    fingerprint: str
    kind: str
    prompt: str
    orientation: str
    duration: int
    image: str | None
    callback_url: str | None
    campaign: str | None
    priority: int
    cells: str


def incoming_row(spec: JobSpec, kind: str) -> IncomingRow:
    """Write a wanted video as a row of the temporary table."""
    request = spec.request
    return IncomingRow(
        spec.key,
        spec.key_from_content,
        spec.row,
        spec.fingerprint,
        kind,
        request.prompt,
        request.orientation,
        request.duration,
        None if request.image is None else json.dumps(asdict(request.image)),
        request.callback_url,
        spec.campaign,
        spec.priority,
        json.dumps(dict(spec.cells)),
    )


def of_specs(specs: Iterable[JobSpec], kind_of: KindOf) -> Iterator[IncomingRow]:
    """Write wanted videos as rows of the temporary table."""
    return (incoming_row(spec, kind_of(spec.request)) for spec in specs)


_COLUMNS = ", ".join(f'"{name}"' for name in NAMES)
_PLACES = f"({', '.join('?' * len(NAMES))})"
_CREATE = f"CREATE TEMP TABLE IF NOT EXISTS incoming ({_COLUMNS})"
_INSERT = f"INSERT INTO temp.incoming ({_COLUMNS}) VALUES "  # noqa: S608 - our own names
_INSERT_ONE = _INSERT + _PLACES
_INSERT_MANY = _INSERT + ", ".join([_PLACES] * TOGETHER)


def fill(connection: Connection, rows: Iterable[IncomingRow]) -> int:
    """Make the table anew from rows, in their order; gives how many there were.

    Args:
        connection: in a transaction of any kind.
        rows: with distinct keys.
    """
    database = driver(connection)
    database.execute(_CREATE)
    database.execute("DELETE FROM temp.incoming")
    source, count = iter(rows), 0
    while together := list(islice(source, TOGETHER)):
        if len(together) == TOGETHER:
            database.execute(_INSERT_MANY, tuple(chain.from_iterable(together)))
        else:
            database.executemany(_INSERT_ONE, together)
        count += len(together)
    return count


def values_of(row: Any) -> dict[str, Any]:
    """Give the columns of a row that was read back, by their names in the job table."""
    return {name: getattr(row, f"in_{name}") for name in NAMES}
