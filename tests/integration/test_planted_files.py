"""Files and folders that another account made beside the database before its owner came."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image
from support.another import another, as_root, open_to_all
from support.refused import refused
from support.shell import call

from batchsora.composition.databases import made_side_folder
from batchsora.presentation.errors import message
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.settings import SettingsError
from jobs.database import schema
from jobs.model.errors import DatabaseUnusableError

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--no-download")

EMPTY = """
open(sys.argv[1], "w").close()
os.chmod(sys.argv[1], 0o666)
"""
NO_TABLES = """
with sqlite3.connect(sys.argv[1]) as file:
    file.execute("VACUUM")
os.chmod(sys.argv[1], 0o666)
"""
COPY = """
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as copy:
    copy.write(source.read())
os.chmod(sys.argv[2], 0o666)
"""


@pytest.fixture
def world() -> World:
    """The provider."""
    return World(time_scale=2000.0)


@pytest.fixture
def folder(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which everybody makes files, where the owner works.

    In one with the sticky bit, Linux itself may refuse to open others' files
    (``fs.protected_regular``).
    """
    with open_to_all(0o777) as found, SandboxServer(world) as server:
        monkeypatch.chdir(found)
        monkeypatch.setenv("RUNBLOB_API_KEY", "tok-owner-51aa")
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        (found / "own.csv").write_text("id,prompt\na,an owl\n")
        yield found


@as_root
@pytest.mark.parametrize("planted", [EMPTY, NO_TABLES], ids=["empty", "no tables"])
def test_no_database_is_made_in_a_file_of_another_account(
    planted: str, folder: Path, world: World
) -> None:
    """It would get the owner's seal, and stay that account's to change."""
    another(planted, folder / "batchsora.db")
    before = (folder / "batchsora.db").read_bytes()
    said = call("run", "own.csv", "--budget", "1", *QUICK)
    assert said.exit_code == 5, said.output
    assert "is an empty file that belongs to another account (number 65534)" in message(
        said.exception
    )
    assert (folder / "batchsora.db").read_bytes() == before
    assert not world.made


@as_root
@pytest.mark.parametrize("planted", [EMPTY, NO_TABLES], ids=["empty", "no tables"])
def test_an_empty_file_of_ones_own_becomes_a_database(
    planted: str, folder: Path, world: World
) -> None:
    """And so does one of the folder's owner, as root in a container finds it."""
    another(planted, folder / "batchsora.db")
    os.chown(folder, 65534, 65534)
    assert call("run", "own.csv", "--budget", "1", *QUICK).exit_code == 0
    assert [one.prompt for one in world.made] == ["an owl"]


def log_of(folder: Path, *statements: str) -> Path:
    """Change a copy of the database; give the ``-wal`` that has the changes."""
    copy, kept = folder / "copy.db", folder / "kept"
    shutil.copy(folder / "batchsora.db", copy)
    with closing(sqlite3.connect(copy)) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()
        shutil.copy(f"{copy}-wal", kept)
    copy.unlink()
    kept.chmod(0o644)
    return kept


@as_root
@pytest.mark.parametrize("command", [("run", *QUICK), ("status",), ("doctor",)])
def test_no_log_of_another_account_is_written_into_a_database(
    command: tuple[str, ...], folder: Path, world: World
) -> None:
    """SQLite takes a ``-wal`` for its own, whoever made it: rows and caps would be others'."""
    assert call("run", "own.csv", "--budget", "0.01", *QUICK).exit_code == 4
    evil = (
        "UPDATE job SET prompt = 'what an intruder wants', fingerprint = 'x'",
        "UPDATE budget SET cap_micros = 900000000",
    )
    another(COPY, log_of(folder, *evil), folder / "batchsora.db-wal")
    said = call(*command)
    assert said.exit_code == 5, (said.output, said.exception)
    told = f"{said.output} {message(said.exception)}"
    assert "batchsora.db-wal belongs to another account (number 65534)" in told
    assert not world.made
    (folder / "batchsora.db-wal").unlink()
    assert call("status").exit_code == 0


@as_root
def test_no_journal_of_another_account_is_rolled_back(folder: Path) -> None:
    """It holds what pages were before, as its maker says; a database that is read gets them."""
    schema.upgrade(folder / "batchsora.db")
    before = (folder / "batchsora.db").read_bytes()
    another("open(sys.argv[1], 'wb').write(bytes(8192))", folder / "batchsora.db-journal")
    with refused(DatabaseUnusableError, match=r"batchsora\.db-journal belongs to another"):
        schema.version(folder / "batchsora.db")
    assert (folder / "batchsora.db").read_bytes() == before


@as_root
def test_no_fitted_picture_of_another_account_is_sent(folder: Path) -> None:
    """Its folder beside the database goes by what a picture was; what is in it would be sent."""
    Image.new("RGB", (64, 64), (90, 120, 200)).save(folder / "kite.bmp")
    (folder / "own.csv").write_text("id,prompt,image\na,an owl,kite.bmp\n")
    another("os.mkdir(sys.argv[1], 0o777)", folder / "batchsora.db.images")
    said = call("run", "own.csv", "--fit-images", "--budget", "1", *QUICK)
    assert said.exit_code == 2, said.output
    assert "batchsora.db.images, where images are kept, can't be" in message(said.exception)


@as_root
def test_the_page_keeps_nothing_in_a_folder_of_another_account(folder: Path) -> None:
    """The error says what to do; when it is done, a folder of one's own is made."""
    another("os.mkdir(sys.argv[1], 0o777)", folder / ".batchsora")
    with pytest.raises(SettingsError, match=r"another account .*move it away"):
        made_side_folder(folder / "batchsora.db")
    (folder / ".batchsora").rename(folder / "moved")
    assert made_side_folder(folder / "batchsora.db") == folder / ".batchsora"


def test_a_report_makes_the_side_folder_for_its_owner_alone(folder: Path) -> None:
    """A picture of a report is what comes to be in it first."""
    assert call("run", "own.csv", "--budget", "1", *QUICK[:-1]).exit_code == 0
    umask = os.umask(0o002)
    try:
        assert call("report", "-o", "report.html").exit_code == 0
    finally:
        os.umask(umask)
    assert stat.S_IMODE((folder / ".batchsora").stat().st_mode) == 0o700
