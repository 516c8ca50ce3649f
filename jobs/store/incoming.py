"""The rows of a manifest on their way in: a temporary table beside the database.

It is filled without a lock on the database, however long reading takes: a run in another process
continues. What is in it when a process ends is gone.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    func,
    select,
    text,
)

from ..database.tables import JOB
from ..model.provider import GenerationRequest
from ..model.spec import JobSpec, SpecRow, spec_row
from ..ports.loading import StagedCount, StagedRow
from .prepared import driver, read, values_in

KindOf = Callable[[GenerationRequest], str]
TOGETHER: Final = 100
"""Rows of one INSERT (docs/performance.md, *Loading*)."""

INCOMING: Final = Table(
    "incoming",
    MetaData(schema="temp"),
    *(Column(name, JOB.c[name].type) for name in SpecRow._fields),
)


def of_specs(specs: Iterable[JobSpec], kind_of: KindOf) -> Iterator[SpecRow]:
    """Write wanted videos as rows of the temporary table."""
    return (spec_row(spec, kind_of(spec.request)) for spec in specs)


_COLUMNS = ", ".join(f'"{name}"' for name in SpecRow._fields)
_PLACES = f"({', '.join('?' * len(SpecRow._fields))})"
_CREATE = f"CREATE TEMP TABLE incoming ({_COLUMNS})"
_INSERT = f"INSERT INTO temp.incoming ({_COLUMNS}) VALUES "  # noqa: S608 - our own names
_INSERT_ONE = _INSERT + _PLACES
_INSERT_MANY = _INSERT + ", ".join([_PLACES] * TOGETHER)


def fill(connection: Connection, rows: Iterable[SpecRow]) -> int:
    """Fill a new table with rows, in their order, and return how many there were."""
    database = driver(connection)
    # a new one: emptying a table of a million rows takes as long as filling it
    database.execute("DROP TABLE IF EXISTS temp.incoming")
    database.execute(_CREATE)
    source, count = iter(rows), 0
    while together := list(islice(source, TOGETHER)):
        if len(together) == TOGETHER:
            database.execute(_INSERT_MANY, tuple(chain.from_iterable(together)))
        else:
            database.executemany(_INSERT_ONE, together)
        count += len(together)
    return count


def counts(connection: Connection, rows: Collection[int] | None = None) -> list[StagedCount]:
    """Count the wanted videos by price kind and campaign, in the order in which they begin."""
    counted = select(INCOMING.c.kind, INCOMING.c.campaign, func.count().label("jobs"))
    found = connection.execute(
        counted.where(*_among(rows))
        .group_by(INCOMING.c.kind, INCOMING.c.campaign)
        .order_by(func.min(text("incoming.rowid")))
    )
    return [StagedCount(*row) for row in found]


def row_numbers(connection: Connection) -> list[int]:
    """List the rows of the manifest that are wanted in ascending order, each once."""
    numbers = select(INCOMING.c.row).distinct().order_by(INCOMING.c.row)
    return list(connection.execute(numbers).scalars())


def first(
    connection: Connection, most: int, rows: Collection[int] | None = None
) -> list[StagedRow]:
    """Read the first wanted videos: of all rows, or of some."""
    wanted = select(INCOMING).where(*_among(rows)).order_by(text("incoming.rowid")).limit(most)
    return list(read(connection, wanted, StagedRow))


def _among(rows: Collection[int] | None) -> tuple[ColumnElement[bool], ...]:
    return () if rows is None else (INCOMING.c.row.in_(values_in(rows)),)
