"""Where a cell's picture is, as people write paths, and what to write if it is not found."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from batchsora import picture_kinds
from batchsora.manifest.errors import CellError, shorten
from batchsora.picture_kinds import HEAD, OTHER_SUFFIX, kind_of
from jobs.model.files import made_folder, replaced
from jobs.model.text import normalized

_EMBEDDED: Final = "embedded:"
_TEXT: Final = re.compile(r"\s*embedded:([0-9a-f]{64})\s*")


def keep(folder: Path, name: str, data: bytes) -> Path:
    """Write a picture whole or not at all, under a name for its content; return the path.

    Raises OSError if it can't be written, or the folder (made if missing) is a link or somebody
    else's.
    """
    made_folder(folder)
    final = folder.absolute() / name
    # another process at the same picture makes the same bytes; the row will name this file, also
    # after a power cut
    with replaced(final, mode=0o666, durable=True) as draft:
        draft.write_bytes(data)
    return final


def embedded_text(sha256: str) -> str:
    """Return the text of a cell for a picture in the workbook: the same at every load."""
    return f"{_EMBEDDED}{sha256}"


def embedded_in_text(text: str) -> str | None:
    """Return the SHA-256 of the picture that such a cell means; None for other cells."""
    found = _TEXT.fullmatch(text)
    return None if found is None else found[1]


def embedded_name(sha256: str, data: bytes) -> str:
    """Return the file name of such a picture; the suffix, by its content, is for people."""
    kind = kind_of(data[:HEAD])
    return f"embedded-{sha256}{OTHER_SUFFIX if kind is None else kind.suffix}"


def embedded_files(folder: Path, sha256: str) -> Iterator[Path]:
    """Return every path that such a picture may have."""
    for suffix in picture_kinds.SUFFIXES:
        yield folder.absolute() / f"embedded-{sha256}{suffix}"


NOT_FOUND: Final = "image not found"
"""How what is wrong with a cell begins if its picture is missing."""
SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".jfif", ".webp")
MOST_ENTRIES: Final = 20_000
"""Of a folder that is searched for similar names."""
MOST_FOLDERS: Final = 200
"""Beside a manifest that are searched."""

_NOTHING: Final = frozenset(
    ("-", "--", "\u2013", "\u2014", "none", "n/a", "na", "no", "nil", "null", "nan", "x", "/", "?")
) | {"\\n"}
_QUOTES: Final = "\"'`\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
_WINDOWS: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_SEVERAL: Final = re.compile(r"\s*[;,|\n]\s*")


@lru_cache(maxsize=64)
def _names(folder: Path, _changed: int) -> tuple[str, ...]:
    found = []
    for entry in folder.iterdir():
        found.append(entry.name)
        if len(found) == MOST_ENTRIES:
            break
    return tuple(found)


def names_in(folder: Path) -> tuple[str, ...]:
    """List a folder's entries; none if it can't be listed."""
    try:
        return _names(folder, folder.stat().st_mtime_ns)
    except OSError:
        return ()


def in_another_form(folder: Path, source: str) -> Path | None:
    """Find a file whose name is the same in another Unicode form."""
    path = folder
    for part in Path(source).parts:
        if not (path / part).exists():
            same = [name for name in names_in(path) if normalized(name) == normalized(part)]
            if len(same) != 1:
                return None
            part = same[0]  # noqa: PLW2901 - as it is written there
        path /= part
    return path


def folders_with(folder: Path, source: str) -> list[Path]:
    """Find a plain name in the folders beside a manifest."""
    if Path(source).name != source or source.startswith("."):
        return []
    beside = sorted(name for name in names_in(folder) if not name.startswith("."))
    found = (in_another_form(folder / name, source) for name in beside[:MOST_FOLDERS])
    return [path for path in found if path is not None and path.is_file()]


def said_parts(source: str) -> Iterator[tuple[str, ...]]:
    """Yield the folders and name that a path may mean, in the form in which they are compared.

    A drive, the folders at the beginning, upper and lower case, forms of Unicode, quotes and either
    slash don't count.
    """
    for _, form in _forms(source):
        parts = re.split(r"[\\/]", form.strip(_QUOTES + " "))
        if found := tuple(normalized(part).casefold() for part in parts if part.strip(". ")):
            yield found


class PictureFolder:
    """The pictures of a folder and those inside of it, found by the ends of their paths."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[str, list[tuple[tuple[str, ...], Path]]] = {}
        self._meant: dict[Path, tuple[tuple[str, ...], str]] = {}
        left, seen = [folder], 0
        while left and seen < MOST_FOLDERS:
            inside = left.pop()
            seen += 1
            for name in sorted(names_in(inside)):
                path = inside / name
                if name.startswith(".") or path.is_symlink():
                    continue
                if path.is_dir():
                    left.append(path)
                elif path.is_file():
                    parts = path.relative_to(folder).parts
                    own = tuple(normalized(part).casefold() for part in parts)
                    for key in {own[-1], own[-1].rpartition(".")[0]}:
                        self._names.setdefault(key, []).append((own, path))

    def find(self, source: str) -> Path | None:
        """Find what a path of another machine ends with; None if nothing does.

        Raises:
            CellError: several do; or another row names the only one in another folder: with the
                same picture for both, one of the videos would be wrong.
        """
        for said in said_parts(source):
            near = [
                (_common_end(said[:-1], own[:-1]), path)
                for own, path in self._names.get(said[-1], ())
            ]
            if near:
                best = max(share for share, _ in near)
                return self._the_one([p for share, p in near if share == best], said[:-1], source)
        return None

    def _the_one(self, found: list[Path], folders: tuple[str, ...], source: str) -> Path:
        if len(found) > 1:
            both = " and ".join(shorten(str(p.relative_to(self.folder))) for p in found[:2])
            raise CellError(f"there are several such images: {both}", "Write which one.")
        (path,) = found
        meant, other = self._meant.get(path, ((), source))
        if _common_end(meant, folders) < min(len(meant), len(folders)):
            raise CellError(
                f"there is only one {shorten(path.name)}, and another row names it in another "
                f"folder: {shorten(other)}",
                "Give the pictures different names, or keep each in its folder.",
            )
        if len(folders) >= len(meant):
            self._meant[path] = folders, source
        return path


