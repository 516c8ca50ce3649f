"""Statements of the hot path: written in SQLAlchemy Core, compiled once, run by the driver.

Building, keying and wrapping a Core statement costs ten times what SQLite needs to run it
(docs/performance.md). What changes between two runs is a named ``bindparam``; lists that change go
in as JSON, the others are written out (:func:`jobs.tables.sql_list`).
"""

import json
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, bindparam, column, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import Select
from sqlalchemy.types import TypeEngine

from ..columns import UtcDateTime

_DIALECT = sqlite.dialect(paramstyle="named")
Process = Callable[[Any], Any]


def one_of(name: str) -> Select[Any]:
    """Make a subquery of the values of a list that is bound as JSON (:func:`as_list`)."""
    return select(column("value")).select_from(func.json_each(bindparam(name)))


def as_list(values: Iterable[str | int]) -> str:
    """Write a list as :func:`one_of` reads it."""
    return json.dumps(list(values))


def values_in(values: Iterable[str | int]) -> Select[Any]:
    """Make a subquery of the values of a list that is there already."""
    return select(column("value")).select_from(func.json_each(as_list(values)))


class Prepared:
    """A statement that is run again and again.

    Args:
        statement: compiled when it is first run.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """Give all rows, as named tuples."""
        make = self._row
        return [make(row) for row in self._run(connection, values)]

    def first(self, connection: Connection, **values: Any) -> Any:
        """Give the first row, or None."""
        row = self._run(connection, values).fetchone()
        return None if row is None else self._row(row)

    def scalar(self, connection: Connection, **values: Any) -> Any:
        """Give the first column of the first row, or None."""
        row = self._run(connection, values).fetchone()
        return None if row is None else self._row(row)[0]

    def column(self, connection: Connection, **values: Any) -> list[Any]:
        """Give the first column of all rows, as SQLite has it."""
        return [row[0] for row in self._run(connection, values)]

    def run(self, connection: Connection, **values: Any) -> int:
        """Run a change; gives how many rows it changed."""
        return int(self._run(connection, values).rowcount)

    def insert(self, connection: Connection, **values: Any) -> int:
        """Run an insertion; gives the number of the row."""
        return int(self._run(connection, values).lastrowid)

    def run_each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run a change for each of some rows; gives how many rows they changed in all."""
        bound = [self._bound(row) for row in rows]
        return int(driver(connection).executemany(self._sql, bound).rowcount) if bound else 0

    def _run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        return driver(connection).execute(self._sql, self._bound(values))

    @cached_property
    def _compiled(self) -> Any:
        return self._statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]

    @cached_property
    def _sql(self) -> str:
        return str(self._compiled)

    @cached_property
    def _binding(self) -> tuple[dict[str, Any], dict[str, Process]]:
        """Give the constants, and how the types of the others are bound."""
        compiled = self._compiled
        constants = dict(compiled.construct_params(_check=False))
        processes: dict[str, Process] = {}
        for bind, name in compiled.bind_names.items():
            process = _binder(bind.type)
            if bind.required:
                del constants[name]
            elif process is not None:
                constants[name] = process(bind.value)
            if process is not None:
                processes[name] = process
        return constants, processes

    def _bound(self, values: Mapping[str, Any]) -> dict[str, Any]:
        constants, processes = self._binding
        bound = {**constants, **values}
        for name, process in processes.items():
            if name in values:
                bound[name] = process(values[name])
        return bound

    @cached_property
    def _row(self) -> Callable[[Sequence[Any]], Any]:
        columns: Sequence[ColumnElement[Any]] = list(self._statement.selected_columns)  # type: ignore[attr-defined]
        row = namedtuple("row", [_name(found) for found in columns])  # type: ignore[misc] # noqa: PYI024 - the names come with the statement
        make: Callable[[Sequence[Any]], Any] = row._make
        processes = [
            (place, process)
            for place, found in enumerate(columns)
            if (process := _reader(found.type))
        ]
        if not processes:
            return make

        def processed(values: Sequence[Any]) -> Any:
            mutable = list(values)
            for place, process in processes:
                mutable[place] = process(mutable[place])
            return make(mutable)

        return processed


def driver(connection: Connection) -> Any:
    """Give SQLite's own connection below a SQLAlchemy one."""
    return connection.connection.driver_connection


def _binder(found: TypeEngine[Any]) -> Process | None:
    if isinstance(found, UtcDateTime):
        return _time_text
    return found.dialect_impl(_DIALECT).bind_processor(_DIALECT)


def _reader(found: TypeEngine[Any]) -> Process | None:
    if isinstance(found, UtcDateTime):
        return _time
    return found.dialect_impl(_DIALECT).result_processor(_DIALECT, None)


def _time_text(value: datetime | None) -> str | None:
    """Write a time as SQLAlchemy does for SQLite, in a fifth of the time."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a time without a zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _name(found: ColumnElement[Any]) -> str:
    return str(getattr(found, "key", None) or getattr(found, "name", "value"))
