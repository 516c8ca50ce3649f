"""Write results into a YAML manifest, beside the jobs that they belong to.

The text stays as it is, to the byte: the parser only shows where each job is, and results are
inserted there (dumping the parsed document would join lines and drop spaces). The new text is
parsed before anything is written, and refused unless it says exactly the same jobs.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, TextIO

import yaml

from batchsora.manifest.errors import CellError, ManifestError
from batchsora.manifest.formats import tree
from batchsora.manifest.formats.tree_table import TreeTable, numbered, table_of
from batchsora.manifest.formats.yaml_tree import (
    BLOCK_HEADER,
    BREAK,
    Place,
    line_end,
    open_yaml,
    parsed,
    places_of,
)
from batchsora.manifest.raw import RawRow, encoding_of
from batchsora.manifest.values import count
from batchsora.result_columns import RESULT_NAMES

_TO_COMMA: Final = re.compile(r"((?:\s|#[^\r\n]*+)*+),[ \t]*")
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*")
_PLAIN_IN_BLOCK: Final = re.compile(r"https?://[A-Za-z0-9_./+:?=&%~-]*[A-Za-z0-9_/]")
_NO_TEXT: Final = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])

_Value = str | int | Decimal | None
_Results = dict[str, list[_Value]]
"""Of one job: for each key that has any, the values of its videos in order."""
_Edit = tuple[int, int, str]
"""Where a piece of the text begins and ends, and its replacement."""


def write_yaml_results(
    source: Path,
    target: TextIO,
    results: Mapping[int, Sequence[Mapping[str, object]]],
    keys: Collection[str] = RESULT_NAMES,
) -> None:
    """Write a YAML manifest with the results of its jobs.

    A job gets its results as keys after its own; if it has several videos each key has a list in
    their order, with null for a missing one. Those of an earlier export are replaced; empty values
    are left out. Jobs without results stay as they are.

    Args:
        source: the manifest.
        target: opened as UTF-8 with ``newline=""``; a byte order mark is written if there was one.
        results: texts, whole numbers or ``Decimal``, by the line of a job and the key, for each
            video.
        keys: of results; all others are a person's own.

    Raises ManifestError if the manifest can't be read, ValueError if it would change its meaning.
    """
    table = open_yaml(source)
    if table.matrix.entries:
        raise _unsafe("the jobs of its matrix have no place of their own")
    if encoding_of(source, None) != "utf-8-sig":
        raise _unsafe("it is not UTF-8")
    text = source.read_bytes().decode()
    mark, text = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    wanted = _by_job(table, results, keys)
    if wanted:
        text = _edited(text, _removals(text, wanted, table, keys))
        bare = _read_back(source, text)
        for index, said in wanted.items():
            there = {key.text for key, _ in getattr(bare.jobs[index], "entries", ())}
            for name in there.intersection(keys) - said.keys():
                said[name] = [None]  # or a merge key would bring another job's
        text = _edited(text, _additions(text, wanted))
        _check(table, _read_back(source, text), wanted, keys)
    target.write(mark + text)


def _by_job(
    table: TreeTable, results: Mapping[int, Sequence[Mapping[str, object]]], keys: Collection[str]
) -> dict[int, _Results]:
    """Return results by the job's place among the jobs of the manifest."""
    rows = {raw.row: (index, raw) for index, raw in _readable(table)}
    sharing = Counter(job.line for job in table.jobs)
    wanted = {}
    for number, found in results.items():
        if number not in rows:
            raise _unsafe(f"there is no longer a job on line {number}")
        index, raw = rows[number]
        # older versions gave all jobs of a line its number
        if sharing[table.jobs[index].line] > 1 and _count(table, raw) != len(found):
            raise _unsafe(f"line {number} has several jobs, whose results can't be told apart")
        wanted[index] = _columns(found, keys)
    return wanted


def _readable(table: TreeTable) -> Iterator[tuple[int, RawRow]]:
    """Return the rows of a manifest with the place of each among the jobs."""
    rows = (raw for raw in table.rows() if isinstance(raw, RawRow))
    row = next(rows, None)
    written = [index for index, job in enumerate(table.jobs) if not tree.blank(job)]
    for index, (number, _) in zip(written, numbered(table.jobs), strict=True):
        if row is not None and row.row == number:
            yield index, row
            row = next(rows, None)


