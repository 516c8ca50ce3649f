"""Requests that this database paid for in another spelling: Unicode form and white space.

The account's list may show prompts folded (:func:`jobs.text.text_key`), so they are the same there.
Fingerprints differ, so that an edit of white space is an edit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, or_, select, text

from ..spec import fingerprint
from ..tables import ATTEMPT, PAID
from ..text import prompt_key
from .prepared import values_in
from .rows import request_of

UNCONFIRMED = text("attempt.state IN ('open', 'in_doubt')")  # the partial index's own words


def other_spellings(connection: Connection, rows: Iterable[Any]) -> dict[str, Sequence[str]]:
    """Map fingerprints of rows to those of attempts that asked for the same in another spelling.

    Args:
        connection: any.
        rows: of the job table.
    """
    found: dict[str, list[str]] = {}
    rest = iter(rows)
    while some := list(islice(rest, TOGETHER)):
        for own, other in _pairs(connection, some):
            found.setdefault(own, []).append(other)
    return {own: sorted(set(others)) for own, others in found.items()}


TOGETHER: Final = 100_000
"""Rows that are held in memory at a time: there may be a million."""


def _pairs(connection: Connection, rows: Sequence[Any]) -> Iterator[tuple[str, str]]:
    asked: dict[str, dict[str, Any]] = {}
    for row in rows:
        asked.setdefault(prompt_key(row.prompt), {}).setdefault(row.fingerprint, row)
    bought = (
        select(ATTEMPT.c.prompt_key, ATTEMPT.c.prompt, ATTEMPT.c.fingerprint)
        .where(or_(PAID, UNCONFIRMED), ATTEMPT.c.prompt_key.in_(values_in(asked)))
        .distinct()
    )
    for paid in connection.execute(bought):
        for own, row in asked[paid.prompt_key].items():
            if row.prompt != paid.prompt:
                request = replace(request_of(row), prompt=paid.prompt)
                if fingerprint(request) == paid.fingerprint:
                    yield own, paid.fingerprint
