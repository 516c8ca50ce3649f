"""What wraps an answer: an error around it is not part of what was asked for.

An API may answer "200" and mean that the *request* failed. Read as the generation, the page or the
balance, such an answer would be an end that never happened, and an end buys again.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchsora.providers.runblob.phases import ENDED_BADLY, FIELDS, meaning
from batchsora.providers.runblob.reasons import spelled
from jobs.model.text import folded_id

WRAPPERS: Final = ("data", "generation", "result", "response", "video", "task", "job")
"""Fields in which an API may put the generation that was asked for."""

PAGES: Final = ("items", "generations", "data", "results")
"""Fields in which an API may put a page of the list."""

_PAGING: Final = frozenset({"limit", "offset", "page", "per_page", "page_size", "size", "object"})
_NO_MORE: Final = frozenset(
    {"total", "count", "has_more", "has_next", "next", "next_cursor", "error", "errors"}
)
_WELL: Final[Mapping[str, tuple[object, ...]]] = {
    "success": (True,),
    "ok": (True,),
    "code": (0, 200, "0", "200"),
    "status": ("success", "ok", 200),
    "message": ("success", "ok", "OK", "Success", ""),
    "msg": ("success", "ok", "OK", "Success", ""),
}
"""Fields beside a page without entries, and what they say at the end of a list."""

_CODES: Final = frozenset(
    {"code", "status", "status code", "err code", "errcode", "error code", "ret"}
)
_WORDS: Final = frozenset(
    {"message", "msg", "err msg", "errmsg", "error msg", "error message", "code", "status"}
)
_ANSWERED: Final = frozenset({"success", "succeed", "succeeded", "successful", "ok", ""})
"""Fields *around* a generation, and what they say where the request itself went well."""

_DEEPEST: Final = 3


def naming(document: Mapping[str, Any], generation_id: str) -> Mapping[str, Any] | None:
    """Return the object of an answer that names a generation; None if none does, or another one."""
    found = list(_objects(document, _DEEPEST))
    named = [part for part in found if part.get("generation_id") is not None]
    if any(not _same(part["generation_id"], generation_id) for part in named):
        return None
    named += [part for part in found if _same(part.get("id"), generation_id)]
    return named[0] if named else None


def reasons_in(document: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without what only says that the request went well, around a generation.

    Inside the generation the same words are about its failure, and stay.

    Args:
        found: the object that names the generation, from :func:`naming`.
    """
    return _unwrapped(document, found, _DEEPEST) or dict(document)


def _unwrapped(
    document: Mapping[str, Any], found: Mapping[str, Any], depth: int
) -> dict[str, Any] | None:
    """Remove such fields on the path to the generation; None if there is no path."""
    if document is found:
        return dict(document)
    for name in WRAPPERS if depth else ():
        if isinstance(part := document.get(name), Mapping):
            inner = _unwrapped(part, found, depth - 1)
            if inner is not None:
                rest = {key: value for key, value in document.items() if not _is_well(key, value)}
                return rest | {name: inner}
    return None


def _is_well(name: str, value: object) -> bool:
    name = spelled(name)
    if isinstance(value, str) and not value.isdecimal():
        return name in _WORDS and value.strip(" .!").casefold() in _ANSWERED
    is_code = name in _CODES and not isinstance(value, bool)
    return is_code and value in (0, 200, "0", "200")


def erred(document: object) -> bool:
    """Check whether an answer says of itself that the request failed."""
    if not isinstance(document, Mapping):
        return False
    words = [word for name in FIELDS if isinstance(word := document.get(name), str)]
    said = any(meaning(word) in ENDED_BADLY for word in words)
    refused = any(document.get(name) is False for name in ("success", "ok"))
    codes = (document.get(name) for name in ("code", "status", "status_code", "statusCode"))
    failed = any(_is_failure(code) for code in codes)
    return said or refused or failed or any(map(document.get, ("error", "errors")))


def is_plain_end(document: Mapping[str, Any], page: str) -> bool:
    """Check whether an empty page ends the list: no unknown field, none with more entries."""
    rest = {name: value for name, value in document.items() if name != page and value is not None}
    return all(
        name in _PAGING
        or (name in _NO_MORE and not value)
        or (name in _WELL and value in _WELL[name])
        for name, value in rest.items()
    )


def _is_failure(code: object) -> bool:
    """Check whether a number is an HTTP status of a failure."""
    if isinstance(code, str) and code.isdecimal() and len(code) == len("404"):
        code = int(code)
    return isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599  # noqa: PLR2004 - HTTP's


def _objects(document: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    yield document
    for name in WRAPPERS if depth else ():
        if isinstance(inner := document.get(name), Mapping):
            yield from _objects(inner, depth - 1)


def _same(value: object, generation_id: str) -> bool:
    return isinstance(value, str) and folded_id(value) == folded_id(generation_id)
