"""What an API says of a failure, wherever it says it: flattened into words and codes.

The reason may stand in several fields, as a text, an object, a list, or as JSON inside a text. All
of it is read, in bounds, because a code in one field may contradict the words of another.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

_FIELDS: Final = (
    "error errors errormessage errormsg errorcode errortype errordetail errordetails "
    "failure failures failurereason failurereasons failuremessage failurecode failuretype "
    "failreason failmessage failmsg failcode failuredetail reason reasons reasoncode "
    "message messages msg detail details code errcode errmsg cause "
    "statusmessage statusmsg statusreason statusdetail statusdetails "
    "taskstatusmsg taskstatusmessage blockreason finishreason rejectionreason "
    "moderation moderationresult moderationreason raimediafilteredreasons"
)
FIELDS: Final = frozenset(_FIELDS.split())
"""Names of fields with a reason, in lower case and without what joins their words."""

_ID_FIELDS: Final = "id requestid taskid traceid logid jobid generationid operationid correlationid"
_IDS: Final = frozenset(_ID_FIELDS.split())
_CODES: Final = ("code", "status", "type")

DEEPEST: Final = 6
MOST: Final = 40
LONGEST: Final = 2000
"""Levels, pieces, and characters of one piece that are read of a reason."""

UNREAD: Final = "(not all of it could be read)"
"""Stands for what is beyond these bounds: it may say anything."""

_LONGEST_JSON: Final = 20_000
_BESIDE_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_JOINTS = re.compile(r"[\W_]+")


def pieces(document: object) -> list[str]:
    """List what a failed generation says of its failure, each piece once.

    Args:
        document: the generation as the API shows it; anything else is the reason itself.
    """
    found = dict.fromkeys(filter(None, _pieces(document)))
    return [piece for piece in found if piece != UNREAD] + [UNREAD] * (UNREAD in found)


def spelled(text: str) -> str:
    """Write words and codes alike: ``UNSAFE_CONTENT``, ``unsafeContent`` as ``unsafe content``."""
    plain = _BESIDE_CAPITALS.sub(" ", unicodedata.normalize("NFKC", text[:LONGEST]))
    return " ".join(_JOINTS.sub(" ", plain).split()).lower()


def _pieces(document: object) -> Iterator[str]:
    left = [MOST]
    if not isinstance(document, Mapping):
        yield from _walk(document, "", DEEPEST, left)
        return
    for name, value in document.items():
        if _folded(name) in FIELDS:
            yield from _walk(value, _folded(name), DEEPEST, left)


def _walk(value: Any, name: str, depth: int, left: list[int]) -> Iterator[str]:
    """Go through a value; ``left`` counts down how many pieces may still be read."""
    if value is None or isinstance(value, bool) or name in _IDS:
        return
    if depth <= 0 or left[0] <= 0:
        left[0] -= 1
        yield UNREAD
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _walk(part, _folded(key), depth - 1, left)
            if left[0] < 0:
                break
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _walk(part, name, depth - 1, left)
            if left[0] < 0:
                break
    elif isinstance(value, str) and (inner := _json(value)) is not None:
        yield from _walk(inner, name, depth - 1, left)
    else:
        left[0] -= 1
        yield from _piece(value, name)


def _piece(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, int | float | Decimal):
        if value and name.endswith(_CODES):
            yield f"code {str(value)[:20]}"
    elif isinstance(value, str):
        yield " ".join(value[:LONGEST].split())
        if len(value) > LONGEST or value.lstrip()[:1] == "{":
            yield UNREAD  # JSON that is cut off may have said more


def _json(text: str) -> Any:
    """Read JSON inside a text; None when it is none, or no object and no list."""
    if text.lstrip()[:1] not in ("{", "[") or len(text) > _LONGEST_JSON:
        return None
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _folded(name: object) -> str:
    return _JOINTS.sub("", str(name)[:100]).lower()
