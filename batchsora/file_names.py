"""Names of downloaded files by a pattern, as ``{campaign}/{id}-{prompt:40}``.

A name is a path inside the batch's folder. Whatever a cell holds, it becomes a safe part of a name,
never a folder or a way out: only slashes of the pattern make folders.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Final

from batchsora.names import folded, sanitized

FIELDS: Final = (
    "id", "row", "batch", "campaign", "prompt", "duration", "orientation", "date",
)  # fmt: skip
"""What a row knows by itself; ``date`` is the day (UTC) on which its video was completed. Any other
name is a column of the manifest."""

LONGEST: Final = 300  # characters of a pattern
DEEPEST: Final = 4  # folders in a pattern
USUAL: Final = 60  # characters of a field that names no number
_SHOWN: Final = 40

_PART: Final = re.compile(r"\{([^{}:]+)(?::([0-9]{1,3}))?\}|\{\{|\}\}|([{}])")
_REFUSED: Final = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    most: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, read.

    Attributes:
        text: as it was written.
        folders: its parts between slashes: texts, and fields to be filled in.
    """

    text: str
    folders: tuple[tuple[str | _Field, ...], ...]

    @property
    def names(self) -> list[str]:
        """Return the fields in it, in order."""
        return [one.name for part in self.folders for one in part if isinstance(one, _Field)]

    def of(self, facts: Mapping[str, str]) -> PurePosixPath:
        """Return a row's file, without its suffix; an empty or unknown field is ``no_NAME``.

        Args:
            facts: values by the names of fields, which are in any case of letters.
        """
        known = {name.casefold(): text for name, text in facts.items()}
        return PurePosixPath(*(sanitized("".join(_filled(part, known))) for part in self.folders))


def _filled(part: tuple[str | _Field, ...], known: Mapping[str, str]) -> Iterator[str]:
    for one in part:
        if isinstance(one, str):
            yield one
        else:
            text = " ".join(known.get(one.name.casefold(), "").split())[: one.most].rstrip()
            yield text or f"no {one.name}"


def parse(text: str) -> Pattern:
    """Read a pattern; raise a ValueError if it can't name files, or would lead elsewhere."""
    if not text.strip() or len(text) > LONGEST:
        raise ValueError(f"use a pattern of 1 to {LONGEST} characters, like {{campaign}}/{{id}}")
    shown = text.removesuffix(".mp4")
    folders = tuple(tuple(_parts(one)) for one in shown.split("/"))
    if not all(folders) or len(folders) > DEEPEST + 1:
        raise ValueError(
            f"{_short(text)}: use a path inside of the batch's folder, without a slash at its "
            f"beginning or end, and with at most {DEEPEST} folders"
        )
    for part in folders:
        if all(isinstance(one, str) and not one.strip(". ") for one in part):
            raise ValueError(f"{_short(text)}: '.' and '..' can't be a name")
    found = Pattern(text, folders)
    if not found.names:
        raise ValueError(
            f"{_short(text)}: every file would have this name; add a field, like {{id}}"
        )
    return found


def _parts(text: str) -> Iterator[str | _Field]:
    at = 0
    for match in _PART.finditer(text):
        yield from _literal(text[at : match.start()])
        at = match.end()
        name, most, brace = match.groups()
        if brace is not None:
            raise ValueError(
                f"{_short(text)}: a {brace} has no partner; write a field like {{id}} or "
                "{prompt:40}, and a brace of the name twice"
            )
        if name is None:
            yield match[0][0]
        elif most == "0":
            raise ValueError(f"{_short(match[0])}: use at least 1 character of a field")
        else:
            yield _Field(name.strip(), USUAL if most is None else int(most))
    yield from _literal(text[at:])


def _literal(text: str) -> Iterator[str]:
    if (bad := _REFUSED.search(text)) is not None:
        raise ValueError(f"{_short(text)}: {bad[0]!r} can't be in the name of a file")
    if text:
        yield text


def checked(text: str) -> str:
    """Return a pattern as it was written; raise a ValueError if :func:`parse` refuses it."""
    return parse(text).text


def unknown(pattern: Pattern, columns: Collection[str]) -> str | None:
    """Return what is wrong with a field that no row has, and a suggestion; None: nothing is."""
    known = {name.casefold(): name for name in (*columns, *FIELDS)}
    for name in pattern.names:
        if name.casefold() in known:
            continue
        near = get_close_matches(name.casefold()[:80], known, 1)
        fields = ", ".join(f"{{{one}}}" for one in FIELDS)
        hint = f"there are {fields}, and the columns of the table"
        if near:
            hint = f"did you mean {{{known[near[0]]}}}?"
        return f"there is no field {{{_short(name)}}}; {hint}"
    return None


class Taken:
    """Names that rows of one batch already have, also by another case of letters."""

    def __init__(self) -> None:
        self._rows: dict[bytes, tuple[str, int]] = {}

    def by(self, name: PurePosixPath, key: str, row: int) -> tuple[str, int] | None:
        """Take a name for a row; return the key and row of the one that has it already."""
        digest = blake2b(folded(str(name)).encode("utf-8", "replace"), digest_size=16).digest()
        first = self._rows.setdefault(digest, (key, row))
        return None if first == (key, row) else first


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
