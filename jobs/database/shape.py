"""What a database file may hold: what our migrations make, and nothing else.

A trigger or view in a file that somebody sent would act inside our own transactions. Each object's
SQL, without layout, is hashed and compared with its revision's (``migrations/shapes.json``; a test
checks that it is complete). The rest is SQLite's advice for untrusted files
(sqlite.org/security.html).
"""

import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ..model.errors import Alteration, DatabaseAlteredError

FILE: Final = "shapes.json"
"""In the folder of the migrations: for each revision what it changes, null where it drops."""

VERSION_TABLE: Final = "table alembic_version"

_STATISTICS: Final = {
    "table sqlite_stat1": "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
    "table sqlite_stat4": "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
}
"""What ``ANALYZE`` adds; only the choice of an index depends on it."""

_LAYOUT: Final = " \t\n\f\r"
"""What SQLite takes for layout: no other space of Unicode, which is a letter to it."""
_WORD: Final = re.compile(
    rf"[{_LAYOUT}]+|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[\w$\x80-\U0010ffff]+|.",
    re.DOTALL | re.ASCII,
)
_ADDED: Final = re.compile(r"(?:table|view|index|trigger) [A-Za-z_]\w{0,60}", re.ASCII)
_PLAIN_NAME: Final = re.compile(r'"([a-z_][a-z0-9_]*)"')
"""Quoted without need. Lower case alone: a quoted ``NULL`` is a name, and no longer nothing."""


def guard(connection: sqlite3.Connection) -> None:
    """Turn on SQLite's defences against a file that was tampered with.

    ``SQLITE_DBCONFIG_DEFENSIVE`` can be set from Python 3.12 on; memory-mapped reading is off by
    default.
    """
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)


def shape(connection: sqlite3.Connection) -> dict[str, str]:
    """Read the schema: the hash of each object's definition, by its type and name."""
    found = {}
    for kind, name, table, sql in connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master"
    ):
        own_index = kind == "index" and str(name).startswith("sqlite_autoindex_") and sql is None
        known = f"{kind} {name}"
        if not own_index and (sql is None or _STATISTICS.get(known) != sql):
            found[known] = _digest(str(kind), str(table), str(sql))
    return found


def expected(folder: Path, revision: str | None) -> dict[str, str] | None:
    """Return the shape of a revision (None: an empty file); None if it is not known here."""
    changes: dict[str, dict[str, str | None]] = json.loads((folder / FILE).read_text("utf-8"))
    if revision is not None and revision not in changes:
        return None
    made: dict[str, str] = {}
    for name, change in sorted(changes.items()):
        if revision is None or name > revision:
            break
        made.update({known: digest for known, digest in change.items() if digest is not None})
        for known in [known for known, digest in change.items() if digest is None]:
            del made[known]
    return made


def refuse_other_version_table(found: Mapping[str, str], database: Path, folder: Path) -> None:
    """Raise DatabaseAlteredError if the table of the revision is not as in every version."""
    changes = json.loads((folder / FILE).read_text("utf-8"))
    if found[VERSION_TABLE] != min(changes.items())[1][VERSION_TABLE]:
        raise DatabaseAlteredError(database, Alteration.REDEFINED, VERSION_TABLE)


def refuse_altered(
    connection: sqlite3.Connection, database: Path, folder: Path, revision: str | None
) -> None:
    """Raise DatabaseAlteredError if a database is not exactly of its (known) revision."""
    wanted = expected(folder, revision)
    if wanted is None:
        return
    found = shape(connection)
    if revision is None:  # an upgrade that was cut off may have made this table alone
        found.pop(VERSION_TABLE, None)
    for known in sorted(found.keys() | wanted.keys()):
        if known not in wanted:
            raise DatabaseAlteredError(database, Alteration.ADDED, known, _drop(known))
        if known not in found:
            raise DatabaseAlteredError(database, Alteration.MISSING, known)
        if found[known] != wanted[known]:
            raise DatabaseAlteredError(database, Alteration.REDEFINED, known)


def _drop(known: str) -> str | None:
    """Return the SQL that removes an object; None if a sender chose its name."""
    kind, _, name = known.partition(" ")
    return f"DROP {kind.upper()} {name}" if _ADDED.fullmatch(known) else None


def _digest(kind: str, table: str, sql: str) -> str:
    parts = [kind, table, *(_clauses(sql) if kind == "table" else [" ".join(_tokens(sql))])]
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()[:32]


def _tokens(sql: str) -> Iterator[str]:
    """Split SQL into its words, without layout and needless quotes."""
    for word in _WORD.findall(sql):
        if word.strip(_LAYOUT):
            plain = _PLAIN_NAME.fullmatch(word)
            yield word if plain is None else plain[1]


def _clauses(sql: str) -> list[str]:
    """Split a table's SQL at its outermost commas; migrations may order the parts differently."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in _tokens(sql):
        depth -= word == ")"
        if word in ",)" and depth == (word == ","):
            parts.append([])
        if word != "," or depth != 1:
            parts[-1].append(word)
        if word == "(" and depth == 0:
            parts.append([])
        depth += word == "("
    head, *clauses = (" ".join(part) for part in parts)
    return [head, *sorted(clauses[:-1]), *clauses[-1:]]
