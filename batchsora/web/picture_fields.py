"""The field by which a person says in which folder a manifest's pictures lie."""

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from batchsora.manifest.images.picture_paths import MOST_FOLDERS, SUFFIXES, names_in

DEEPEST: Final = 3
"""Folders in each other that are looked into, below that of the database."""

MOST_LOOKED_AT: Final = 1000
"""Folders that are looked into in all, the nearest first: a home folder has a hundred thousand."""


def picture_folders(database: Path) -> Mapping[str, Path]:
    """List the folders that hold pictures, from that of the database on, by what they are called.

    Links are not followed: who may open the page may not send what lies elsewhere.

    Args:
        database: its path.
    """
    top = database.absolute().parent
    having = (
        folder
        for folder in islice(_folders(top), MOST_LOOKED_AT)
        if any(name.lower().endswith(SUFFIXES) for name in names_in(folder))
    )
    return {
        f"{folder.relative_to(top).as_posix()}/".removeprefix("./") or "./": folder
        for folder in islice(having, MOST_FOLDERS)
    }


def _folders(top: Path) -> Iterator[Path]:
    """Walk through folders, the nearest first."""
    left = deque([(top, 0)])
    while left:
        folder, depth = left.popleft()
        yield folder
        if depth < DEEPEST:
            inside = [folder / name for name in names_in(folder) if not name.startswith(".")]
            left += [
                (path, depth + 1)
                for path in sorted(inside)[:MOST_FOLDERS]
                if path.is_dir() and not path.is_symlink()
            ]