def _count(table: TreeTable, raw: RawRow) -> int:
    """Return how many videos a row asks for; 0 if that can't be read."""
    try:
        return count(raw.cells[table.names.index("count")]) if "count" in table.names else 1
    except CellError:
        return 0


def _columns(rows: Sequence[Mapping[str, object]], keys: Collection[str]) -> _Results:
    """Return the results of a job's videos as one list for each key."""
    columns = {name: [_value(row.get(name)) for row in rows] for name in keys}
    return {name: values for name, values in columns.items() if any(v is not None for v in values)}


def _value(value: object) -> _Value:
    if isinstance(value, str):
        return tree.UNWRITABLE.sub("\ufffd", value) or None
    if value is None or (isinstance(value, (int, Decimal)) and not isinstance(value, bool)):
        return value
    raise ValueError(f"cannot write a {type(value).__name__} into a manifest")


def _jobs(text: str) -> Place:
    """Find the list of jobs in a text that is known to be a manifest."""
    top = places_of(text)
    jobs = [value for key, value in top.pairs if key.text == "jobs"] or [top]
    place = jobs[0].target or jobs[0]
    if not isinstance(place.event, yaml.SequenceStartEvent):
        raise _unsafe("its jobs are not under 'jobs:'")
    return place


def _edited(text: str, edits: Sequence[_Edit]) -> str:
    pieces = []
    done = 0
    for start, end, instead in sorted(edits, key=lambda edit: edit[:2]):
        pieces += [text[done:start], instead]
        done = max(done, end)
    return "".join([*pieces, text[done:]])


def _removals(
    text: str, wanted: Mapping[int, _Results], table: TreeTable, keys: Collection[str]
) -> list[_Edit]:
    jobs = _jobs(text).children
    if [job.event.start_mark.line + 1 for job in jobs] != [job.line for job in table.jobs]:
        raise _unsafe("it changed while it was read")
    edits = []
    for index in wanted:
        before: Place | None = None  # the value in front, where it or one before it stays
        for key, value in jobs[index].pairs:
            if key.text not in keys:
                before = value
            else:
                removed = _removed_in_flow if jobs[index].flow else _removed
                edits.append(removed(text, key, value, before))
                before = before and value
    return edits


def _removed(text: str, key: Place, value: Place, _: Place | None) -> _Edit:
    """Remove a key from a block: its lines, or only itself if a comment follows it."""
    start, end = key.start - key.column, line_end(text, value.end)
    if text[start : key.start].strip():  # behind the hyphen
        return (key.start, value.end, "")
    if comment := text[value.end : end].strip():
        return (key.start, end, comment)
    return (start - (2 if text[start - 2 : start] == "\r\n" else 1), end, "")


def _removed_in_flow(text: str, key: Place, value: Place, before: Place | None) -> _Edit:
    """Remove a key from braces with the comma before it, or for the first the comma behind it."""
    comma = _TO_COMMA.match(text, value.end if before is None else before.end)
    if before is None:
        return (key.start, value.end if comma is None else comma.end(), "")
    between = "" if comma is None else f"{comma[1]} {text[comma.end() : key.start]}"
    return (before.end, value.end, between if "#" in between else "")


def _additions(text: str, wanted: Mapping[int, _Results]) -> list[_Edit]:
    jobs = _jobs(text)
    edits: list[_Edit] = []
    for index, said in wanted.items():
        job = jobs.children[index]
        own = job.pairs and not job.aliased
        if said:
            edits += _added(text, job, said) if own else _wrapped(text, job, jobs, said)
            edits += _bare_end(text, job)
    return edits


def _added(text: str, job: Place, said: _Results) -> list[_Edit]:
    last = job.children[-1]
    if not job.flow:
        marked = job.event.anchor is not None or job.event.tag is not None
        return [_lines(text, job, (job.children[0] if marked else job).column, said)]
    space = " " if text[last.end - 1] == ":" else ""
    before, after = ("", "") if job.end > last.end else "{}"  # [key: value] has none of its own
    keys = space + _keys(said, ", ", flow=True) + after
    return [(job.start, job.start, before), (last.end, last.end, keys)]


