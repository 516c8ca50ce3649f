"""The manifests that can be chosen on the page: uploaded with their pictures, or lying beside."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batchsora.manifest.read import READERS
from batchsora.usecases.manifest_options import sha256_of
from batchsora.web.dropped import DropError, Dropped, folded
from batchsora.web.uploads import safe_file_name
from batchsora.web.web_context import WebContext
from jobs import system

MOST_SHOWN: Final = 200  # files beside the database that are offered
PICTURES: Final = "pictures"  # the folder of pictures beside an uploaded manifest
_TOKEN: Final = re.compile(r"[ub][0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A manifest that a person chose."""

    token: str  # its name in addresses
    path: Path  # of the file
    uploaded: bool  # it came through the page; else it is beside the database

    @property
    def pictures(self) -> Path | None:
        """Return the folder of the pictures that came with it; None without any."""
        folder = self.path.parent / PICTURES
        return folder.absolute() if self.uploaded and folder.is_dir() else None


def beside(web: WebContext) -> list[Path]:
    """Return the manifests in the database's folder, by name."""
    folder = web.settings.database.absolute().parent
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in READERS
        and not path.name.startswith((".", "~"))
        and path.is_file()
    )[:MOST_SHOWN]


def token_beside(path: Path) -> str:
    """Return the name of a file beside the database in addresses."""
    return f"b{digest(path.name)}"


def digest(text: str) -> str:
    """Return the beginning of a text's SHA-256, enough to name it."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def keep_manifest(web: WebContext, dropped: Dropped, before: Chosen | None = None) -> Chosen:
    """Keep an uploaded manifest with its pictures; each content has a folder of its own.

    ``before`` is one that was kept already, to which pictures are added: in another folder, since a
    run may be reading the first one.

    Raises:
        DropError: there is no table.
        OSError: it can't be written.
    """
    moved = {f"{PICTURES}/{'/'.join(parts)}": one for parts, one in dropped.pictures.values()}
    hashes = {name: one.sha256 for name, one in moved.items()}
    linked: dict[str, Path] = {}
    if before is not None:
        name, sha256 = before.path.name, sha256_of(before.path)
        replaced = {folded(name) for name in moved}
        linked = {n: p for n, p in _kept_pictures(before) if folded(n) not in replaced}
        hashes |= {name: sha256_of(path) for name, path in linked.items()}
        linked[name] = before.path
    elif dropped.table is not None:
        name = safe_file_name(dropped.table.name)
        sha256 = dropped.table.sha256
        moved[name] = dropped.table
    else:
        raise DropError("Choose a file: the table with the prompts.")
    pictures = json.dumps(sorted(hashes.items())) if hashes else ""
    token = f"u{digest(f'{sha256}/{name}{pictures}')}"
    place = web.manifest_folder / token
    if not place.exists():
        _write_all(place, {name: one.path for name, one in moved.items()}, linked)
    return Chosen(token, place / name, uploaded=True)


def _kept_pictures(chosen: Chosen) -> Iterator[tuple[str, Path]]:
    folder = chosen.path.parent
    for path in (folder / PICTURES).rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _write_all(place: Path, moved: Mapping[str, Path], linked: Mapping[str, Path]) -> None:
    """Put files, durably, into a new folder, which is there whole or not at all."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as made:
        folder = Path(made) / place.name
        for files, put in ((moved, system.replace), (linked, _link)):
            for name, source in files.items():
                there = folder / name
                there.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                put(source, there)
                system.sync_file(there)
        try:
            system.replace(folder, place)
        except OSError:
            if not place.is_dir():  # else another request has kept the same
                raise


def _link(source: Path, there: Path) -> None:
    """Link a file under another name; a copy where the disk has no links, as memory cards."""
    try:
        os.link(source, there)
    except OSError:
        shutil.copyfile(source, there)


def pictures_of(chosen: Chosen, used: Collection[Path]) -> tuple[int, tuple[str, ...]]:
    """Return how many pictures that came with a manifest are among the used files, and the others.

    The others are named as they came.
    """
    if (folder := chosen.pictures) is None:
        return 0, ()
    paths = {path.resolve(): path for _, path in _kept_pictures(chosen)}
    left = [path for real, path in paths.items() if real not in used]
    names = sorted(path.absolute().relative_to(folder).as_posix() for path in left)
    return len(paths) - len(left), tuple(names)


def find_chosen(web: WebContext, token: str) -> Chosen | None:
    """Return the manifest that an address names; None where it is not, or no longer, there."""
    if not _TOKEN.fullmatch(token):
        return None
    if token.startswith("b"):
        found = (path for path in beside(web) if token_beside(path) == token)
        path = next(found, None)
        return None if path is None else Chosen(token, path, uploaded=False)
    folder = web.manifest_folder / token
    kept = (
        next((path for path in folder.iterdir() if path.is_file()), None)
        if folder.is_dir()
        else None
    )
    return None if kept is None else Chosen(token, kept, uploaded=True)
