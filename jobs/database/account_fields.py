"""Checks that the account's row has valid values: SQLite allows any value in most columns.

It is read before a person is asked whether the database is theirs, so nonsense in one that was sent
must end in a message.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ..model.errors import DatabaseFaultError, Fault

LONGEST: Final = 4096  # bytes of a text, at most

_KINDS: Final = {
    "TEXT": ("text",),
    "DATETIME": ("text",),
    "FLOAT": ("real", "integer"),
    "JSON": ("text",),
}
"""How SQLite stores each type; the others are integers."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?", re.ASCII)
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")

_ZONE: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9._+-]{1,60}(?:/[A-Za-z0-9._+-]{1,60}){0,4}")
"""A name of the time zone database: no path out of its folder."""

Execute = Callable[[str], Iterable[Any]]  # runs a query, and returns its rows


def wrong_field(execute: Execute) -> str | None:
    """Return the name of an invalid column of the account, of any version; None: all are valid."""
    columns = [(row[1], row[2], row[3]) for row in execute("PRAGMA table_info(account)")]
    start = f"1, {LONGEST + 1}"
    parts = [f"typeof({name}), substr(CAST({name} AS BLOB), {start})" for name, *_ in columns]
    query = f"SELECT {', '.join(parts)} FROM account"  # noqa: S608 - columns of ours
    (row,) = [*execute(query)] or [None]
    if row is None:
        return "id"
    texts: dict[str, str] = {}
    for number, (name, kind, required) in enumerate(columns):
        stored, value = row[2 * number], row[2 * number + 1]
        if stored == "null" and not required:
            continue
        if stored not in _KINDS.get(kind, ("integer",)) or len(value) > LONGEST:
            return str(name)
        with suppress(ValueError):
            texts[name] = value.decode("utf-8")
            if kind == "JSON":
                _refuse_other_than_seconds(texts[name])
            if kind == "DATETIME":
                datetime.fromisoformat(texts[name] if _TIME.fullmatch(texts[name]) else "")
            continue
        return str(name)
    return _wrong_text(texts)


def _refuse_other_than_seconds(document: str) -> None:
    """Raise ValueError for a document that is no object of numbers."""
    try:
        found = json.loads(document)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict) or not all(
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        for value in found.values()
    ):
        raise ValueError("no object of numbers")


def _wrong_text(texts: dict[str, str]) -> str | None:
    """Return which text is invalid: a token's hash or salt, or the name of a time zone.

    A zone is checked by the form of its name alone: machines know different ones.
    """
    if "token_hash" in texts:
        for name in ("token_hash", "token_salt"):
            if not _HEX.fullmatch(texts.get(name, "?")):
                return name
    return None if _ZONE.fullmatch(texts.get("time_zone", "UTC")) else "time_zone"


def refuse_wrong_fields(execute: Execute, database: Path) -> None:
    """Raise DatabaseUnusableError if a field of a current database's account is not valid."""
    name = wrong_field(execute)
    if name is not None:
        raise DatabaseFaultError(database, Fault.FIELD, name)
