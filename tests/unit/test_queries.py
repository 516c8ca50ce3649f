"""What people list: its values have the columns of the tables, by name, type and NULL."""

from dataclasses import fields
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from sqlalchemy import JSON, Boolean, Column, Integer, String, Table

from jobs.database.columns import UtcDateTime
from jobs.database.tables import ACCOUNT, ATTEMPT, BATCH, JOB, PRICE
from jobs.ports.seen import AccountRow, AttemptRow, BatchRow, JobRow, PriceRow

KINDS = {Boolean: bool, Integer: int, String: str, UtcDateTime: datetime}
LISTS = [
    (BatchRow, BATCH),
    (AttemptRow, ATTEMPT),
    (JobRow, JOB),
    (AccountRow, ACCOUNT),
    (PriceRow, PRICE),
]


def kinds_of(hint: Any) -> set[Any]:
    """Return the types that a field may have."""
    return set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}


def is_like(column: Column[Any], hint: Any) -> bool:
    """Check whether a field takes what its column holds."""
    kinds = kinds_of(hint)
    if (NoneType in kinds) is not bool(column.nullable):
        return False
    plain = {get_origin(kind) or kind for kind in kinds - {NoneType}}
    if isinstance(column.type, JSON):
        return plain <= {dict, list}
    known = next(kind for held, kind in KINDS.items() if isinstance(column.type, held))
    return plain == {known}


@pytest.mark.parametrize(("kind", "table"), LISTS, ids=lambda one: getattr(one, "name", ""))
def test_a_value_has_its_tables_columns(kind: type, table: Table) -> None:
    """A column that is added, or may be NULL from now on, is seen here."""
    hints = get_type_hints(kind)
    named = {one.name for one in fields(kind)} & set(table.c.keys())
    assert len(named) > 3
    assert [name for name in named if not is_like(table.c[name], hints[name])] == []


@pytest.mark.parametrize(("kind", "table"), LISTS[:3], ids=lambda one: getattr(one, "name", ""))
def test_a_value_lacks_no_column(kind: type, table: Table) -> None:
    """Those of batches, attempts and jobs have all."""
    assert set(table.c.keys()) <= {one.name for one in fields(kind)}
