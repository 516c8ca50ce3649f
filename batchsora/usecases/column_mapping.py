"""The meaning of a manifest's columns, for people and for scripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from batchsora.manifest.read import Manifest
from batchsora.presentation.terminal_text import clean

LONGEST: Final = 40
"""Characters of a header that are shown."""
MOST: Final = 12
"""Columns of somebody's own that are named before the rest is counted."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """The meaning of columns.

    Attributes:
        ours: each of our columns in the manifest, with its header as written.
        carried: headers of columns that are carried along unread.
        defaults: values for empty cells, by our column.
    """

    ours: Sequence[tuple[str, str]] = ()
    carried: Sequence[str] = ()
    defaults: Sequence[tuple[str, str]] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the fields ``columns``, ``carried`` and ``defaults`` of ``plan --json``."""
        return {
            "columns": dict(self.ours),
            "carried": list(self.carried),
            "defaults": dict(self.defaults),
        }

    def __str__(self) -> str:
        defaults = dict(self.defaults)
        parts = []
        for name, header in self.ours:
            shown = _short(header)
            part = name if shown == name else f"{name} \N{LEFTWARDS ARROW} {shown}"
            if name in defaults:
                part += f" (else {_short(defaults[name])})"
            parts.append(part)
        if self.carried:
            more = len(self.carried) - MOST
            named = ", ".join(map(_short, self.carried[:MOST]))
            parts.append(f"carried along: {named}{f' and {more} more' if more > 0 else ''}")
        return " \N{MIDDLE DOT} ".join(parts)


def mapped(manifest: Manifest) -> Mapped:
    """Return the meaning of a manifest's columns, in their order."""
    ours, carried = manifest.taken_for
    return Mapped(ours, carried, tuple(manifest.defaults.items()))


def _short(text: str) -> str:
    line = clean(" ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
