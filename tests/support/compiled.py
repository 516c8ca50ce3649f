"""SQL that is compiled once in each process of tests, not once for each database.

Statements are kept with the dialect of the engine that compiled them, and each file has an engine
of its own: of a test on a new file, half of its time went there.
"""

from functools import cache, lru_cache
from pathlib import Path

from sqlalchemy import Engine

from jobs.store import database


@cache
def _first() -> Engine:
    engine = _own(Path(":memory:"), "foreign_keys = ON")
    engine.connect().close()  # which is when a dialect learns what the database can do
    return engine


@lru_cache(maxsize=8)
def _shared(path: Path, pragma: str) -> Engine:
    engine, first = _own(path, pragma), _first()
    engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine


_own = database._engine.__wrapped__


def share_statements() -> None:
    """Let the stores that are opened from now on share them."""
    database._engine = _shared
