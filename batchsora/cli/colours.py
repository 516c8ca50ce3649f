"""Colours for the words that matter, put on last: on a terminal alone, and never with NO_COLOR."""

import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

_STYLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "completed": {"fg": "green"},
    "processing": {"fg": "cyan"},
    "pending": {"fg": "cyan"},
    "failed": {"fg": "red", "bold": True},
    "unconfirmed": {"fg": "yellow", "bold": True},
    "paused": {"fg": "yellow"},
    "waits for": {"fg": "yellow"},
    "held back": {"fg": "yellow"},
    "cancelled": {"dim": True},
}
_WORD: Final = f"(?P<word>{'|'.join(_STYLES)})"
IN_STATUS: Final = re.compile(
    rf"^  jobs .*$|^  {_WORD}(?=  | \S)|(?<=\()(?P<paused>paused)(?=\)$)", re.MULTILINE
)
_COUNT: Final = re.compile(rf"(?<=\d ){_WORD}(?=,|$)")
IN_JOBS: Final = re.compile(rf"^(?P<before>\S.*? +){_WORD}(?= +(?:-|\d+\.\d\d)  )", re.MULTILINE)
IN_STORY: Final = re.compile(rf"^(?P<before>\S.*: ){_WORD}(?=[,\n]|$)", re.MULTILINE)


def wanted() -> bool:
    """Return whether stdout shows colours, and a person wants them (https://no-color.org)."""
    dumb = os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not dumb and not os.environ.get("NO_COLOR")


def painted(text: str, where: re.Pattern[str]) -> str:
    """Colour states in a text that is clean and laid out already.

    Args:
        text: for a terminal.
        where: one of the patterns here, for the command whose text it is.
    """
    return where.sub(_paint, text)


def _paint(match: re.Match[str]) -> str:
    found = match.groupdict()
    word = found.get("word") or found.get("paused")
    if word is None:  # a line of counts
        return _COUNT.sub(_paint, match[0])
    before = found.get("before") or match[0][: match[0].index(word)]
    return before + click.style(word, **_STYLES[word])
