"""Folders and files of ours where other accounts may write as well: which of them are used."""

import os
import stat
from pathlib import Path

import pytest
from support.refused import refused

from jobs.database.owners import refuse_planted_files
from jobs.model.errors import DatabaseUnusableError
from jobs.model.files import (
    is_foreign,
    made_folder,
    read_small,
    refuse_foreign_folder,
    refuse_foreign_link,
    refuse_planted_link,
)

STRANGER = 54321


def owned_by(number: int, path: Path) -> os.stat_result:
    """Give what a file would be like that belongs to an account."""
    fields = list(path.stat())
    fields[stat.ST_UID] = number
    return os.stat_result(fields)


def owned(monkeypatch: pytest.MonkeyPatch, **owners: int) -> None:
    """Have files show owners by their names, as on a machine with several accounts."""
    true_stat, true_lstat, true_fstat = Path.stat, Path.lstat, os.fstat

    def shown(path: Path, found: os.stat_result) -> os.stat_result:
        fields = list(found)
        fields[stat.ST_UID] = owners.get(path.name.strip(".").partition("-")[0], fields[4])
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "stat", lambda path, **more: shown(path, true_stat(path, **more)))
    monkeypatch.setattr(Path, "lstat", lambda path: shown(path, true_lstat(path)))
    if "new" in owners:
        monkeypatch.setattr(os, "fstat", lambda number: shown(Path("new"), true_fstat(number)))


@pytest.mark.parametrize(
    ("work", "kept", "refused"),
    [
        (0o755, 0o700, False),
        (0o755, 0o755, False),
        (0o755, 0o775, True),
        (0o755, 0o777, True),
        (0o775, 0o775, False),  # a group that works together
        (0o775, 0o777, True),
        (0o777, 0o777, False),  # a disk without rights
        (0o777, 0o775, False),
        (0o1777, 0o700, False),
        (0o1777, 0o755, False),
        (0o1777, 0o775, True),
        (0o1777, 0o777, True),
    ],
)
def test_who_may_write_in_a_folder_of_ours(
    work: int, kept: int, tmp_path: Path, *, refused: bool
) -> None:
    """Nobody may who could not replace the folder itself; the error says how to shut it."""
    around, folder = tmp_path / "work", tmp_path / "work" / "kept"
    folder.mkdir(parents=True)
    folder.chmod(kept)
    around.chmod(work)
    if refused:
        with pytest.raises(OSError, match=r"other accounts can write in it.*chmod go-w"):
            made_folder(folder)
    else:
        assert made_folder(folder) == folder


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask leaves to others: those on the way as well."""
    umask = os.umask(0)
    try:
        made = made_folder(tmp_path / "kept", "manifests", "one")
    finally:
        os.umask(umask)
    assert made == tmp_path / "kept/manifests/one"
    for folder in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_each_folder_on_the_way_is_checked(tmp_path: Path) -> None:
    """One that others can write in, in one that is shut again, would be theirs to replace."""
    (tmp_path / "kept/manifests").mkdir(parents=True)
    (tmp_path / "kept").chmod(0o777)
    tmp_path.chmod(0o755)
    with pytest.raises(OSError, match="other accounts can write in it"):
        made_folder(tmp_path / "kept", "manifests")


@pytest.mark.parametrize(
    ("owners", "refused"),
    [
        ({"kept": STRANGER}, True),
        ({"kept": STRANGER, "work": STRANGER}, False),  # a disk where all files show one owner
        ({"kept": STRANGER, "work": STRANGER + 1}, True),
        ({"kept": 0, "work": STRANGER}, False),  # root's
        ({"kept": STRANGER, "new": STRANGER}, False),  # what we make shows that owner
    ],
)
def test_whose_folder_is_used(
    owners: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    """Ours, root's, or that of whoever owns the folder around it; nothing else is left there."""
    folder = tmp_path / "work" / "kept"
    folder.mkdir(parents=True, mode=0o700)
    owned(monkeypatch, **owners)
    if refused:
        with pytest.raises(OSError, match=r"another account .*54321.*move it away"):
            refuse_foreign_folder(folder)
    else:
        refuse_foreign_folder(folder)
    assert [one.name for one in folder.parent.iterdir()] == ["kept"]


def test_a_folder_that_can_not_be_written_in_tells_nobody_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file can be made to see as whom we are shown, another number is another account."""

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    assert is_foreign(tmp_path / "a", owned_by(STRANGER, tmp_path))


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_what_sqlite_would_read_beside_a_database(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may belong to the database's owner, to whom root's SQLite gives it; to no one else."""
    (tmp_path / "a.db").touch(0o600)
    (tmp_path / f"a.db{suffix}").touch()
    refuse_planted_files(tmp_path / "a.db")
    with monkeypatch.context() as patch:
        owned(patch, **{"a.db": STRANGER})
        refuse_planted_files(tmp_path / "a.db")
    (tmp_path / "b.db").symlink_to(tmp_path / "a.db")
    true = Path.lstat

    def planted(path: Path) -> os.stat_result:
        return owned_by(STRANGER, path) if path.name.endswith(suffix) else true(path)

    monkeypatch.setattr(Path, "lstat", planted)
    for name in ("a.db", "b.db"):
        with refused(DatabaseUnusableError, match=rf"a\.db{suffix} belongs to another"):
            refuse_planted_files(tmp_path / name)
    (tmp_path / "a.db").chmod(0o660)  # a group works with it, and leaves such files too
    refuse_planted_files(tmp_path / "a.db")


def test_a_small_file_of_ours_is_read_and_nothing_else(tmp_path: Path) -> None:
    """No folder, no link, and nothing that is larger than it can be."""
    path = tmp_path / "note"
    path.write_bytes(b"12345")
    assert read_small(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_small(path, 4)
    (tmp_path / "link").symlink_to(path)
    for other in ("link", ".", "missing"):
        with pytest.raises(OSError, match=r"note|link|\[Errno"):
            read_small(tmp_path / other, 5)


def test_a_link_is_followed_only_if_it_is_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log's file may be one's own link in a folder; a planted one may be nobody's."""
    (tmp_path / "own").symlink_to(tmp_path / "there")
    (tmp_path / "theirs").symlink_to(tmp_path / "there")
    owned(monkeypatch, theirs=STRANGER)
    refuse_foreign_link(tmp_path / "missing")
    refuse_foreign_link(tmp_path / "own")
    with pytest.raises(OSError, match="another user made"):
        refuse_foreign_link(tmp_path / "theirs")
    refuse_planted_link(Path("/dev/stderr"))
    with pytest.raises(OSError, match="name the file itself"):
        refuse_planted_link(tmp_path / "own")
