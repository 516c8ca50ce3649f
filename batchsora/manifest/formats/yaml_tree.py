"""YAML as a tree of texts with line numbers, without values of YAML 1.1, and its positions.

The usual loaders turn an unquoted ``16:9`` into 969, ``007`` into 7, ``no`` into False and
``2024-05-01`` into a date. Here every scalar stays as written, so each column can interpret it. The
tree is made from parser events, so depth, aliases and size are bounded before they cost anything;
no tag makes an object.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from batchsora.manifest.encodings import way_to_read
from batchsora.manifest.errors import ManifestError, refused, shorten
from batchsora.manifest.formats.tree import (
    DEEPEST,
    MOST_NODES,
    UNWRITABLE,
    Mapping,
    Node,
    Scalar,
    Sequence,
    read_text,
)
from batchsora.manifest.formats.tree_table import TreeTable, table_of
from batchsora.manifest.raw import PLAIN, Reading, check_regular


def open_yaml(path: Path, reading: Reading = PLAIN) -> TreeTable:
    """Read a YAML manifest; raise ManifestError if it is not YAML, or not a manifest."""
    return table_of(path, read_tree(path, reading.encoding))


_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is seven times as fast
_COMMENT: Final = re.compile(r"[ \t]+#")
_STANDARD_TAG: Final = "tag:yaml.org,2002:"
_HARMLESS_TAGS: Final = frozenset(
    {"!"}
    | {f"{_STANDARD_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")}
)


def read_tree(path: Path, encoding: str | None = None) -> Node:
    """Read the one document of a YAML file; no encoding is UTF-8, or UTF-16 by its byte order mark.

    Raises ManifestError: not a regular file, too large, not in its encoding, not YAML, empty,
    several documents, tags, duplicate keys, or aliases that grow far too large.
    """
    check_regular(path)
    return parsed(path, read_text(path, encoding))


def parsed(path: Path, text: str) -> Node:
    """Parse the one document of a text, as :func:`read_tree` does; ``path`` is for messages."""
    try:
        return _Builder(str(path), text).build(yaml.parse(text, _PARSER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise refused(
            str(path),
            f"not valid YAML: {error.problem or error.context}",
            "Often a text with ': ', '#' or a quote in it has to be put in quotes.",
            row=None if mark is None else mark.line + 1,
        ) from error
    except yaml.YAMLError as error:
        raise refused(
            str(path),
            f"not valid YAML: {error}".replace("\n", " "),
            way_to_read(path) if "\0" in text[:2] else "Remove control characters.",
        ) from error


@dataclass(slots=True)
class _Open:
    """A collection whose end was not read yet."""

    mapping: bool
    line: int
    anchor: str | None
    children: list[Node]
    weight: int = 1
    depth: int = 1


class _Builder:
    """Builds the tree, without recursion, and refuses early."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._anchors: dict[str, Node] = {}
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0

    def build(self, events: Iterator[yaml.Event]) -> Node:
        for event in events:
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.ScalarEvent):
                self._refuse_tag(event.tag, line)
                self._refuse_unwritable(event.value, line)
                plain = event.tag is None and event.implicit[0]
                end = event.end_mark if event.implicit[0] else None
                cut = end is not None and _COMMENT.match(self._text, end.index) is not None
                self._add(Scalar(event.value, plain, line, cut), event.anchor)
            elif isinstance(event, yaml.AliasEvent):
                self._add(self._aliased(event.anchor, line), None)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._refuse_tag(event.tag, line)
                self._refuse_depth(len(self._stack) + 1, line)
                mapping = isinstance(event, yaml.MappingStartEvent)
                self._stack.append(_Open(mapping, line, event.anchor, []))
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._stack.pop()
                self._add(self._closed(done), done.anchor)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise self._refused(
                        "the file has several documents",
                        "Remove the line ---, or split the file.",
                        line,
                    )
        if self._root is None:
            raise self._refused("the file is empty", "Write 'jobs:' and a list of jobs.", None)
        return self._root

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        parent.children.append(node)
        self._refuse_depth(len(self._stack) + node.depth, node.line)  # an alias brings its own
        parent.depth = max(parent.depth, node.depth + 1)
        parent.weight += node.weight
        if parent.weight > MOST_NODES:
            raise self._refused(
                f"the file has more than {MOST_NODES} values, aliases written out",
                "Split it, or use CSV.",
                node.line,
            )

    def _aliased(self, anchor: str | None, line: int) -> Node:
        # An anchor is known once its node is complete: nothing can contain itself.
        node = self._anchors.get(anchor or "")
        if node is None:
            raise self._refused(
                f"the alias *{shorten(anchor or '')} has no anchor before it",
                "Write & and its name where it is meant.",
                line,
            )
        return replace(node, line=line)

    def _closed(self, done: _Open) -> Node:
        if not done.mapping:
            return Sequence(tuple(done.children), done.line, done.weight, done.depth)
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(done.children[::2], done.children[1::2], strict=True):
            if not isinstance(key, Scalar):
                raise self._refused("a key must be a text", "Put a text before the ':'.", key.line)
            if key.plain and key.text == "<<":
                for scalar, node in self._merged(value):
                    merged.setdefault(scalar.text, (scalar, node))
            elif key.text in own:
                raise self._refused(
                    f"duplicate key {shorten(key.text)!r}", "Remove one of them.", key.line
                )
            else:
                own[key.text] = (key, value)
        entries = tuple((own | {k: v for k, v in merged.items() if k not in own}).values())
        return Mapping(entries, done.line, done.weight, done.depth)

    def _merged(self, value: Node) -> Iterator[tuple[Scalar, Node]]:
        """Return the entries of a merge key; the first of a name counts."""
        sources = value.items if isinstance(value, Sequence) else (value,)
        for source in sources:
            if not isinstance(source, Mapping):
                raise self._refused("'<<' needs a mapping", "Write <<: *NAME.", value.line)
            yield from source.entries

    def _refuse_depth(self, depth: int, line: int) -> None:
        if depth > DEEPEST:
            raise self._refused("this is nested too deeply", "A job is a flat list of keys.", line)

    def _refuse_unwritable(self, text: str, line: int) -> None:
        if UNWRITABLE.search(text):
            raise self._refused(
                "a text has a NUL or half a character, which no table can store", "Remove it.", line
            )

    def _refuse_tag(self, tag: str | None, line: int) -> None:
        if tag is not None and tag not in _HARMLESS_TAGS:
            shown = shorten(tag.replace(_STANDARD_TAG, "!!"))
            raise self._refused(f"the tag {shown} is not allowed", "Write a plain text.", line)

    def _refused(self, problem: str, remedy: str, line: int | None) -> ManifestError:
        return refused(self._file, problem, remedy, row=line)


