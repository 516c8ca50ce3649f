"""Rows of the store have types: none is ``Any``, and each is what its statement selects."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    Select,
    Text,
    create_engine,
    select,
)
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine
from support.blank import blank

import jobs.store
from jobs.database.columns import UtcDateTime
from jobs.database.schema import open_file
from jobs.database.tables import BATCH, PRICE
from jobs.ports.seen import PriceRow
from jobs.store.prepared import Prepared, beside, columns_of, read, read_pairs
from jobs.store.records import PausableBatch

STORE = Path(jobs.store.__file__).parent
ROWS = {
    "account", "attempt", "batch", "fresh", "job", "last", "row", "taker", "void", "wanted",
}  # fmt: skip
"""Parameters that are a row of the database, by their names."""

KINDS: dict[type[TypeEngine[Any]], object] = {
    UtcDateTime: datetime,
    Boolean: bool,
    Integer: int,
    Float: float,
    Text: str,
}
"""What a column's values are in Python."""

PAID = "the CHECK accepted_has_id_and_price"
THERE = {
    ("Acceptance", "generation_id"): "found by it, or asked for where it is there",
    ("Due", "accepted_at"): "written with the state 'accepted'",
    ("Due", "generation_id"): PAID,
    ("EstimatedAttempt", "price_micros"): "written with price_estimated",
    ("FileRow", "bytes"): "the CHECK there_is_whole",
    ("FileRow", "path"): "the CHECK there_is_whole",
    ("FileRow", "sha256"): "asked for where it is there",
    ("PaidTwice", "generation_id"): PAID,
    ("PaidTwice", "price_micros"): PAID,
    ("UnendedAttempt", "accepted_at"): "written with the state 'accepted'",
    ("UnendedAttempt", "generation_id"): "found by it",
    ("SurplusAttempt", "price_micros"): PAID,
    ("TimedAttempt", "accepted_at"): "its price was told by an answer",
    ("TimedAttempt", "created_at"): "compared",
    ("PendingCharge", "generation_id"): PAID,
    ("WantedFile", "attempt_id"): "joined by it",
    ("WantedFile", "generation_id"): PAID,
    ("WantedFile", "video_url"): "the CHECK completed_has_url",
    ("VoidAttempt", "made_for"): "asked for where it is there",
    ("VoidOnWord", "doubt_since"): "written with the doubt that the void was",
}
"""Columns that may be NULL, and are not in the rows that are asked for: why."""


def _statements() -> Iterator[tuple[str, Prepared[Any]]]:
    for module in pkgutil.iter_modules([str(STORE)]):
        found = importlib.import_module(f"jobs.store.{module.name}")
        yield from (
            (f"{module.name}.{name}", one)
            for name, given in vars(found).items()
            for one in (given, *_inside(given))
            if isinstance(one, Prepared)
        )


def _inside(given: object) -> list[object]:
    """Return what an object of ours keeps: some keep statements together."""
    if not type(given).__module__.startswith("jobs.store") or isinstance(given, Prepared):
        return list(given) if isinstance(given, tuple) else []
    slots = getattr(type(given), "__slots__", None) or vars(given)
    return [getattr(given, name) for name in slots]


TYPED = {name: one for name, one in _statements() if one.row is not tuple}


def test_the_statements_are_found() -> None:
    """Those of modules, of tuples and of objects that keep several."""
    assert len(TYPED) > 50
    assert {"claims._LAST", "queues._BATCH_QUEUE", "latecomers._SURPLUS"} <= TYPED.keys()


@pytest.mark.parametrize("name", TYPED)
def test_a_row_is_what_its_statement_selects(name: str) -> None:
    """Each field has its column's name and type, and is None only where the column may be NULL."""
    statement = TYPED[name]
    assert statement._make  # raises where the names differ
    hints = _hints(statement.row)
    optional = _outer(statement._statement)
    for column, (field, hint) in zip(statement.columns, hints.items(), strict=True):
        kinds = set(get_args(hint)) if _is_union(hint) else {hint}
        plain = {get_origin(kind) or kind for kind in kinds - {NoneType}}
        known = next((KINDS[kind] for kind in KINDS if isinstance(column.type, kind)), None)
        if known is not None:
            assert plain == {known}, field
        elif isinstance(column.type, JSON):
            assert plain <= {dict, list}, field
        if isinstance(base := getattr(column, "element", column), Column):
            may_be_null = base.nullable or base.table in optional
            is_there = (statement.row.__name__, field) in THERE
            assert (NoneType in kinds) is (may_be_null and not is_there), field


def test_no_reason_is_kept_for_a_field_that_is_gone() -> None:
    """What is said about columns that are there concerns rows that exist."""
    fields = {(one.row.__name__, name) for one in TYPED.values() for name in columns_of(one.row)}
    assert not THERE.keys() - fields


