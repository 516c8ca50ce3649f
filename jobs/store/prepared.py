"""Statements of the hot path: written in SQLAlchemy Core, compiled once, run by the driver.

Building, keying and wrapping a Core statement costs ten times what SQLite needs to run it
(docs/performance.md). What changes between two runs is a named ``bindparam``; lists that change go
in as JSON, the others are written out (:func:`jobs.database.tables.sql_list`).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, Generic, NamedTuple, TypeVar, get_type_hints, overload

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import Select
from sqlalchemy.types import TypeEngine

from ..database.columns import UtcDateTime

_DIALECT = sqlite.dialect(paramstyle="named")
Process = Callable[[Any], Any]
R = TypeVar("R")
R2 = TypeVar("R2")


def one_of(name: str) -> Select[Any]:
    """Make a subquery of the values of a list that is bound as JSON (:func:`as_list`)."""
    return select(column("value")).select_from(func.json_each(bindparam(name)))


def as_list(values: Iterable[str | int]) -> str:
    """Write a list as :func:`one_of` reads it."""
    return json.dumps(list(values))


def values_in(values: Iterable[str | int]) -> Select[Any]:
    """Make a subquery of the values of a list that is there already."""
    return select(column("value")).select_from(func.json_each(as_list(values)))


class Prepared(Generic[R]):
    """A statement that is run again and again, and compiled when it is first run.

    Args:
        row: the type of its rows, a named tuple or a dataclass with the statement's columns in
            their order (else the first run raises a TypeError); without one, plain tuples.
    """

    @overload
    def __init__(self: "Prepared[tuple[Any, ...]]", statement: Executable) -> None: ...

    @overload
    def __init__(self, statement: Executable, row: Callable[..., R]) -> None: ...

    def __init__(self, statement: Executable, row: Callable[..., Any] = tuple) -> None:
        self._statement = statement
        self.row: Any = row

    def all(self, connection: Connection, **values: Any) -> list[R]:
        """Return all rows."""
        make = self._make
        return [make(row) for row in self._run(connection, values)]

    def first(self, connection: Connection, **values: Any) -> R | None:
        """Return the first row, or None."""
        row = self._run(connection, values).fetchone()
        return None if row is None else self._make(row)

    def one(self, connection: Connection, **values: Any) -> R:
        """Return the only row, or raise a LookupError."""
        row = self.first(connection, **values)
        if row is None:
            raise LookupError(f"no row: {self._sql}")
        return row

    def scalar(self: "Prepared[tuple[Any, ...]]", connection: Connection, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.first(connection, **values)
        return None if row is None else row[0]

    def column(self, connection: Connection, **values: Any) -> list[Any]:
        """Return the first column of all rows, as SQLite has it."""
        return [row[0] for row in self._run(connection, values)]

    def run(self, connection: Connection, **values: Any) -> int:
        """Run a change; return how many rows it changed."""
        return int(self._run(connection, values).rowcount)

    def insert(self, connection: Connection, **values: Any) -> int:
        """Run an insertion; return the number of the row."""
        return int(self._run(connection, values).lastrowid)

    def run_each(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> int:
        """Run a change for each of some rows; return how many rows they changed in all."""
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
        """Return the constants, and how the types of the others are bound."""
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

    @property
    def columns(self) -> Sequence[ColumnElement[Any]]:
        """List the columns of its rows."""
        return list(self._statement.selected_columns)  # type: ignore[attr-defined]

    @cached_property
    def _make(self) -> Callable[[Sequence[Any]], R]:
        columns = self.columns
        make: Callable[[Sequence[Any]], R] = self.row
        if self.row is not tuple:
            _check_fields(self.row, [_name(found) for found in columns])
            make = maker(self.row)
        processes = [
            (place, process)
            for place, found in enumerate(columns)
            if (process := _reader(found.type))
        ]
        if not processes:
            return make

        def processed(values: Sequence[Any]) -> R:
            mutable = list(values)
            for place, process in processes:
                mutable[place] = process(mutable[place])
            return make(mutable)

        return processed


Statement = Prepared[tuple[Any, ...]]
"""A change, or a question whose rows have no type."""


def read(
    connection: Connection,
    statement: Executable,
    row: Callable[..., R],
    values: Mapping[str, Any] | None = None,
) -> Iterator[R]:
    """Run a statement that is built for this call; its rows are made as :class:`Prepared` says."""
    found = connection.execute(statement, values)
    _check_fields(row, list(found.keys()))
    return map(maker(row), found)


def beside(columns: Iterable[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Label the second columns of :func:`read_pairs`, whose names the first may have too."""
    return [found.label(_BESIDE + _name(found)) for found in columns]


