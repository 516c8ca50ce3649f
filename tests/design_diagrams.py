"""Draws the state diagrams of ``docs/design.md`` from the tables in ``jobs/model/states.py``.

``make docs`` runs it; ``tests/unit/test_docs_design.py`` holds that it would change nothing.
"""

import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from jobs.model.states import ATTEMPT_BEGINNINGS, ATTEMPT_TRANSITIONS, JOB_TRANSITIONS, JobState

Transitions = Sequence[tuple[StrEnum, str, StrEnum]]

DIAGRAMS: dict[str, tuple[Sequence[StrEnum], Transitions]] = {
    "jobs": ((JobState.QUEUED,), JOB_TRANSITIONS),
    "attempts": (tuple(state for _, state in ATTEMPT_BEGINNINGS), ATTEMPT_TRANSITIONS),
}
"""Per marker the states in which things begin, and the table."""


def draw(first: Sequence[StrEnum], transitions: Transitions) -> str:
    """Write one mermaid diagram; transitions between the same two states share an arrow."""
    arrows: dict[tuple[StrEnum, StrEnum], list[str]] = {}
    for old, name, new in transitions:
        arrows.setdefault((old, new), []).append(name)
    left = {old for old, _ in arrows}
    lines = ["```mermaid", "stateDiagram-v2", *(f"    [*] --> {one}" for one in first)]
    lines += [f"    {old} --> {new}: {', '.join(names)}" for (old, new), names in arrows.items()]
    ends = dict.fromkeys(new for _, new in arrows if new not in left)
    lines += [f"    {end} --> [*]" for end in ends]
    return "\n".join([*lines, "```"])


def redraw(text: str) -> str:
    """Replace what stands between the markers of each diagram.

    Raises:
        ValueError: the text lacks a diagram's markers.
    """
    for name, (first, transitions) in DIAGRAMS.items():
        begin, end = f"<!-- diagram {name} -->\n", f"\n<!-- end {name} -->"
        between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(between.findall(text)) != 1:
            raise ValueError(f"the markers of the diagram {name!r} must stand there once")
        picture = draw(first, transitions)
        text = between.sub(lambda _, drawn=f"{begin}{picture}{end}": drawn, text)
    return text


if __name__ == "__main__":
    page = Path(__file__).resolve().parent.parent / "docs" / "design.md"
    before = page.read_text(encoding="utf-8")
    after = redraw(before)
    page.write_text(after, encoding="utf-8")
    sys.stdout.write(f"{page.name} {'redrawn' if after != before else 'is up to date'}\n")
