"""A job as queries return it, for tests of words."""

from dataclasses import fields, replace
from typing import Any, get_type_hints

from jobs.ports.seen import JobRow

_BLANK: dict[Any, Any] = {int: 0, bool: False, str: "", dict[str, Any]: {}, dict[str, str]: {}}


def a_job(**more: Any) -> JobRow:
    """Return the queued job r1 of the batch b, with some fields as given."""
    hints = get_type_hints(JobRow)
    blank = {one.name: _BLANK.get(hints[one.name]) for one in fields(JobRow)}
    usual = {"key": "r1", "batch": "b", "row": 2, "prompt": "a red kite", "state": "queued"}
    return replace(JobRow(**blank), **{**usual, **more})
