"""What YAML and JSON say, as a tree of texts with line numbers; each column interprets its values.

Files are read whole, so everything about them is bounded: bytes, values, depth.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from batchsora.manifest.encodings import way_to_read
from batchsora.manifest.errors import ManifestError, refused
from batchsora.manifest.raw import encoding_of, unreadable
from batchsora.manifest.rows.headers import meaning, rank

LARGEST_FILE: Final = 64 * 1024**2
"""Bytes. A tree is held as a whole; larger manifests are for CSV and JSONL, which are not."""
MOST_NODES: Final = 4_000_000
"""Of the tree with every alias written out: some 200,000 jobs."""
DEEPEST: Final = 40
LARGEST_VALUE: Final = 10_000
"""The weight up to which a list or mapping is carried through, as JSON text in one cell."""

UNWRITABLE: Final = re.compile("[\0\ud800-\udfff]")
"""What a table can't hold: NUL, and half a character."""
JSON_LITERAL: Final = re.compile(r"true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
LITERAL: Final = re.compile(
    r"true|True|TRUE|false|False|FALSE|[-+]?[0-9]+|0o[0-7]+|0x[0-9A-Fa-f]+"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN)"
)
"""What YAML 1.2 reads as a number or a boolean if it has no quotes."""
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_SPELLINGS: Final = 64
_REMEMBERED: Final = 10_000
"""Characters of a job's keys up to which it is remembered what they mean."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text.

    Attributes:
        text: as written; the content of a quoted or block scalar.
        plain: whether it was written without quotes and tags.
        line: where, from 1.
        cut: a comment begins on the line where it ends: ``Photo #3`` is ``Photo`` in YAML.
    """

    text: str
    plain: bool
    line: int
    cut: bool = False

    @property
    def weight(self) -> int:
        """Return how much it counts among the values of a file."""
        return 1 + len(self.text) // 1000

    @property
    def depth(self) -> int:
        """Return 0: a text contains nothing."""
        return 0

    @property
    def null(self) -> bool:
        """Return whether it is empty or a word for nothing."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list.

    Attributes:
        line: where it begins.
        weight: the number of values in it, with aliases expanded; long texts count more.
        depth: how many collections are nested, itself included.
    """

    items: tuple["Node", ...]
    line: int
    weight: int
    depth: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values, in order, with merge keys (``<<``) resolved; the rest as of a sequence."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    line: int
    weight: int
    depth: int

    def get(self, key: str) -> "Node | None":
        """Return a value by its key's text."""
        return next((node for scalar, node in self.entries if scalar.text == key), None)


Node = Scalar | Sequence | Mapping


def read_text(path: Path, said: str | None) -> str:
    """Read a whole file; ``said`` is its encoding, None is UTF-8 or what its mark says.

    Raises ManifestError if it can't be read, is too large, or has another encoding.
    """
    encoding = encoding_of(path, said)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > LARGEST_FILE:
        raise refused(
            str(path),
            f"the file is larger than {LARGEST_FILE // 1024**2} MB",
            "Split it, or use CSV, and name images by path instead of writing them out.",
        )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        good = error.object[: error.start].decode(encoding, "replace")
        raise undecodable(path, encoding, good.count("\n") + 1) from error
    except UnicodeError as error:
        raise undecodable(path, encoding, None) from error


def undecodable(path: Path, encoding: str, line: int | None) -> ManifestError:
    """Return the error of a file in another encoding."""
    name = "UTF-8" if encoding == "utf-8-sig" else encoding
    return refused(str(path), f"the file is not {name}", way_to_read(path), row=line)


def blank(node: Node) -> bool:
    """Return whether a node says nothing."""
    if isinstance(node, Scalar):
        return node.null
    return isinstance(node, Mapping) and not node.entries


def single(file: str, where: str, node: Node) -> str:
    """Return the text of a setting; raise ManifestError if it is a list or a mapping."""
    if not isinstance(node, Scalar):
        raise refused(
            file, "must be a single value", "Write it as one text.", row=node.line, column=where
        )
    return as_cell(node)


CUT: Final = (
    "the text ends here, because a # after a space begins a comment",
    "Put the whole text in quotes, or write the comment on a line of its own.",
)
"""The problem and the remedy of a text that a comment cuts."""
FREE: Final = frozenset({"prompt", "campaign"})
"""Columns whose text means something else, and unseen, where a comment cuts it; of the others a
comment behind the value is one: ``duration: 15  # seconds``. Two ids cut alike are an error."""


def refuse_cut(file: str, node: Node) -> None:
    """Raise ManifestError if a comment cuts a text anywhere in a node."""
    if isinstance(node, Scalar):
        if node.cut:
            problem, remedy = CUT
            raise refused(file, problem, remedy, row=node.line, found=node.text)
        return
    inner = node.items if isinstance(node, Sequence) else [value for _, value in node.entries]
    for child in inner:
        refuse_cut(file, child)


def named(node: Mapping) -> Iterator[tuple[str, Scalar, Node]]:
    """Return a job's values with their column: ours by its meaning, a person's own by its key.

    A synonym beside the proper name is a person's own, as in any other format.
    """
    keys = tuple([key.text for key, _ in node.entries])
    names = (_names if sum(map(len, keys)) < _REMEMBERED else _names.__wrapped__)(keys)
    for name, (key, value) in zip(names, node.entries, strict=True):
        yield name, key, value


@lru_cache(maxsize=_SPELLINGS)
def _names(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return which columns keys are; thousands of jobs have the same ones."""
    surest: dict[str, int] = {}
    for key in keys:
        if (name := meaning(key)) is not None:
            surest[name] = min(rank(key), surest.get(name, rank(key)))
    names = []
    for key in keys:
        name = meaning(key)
        names.append(key if name is None or rank(key) > surest[name] else name)
    return tuple(names)


def as_cell(node: Node) -> str:
    """Return a value as a cell: a single one as it was written, anything else as JSON."""
    if isinstance(node, Scalar):
        return "" if node.null else node.text
    return _json(node)


def _json(node: Node) -> str:
    match node:
        case Scalar():
            if node.null:
                return "null"
            literal = node.plain and JSON_LITERAL.fullmatch(node.text)
            return node.text if literal else json.dumps(node.text, ensure_ascii=False)
        case Sequence():
            return f"[{', '.join(_json(item) for item in node.items)}]"
        case Mapping():
            pairs = (
                f"{json.dumps(key.text, ensure_ascii=False)}: {_json(value)}"
                for key, value in node.entries
            )
            return f"{{{', '.join(pairs)}}}"