_BREAKS: Final = "\n\r\x85\u2028\u2029"
BREAK: Final = re.compile(f"\r\n|[{_BREAKS}]")
"""Line ends."""
BLOCK_HEADER: Final = re.compile(r"(?:[&!]\S*\s+)*[|>][0-9]?([+-]?)")
"""The beginning of a block scalar."""
_DEEPEST: Final = 4  # document, jobs, job, value: what lies deeper is only measured


@dataclass(slots=True)
class Place:
    """The position of a node, from its anchor if any; ``target`` is what an alias refers to."""

    event: Any
    start: int
    end: int
    children: list["Place"] = field(default_factory=list)
    target: "Place | None" = None
    aliased: bool = False

    @property
    def column(self) -> int:
        """Return the number of characters before it in its line."""
        return int(self.event.start_mark.column)

    @property
    def flow(self) -> bool:
        """Return whether it is in braces or brackets."""
        return bool(getattr(self.event, "flow_style", False))

    @property
    def text(self) -> str | None:
        """Return a scalar's text."""
        return self.event.value if isinstance(self.event, yaml.ScalarEvent) else None

    @property
    def pairs(self) -> list[tuple["Place", "Place"]]:
        """Return a mapping's own keys and values."""
        mapping = isinstance(self.event, yaml.MappingStartEvent)
        return list(zip(self.children[::2], self.children[1::2], strict=True)) if mapping else []


def places_of(text: str) -> Place:
    """Return the positions of everything in a document."""
    anchors: dict[Any, Place] = {}
    stack = [Place(None, 0, 0)]
    event: Any
    for event in yaml.parse(text, _PARSER):
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.CollectionEndEvent):
            place = stack.pop()
            place.end = end if place.flow and end > start else place.children[-1].end
            if len(stack) > _DEEPEST:
                del place.children[:-1]
        elif isinstance(event, yaml.NodeEvent):
            place = Place(event, start, end)
            if isinstance(event, yaml.ScalarEvent):
                place.end = _scalar_end(text, start, end)
            stack[-1].children.append(place)
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(place)
            if isinstance(event, yaml.AliasEvent):
                place.target = anchors[event.anchor]
                place.target.aliased = True
            elif event.anchor is not None:
                anchors[event.anchor] = place
    return stack[0].children[0]


def _scalar_end(text: str, start: int, end: int) -> int:
    """Return where the last line of a text ends; for a block the parser also counts blank ones."""
    header = BLOCK_HEADER.match(text, start)
    if header is None or text[end - 1] not in _BREAKS:
        return end
    if header[1] == "+":  # blank lines are part of it
        return end - (2 if text[end - 2 : end] == "\r\n" else 1)
    return start + len(text[start:end].rstrip(_BREAKS))


def line_end(text: str, place: int) -> int:
    """Return where a line ends."""
    found = BREAK.search(text, place)
    return len(text) if found is None else found.start()
