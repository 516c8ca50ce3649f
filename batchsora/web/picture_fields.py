"""The field by which a person says in which folder a manifest's pictures lie."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from batchsora.manifest.picture_paths import MOST_FOLDERS, SUFFIXES, names_in

DEEPEST: Final = 3
"""Folders in each other that are looked into, below that of the database."""


def picture_folders(database: Path) -> Mapping[str, Path]:
    """List the folders that hold pictures, from that of the database on, by what they are called.

    Links are not followed: who may open the page may not send what lies elsewhere.

    Args:
        database: its path.
    """
    top = database.absolute().parent
    found: dict[str, Path] = {}
    for folder in _folders(top, DEEPEST):
        if any(name.lower().endswith(SUFFIXES) for name in names_in(folder)):
            found[f"{folder.relative_to(top).as_posix()}/".removeprefix("./") or "./"] = folder
            if len(found) == MOST_FOLDERS:
                break
    return found


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if not depth:
        return
    inside = [folder / name for name in names_in(folder) if not name.startswith(".")]
    for path in sorted(inside)[:MOST_FOLDERS]:
        if path.is_dir() and not path.is_symlink():
            yield from _folders(path, depth - 1)
