import os
from pathlib import Path

import pytest
from support.refused import refused

from jobs.model.errors import DatabaseUnusableError
from jobs.ports.purchases import Lost
from jobs.store.same_file import OpenedFile, refuse_second_name


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "batchsora.db"
    path.write_bytes(b"a")
    return path


def another(file: Path) -> Path:
    other = file.with_name("other.db")
    other.write_bytes(b"b")
    return other


def test_the_same_file_is_no_change(file: Path) -> None:
    """Written to, or named by a symbolic link, it is the file that was opened."""
    link = file.with_name("link.db")
    link.symlink_to(file)
    opened, by_link = OpenedFile.at(file), OpenedFile.at(link)
    file.write_bytes(b"longer than before")
    assert opened.change() is None
    assert by_link.change() is None


def test_what_becomes_of_a_file_is_seen(file: Path) -> None:
    """A second name, another file under the name, no file: each is told from the others."""
    opened = OpenedFile.at(file)
    os.link(file, file.with_name("second.db"))
    assert opened.change() is Lost.LINKED
    file.with_name("second.db").unlink()
    assert opened.change() is None
    another(file).replace(file)
    assert opened.change() is Lost.REPLACED
    file.unlink()
    assert opened.change() is Lost.GONE


def test_a_link_that_leads_elsewhere_now_is_a_replacement(file: Path) -> None:
    """A symbolic link that was turned round leads a later run to another ledger."""
    link = file.with_name("link.db")
    link.symlink_to(file)
    opened = OpenedFile.at(link)
    link.unlink()
    link.symlink_to(another(file))
    assert opened.change() is Lost.REPLACED


def test_a_change_of_the_working_folder_is_none(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative name is that of the folder in which it was opened."""
    monkeypatch.chdir(file.parent)
    opened = OpenedFile.at(Path(file.name))
    monkeypatch.chdir("/")
    assert opened.change() is None


def test_a_second_name_is_refused_before_a_run(file: Path) -> None:
    """One name or none yet is fine; with two, each would have a lock of its own."""
    refuse_second_name(file)
    refuse_second_name(file.with_name("none.db"))
    os.link(file, file.with_name("second.db"))
    with refused(DatabaseUnusableError, match="nothing was bought"):
        refuse_second_name(file)
