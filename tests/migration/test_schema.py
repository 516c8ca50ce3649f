"""The migrations are the only way a database comes to be, and they agree with the models."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import schema_shapes
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select
from support.refused import refused

from jobs.database import schema
from jobs.database.columns import Base
from jobs.database.tables import ATTEMPT
from jobs.model.errors import DatabaseUnusableError, DatabaseVersionError
from jobs.model.states import HeldBack
from jobs.model.text import prompt_key
from jobs.store import Store, doubts, views


def objects(path: Path) -> dict[str, list[str]]:
    """Read every table and index as SQL, without differences of layout and of order.

    SQLite adds a column behind the constraints; everything names its columns.
    """
    with closing(sqlite3.connect(path)) as file:
        rows = file.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'"
        ).fetchall()
    return {name: sorted(clauses(" ".join(sql.split()))) for name, sql in rows}


def clauses(sql: str) -> list[str]:
    """Part a statement at the commas of its outermost parentheses."""
    head, _, body = sql.partition("(")
    parts, depth = [head.strip().replace('"', "")], 0  # a renamed table is quoted
    for piece in re.split(r"([(),])", body.rstrip().removesuffix(")")):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if piece == "," and depth == 0:
            parts.append("")
        elif len(parts) == 1:
            parts.append(piece)
        else:
            parts[-1] += piece
    return [part.strip() for part in parts]


def test_a_migrated_database_equals_the_models(tmp_path: Path) -> None:
    """Every table, column, CHECK and partial index of the models is what the migrations make."""
    migrated, fresh = tmp_path / "migrated.db", tmp_path / "fresh.db"
    schema.upgrade(migrated)
    engine = create_engine(f"sqlite:///{fresh}")
    Base.metadata.create_all(engine)
    engine.dispose()
    assert objects(migrated) == objects(fresh)
    assert len(objects(migrated)) > 10


def test_the_newest_revision_is_the_one_that_readers_expect() -> None:
    """``HEAD`` is written down so that readers need no alembic; it must not fall behind."""
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_folder()))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == schema.HEAD
    assert {script.revision for script in scripts.walk_revisions()} == set(schema.KNOWN)


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    """A database of this version is left alone, without a copy."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    before = path.read_bytes()
    assert schema.upgrade(path) is None
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_database_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Neither a reader nor a runner touches what a newer program made."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    for use in (schema.check_version, schema.upgrade):
        with refused(DatabaseVersionError, match="upgrade batchsora"):
            use(path)


def test_an_older_database_is_copied_before_it_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is whole, private, and of the old version; a reader asks for a run instead."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    with closing(sqlite3.connect(path)) as file, file:
        # what a version before the first would look like: nothing of ours but its number
        for (name,) in file.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'alembic%'"
        ).fetchall():
            file.execute(f"DROP TABLE {name}")
        file.execute("UPDATE alembic_version SET version_num = '0000'")
    monkeypatch.setattr(schema, "KNOWN", ("0000", *schema.KNOWN))
    with refused(DatabaseVersionError, match="upgrades it"):
        schema.check_version(path)
    copy = tmp_path / "copy.db"
    schema._copy(path, copy)
    assert schema.version(copy) == "0000"
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_night_that_an_older_version_left_is_taken_over_whole(tmp_path: Path) -> None:
    """Rows, money and a doubt of version 0001 are there afterwards, with what settling needs."""
    path = tmp_path / "a.db"
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_folder()))
    config.attributes["database"] = path
    command.upgrade(config, "0001")
    prompt = "Cre\u0301me  br\u00fbl\u00e9e in the sun"
    at = "2026-01-05 20:00:00.000000"
    with closing(sqlite3.connect(path)) as file, file:
        row(file, "batch", id=1, name="night", columns="[]", active=0, paused=0, created_at=at)
        for number, state in enumerate(("completed", "in_doubt", "completed"), 1):
            row(
                file, "job", id=number, batch_id=1, key=f"r{number}", key_from_content=0,
                row=number, fingerprint=f"print {number}", kind="k", prompt=prompt,
                orientation="9:16", duration=10, priority=0, in_manifest=1, cells="{}",
                state=state, attempt_id=number, attempts=1, retries=0, charged_micros=0,
                created_at=at, video_url="http://x/v.mp4" if state == "completed" else None,
            )  # fmt: skip
            row(
                file, "attempt", id=number, job_id=number, state=state, idempotency_key=str(number),
                kind="k", prompt=prompt, hold_micros=120_000, day="2026-01-05", intent_at=at,
                send_before=at, price_estimated=0,
                generation_id=f"g{number}" if state == "completed" else None,
                price_micros=120_000 if state == "completed" else None,
            )  # fmt: skip
        row(
            file, "artifact", attempt_id=1, job_id=1, path="a.mp4", bytes=1, sha256="0", tries=1
        )  # fmt: skip
    copy = schema.upgrade(path)
    assert copy is not None
    assert schema.version(copy) == "0001"
    schema.check_version(path)
    with Store(path) as store:
        (batch,) = store.read(views.find_batches)
        assert (batch.refunds, batch.removed_at) == ("none", None)
        (doubt,) = store.read(lambda c: doubts.suspects(c, datetime(2026, 1, 5, tzinfo=UTC)))
        assert doubt.request_key == "print 2"
        keys = store.read(lambda c: c.execute(select(ATTEMPT.c.prompt_key)).scalars().all())
        assert keys == [None, prompt_key(prompt), None]  # what is settled is never compared again
        status = store.read(lambda c: views.batch_status(c, batch))
        assert (status.jobs["completed"], status.jobs["in_doubt"], status.total) == (2, 1, 3)
        assert status.files_missing == 1  # of the two, one has its file


