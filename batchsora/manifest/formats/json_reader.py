"""Read JSON: manifests of the same shape as in YAML, and JSONL with one job per line.

Numbers stay as they are written and lines are known, so everything beyond the syntax is shared with
YAML. A JSON file is held as a whole; JSONL is read as a stream.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from batchsora.manifest.errors import CellError, ManifestError, RowProblem, refused, shorten
from batchsora.manifest.formats.csv_dialect import LONGEST_LINE
from batchsora.manifest.formats.csv_reader import MOST_CELLS
from batchsora.manifest.formats.tree import (
    DEEPEST,
    MOST_NODES,
    UNWRITABLE,
    Mapping,
    Node,
    Scalar,
    Sequence,
    read_text,
    undecodable,
)
from batchsora.manifest.formats.tree_table import TreeTable, collect, read_jobs, spelt, table_of
from batchsora.manifest.raw import (
    PLAIN,
    RawRow,
    Reading,
    Settings,
    check_regular,
    encoding_of,
    unreadable,
)
from batchsora.manifest.rows.columns import MOST_COLUMNS
from batchsora.manifest.rows.headers import LONGEST_HEADER

_SPACE = re.compile(r"[ \t\n]*")
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_LEVELS: Final = 2
"""Values down to this level have their own line: jobs, campaigns, keys of a matrix. Deeper ones
have the line of the one that holds them."""
_WORDS: Final = {None: "", True: "true", False: "false"}
_TOO_DEEP: Final = "this is nested too deeply"
_SPLIT: Final = "Split it, or write one job per line, as JSONL."
_FLAT: Final = "A job is a flat list of keys."


class _Number(str):
    __slots__ = ()


class _FaultError(CellError):
    """The text is JSON, but can't be used."""


def _constant(name: str) -> Any:
    raise _FaultError(f"{name} is not JSON", "Write a number, or null.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _twice(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return found


def _twice(key: str) -> _FaultError:
    return _FaultError(f"duplicate key {shorten(key)!r}", "Remove one of them.")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_constant
)


def read_document(file: str, text: str, remedy: str) -> Node:
    """Read a JSON text with LF as line end; ``remedy`` is what to do if it is not JSON.

    Raises ManifestError if it is not JSON, or has what can't be used: NaN, duplicate keys, halves
    of characters, too many values, or too deep ones.
    """
    try:
        return _Text(file, text).tree()
    except json.JSONDecodeError as error:
        raise _no_json(file, error, error.lineno, error.colno, remedy) from error


def read_line(file: str, number: int, text: str, most: int, remedy: str) -> Any:
    """Read a line of at most so many values as Python's decoder does, or raise ManifestError."""
    try:
        with _named_faults(file, number):
            _refuse_many(text, most)
            return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _no_json(file, error, number, error.pos + 1, remedy) from error


def line_node(file: str, number: int, value: Any) -> Node:
    """Return what :func:`read_line` returned as a node, or raise ManifestError."""
    with _named_faults(file, number):
        return _as_node(value, number)


@contextmanager
def _named_faults(file: str, line: int) -> Iterator[None]:
    """Turn what is wrong with a value into the error that names its line."""
    try:
        yield
    except _FaultError as fault:
        raise refused(file, fault.problem, fault.remedy, row=line) from fault
    except RecursionError as error:
        raise refused(file, _TOO_DEEP, _FLAT, row=line) from error


