"""What the headers of one manifest mean, taken together.

A header without a meaning is the person's own column, which is carried through to the export. One
that resembles a name of ours is *suspicious*: every row would silently get the default instead of
what the person wrote, and be paid for.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from batchsora.manifest.errors import RowProblem, refused
from batchsora.manifest.raw import Reading
from batchsora.manifest.rows.headers import (
    LONGEST_HEADER,
    WEAKEST,
    is_doubtful,
    is_second_prompt,
    may_be_prompt,
    meaning,
    misspelt,
    rank,
    resembled,
)
from batchsora.manifest.rows.model_headers import OF_MODELS
from batchsora.manifest.rows.spelling import folded

MOST_COLUMNS: Final = 1000
SHOWN: Final = 8
LONGEST_TYPED: Final = 100
"""Characters of a header that a person types or copies."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the headers of one manifest mean.

    Attributes:
        known: the place of each column of ours, by its canonical name.
        carried: the places of the columns that go into the export, ours and the person's own.
        nameless: the places of columns without a header.
        warnings: what a person should check; they don't stop the loading.
        suspicious: the headers that resemble one of ours, as written.
        own: the places of columns that a person says are theirs.
        results: the places of columns with the name of a result.
        told: a person said which column has the prompts.
    """

    known: Mapping[str, int]
    carried: tuple[int, ...]
    nameless: tuple[int, ...]
    warnings: tuple[RowProblem, ...]
    suspicious: tuple[str, ...]
    own: frozenset[int] = frozenset()
    results: frozenset[int] = frozenset()
    told: bool = False


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
        row: where they are, or None.
        said: which column of ours a header means, by the header, if a person said so; ``""`` is a
            column of their own.
        results: the places of the results of an earlier export.

    Raises:
        ManifestError: no prompt, a duplicate header, two headers for one column, or ``said`` has a
            header that does not exist.
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
    told = _said(file, headers, row, said)
    own = frozenset(index for index, name in told.items() if not name)
    known, shadowed = _known(file, headers, row, told, results)
    nameless = tuple(index for index, header in enumerate(headers) if not header.strip())
    carried = tuple(i for i in range(len(headers)) if i not in results and headers[i].strip())
    seen: set[str] = set()
    for header in (headers[index] for index in carried):
        if header in seen:
            raise refused(
                file,
                "two columns have the same name",
                "Rename one of them.",
                row=row,
                column=header,
            )
        seen.add(header)
    if "prompt" not in known:
        raise _without_prompt(file, headers, row)

    warnings = [
        RowProblem(
            file,
            f"is not read as {name!r}, because there is a column of that name",
            "It is copied to the export; rename one if that is not what you mean.",
            row=row,
            column=headers[index],
        )
        for index, name in shadowed.items()
        if rank(headers[index]) != WEAKEST
    ]
    suspicious = {
        headers[index]: found
        for index in carried
        if index not in known.values()
        and index not in shadowed
        and index not in own
        and (found := resembled(headers[index], known)) is not None
    }
    asked = set(suspicious)
    if told.get(known["prompt"]) != "prompt":
        doubtful = is_doubtful(headers[known["prompt"]])
        may_be = may_be_prompt if doubtful else is_second_prompt
        suspicious |= {
            headers[index]: ("prompt", False)
            for index in carried
            if index not in known.values()
            and index not in own
            and may_be(headers[index])
            and suspicious.get(headers[index], ("", False))[0] not in OF_MODELS
        }
        for header in suspicious.keys() - asked:
            warnings = [one for one in warnings if one.column != header]
    warnings += [
        RowProblem(
            file,
            (
                f"looks like a misspelling of {like!r}, and is ignored"
                if slip
                else f"may mean {like!r}, but is not read as it"
            ),
            f"Rename it to {like!r}, or use {way_to_map(header, like)}; if it is your own column, "
            f"{way_to_map(header, '')} keeps it as it is.",
            row=row,
            column=header,
        )
        for header, (like, slip) in suspicious.items()
    ]
    return Columns(
        known,
        carried,
        nameless,
        tuple(warnings),
        tuple(suspicious),
        own,
        frozenset(results),
        told.get(known["prompt"]) == "prompt",
    )


def way_to_map(header: str, name: str) -> str:
    """Return the option that maps a header to a name; ``""`` is a person's own column.

    A header that nobody would type is not repeated.
    """
    words = " ".join(header.split())
    said = f"{words if len(words) <= LONGEST_TYPED and words.isprintable() else 'HEADER'}={name}"
    return f"--map '{said}'" if "'" not in said else f'--map "{said}"'


def _said(
    file: str, headers: Sequence[str], row: int | None, said: Mapping[str, str]
) -> dict[int, str]:
    """Return the places of the headers in ``said``; equal ones come before similar ones."""
    found: dict[int, str] = {}
    for header, name in said.items():
        places = [index for index, one in enumerate(headers) if one.strip() == header.strip()] or [
            index for index, one in enumerate(headers) if folded(one) == folded(header)
        ]
        if len(places) != 1:
            near = get_close_matches(header, headers, 1)
            raise refused(
                file,
                f"there is no column {header!r}"
                if not places
                else f"there are two columns {header!r}",
                f"Did you mean {near[0]!r}?"
                if near and not places
                else f"There are: {listed(headers)}.",
                row=row,
            )
        found[places[0]] = name
    return found


def _known(
    file: str,
    headers: Sequence[str],
    row: int | None,
    said: Mapping[int, str],
    results: Collection[int],
) -> tuple[dict[str, int], dict[int, str]]:
    """Find our columns, and those with only a synonym beside the proper name.

    What a person says comes before the header's own meaning.
    """
    places: dict[str, list[int]] = {}
    for index, header in enumerate(headers):
        if index in results and index not in said:  # an export's "model" is no wish
            continue
        name = said[index] if index in said else meaning(header)
        if name:
            places.setdefault(name, []).append(index)
    known: dict[str, int] = {}
    shadowed: dict[int, str] = {}
    for name, indexes in places.items():
        surest = min(rank(headers[index]) for index in indexes)
        best = [index for index in indexes if index in said] or [
            index for index in indexes if rank(headers[index]) == surest
        ]
        if len(best) > 1:
            twins = ", ".join(repr(headers[index]) for index in best)
            raise refused(
                file,
                f"several columns mean {name!r}: {twins}",
                f"Keep one of them, or rename the right one to {name!r}, or use "
                f"{way_to_map(headers[best[0]], name)}.",
                row=row,
            )
        known[name] = best[0]
        shadowed |= {index: name for index in indexes if index != known[name]}
    return known, shadowed


def _without_prompt(file: str, headers: Sequence[str], row: int | None) -> Exception:
    likely = next(
        (h for h in headers if (found := resembled(h, ())) is not None and found[0] == "prompt"),
        None,
    )
    if likely is None:
        remedy = (
            "The first row must contain the column names, one of them 'prompt'; --map 'Your "
            "name=prompt' maps another one."
        )
    elif folded(likely) not in ("prompt", "prompts") and misspelt(likely, ()) == "prompt":
        way = way_to_map(likely, "prompt")
        remedy = f"Is {likely!r} misspelled? Rename it to 'prompt', or use {way}."
    else:
        remedy = f"Is it {likely!r}? Use {way_to_map(likely, 'prompt')}."
    return refused(file, "there is no column 'prompt'", remedy, row=row, found=listed(headers))


def listed(headers: Sequence[str]) -> str:
    """Return as many headers as are enough to recognise the file by."""
    return ", ".join(map(repr, headers[:SHOWN])) + (", …" if len(headers) > SHOWN else "")


def gone(reading: Reading, headers: Sequence[str]) -> Mapping[str, str]:
    """Return what was given before for headers that no longer exist."""
    there = {folded(header) for header in headers}
    return {
        header: name
        for header, name in reading.columns.items()
        if header in reading.kept and folded(header) not in there
    }


def refuse_gone(file: str, row: int | None, reading: Reading, headers: Sequence[str]) -> None:
    """Raise ManifestError if a header that meant one of our columns is gone, and none means it now.

    A campaign's cap would no longer hold, or every row would be bought with the default.
    """
    said = {folded(header): name for header, name in reading.columns.items()}
    present = {said.get(folded(header), meaning(header)) for header in headers}
    for header, name in gone(reading, headers).items():
        if name and name not in present:
            raise refused(
                file,
                f"there is no column {header!r} any more, which you mapped before to {name!r}",
                f"There are: {listed(headers)}. Map the new one with "
                f"{way_to_map('Your name', name)}, rename it back to {header!r}, or use "
                f"{way_to_map(header, '')} if it is none of them.",
                row=row,
            )
