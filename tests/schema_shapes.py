"""Writes ``migrations/shapes.json``: what each revision makes, by which a database is checked."""

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config

from jobs import schema
from jobs.shape import FILE, shape


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


def text() -> str:
    """Return the file's text."""
    return json.dumps(changes(), indent=1) + "\n"


if __name__ == "__main__":
    (schema.migrations_folder() / FILE).write_text(text(), "utf-8")
