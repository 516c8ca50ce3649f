"""The positions of everything in a YAML text, from the parser's events."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAKS: Final = "\n\r\x85\u2028\u2029"
BREAK: Final = re.compile(f"\r\n|[{_BREAKS}]")
"""What ends a line."""
BLOCK_HEADER: Final = re.compile(r"(?:[&!]\S*\s+)*[|>][0-9]?([+-]?)")
"""How a text in lines of its own begins."""
_DEEPEST: Final = 4  # document, jobs, job, value: what lies deeper is only measured


@dataclass(slots=True)
class Place:
    """The position of a node: from ``start`` (of its anchor, if any) to ``end``.

    Attributes:
        event: its first one.
        target: what an alias refers to.
        aliased: an alias refers to it.
    """

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