class _Text:
    """A JSON text whose upper levels are read value by value, so that lines are known."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._place = 0
        self._line = 1
        self._weight = 0

    def tree(self) -> Node:
        """Read the whole text, or raise ManifestError or json.JSONDecodeError."""
        with _named_faults(self._file, 1):
            _refuse_many(self._text, MOST_NODES)
        node = self._value(1 if self._sign() == "[" else 0)
        if self._sign():
            raise json.JSONDecodeError("Extra data", self._text, self._place)
        return node

    def _sign(self) -> str:
        """Skip white space, and return the next sign; "" at the end."""
        space = _SPACE.match(self._text, self._place)
        self._go(self._place if space is None else space.end())
        return self._text[self._place : self._place + 1]

    def _go(self, place: int) -> None:
        self._line += self._text.count("\n", self._place, place)
        self._place = place

    def _value(self, level: int) -> Node:
        """Read a value; those of the upper levels part by part."""
        sign = self._sign()
        if level < _LEVELS and sign == "{":
            return self._mapping(level)
        if level < _LEVELS and sign == "[":
            return self._list(level)
        line = self._line
        with _named_faults(self._file, line):
            value, end = _DECODER.raw_decode(self._text, self._place)
            node = _as_node(value, line, level + 1)
            self._weight += node.weight
            if self._weight > MOST_NODES:
                raise _FaultError(f"the file has more than {MOST_NODES} values", _SPLIT)
        self._go(end)
        return node

    def _list(self, level: int) -> Sequence:
        line = self._line
        items = tuple(self._value(level + 1) for _ in self._parts("]"))
        return _sequence(items, line)

    def _mapping(self, level: int) -> Mapping:
        line = self._line
        entries: dict[str, tuple[Scalar, Node]] = {}
        for _ in self._parts("}"):
            key = self._value(_LEVELS) if self._sign() == '"' else None
            if not isinstance(key, Scalar):
                raise self._expecting("property name enclosed in double quotes")
            if self._sign() != ":":
                raise self._expecting("':' delimiter")
            self._go(self._place + 1)
            if key.text in entries:
                fault = _twice(key.text)
                raise refused(self._file, fault.problem, fault.remedy, row=key.line)
            entries[key.text] = key, self._value(level + 1)
        return _mapping(tuple(entries.values()), line)

    def _parts(self, end: str) -> Iterator[None]:
        """Stop at each part of a list or mapping, for the caller to read, and then skip its end."""
        self._go(self._place + 1)
        if self._sign() != end:
            yield
            while self._sign() == ",":
                self._go(self._place + 1)
                yield
            if self._sign() != end:
                raise self._expecting("',' delimiter")
        self._go(self._place + 1)

    def _expecting(self, what: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(f"Expecting {what}", self._text, self._place)


def _refuse_many(text: str, most: int) -> None:
    """Raise _FaultError for more values than can be held, before they are."""
    commas = text.count(",")
    if commas > most:
        commas -= sum(match[0].count(",") for match in _STRING.finditer(text))
    if commas > most:
        raise _FaultError(f"there are more than {most} values", _SPLIT)


def _as_node(value: Any, line: int, depth: int = 1) -> Node:
    if isinstance(value, str):
        _refuse_unwritable(value)
        if isinstance(value, _Number):
            return Scalar(str(value), True, line)
        return Scalar(value, False, line)
    if value is None or isinstance(value, bool):
        return Scalar(_WORDS[value], plain=True, line=line)
    if depth > DEEPEST:
        raise _FaultError(_TOO_DEEP, _FLAT)
    if isinstance(value, list):
        return _sequence(tuple([_as_node(item, line, depth + 1) for item in value]), line)
    entries = []
    for key, one in value.items():
        _refuse_unwritable(key)
        entries.append((Scalar(key, False, line), _as_node(one, line, depth + 1)))
    return _mapping(tuple(entries), line)


def _refuse_unwritable(text: str) -> None:
    if ("\0" in text or not text.isascii()) and UNWRITABLE.search(text):
        raise _FaultError(
            "a text has a NUL or half a character, which no table can store", "Remove it."
        )


def _sequence(items: tuple[Node, ...], line: int) -> Sequence:
    weight, deepest = 1, 0
    for item in items:
        weight += item.weight
        deepest = max(deepest, item.depth)
    return Sequence(items, line, weight, 1 + deepest)


def _mapping(entries: tuple[tuple[Scalar, Node], ...], line: int) -> Mapping:
    weight, deepest = 1, 0
    for key, value in entries:
        weight += key.weight + value.weight
        deepest = max(deepest, value.depth)
    return Mapping(entries, line, weight, 1 + deepest)


def _no_json(
    file: str, error: json.JSONDecodeError, line: int, place: int, remedy: str
) -> ManifestError:
    if not error.doc.strip():
        return refused(file, "the file is empty", remedy)
    if "\0" in error.doc:
        end = "be" if error.doc.startswith("\0") else "le"
        remedy = f"It has NUL bytes: if it is UTF-16, use --encoding utf-16-{end}."
    return refused(file, f"not valid JSON: {error.msg} (character {place})", remedy, row=line)


_ONE_DOCUMENT: Final = 'Fix it there. A file with one job per line ends with ".jsonl".'
_ONE_A_LINE: Final = (
    'Write one job per line. A list over several lines needs a file that ends with ".json".'
)


def open_json(path: Path, reading: Reading = PLAIN) -> TreeTable:
    """Read a JSON manifest; raise ManifestError if it is not JSON, or not a manifest."""
    check_regular(path)
    text = read_text(path, reading.encoding)
    if "\r" in text:  # as editors count lines
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return table_of(path, read_document(str(path), text, _ONE_DOCUMENT))


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A JSONL manifest whose columns were collected; ``names`` are what they mean, or keys."""

    path: Path
    encoding: str
    names: tuple[str, ...]
    headers: tuple[str, ...]

    header_row = None
    sheet = None
    settings = Settings()

    def rows(self) -> Iterator[RawRow | RowProblem]:
        """Return the lines as rows; raise ManifestError if unreadable, or other columns appear."""
        known = frozenset(self.names)
        file = str(self.path)
        values = _values(self.path, self.encoding)
        nodes = (line_node(file, number, value) for number, value in values)
        for job in read_jobs(file, nodes):
            if isinstance(job, RowProblem):
                yield job
                continue
            line, cells = job
            if not cells.keys() <= known:
                raise refused(file, "the file changed while it was read", "Run the command again.")
            yield RawRow(line, [cells.get(name, "") for name in self.names])


