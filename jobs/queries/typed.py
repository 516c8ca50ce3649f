"""Rows of SQLite to values: a SELECT list for a dataclass, and what makes one of a row."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cached_property
from sqlite3 import Connection
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

Read = Callable[[Any], Any]
AT_A_TIME: Final = 1000
"""Rows that are read at a time of a list that is streamed, and numbers that one query asks for."""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _reader(hint: Any) -> Read | None:
    """Return how a column is read, by the type that its field has: alone, or "or None"."""
    for one in (hint, *get_args(hint)):
        if get_origin(one) in (dict, list):
            return json.loads
        if one in (bool, datetime):
            return bool if one is bool else _time
    return None


class Select(Generic[T]):
    """A question whose rows become values of one kind.

    Args:
        kind: a dataclass with slots, without an initializer of its own; each field is a column.
        table: has the columns that ``others`` does not name.
        others: fields in SQL.
    """

    def __init__(self, kind: type[T], table: str, others: Mapping[str, str] | None = None) -> None:
        self._kind = kind
        self._names = [one.name for one in fields(kind)]  # type: ignore[arg-type]
        said = others or {}
        columns = [said.get(name, f"{table}.{name}") for name in self._names]
        self.select = f"SELECT {', '.join(columns)}"

    def all(self, connection: Connection, rest: str, values: Mapping[str, Any]) -> list[T]:
        """Read all rows; ``rest`` is the statement from FROM on."""
        return self._made(connection.execute(f"{self.select} {rest}", values))

    def each(self, connection: Connection, rest: str, values: Mapping[str, Any]) -> Iterator[T]:
        """Stream the rows, so that a million of them need no memory."""
        cursor = connection.execute(f"{self.select} {rest}", values)
        while rows := cursor.fetchmany(AT_A_TIME):
            yield from self._made(rows)

    def _made(self, rows: Iterable[Sequence[Any]]) -> list[T]:
        kind, readers, setters = self._kind, self._readers, self._setters
        made = []
        for row in rows:
            values = list(row)
            for place, read in readers:
                if (value := values[place]) is not None:
                    values[place] = read(value)
            one = object.__new__(kind)
            for keep, value in zip(setters, values, strict=True):
                keep(one, value)
            made.append(one)
        return made

    @cached_property
    def _readers(self) -> list[tuple[int, Read]]:
        hints = get_type_hints(self._kind)
        read = [(place, _reader(hints[name])) for place, name in enumerate(self._names)]
        return [(place, reader) for place, reader in read if reader is not None]

    @cached_property
    def _setters(self) -> list[Callable[[T, Any], None]]:
        """Return what sets each field: half the time of a frozen dataclass's own constructor."""
        return [getattr(self._kind, name).__set__ for name in self._names]


class Where:
    """Conditions that are collected, with the values that they are bound to."""

    def __init__(self, *conditions: str, **values: Any) -> None:
        self._conditions = list(conditions)
        self.values: dict[str, Any] = values

    def add(self, condition: str, **values: Any) -> None:
        """Add a condition, and the values of its named parameters."""
        self._conditions.append(condition)
        self.values |= values

    def one_of(self, column: str, values: Iterable[Any]) -> None:
        """Add that a column has one of some values; each is a parameter of its own."""
        names = []
        for value in values:
            names.append(f"v{len(self.values)}")
            self.values[names[-1]] = value
        self._conditions.append(f"{column} IN ({', '.join(f':{name}' for name in names)})")

    def search(self, words: str, *columns: str) -> None:
        """Add that each word is in one of some columns, in any case."""
        for word in words.split():
            name = f"v{len(self.values)}"
            for sign in ("/", "%", "_"):
                word = word.replace(sign, f"/{sign}")  # noqa: PLW2901 - escaped as LIKE wants it
            self.values[name] = word
            has = (f"lower({one}) LIKE '%' || lower(:{name}) || '%' ESCAPE '/'" for one in columns)
            self._conditions.append(f"({' OR '.join(has)})")

    @property
    def all(self) -> str:
        """Join the conditions."""
        return " AND ".join(self._conditions)

    def __str__(self) -> str:
        return f"WHERE {self.all}"
