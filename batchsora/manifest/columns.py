"""Which header means what: names without case, spaces and punctuation, synonyms, misspellings.

A header that means nothing here is the person's own column: it is carried through to the export.
One that looks like a misspelt name of ours is *suspicious*: every row would silently get the
default instead of what the person wrote, and be paid for.
"""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from batchsora.manifest.errors import RowProblem, refused

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("name", "job id"),
    "prompt": ("text",),
    "image": ("image file", "image path"),
    "image_url": (),
    "orientation": ("aspect", "aspect ratio", "ratio"),
    "duration": ("seconds", "length"),
    "campaign": (),
    "priority": (),
    "count": ("variants", "copies", "repeat"),
    "callback_url": (),
}
"""The columns that mean something, and what else they may be called."""

MOST_COLUMNS: Final = 1000
LONGEST_HEADER: Final = 1000
"""Characters; a header is repeated in messages, and compared with every name of ours."""
SHORTEST_MISSPELT: Final = 5
"""A shorter word is one letter away from too many honest headers."""
SHOWN: Final = 8
LONG_WORD: Final = 8
"""From here on two slips count as a misspelling, below only one."""


def folded(header: str) -> str:
    """Reduce a header to what counts: letters and digits, without case and width.

    ``"Aspect-Ratio "`` and ``"aspect_ratio"`` are one.
    """
    normal = unicodedata.normalize("NFKC", header).casefold()
    return "".join(character for character in normal if character.isalnum())


_CANONICAL: Final = {folded(name): name for name in SYNONYMS}
_KNOWN: Final = _CANONICAL | {
    folded(synonym): name for name, synonyms in SYNONYMS.items() for synonym in synonyms
}


def meaning(header: str) -> str | None:
    """Say which column of ours a header names (``"Text"`` is ``"prompt"``), or None."""
    return _KNOWN.get(folded(header))


def proper(header: str) -> bool:
    """Whether a header is the proper name of a column of ours, not a synonym."""
    return folded(header) in _CANONICAL


@dataclass(frozen=True, slots=True)
class Columns:
    """What the headers of one manifest mean.

    Attributes:
        known: where each column of ours stands, by its canonical name.
        carried: where the columns stand that go into the export, ours and the person's own.
        nameless: where columns without a header stand.
        warnings: what a person should look at; none of it stops the loading.
        suspicious: the headers that look misspelt, as written.
    """

    known: Mapping[str, int]
    carried: tuple[int, ...]
    nameless: tuple[int, ...]
    warnings: tuple[RowProblem, ...]
    suspicious: tuple[str, ...]


def understand(
    file: str,
    headers: Sequence[str],
    row: int | None,
    said: Mapping[str, str] = MappingProxyType({}),
    results: Collection[int] = (),
) -> Columns:
    """Find out what the headers of a manifest mean.

    Args:
        file: the manifest's path, for messages.
        headers: as written.
        row: where they stand, or None.
        said: which column of ours a header means, by the header, because a person says so.
        results: where the results of an earlier export stand
            (:mod:`batchsora.manifest.result_columns`).

    Raises:
        ManifestError: no prompt, a header twice, two headers for one column, or a person speaks of
            a header that is not there.
    """
    if len(headers) > MOST_COLUMNS:
        raise refused(
            file,
            f"the header has {len(headers)} columns, more than {MOST_COLUMNS}",
            "Is this the right file?",
            row=row,
        )
    for header in headers:
        if len(header) > LONGEST_HEADER:
            raise refused(
                file,
                f"a column's name is longer than {LONGEST_HEADER} characters",
                "Shorten it.",
                row=row,
                found=header,
            )
    known, shadowed = _known(file, headers, row, _said(file, headers, row, said))
    nameless = tuple(index for index, header in enumerate(headers) if not header.strip())
    carried = tuple(i for i in range(len(headers)) if i not in results and headers[i].strip())
    _refuse_twins(file, [headers[index] for index in carried], row)
    if "prompt" not in known:
        raise _without_prompt(file, headers, row)

    warnings = [
        RowProblem(
            file,
            row,
            headers[index],
            None,
            f"is not read as {name!r}, because there is a column of that name",
            "It is carried through to the export; rename one if that is not what you mean.",
        )
        for index, name in shadowed.items()
    ]
    suspicious = {
        headers[index]: like
        for index in carried
        if index not in known.values()
        and index not in shadowed
        and (like := misspelt(headers[index], known)) is not None
    }
    warnings += [
        RowProblem(
            file,
            row,
            header,
            None,
            f"looks like a misspelt {like!r}; as it stands it has no effect",
            f"Call it {like!r}, or something less similar if it is a column of your own.",
        )
        for header, like in suspicious.items()
    ]
    return Columns(known, carried, nameless, tuple(warnings), tuple(suspicious))