def _common_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def says_nothing(cell: str) -> bool:
    """Return whether a cell for a picture says that there is none."""
    word = cell.strip().casefold()
    return not word or word in _NOTHING


def check_written(source: str) -> None:
    """Raise CellError for a text that can't name a file of this machine."""
    word = source.casefold()
    if says_nothing(source):
        raise CellError(
            "this does not name a picture", "Leave the cell empty for a video without a picture."
        )
    if word.startswith("file:"):
        raise CellError(
            "name a file by its path, not by an address",
            f"Put it beside the manifest and write {_last(unquote(source))}.",
        )
    if word.startswith("blob:"):
        raise CellError(
            "this address only works in your browser",
            "Save the picture beside the manifest and write its name.",
        )
    if word.startswith("www.") or source.startswith("//"):
        raise CellError(
            "not a path, and not a full web address",
            f"Write https://{source.lstrip('/')}.",
        )


def not_found(folder: Path, source: str, more: Path | None = None) -> CellError:
    """Return the error of a missing picture, with what would be found.

    ``more`` is another folder that was searched.
    """
    for problem, path in _forms(source):
        if path and (near := _there(folder, path)) is not None:
            return CellError(f"{NOT_FOUND}{problem}", f"Write {shorten(near)}.")
    parts = [part for part in _SEVERAL.split(source) if part]
    if len(parts) > 1 and all(part.lower().endswith(SUFFIXES) for part in parts):
        return CellError(
            "this names several images", "A video begins with one image: name one of them."
        )
    if more is not None:
        return CellError(NOT_FOUND, f"Add it to {shorten(more.name)}/, or correct its name here.")
    if _WINDOWS.match(source) or source.startswith("~"):
        return CellError(
            "this path leads outside the manifest's folder",
            f"Put the picture beside the manifest and write {_last(source)}.",
        )
    return CellError(
        NOT_FOUND,
        "Paths are relative to the manifest's folder; set another one with --images DIR.",
    )


def _forms(source: str) -> Iterator[tuple[str, str]]:
    """Return what a person may have meant, and what is wrong with how it is written."""
    yield "", source
    bare = source.strip(_QUOTES + " ")
    yield ": the quotes are read as part of its name", bare
    slashed = bare.replace("\\", "/")
    yield ": \\ does not separate folders here", slashed
    yield ": % is read as part of its name", unquote(slashed)
    yield ": what follows the suffix belongs to an address", re.split("[?#]", slashed)[0]
    yield ", and paths are relative to the manifest's folder", _last(source)


def _last(source: str) -> str:
    return re.split(r"[\\/]", source.strip(_QUOTES + " "))[-1]


def _there(folder: Path, source: str) -> str | None:
    """Find what a path may mean in a folder: in other case, or with a suffix."""
    path, written = folder, []
    parts = [part for part in Path(source).parts if part != "."]
    if not parts or ".." in parts or source.startswith(("/", "~")):
        return None
    for place, part in enumerate(parts):
        wanted = normalized(part).casefold()
        last = place == len(parts) - 1
        near = [
            name
            for name in names_in(path)
            if normalized(name).casefold() == wanted
            or (last and normalized(name).casefold() in {wanted + end for end in SUFFIXES})
        ]
        if not near:
            return None
        written.append(part if part in near else min(near))
        path /= written[-1]
    return "/".join(written) if path.is_file() else None
