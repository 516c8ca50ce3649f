"""Creates a database, and upgrades it by alembic's migrations.

A runner upgrades, under its lock, after a copy by SQLite's backup API. Readers only check the
version, and refuse another one with the remedy.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import system
from ..model.errors import DatabaseFaultError, DatabaseVersionError, Fault
from ..model.files import replaced
from .owners import refuse_planted_files, refuse_planted_start
from .shape import VERSION_TABLE, guard, refuse_altered, refuse_other_version_table, shape

KNOWN: Final = tuple(f"{number:04}" for number in range(1, 18))
"""Every revision that this program can upgrade from, oldest first (a test holds them)."""

HEAD: Final = KNOWN[-1]  # the newest one; it is written here so that readers need no alembic

NEWEST: Final = "newest.sql"
"""In the migrations' folder: what they make, all in one, which a new database begins with.

``make docs`` writes it from them, and a test holds it against them.
"""

PATIENCE: Final = 2.0  # seconds after which a person is told that an upgrade is still running

_NOT_ALLOWED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An upgrade in progress: the version before, the size in bytes, and the copy."""

    database: Path
    version: str
    size: int
    copy: Path


def migrations_folder() -> Path:
    """Find the migrations: inside the wheel, or beside the package in a checkout."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "_migrations"
    return inside if inside.is_dir() else here.parent / "migrations"


def version(database: Path) -> str | None:
    """Read the revision of a database file; None for one that is new or empty.

    DatabaseUnusableError, DatabaseAlteredError: it, or a file beside it, is not ours or can't be
    read; another program changed its schema.

    Raises:
        DatabaseUnusableError: it is not a SQLite database, not ours, or unreadable; or what
            SQLite keeps beside it is another account's.
        DatabaseAlteredError: another program changed what it is made of.
    """
    refuse_planted_files(database)
    if not database.exists() or database.stat().st_size == 0:
        return None
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as file:
            guard(file)
            file.execute("PRAGMA busy_timeout = 30000")
            return read_version(file, database)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_ALLOWED:
            raise DatabaseFaultError(database, Fault.NOT_OPENED, str(error)) from error
        raise DatabaseFaultError(database, Fault.NO_DATABASE, str(error)) from error


def read_version(file: sqlite3.Connection, database: Path) -> str | None:
    """Read the revision of an open database; None if it is empty. It raises as :func:`version`.

    If it is not in :data:`KNOWN`, read nothing else: its definitions are unchecked, and may never
    end.
    """
    names = shape(file)
    if not names:
        return None
    if VERSION_TABLE not in names:
        raise DatabaseFaultError(database, Fault.NOT_OURS)
    refuse_other_version_table(names, database, migrations_folder())
    row = file.execute("SELECT version_num FROM alembic_version").fetchone()
    found = None if row is None else str(row[0])
    refuse_altered(file, database, migrations_folder(), found)
    return found


def check_version(database: Path) -> None:
    """Raise DatabaseUnusableError or DatabaseVersionError if a database can't be used as is."""
    found = version(database)
    if found is None:
        raise DatabaseFaultError(database, Fault.MISSING)
    if found != HEAD:
        raise DatabaseVersionError(database, found, HEAD, newer=found not in KNOWN)


def upgrade(
    database: Path,
    tell: Callable[[Upgrade], object] = lambda _: None,
    seal: Callable[[], str] | None = None,
) -> Path | None:
    """Create or upgrade the database, with the runner's lock held; return the copy made, or None.

    ``tell`` is called if it takes longer than :data:`PATIENCE`; ``seal`` makes that of a new one
    (:mod:`jobs.database.seal`), kept in the same step. It raises as :func:`check_version`.
    """
    found = version(database)
    if found == HEAD:
        return None
    if found is not None and found not in KNOWN:
        raise DatabaseVersionError(database, found, HEAD, newer=True)
    if found is None:
        if database.is_symlink():  # it may have come in a folder that somebody sent
            raise DatabaseFaultError(database, Fault.LEADS_TO_NONE, str(database.readlink()))
        _make(database, None if seal is None else seal())
        return None
    copy = database.with_name(f"{database.name}.before-{HEAD}-from-{found}")
    at_work = Upgrade(database, found, database.stat().st_size, copy)
    with _told_when_slow(at_work, tell):
        _copy(database, copy)
        _migrate(database)
    return copy


@contextmanager
def _told_when_slow(upgrade: Upgrade, tell: Callable[[Upgrade], object]) -> Iterator[None]:
    timer = threading.Timer(PATIENCE, tell, [upgrade])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


@contextmanager
def _writable(database: Path) -> Iterator[int]:
    """Open the file itself, and create it if missing, or raise DatabaseUnusableError."""
    try:
        # 0600 from its first moment: prompts and URLs are nobody else's business
        number = system.open_to_change(database, mode=0o600, follow=True)
    except OSError as error:
        raise DatabaseFaultError(database, Fault.NOT_WRITABLE, error.strerror or "") from error
    try:
        yield number
    finally:
        os.close(number)


def _make(database: Path, seal: str | None) -> None:
    """Make what the migrations would make, in one transaction, in a file without a table.

    Raises:
        DatabaseUnusableError: it can't be written, or is another account's.
        sqlite3.Error: there is no space, or it has tables by now; then nothing was made.
    """
    with _writable(database) as number:
        refuse_planted_start(database, number)
    script = (migrations_folder() / NEWEST).read_text("utf-8")
    with closing(open_file(database)) as file:
        file.executescript(f"BEGIN IMMEDIATE;\n{script}")
        if seal is not None:
            file.execute("UPDATE account SET seal = ?", (seal,))
        file.execute("COMMIT")


def open_file(database: Path, *pragmas: str, check_same_thread: bool = True) -> sqlite3.Connection:
    """Open a file to use it as ours; WAL is a property of the file, so it is set here."""
    file = sqlite3.connect(
        database, timeout=30, isolation_level=None, check_same_thread=check_same_thread
    )
    try:
        guard(file)
        # fullfsync: what macOS calls synced is in the drive's memory; elsewhere it changes nothing
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", *pragmas):
            file.execute(f"PRAGMA {pragma}")
    except BaseException:
        file.close()
        raise
    return file


def _migrate(database: Path) -> None:
    """Run the migrations that a database lacks, in one transaction."""
    with _writable(database):
        pass
    # only a runner pays for alembic, and only when there is something to do
    from alembic import command  # noqa: PLC0415 - half of a reader's start-up time
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["database"] = database
    command.upgrade(config, "head")


def _copy(database: Path, copy: Path) -> None:
    """Copy a database as it is, readable by nobody else."""
    with (
        replaced(copy) as draft,
        closing(sqlite3.connect(database)) as old,
        closing(sqlite3.connect(draft)) as new,
    ):
        # a copy that does not fit is dropped, not rolled back: its journal would stay behind
        new.execute("PRAGMA journal_mode = OFF")
        old.backup(new)