def _wrapped(text: str, job: Place, jobs: Place, said: _Results) -> list[_Edit]:
    """Put a mapping around a job that is a prompt, an alias, or what an alias refers to.

    What others refer to stays as it was: the new mapping merges it (``<<``) and adds results.
    """
    key = "<<: " if (job.target or job).text is None else "prompt: "
    if jobs.flow or job.flow:
        keys = _keys(said, ", ", flow=True) + "}"
        return [(job.start, job.start, "{" + key), (job.end, job.end, keys)]
    deeper = " " * (job.column - (jobs.column if jobs.event.anchor is None else 0))
    lines = [found.end() for found in BREAK.finditer(text, job.start, job.end)]
    return [
        (job.start, job.start, key),
        *((line, line, deeper) for line in lines if not BREAK.match(text, line)),
        _lines(text, job, job.column, said),
    ]


def _lines(text: str, job: Place, column: int, said: _Results) -> _Edit:
    """Write results as lines of their own after the last line of a job."""
    place = line_end(text, job.end)
    found = BREAK.search(text)
    ending = found[0] if found and found[0] in {"\r\n", "\r"} else "\n"
    return (place, place, _keys(said, ending + " " * column, flow=False))


def _bare_end(text: str, job: Place) -> list[_Edit]:
    """Keep a block scalar at the end of the file from getting a line end that it did not have."""
    while job.children:
        job = job.children[-1]
    header = BLOCK_HEADER.match(text, job.start)
    return [(*header.span(1), "-")] if job.text and header and job.end == len(text) else []


def _keys(said: _Results, before: str, *, flow: bool) -> str:
    """Return results as keys, with something before each."""
    keys = []
    for name, values in said.items():
        texts = [_written(value, flow=flow or len(values) > 1) for value in values]
        keys.append(f"{before}{name}: " + (f"[{', '.join(texts)}]" if len(texts) > 1 else texts[0]))
    return "".join(keys)


def _written(value: _Value, *, flow: bool) -> str:
    """Return a value so that every YAML parser reads it as what it is: ``"007"`` as a text."""
    if not isinstance(value, str):
        return _json(value)
    plain = _PLAIN.fullmatch(value) or (not flow and _PLAIN_IN_BLOCK.fullmatch(value))
    if plain and value.casefold() not in _NO_TEXT:
        return str(value)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in _json(value))


def _json(value: _Value) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _read_back(source: Path, text: str) -> TreeTable:
    if len(text.encode()) > tree.LARGEST_FILE:
        raise _unsafe("it would be too large to be read again")
    try:
        return table_of(source, parsed(source, text))
    except ManifestError as error:
        raise _unsafe(f"it could not be read again ({error.problem.problem})") from error


def _check(
    before: TreeTable, after: TreeTable, wanted: Mapping[int, _Results], keys: Collection[str]
) -> None:
    """Raise ValueError unless a manifest has the same jobs as before, with the right results."""
    (said, old), (said_now, new) = _said(before, keys), _said(after, keys)
    if said != said_now:
        raise _unsafe("its jobs would not be the same")
    for (index, raw), was, there in zip(_readable(before), old, new, strict=True):
        if index in wanted:
            due = {name: _cell(v) for name, v in wanted[index].items() if v != [None]}
        else:
            due = {name: was[name] for name in there if name in was}
        if there != due:
            raise _unsafe(f"the results of the job on line {raw.row} would not be right")


def _said(table: TreeTable, keys: Collection[str]) -> tuple[list[object], list[dict[str, str]]]:
    """Return all that a manifest says beside results, and the results of each row."""
    own = [place for place, name in enumerate(table.headers) if name not in keys]
    said: list[object] = [table.settings, [table.headers[place] for place in own]]
    results = []
    for raw in table.rows():
        if isinstance(raw, RawRow):
            said.append([raw.cells[place] for place in own])
            there = zip(table.headers, raw.cells, strict=True)
            results.append({name: cell for name, cell in there if name in keys and cell})
        else:
            said.append((raw.column, raw.found, raw.problem))
    return said, results


def _cell(values: Sequence[_Value]) -> str:
    """Return the values of a key as our reader returns them."""
    if len(values) > 1:
        return f"[{', '.join(map(_json, values))}]"
    return values[0] if isinstance(values[0], str) else _json(values[0])


def _unsafe(why: str) -> ValueError:
    return ValueError(
        f"the results can't be written into the manifest: {why}. Export to a .csv or .json file."
    )
