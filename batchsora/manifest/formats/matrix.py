"""Expand ``matrix``: a prompt with ``{places}`` and the values that go there, a job for each.

``values`` is a list for each name, of which every combination becomes a job (the first name varies
slowest), or a list of mappings, each of which becomes one. Everything is counted before it is
expanded. The key of a job comes from its own values, never from its place: whoever adds a value
buys only the new videos.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product
from math import prod
from typing import Final

from batchsora.manifest.errors import CellError, ManifestError, refused, shorten
from batchsora.manifest.formats.csv_reader import LONGEST_ROW
from batchsora.manifest.formats.templates import Template, joined, short_hash, template, words_of
from batchsora.manifest.formats.tree import (
    FREE,
    LARGEST_VALUE,
    Mapping,
    Node,
    Scalar,
    Sequence,
    as_cell,
    blank,
    named,
    refuse_cut,
)
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.manifest.rows.headers import LONGEST_HEADER, is_ours, meaning
from batchsora.manifest.rows.spelling import folded

MOST_EXPANDED: Final = 2_000_000
"""Jobs of one manifest, as many as any may ask for (batchsora.manifest.read)."""
LARGEST_EXPANDED: Final = 4_000_000_000
"""Characters of all jobs together: what aliases may grow to as well."""
VALUES: Final = "values"

_EXAMPLE: Final = "Write values: {city: [Lisbon, Oslo]}."
_Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One template with its values.

    Attributes:
        headers: its columns as written, by what each is.
        cells: what its columns say, by what each is; without the id.
        axes: what varies independently: the combinations of values that each takes.
        base: what the id begins with, or all of it; ``base_text`` is the same as written.
        told: the names whose values end the id; none if the base is all of it.
    """

    line: int
    headers: dict[str, str]
    cells: dict[str, Template]
    names: tuple[str, ...]
    axes: tuple[tuple[_Row, ...], ...]
    base: Template
    base_text: str
    told: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return the number of jobs."""
        return prod(map(len, self.axes))

    def longest(self) -> int:
        """Return how many characters one of the jobs can have."""
        longest = (
            max(len(row[place]) for row in axis)
            for axis in self.axes
            for place in range(len(axis[0]))
        )
        lengths = dict(zip(self.names, longest, strict=True))
        return sum(cell.longest(lengths) for cell in (self.base, *self.cells.values()))


@dataclass(frozen=True, slots=True)
class Matrix:
    """All that is expanded; entries with the same base get prefixes for their ids."""

    entries: tuple[Entry, ...] = ()
    prefixes: tuple[str, ...] = ()

    def jobs(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Return the jobs: the line of the entry, and the cells by what each column is."""
        taken: set[str] = set()
        for entry, prefix in zip(self.entries, self.prefixes, strict=True):
            known: dict[str, tuple[str, bool]] = {}
            for rows in product(*entry.axes):
                values = dict(zip(entry.names, chain.from_iterable(rows), strict=True))
                key = _key(entry, prefix, values, known)
                if entry.told and key in taken:
                    key = f"{key}-{short_hash(values.values())}"
                taken.add(key)
                yield (
                    entry.line,
                    {"id": key} | {name: cell.fill(values) for name, cell in entry.cells.items()},
                )


def _key(
    entry: Entry, prefix: str, values: dict[str, str], known: dict[str, tuple[str, bool]]
) -> str:
    base = prefix + entry.base.fill(values)
    if not entry.told:
        return base
    told = [values[name] for name in entry.told]
    words = []
    for value in told:
        if value not in known:
            known[value] = words_of(value)
        words.append(known[value])
    return "-".join(filter(None, (base.removesuffix("-"), joined(words, told))))


