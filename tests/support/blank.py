"""A migrated database without rows; made once in each process, for tests that need hundreds."""

import tempfile
from functools import cache
from pathlib import Path

from jobs import schema


def blank(path: Path) -> None:
    """Write an empty database of the newest schema, as ``schema.upgrade`` makes it."""
    path.write_bytes(_blank())


@cache
def _blank() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blank.db"
        schema.upgrade(path)
        return path.read_bytes()
