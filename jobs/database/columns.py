"""The parts of tables: named constraints, times in UTC, amounts, lists as literal SQL."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    MetaData,
    Text,
    TypeDecorator,
    text,
)
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def sql_list(values: Iterable[str]) -> str:
    """Write values as a literal SQL list.

    SQLite uses a partial index only if the query repeats its predicate literally, so predicates
    never have bound parameters (docs/performance.md).
    """
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, naive UTC in the column; a naive time is refused."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store an aware time as naive UTC."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the stored time with its zone."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


def time_column(*, required: bool = False) -> Any:
    """Declare a time in UTC."""
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=not required))


def text_column(*, required: bool = False) -> Any:
    """Declare a text of any length."""
    return Field(default=None, sa_column=Column(Text, nullable=not required))


def json_column(*, added: bool = False) -> Any:
    """Declare a document that may be absent; an added one is an empty object in older rows."""
    if added:
        made = Column(JSON, nullable=False, server_default="{}")
        return Field(default_factory=dict, sa_column=made)
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


def amount_column(**default: int | None) -> Any:
    """Declare an amount in micros; with ``default=None`` it may be absent."""
    return Field(sa_column=Column(BigInteger, nullable=None in default.values()), **default)  # type: ignore[call-overload]


def added_amount_column() -> Any:
    """Declare an amount in micros that earlier versions lacked: 0 in their rows."""
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


def flag_column() -> Any:
    """Declare a boolean that earlier versions lacked: false in their rows."""
    no = text("0")
    return Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=no))


class Base(SQLModel):
    """Puts every table into one MetaData with named constraints."""

    metadata = MetaData(naming_convention=NAMING)
