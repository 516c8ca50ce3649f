"""Writes what the migrations make.

``migrations/shapes.json`` says it of each revision: a database is checked by it.
``migrations/newest.sql`` makes it at once: a new database begins with it.
"""

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config

from jobs.database import schema
from jobs.database.shape import FILE, shape


def changes() -> dict[str, dict[str, str | None]]:
    """Return what each revision changes of the schema, as the migrations make it."""
    found: dict[str, dict[str, str | None]] = {}
    before: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        config = Config()
        config.set_main_option("script_location", str(schema.migrations_folder()))
        config.attributes["database"] = Path(folder) / "a.db"
        for revision in schema.KNOWN:
            command.upgrade(config, revision)
            with closing(sqlite3.connect(Path(folder) / "a.db")) as file:
                after = shape(file)
            found[revision] = {
                known: after.get(known)
                for known in sorted(before.keys() | after.keys())
                if before.get(known) != after.get(known)
            }
            before = after
    return found


def newest() -> str:
    """Return what makes a database of the newest revision, as the migrations make it."""
    with tempfile.TemporaryDirectory() as folder:
        config = Config()
        config.set_main_option("script_location", str(schema.migrations_folder()))
        config.attributes["database"] = Path(folder) / "a.db"
        command.upgrade(config, schema.HEAD)
        with closing(sqlite3.connect(Path(folder) / "a.db")) as file:
            lines = [*file.iterdump()][1:-1]  # without BEGIN and COMMIT
    return "\n".join(lines) + "\n"


def text() -> str:
    """Return the file's text."""
    return json.dumps(changes(), indent=1) + "\n"


if __name__ == "__main__":
    (schema.migrations_folder() / FILE).write_text(text(), "utf-8")
    (schema.migrations_folder() / schema.NEWEST).write_text(newest(), "utf-8")