def _hints(row: type[Any]) -> dict[str, object]:
    """Return the types of a row's columns; a field that is a row itself has columns of its own."""
    found: dict[str, object] = {}
    for name, hint in get_type_hints(row).items():
        found |= get_type_hints(hint) if hasattr(hint, "_fields") else {name: hint}
    return found


def _is_union(hint: object) -> bool:
    return get_origin(hint) in (Union, UnionType)


def _outer(statement: Any) -> set[Any]:
    """Return the tables that a statement may find no row of."""
    if not isinstance(statement, Select):
        return set()
    found: set[Any] = set()
    left: list[Any] = list(statement.get_final_froms())
    while left:
        one = left.pop()
        if hasattr(one, "isouter"):
            found |= {one.right} if one.isouter else set()
            left += [one.left, one.right]
    return found


def opened(path: Path) -> Connection:
    """Connect to a database; its end closes the file, as there is no pool."""
    making = create_engine("sqlite://", creator=lambda: open_file(path), poolclass=NullPool)
    return making.connect()


def test_a_type_with_other_fields_is_refused(tmp_path: Path) -> None:
    """Values are told by their places alone, so a swapped field must not pass."""
    blank(tmp_path / "a.db")
    with opened(tmp_path / "a.db") as made:
        swapped = select(BATCH.c.paused, BATCH.c.id)
        with pytest.raises(TypeError, match="PausableBatch"):
            Prepared(swapped, PausableBatch).all(made)
        with pytest.raises(TypeError, match="PausableBatch"):
            read(made, swapped, PausableBatch)
        other = BATCH.alias()
        both = select(BATCH.c.id, BATCH.c.paused, *beside([other.c.paused, other.c.id]))
        with pytest.raises(TypeError, match="PausableBatch"):
            read_pairs(
                made, both.join(other, other.c.id == BATCH.c.id), PausableBatch, PausableBatch
            )


def test_a_row_that_must_be_there_is_missed_by_name(tmp_path: Path) -> None:
    """It is an error where it is asked for, not an attribute of None somewhere later."""
    blank(tmp_path / "a.db")
    with opened(tmp_path / "a.db") as made:
        none = Prepared(select(PRICE).where(PRICE.c.kind == "7s"), PriceRow)
        assert none.first(made) is None
        with pytest.raises(LookupError, match="price"):
            none.one(made)


def test_values_are_as_their_columns_say(tmp_path: Path) -> None:
    """Plain tuples are converted, too: times are aware, flags are no numbers."""
    blank(tmp_path / "a.db")
    with opened(tmp_path / "a.db") as made:
        made.exec_driver_sql(
            "INSERT INTO batch (id, name, columns, active, paused, created_at)"
            " VALUES (1, 'a', '[\"id\"]', 0, 1, '2026-01-01 00:00:00.000000')"
        )
        found = Prepared(select(BATCH.c.paused, BATCH.c.columns, BATCH.c.created_at)).all(made)
        assert [type(one) for one in found] == [tuple]
        assert found[0][:2] == (True, ["id"])
        assert found[0][2].tzinfo is not None


def _modules() -> Sequence[Path]:
    others = ("evidence/looked_for.py", "reconciliation/watch_schedule.py")
    return [*STORE.rglob("*.py"), *(STORE.parent / name for name in others)]


@pytest.mark.parametrize("path", _modules(), ids=lambda path: path.stem)
def test_no_row_is_any(path: Path) -> None:
    """A parameter or field that is a row, or some, has a type that tells its fields."""
    assert not [*_untyped(ast.parse(path.read_text()), rows=path.name != "prepared.py")]


def _untyped(tree: ast.AST, *, rows: bool = True) -> Iterator[str]:
    """Name what is a row and is ``Any``; ``rows``: what is some rows as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            name, said = node.arg, ast.unparse(node.annotation)
        elif isinstance(node, ast.AnnAssign):
            name, said = ast.unparse(node.target), ast.unparse(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            name, said = node.name, ast.unparse(node.returns)
        else:
            continue
        if (said == "Any" and name in ROWS) or (rows and _are_any(said)):
            yield f"{name}: {said}"


def _are_any(annotation: str) -> bool:
    """Check whether an annotation is a collection of rows without a type."""
    collections = ("Sequence", "list", "Iterable", "Iterator")
    return any(annotation.startswith(f"{name}[Any]") for name in collections)


@pytest.mark.parametrize(
    "code",
    [
        "def f(job: Any) -> None: ...",
        "def f(rows: Sequence[Any]) -> None: ...",
        "def f() -> list[Any]: ...",
        "class C:\n    attempt: Any",
        "left: list[Any] = []",
    ],
)
def test_a_row_without_a_type_is_seen(code: str) -> None:
    """The check finds what it is for."""
    assert len([*_untyped(ast.parse(code))]) == 1
    assert not [*_untyped(ast.parse(code.replace("Any", "QueuedJob")))]
