"""Links that somebody planted where our files come to be: what they point to was not changed."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from support.another import NOBODY, as_root
from support.refused import refused

from batchsora.cli.logs import close_logging, configure_logging
from batchsora.composition.databases import made_side_folder, side_folder
from batchsora.settings import SettingsError
from batchsora.tables import TableError, write_table
from batchsora.usecases.exports import export_in_place
from batchsora.usecases.load import LoadOptions, load_manifest
from batchsora.usecases.manifest_options import Source
from jobs.database import schema
from jobs.database.lock import current_runner, runner_lock
from jobs.model.errors import EngineError
from jobs.ports.control import Terms
from jobs.store import Store

NOW = datetime(2026, 3, 1, 22, 15, tzinfo=UTC)
VICTIM = "what its owner wants to keep"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    path = tmp_path / "home" / "victim"
    path.write_text(VICTIM)
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work" / "night.db"


def beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def hard(link: Path, target: Path) -> None:
    link.hardlink_to(target)


def soft(link: Path, target: Path) -> None:
    link.symlink_to(target)


@pytest.mark.parametrize("plant", [soft, hard])
def test_who_runs_is_written_beside_the_database_alone(
    database: Path, victim: Path, plant: Callable[[Path, Path], None]
) -> None:
    """``.runner`` takes the link's place, is read as before, and is nobody else's to read."""
    plant(beside(database, ".runner"), victim)
    with runner_lock(database, NOW):
        assert victim.read_text() == VICTIM
        assert not beside(database, ".runner").is_symlink()
        assert beside(database, ".runner").stat().st_mode & 0o777 == 0o600
        who = current_runner(database)
        assert who is not None
        assert who.pid == os.getpid()
    assert victim.read_text() == VICTIM
    assert sorted(one.name for one in database.parent.iterdir()) == ["night.db.lock"]


def test_a_lock_that_is_a_link_locks_nothing(database: Path, victim: Path) -> None:
    """It is refused with a plain error, and not followed."""
    beside(database, ".lock").symlink_to(victim.with_name("new"))
    with refused(EngineError, match=r"night\.db\.lock is a link.*remove it"):  # noqa: SIM117
        with runner_lock(database, NOW):
            pytest.fail("a lock that is a link was taken")
    assert not victim.with_name("new").exists()


def test_a_lock_that_is_a_folder_is_named(database: Path) -> None:
    """What to do is said of what is there: a folder's rights are no remedy."""
    beside(database, ".lock").mkdir()
    with refused(EngineError, match=r"night\.db\.lock is not a regular file: remove it"):  # noqa: SIM117
        with runner_lock(database, NOW):
            pytest.fail("a lock that is a folder was taken")


@pytest.mark.parametrize("dangling", [True, False])
def test_the_copy_before_an_upgrade_follows_no_link(
    database: Path, victim: Path, project: Path, *, dangling: bool
) -> None:
    """What it points to is neither made nor overwritten, and there is a copy all the same."""
    old = sorted((project / "tests/migration").glob("**/*0001*.db")) or sorted(
        (project / "tests/migration").glob("**/*.db")
    )
    if old:
        shutil.copy(old[0], database)
    else:
        _old(database)
    found = schema.version(database)
    copy = beside(database, f".before-{schema.HEAD}-from-{found}")
    copy.symlink_to(victim.with_name("new") if dangling else victim)
    assert schema.upgrade(database) == copy
    assert victim.read_text() == VICTIM
    assert not victim.with_name("new").exists()
    assert not copy.is_symlink()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert schema.version(copy) == found
    assert schema.version(database) == schema.HEAD


def _old(database: Path) -> None:
    """Make a database of the first version."""
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_folder()))
    config.attributes["database"] = database
    command.upgrade(config, "0001")


def test_a_backup_follows_no_link(database: Path, victim: Path) -> None:
    """The manifest's copy: neither through a link nor through one to nothing."""
    manifest = database.with_name("night.csv")
    manifest.write_text("id,prompt\na,a kite\n")
    schema.upgrade(database)
    with Store(database) as store:
        load_manifest(store, Source(manifest).opened(database.parent), LoadOptions(), Terms(), NOW)
        backup = database.with_name("night.20260301-221500.csv")
        backup.symlink_to(victim.with_name("new"))
        with pytest.raises(Exception, match="exists already"):
            export_in_place(store, None, NOW)
        assert not victim.with_name("new").exists()
        assert manifest.read_text() == "id,prompt\na,a kite\n"
        backup.unlink()
        assert export_in_place(store, None, NOW).backup == backup
    assert backup.read_text() == "id,prompt\na,a kite\n"


@as_root
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_of_another_user_is_not_written_through(
    database: Path, victim: Path, *, dangling: bool
) -> None:
    """An export and a log: neither another's link nor one's own, which a sent folder may hold."""
    target = victim.with_name("new") if dangling else victim
    for name, write in (
        ("out.csv", lambda path: write_table(path, ["a"], [{"a": "x"}])),
        ("run.log", lambda path: configure_logging(verbose=False, file=str(path))),
    ):
        link = database.with_name(name)
        link.symlink_to(target)
        for owner in (NOBODY, os.geteuid()):
            os.lchown(link, owner, owner)
            with pytest.raises((TableError, SettingsError), match="link"):
                write(link)
            close_logging()
            assert victim.read_text() == VICTIM
            assert not victim.with_name("new").exists()


def test_a_log_goes_where_the_system_leads() -> None:
    """``/dev/stderr`` is a link of the system, and no trap."""
    configure_logging(verbose=False, file="/dev/stderr")
    close_logging()


def test_what_the_page_keeps_is_not_kept_behind_a_link(database: Path, victim: Path) -> None:
    """A folder that was sent may have one there; the remedy is said."""
    side_folder(database).symlink_to(victim.parent)
    with pytest.raises(SettingsError, match="it is a link, which is not followed: move it away"):
        made_side_folder(database)
