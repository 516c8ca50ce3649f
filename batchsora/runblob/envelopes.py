"""What an answer is wrapped in: an error told around it is no part of what was asked for.

An API may say "200" and mean that the *request* failed. Read as the generation, the page or the
balance, such an answer would be an end that never was, and an end buys again.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchsora.runblob.phases import ENDED_BADLY, FIELDS, meaning
from jobs.text import folded_id

WRAPPERS: Final = ("data", "generation", "result", "response", "video", "task", "job")
"""Fields in which an API may put the generation that was asked for."""

_DEEPEST: Final = 3


def naming(document: Mapping[str, Any], generation_id: str) -> Mapping[str, Any] | None:
    """Return the object of an answer that names a generation: the answer itself, or one inside.

    Args:
        document: the answer to a look at one generation.
        generation_id: which was asked for.

    Returns:
        None when nothing names it, or something names another one.
    """
    found = list(_objects(document, _DEEPEST))
    named = [part for part in found if part.get("generation_id") is not None]
    if any(not _same(part["generation_id"], generation_id) for part in named):
        return None
    named += [part for part in found if _same(part.get("id"), generation_id)]
    return named[0] if named else None


def erred(document: object) -> bool:
    """Check whether an answer says of itself that the request failed."""
    if not isinstance(document, Mapping):
        return False
    words = [word for name in FIELDS if isinstance(word := document.get(name), str)]
    said = any(meaning(word) in ENDED_BADLY for word in words)
    return said or document.get("success") is False or any(map(document.get, ("error", "errors")))


def _objects(document: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    yield document
    for name in WRAPPERS if depth else ():
        if isinstance(inner := document.get(name), Mapping):
            yield from _objects(inner, depth - 1)


def _same(value: object, generation_id: str) -> bool:
    return isinstance(value, str) and folded_id(value) == folded_id(generation_id)