def _said(
    file: str, headers: Sequence[str], row: int | None, said: Mapping[str, str]
) -> dict[int, str]:
    """Find the headers that a person speaks of; written as they are, or else as good as that."""
    found: dict[int, str] = {}
    for header, name in said.items():
        places = [index for index, one in enumerate(headers) if one.strip() == header.strip()] or [
            index for index, one in enumerate(headers) if folded(one) == folded(header)
        ]
        if len(places) != 1:
            near = get_close_matches(header, headers, 1)
            raise refused(
                file,
                f"there is no column {header!r}" if not places else f"{header!r} stands twice",
                f"Did you mean {near[0]!r}?"
                if near and not places
                else f"There are: {_listed(headers)}.",
                row=row,
            )
        found[places[0]] = name
    return found


def _known(
    file: str, headers: Sequence[str], row: int | None, said: Mapping[int, str]
) -> tuple[dict[str, int], dict[int, str]]:
    """Find our columns, and those whose name is only a synonym beside the proper one.

    What a person says goes before what a header is called.
    """
    places: dict[str, list[int]] = {}
    for index, header in enumerate(headers):
        name = said.get(index) or meaning(header)
        if name is not None:
            places.setdefault(name, []).append(index)
    known: dict[str, int] = {}
    shadowed: dict[int, str] = {}
    for name, indexes in places.items():
        best = (
            [index for index in indexes if index in said]
            or [index for index in indexes if proper(headers[index])]
            or indexes
        )
        if len(best) > 1:
            twins = ", ".join(repr(headers[index]) for index in best)
            raise refused(
                file,
                f"several columns mean {name!r}: {twins}",
                f"Keep one of them, or call the right one {name!r}.",
                row=row,
            )
        known[name] = best[0]
        shadowed |= {index: name for index in indexes if index != known[name]}
    return known, shadowed


def _refuse_twins(file: str, headers: Sequence[str], row: int | None) -> None:
    seen: set[str] = set()
    for header in headers:
        if header in seen:
            raise refused(
                file,
                "two columns have the same name",
                "Rename one of them.",
                row=row,
                column=header,
            )
        seen.add(header)


def _without_prompt(file: str, headers: Sequence[str], row: int | None) -> Exception:
    likely = next((header for header in headers if misspelt(header, ()) == "prompt"), None)
    return refused(
        file,
        "there is no column 'prompt'",
        f"Is {likely!r} misspelt? Call it 'prompt'."
        if likely is not None
        else "The first row must hold the columns' names, one of them 'prompt'; --map 'Your "
        "name=prompt' tells what another one means.",
        row=row,
        found=_listed(headers),
    )


def _listed(headers: Sequence[str]) -> str:
    """Show so many headers as are enough to recognise the file by."""
    return ", ".join(map(repr, headers[:SHOWN])) + (", …" if len(headers) > SHOWN else "")


def misspelt(header: str, present: Mapping[str, int] | Sequence[str]) -> str | None:
    """Say which name of ours a header is probably meant to be, if it looks like a slip.

    Args:
        header: as written; one that is a proper name of ours is no slip.
        present: our columns that the manifest has; what is there was not misspelt.
    """
    word = folded(header)
    for known, name in _KNOWN.items():
        if name in present or len(known) < SHORTEST_MISSPELT:
            continue
        most = 2 if len(known) >= LONG_WORD else 1
        if abs(len(word) - len(known)) <= most and 0 < slips(word, known) <= most:
            return name
    return None


def slips(one: str, other: str) -> int:
    """Count the letters to add, drop, change or swap with their neighbour to make one the other."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