def read_matrix(file: str, node: Node | None) -> Matrix:
    """Parse what is under ``matrix``; raise ManifestError if it can't be expanded."""
    if node is None or blank(node):
        return Matrix()
    nodes = node.items if isinstance(node, Sequence) else (node,)
    entries = tuple(_Reader(file, item).entry() for item in nodes if not blank(item))
    total = characters = 0
    for entry in entries:
        size, longest = entry.size, entry.longest()
        total += size
        characters += size * longest
        if total > MOST_EXPANDED:
            raise refused(
                file,
                f"the matrix expands to more than {MOST_EXPANDED} videos",
                "Give it fewer values.",
                row=entry.line,
            )
        if longest > LONGEST_ROW or characters > LARGEST_EXPANDED:
            raise refused(
                file,
                "the jobs of the matrix would be too large",
                "Shorten its texts, and name images by path instead of writing them out.",
                row=entry.line,
            )
    bases: dict[str, int] = {}
    prefixes = []
    for entry in entries:
        bases[entry.base_text] = bases.get(entry.base_text, 0) + bool(entry.told)
        number = bases[entry.base_text]
        prefixes.append(f"m{number}-" if entry.told and number > 1 else "")
    return Matrix(entries, tuple(prefixes))


class _Reader:
    def __init__(self, file: str, node: Node) -> None:
        self._file = file
        self._line = node.line
        if not isinstance(node, Mapping):
            raise self._refused(
                "'matrix' must be a mapping, or a list of mappings",
                "Give it a prompt with {places}, and their values.",
            )
        self._own = [(key, value) for key, value in node.entries if key.text != VALUES]
        self._values = node.get(VALUES)
        table = self._values.items if isinstance(self._values, Sequence) else (self._values,)
        filled = [pair for one in table if isinstance(one, Mapping) for pair in one.entries]
        texts = [value for key, value in self._own if meaning(key.text) in FREE]
        texts += [value for key, value in filled if meaning(key.text) in {None, *FREE}]
        for value in texts:  # of any length, or to go into prompts
            refuse_cut(file, value)

    def entry(self) -> Entry:
        """Read it; raise ManifestError if it can't be expanded."""
        table = isinstance(self._values, Sequence)
        names, axes = self._table() if table else self._lists()
        known = frozenset(names)
        written = {key.text for key, _ in self._own}
        headers: dict[str, str] = {}
        cells: dict[str, Template] = {}
        used: set[str] = set()
        base_text = ""
        for what, key, value in named(self._as_job(names, written)):
            if what in headers:
                raise self._refused(
                    f"means the same as {shorten(headers[what])!r}", "Remove one of them.", key.text
                )
            headers[what] = key.text
            cells[what] = self._cell(what, key, value, known)
            if what == "id":
                base_text = as_cell(value)
            if key.text in written or is_ours(what):
                used |= cells[what].names
        if "prompt" not in cells:
            raise self._refused("the matrix has no prompt", "Write 'prompt' and a text.")
        for name in names:
            if name not in used:
                raise self._refused(
                    f"the values of {shorten(name)!r} are used nowhere",
                    f"Write {{{shorten(name)}}} where they belong, or remove them.",
                )
        base = cells.pop("id")
        rest = tuple(name for name in names if name not in base.names)
        told = () if table and base.names else rest
        return Entry(self._line, headers, cells, names, axes, base, base_text, told)

    def _as_job(self, names: tuple[str, ...], written: set[str]) -> Mapping:
        """Return the entry as a job: each name is a column, and there is an id."""
        pairs = list(self._own)
        for name in names:
            if name not in written:
                key = Scalar(name, plain=False, line=self._line)
                pairs.append((key, Scalar(f"{{{name}}}", plain=False, line=self._line)))
        own = Mapping(tuple(self._own), self._line, 0, 0)
        if all(what != "id" for what, _, _ in named(own)) and "id" not in map(folded, names):
            key = Scalar("id", plain=False, line=self._line)
            pairs.insert(0, (key, Scalar("", plain=False, line=self._line)))
        return Mapping(tuple(pairs), self._line, 0, 0)

    def _cell(self, what: str, key: Scalar, value: Node, known: frozenset[str]) -> Template:
        """Parse what a column says; a list or mapping in a person's own column stays as it is."""
        if isinstance(value, Scalar):
            try:
                return template(as_cell(value), known)
            except CellError as error:
                raise self._refused(error.problem, error.remedy, key.text, value.line) from error
        if is_ours(what):
            raise self._refused(
                "must be a single value", "Write it as one text.", key.text, value.line
            )
        if value.weight > LARGEST_VALUE:
            raise self._refused(
                "is too large to be copied to the export", "Remove it.", key.text, value.line
            )
        return Template(((as_cell(value), False),))

    def _lists(self) -> tuple[tuple[str, ...], tuple[tuple[_Row, ...], ...]]:
        node = self._values
        if not isinstance(node, Mapping) or not node.entries:
            raise self._refused("the matrix has no values", _EXAMPLE, VALUES)
        names = self._bounded(tuple(self._name(key) for key, _ in node.entries))
        axes = []
        for key, given in node.entries:
            where = f"{VALUES}.{key.text}"
            if not isinstance(given, Sequence) or not given.items:
                raise self._refused("this is not a list of values", _EXAMPLE, where, given.line)
            axes.append(self._once(where, [(self._value(where, one),) for one in given.items]))
        return names, tuple(axes)

    def _table(self) -> tuple[tuple[str, ...], tuple[tuple[_Row, ...], ...]]:
        """Parse a list of mappings, all with the same names."""
        items = self._values.items if isinstance(self._values, Sequence) else ()
        names: tuple[str, ...] = ()
        rows = []
        for node in items:
            if not isinstance(node, Mapping) or not node.entries:
                raise self._refused(
                    "a list of values must be a list of mappings",
                    "Write values: [{city: Lisbon, season: summer}].",
                    VALUES,
                    node.line,
                )
            row = {
                self._name(key): self._value(f"{VALUES}.{key.text}", n) for key, n in node.entries
            }
            names = names or self._bounded(tuple(row))
            if row.keys() != set(names):
                raise self._refused(
                    "not all values have the same names",
                    f'Give each {shorten(", ".join(map(repr, names)))}; write "" for an empty one.',
                    VALUES,
                    node.line,
                )
            rows.append(tuple(row[name] for name in names))
        if not rows:
            raise self._refused("the matrix has no values", _EXAMPLE, VALUES)
        return names, (self._once(VALUES, rows),)

    def _bounded(self, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(names) > MOST_COLUMNS:
            raise self._refused(f"there are more than {MOST_COLUMNS} names", "Use fewer.", VALUES)
        return names

    def _name(self, key: Scalar) -> str:
        if not key.text.strip() or key.text != key.text.strip() or len(key.text) > LONGEST_HEADER:
            raise self._refused("not a valid name for values", _EXAMPLE, VALUES, key.line, key.text)
        if any(sign in key.text for sign in "{}\r\n"):
            raise self._refused(
                "a name has braces or a line break", _EXAMPLE, VALUES, key.line, key.text
            )
        return key.text

    def _value(self, where: str, node: Node) -> str:
        if not isinstance(node, Scalar):
            raise self._refused("must be a single value", "Write it as one text.", where, node.line)
        if node.null:
            raise self._refused(
                "a value is missing", 'Write "" for an empty one.', where, node.line
            )
        return node.text

    def _once(self, where: str, rows: list[_Row]) -> tuple[_Row, ...]:
        """Refuse duplicates, so that nothing is bought twice by mistake."""
        if len(set(rows)) < len(rows):
            twice = next(row for row, times in Counter(rows).items() if times > 1)
            raise self._refused(
                "duplicate value",
                "Remove one; for several videos of each write 'count'.",
                where,
                found=", ".join(twice),
            )
        return tuple(rows)

    def _refused(
        self,
        problem: str,
        remedy: str,
        column: str | None = None,
        line: int | None = None,
        found: str | None = None,
    ) -> ManifestError:
        where = "matrix" if column is None else f"matrix.{shorten(column)}"
        return refused(
            self._file, problem, remedy, row=line or self._line, column=where, found=found
        )
