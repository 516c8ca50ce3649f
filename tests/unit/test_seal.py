"""Seals: nobody makes one without the secret, which its owner alone can read."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from batchsora.composition import ownership as sealing
from jobs.database.seal import KEY_FILE, MOST, Sealer


def test_a_secret_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """0600 in a folder 0700; the next command knows what the first one sealed."""
    folder = tmp_path / "state" / "batchsora"
    seal = Sealer.kept_in(folder).sealed(None)
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    again = Sealer.kept_in(folder)
    assert again.problem is None
    assert again.knows(seal)
    assert not Sealer.kept_in(tmp_path / "other").knows(seal)


def test_who_comes_second_takes_the_first_ones(tmp_path: Path) -> None:
    """Commands that start at once all seal with one secret."""
    with ThreadPoolExecutor(8) as threads:
        sealers = list(threads.map(lambda _: Sealer.kept_in(tmp_path), range(16)))
    seal = sealers[0].sealed(None)
    assert all(sealer.knows(seal) for sealer in sealers)


def test_a_secret_is_kept_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """exFAT, and some folders of Android, refuse them: still one secret for all commands."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with ThreadPoolExecutor(8) as threads:
        sealers = list(threads.map(lambda _: Sealer.kept_in(tmp_path), range(16)))
    seal = sealers[0].sealed(None)
    assert all(sealer.knows(seal) and sealer.problem is None for sealer in sealers)
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


@pytest.fixture
def no_secret_yet() -> Iterator[None]:
    """Forget what this process knows of secrets, before and after."""
    sealing._kept.cache_clear()
    yield
    sealing._kept.cache_clear()


@pytest.mark.usefixtures("no_secret_yet")
@pytest.mark.parametrize("home", [".", "home", "../sent"])
def test_a_secret_is_not_taken_from_the_working_folder(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A HOME that is not absolute leads to what a sender put there: none is kept at all."""
    sent = tmp_path / "sent"
    state = sent / home / ".local/state/batchsora"
    state.mkdir(parents=True)
    (state / KEY_FILE).touch(0o600)
    (state / KEY_FILE).write_text("00" * 32)
    monkeypatch.chdir(sent)
    monkeypatch.setenv("HOME", home)
    for environment in ({}, {"XDG_STATE_HOME": ".local/state"}):
        for sealer in (sealing.own_sealer(environment), sealing.kept_sealer(environment)):
            assert sealer is not None
            assert not sealer.knows(Sealer(bytes(32)).sealed(None))
            assert sealer.knows(sealing.own_sealer(environment).sealed(None))
            assert "not an absolute path" in str(sealer.problem)


@pytest.mark.usefixtures("no_secret_yet")
def test_a_state_folder_that_can_not_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after ``sudo`` made it: the sealer for this process says why."""

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name in ("stat", "lstat", "mkdir"):
        monkeypatch.setattr(Path, name, denied)
    sealer = sealing.kept_sealer({"XDG_STATE_HOME": "/nowhere"})
    assert sealer is not None
    assert sealer.problem == "/nowhere/batchsora/seal.key: Permission denied"


def test_it_is_another_one_for_each_database(tmp_path: Path) -> None:
    """The seal of one database says nothing of another one."""
    sealer = Sealer.kept_in(tmp_path)
    (one, mark), (other, _) = (sealer.sealed(None).split() for _ in range(2))
    assert one != other
    assert sealer.knows(f"{one} {mark}")
    assert not sealer.knows(f"{other} {mark}")


@pytest.mark.parametrize(
    "seal", [None, "", " ", "x", "0" * 32, f"{'0' * 32} {'0' * 64}", f"{'0' * 32}\n{'0' * 64}"]
)
def test_whatever_else_is_no_seal(seal: str | None, tmp_path: Path) -> None:
    """Nothing that a file says by itself is known, and sealing it makes a valid one."""
    sealer = Sealer.kept_in(tmp_path)
    assert not sealer.knows(seal)
    assert sealer.knows(sealer.sealed(seal))


def test_several_accounts_fit_into_one(tmp_path: Path) -> None:
    """Each is added once; of too many the first is left out."""
    sealers = [Sealer.kept_in(tmp_path / str(number)) for number in range(MOST + 1)]
    seal = None
    for sealer in sealers[:-1]:
        seal = sealer.sealed(sealer.sealed(seal))
    assert all(sealer.knows(seal) for sealer in sealers[:-1])
    seal = sealers[-1].sealed(seal)
    assert [sealer.knows(seal) for sealer in sealers] == [False] + [True] * MOST


@pytest.mark.parametrize(
    "planted", ["link", pytest.param("readable", marks=pytest.mark.posix), "short", "folder"]
)
def test_a_secret_that_others_may_know_is_not_used(planted: str, tmp_path: Path) -> None:
    """It says which file; what was sealed with such a one is not known."""
    seal = Sealer.kept_in(tmp_path).sealed(None)
    path = tmp_path / KEY_FILE
    if planted == "readable":
        path.chmod(0o644)
    elif planted == "short":
        path.write_text("00\n")
    else:
        path.rename(tmp_path / "other")
        if planted == "link":
            path.symlink_to(tmp_path / "other")
        else:
            path.mkdir(0o700)
    found = Sealer.kept_in(tmp_path)
    assert str(path) in (found.problem or "")
    assert not found.knows(seal)