def test_what_an_older_version_left_queued_is_looked_for_first(tmp_path: Path) -> None:
    """It kept no word of a look; the next run looks, and nobody buys the row before."""
    path = tmp_path / "a.db"
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_folder()))
    config.attributes["database"] = path
    command.upgrade(config, "0006")
    at = "2026-01-05 20:00:00.000000"
    with closing(sqlite3.connect(path)) as file, file:
        row(file, "batch", id=1, name="night", columns="[]", active=0, paused=0, created_at=at)
        for number, state in enumerate(("queued", "cancelled"), 1):
            row(
                file, "job", id=number, batch_id=1, key=f"r{number}", key_from_content=0,
                row=number, fingerprint=f"print {number}", kind="k", prompt="p",
                orientation="9:16", duration=10, priority=0, in_manifest=1, cells="{}",
                state=state, attempts=0, retries=0, charged_micros=0, created_at=at,
            )  # fmt: skip
            row(file, "tally", batch_id=1, state=state, error_kind="", jobs=1)
    schema.upgrade(path)
    with Store(path) as store:
        (batch,) = store.read(views.find_batches)
        status = store.read(lambda c: views.batch_status(c, batch))
        assert status.held_back == {HeldBack.NOT_LOOKED: 1}
        assert store.read(lambda c: views.queued_jobs(c, 1)) == []


def row(file: sqlite3.Connection, table: str, **values: object) -> None:
    """Insert a row as an older version wrote it."""
    marks = ", ".join("?" * len(values))
    names = ", ".join(f'"{name}"' for name in values)
    file.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))  # noqa: S608


@pytest.mark.parametrize("content", [b"not a database, but long enough" * 100, None])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes | None) -> None:
    """A text file, or somebody else's SQLite database, is not written to."""
    path = tmp_path / "a.db"
    if content is None:
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("CREATE TABLE songs (title)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with refused(DatabaseUnusableError, match="--db"):
        schema.upgrade(path)
    assert path.read_bytes() == before


def test_no_database_yet_names_the_next_step(tmp_path: Path) -> None:
    """A reader in an empty folder is told what to type."""
    with refused(DatabaseUnusableError, match="batchsora run"):
        schema.check_version(tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


def test_what_each_revision_makes_is_written_down() -> None:
    """By it a database is checked; ``make docs`` writes it again."""
    written = (schema.migrations_folder() / "shapes.json").read_text("utf-8")
    assert written == schema_shapes.text()


def test_a_new_database_is_what_the_migrations_make(tmp_path: Path) -> None:
    """It is made at once, by what ``make docs`` writes down of them."""
    written = (schema.migrations_folder() / schema.NEWEST).read_text("utf-8")
    assert written == schema_shapes.newest()
    schema.upgrade(tmp_path / "a.db")
    with closing(sqlite3.connect(tmp_path / "a.db")) as file:
        assert "\n".join([*file.iterdump()][1:-1]) + "\n" == written
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_new_database_that_can_not_be_made_leaves_nothing_half(tmp_path: Path) -> None:
    """What has tables by now keeps them as they are."""
    path = tmp_path / "a.db"
    schema._make(path, None)
    before = path.read_bytes()
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        schema._make(path, None)
    assert path.read_bytes() == before
