"""Seals: nobody makes one without the secret, which its owner alone can read."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.seal import KEY_FILE, MOST, Sealer


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


@pytest.mark.parametrize("planted", ["link", "readable", "short", "folder"])
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