def read_pairs(
    connection: Connection, statement: Executable, row: Callable[..., R], second: Callable[..., R2]
) -> Iterator[tuple[R, R2]]:
    """Run a statement that selects two rows beside each other, such as a job and what comes in.

    It selects what the first type has, and :func:`beside` it what the second has.

    Raises:
        TypeError: the types' fields are not the statement's columns.
    """
    found, width = connection.execute(statement), len(columns_of(row))
    names = list(found.keys())
    _check_fields(row, names[:width])
    _check_fields(second, [name.removeprefix(_BESIDE) for name in names[width:]])
    first, other = maker(row), maker(second)
    return ((first(both[:width]), other(both[width:])) for both in found)


_BESIDE = "beside_"


def _check_fields(kind: Any, columns: Sequence[str]) -> None:
    """Check that each value gets the name that it was selected by: only its place says which."""
    if columns_of(kind) != columns:
        raise TypeError(f"{kind.__name__} has the columns {columns_of(kind)}, not {columns}")


def _fields(kind: Any) -> list[tuple[str, Any]]:
    """List a type's fields, each with the type of the row that it is itself, or None."""
    names = getattr(kind, "_fields", None) or [field.name for field in fields(kind)]
    rows = {name: hint for name, hint in get_type_hints(kind).items() if hasattr(hint, "_fields")}
    return [(name, rows.get(name)) for name in names]


@cache
def columns_of(row: Callable[..., Any]) -> list[str]:
    """List the columns of a type of rows; a field that is a row itself has columns of its own."""
    return [name for field, inner in _fields(row) for name in (inner._fields if inner else [field])]


def columns_from(
    table: FromClause, row: Callable[..., Any], /, **others: Any
) -> list[ColumnElement[Any]]:
    """List the columns of a type of rows: those of a table, except where others are given."""
    return [
        others[name].label(name) if name in others else table.c[name] for name in columns_of(row)
    ]


def values_of(row: NamedTuple) -> dict[str, Any]:
    """Return the values of a row by its columns (:func:`columns_of`)."""
    return {
        name: value
        for field, own in row._asdict().items()
        for name, value in (own._asdict() if hasattr(own, "_asdict") else {field: own}).items()
    }


@cache
def maker(row: Callable[..., R]) -> Callable[[Sequence[Any]], R]:
    """Return what makes a row of the values of its columns (:func:`columns_of`)."""
    make: Callable[[Sequence[Any]], R] = getattr(row, "_make", lambda values: row(*values))
    rows = [(place, inner) for place, (_, inner) in enumerate(_fields(row)) if inner is not None]
    if not rows:
        return make

    def made(values: Sequence[Any]) -> R:
        left = list(values)
        for place, inner in rows:  # the fields before it are in their places by then
            end = place + len(inner._fields)
            left[place:end] = [inner._make(left[place:end])]
        return make(left)

    return made


def driver(connection: Connection) -> Any:
    """Return SQLite's own connection below a SQLAlchemy one."""
    return connection.connection.dbapi_connection


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
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:-6]  # without "+00:00"


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text + "+00:00")


def _name(found: ColumnElement[Any]) -> str:
    return str(getattr(found, "key", None) or getattr(found, "name", "value"))