def open_jsonl(path: Path, reading: Reading = PLAIN) -> JsonLines:
    """Collect the columns of a JSONL manifest; raise ManifestError if a line is not JSON."""
    check_regular(path)
    encoding = encoding_of(path, reading.encoding)
    found: dict[str, str] = {}
    line = 0
    keys: tuple[str, ...] | None = None
    for line, value in _values(path, encoding):
        if isinstance(value, dict) and tuple(value) == keys:
            continue  # as most lines are
        keys = tuple(value) if isinstance(value, dict) else None
        before = len(found)
        collect(line_node(str(path), line, value), found)
        if len(found) == before:
            continue
        if len(found) > MOST_COLUMNS or any(len(key) > LONGEST_HEADER for key in found):
            raise refused(
                str(path),
                f"there are more than {MOST_COLUMNS} keys, or one of more than {LONGEST_HEADER} "
                "characters",
                "Give every line the same keys.",
                row=line,
            )
    if not line:
        raise refused(str(path), "the file is empty", _ONE_A_LINE)
    return JsonLines(path, encoding, tuple(found), spelt(found))


def _values(path: Path, encoding: str) -> Iterator[tuple[int, Any]]:
    """Read the lines that are not blank, as Python's decoder returns them."""
    for number, text in _lines(path, encoding):
        yield number, read_line(str(path), number, text, MOST_CELLS, _ONE_A_LINE)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with path.open(encoding=encoding) as file:
            while text := file.readline(LONGEST_LINE):
                number += 1
                if len(text) == LONGEST_LINE:
                    raise refused(
                        str(path),
                        f"the line is longer than {LONGEST_LINE} characters",
                        "Name images by path instead of writing them out.",
                        row=number,
                    )
                if not text.isspace():
                    yield number, text
    except UnicodeError as error:
        raise undecodable(path, encoding, _undecodable_line(path, encoding)) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _undecodable_line(path: Path, encoding: str) -> int | None:
    """Find the line that is not UTF-8: the decoder reads ahead and doesn't know it."""
    if encoding != "utf-8-sig":
        return None
    with path.open(encoding=encoding, errors="surrogateescape") as file:
        number = 0
        while text := file.readline(LONGEST_LINE):
            number += 1
            if not text.isascii() and UNWRITABLE.search(text):
                return number
    return None
