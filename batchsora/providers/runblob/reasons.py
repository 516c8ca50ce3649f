"""What an API says of a failure, wherever it says it: flattened into words and codes.

The reason may be in several fields, as a text, an object, a list, or JSON inside a text. All of it
is read, within bounds: a code in one field may contradict the words of another.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
_IDS: Final = frozenset((_ID_FIELDS + " timestamp time date createdat").split())
_AN_ID: Final = re.compile(r"(?=.*\d).{8,}")
"""What stands in a field of these is no reason; a short word or figure may be a code, though."""

_CODE_FIELDS: Final = (
    "code status type errorcode errortype errcode failcode failurecode failuretype reasoncode "
    "statuscode httpstatus httpcode httpstatuscode"
)
_CODES: Final = frozenset(_CODE_FIELDS.split())
_KNOWN: Final = FIELDS | _CODES | {"", "title", "text", "description", "name"}
"""Names, inside of a reason, of which we know what stands in them."""

_STEMS: Final = re.compile(
    r"^err|error|fail|reason|moderat|flag|block|nsfw|safe|polic|violat|filter|reject|refus|censor|"
    r"sensitiv|warn|deny|denied|banned|risk|abus|explicit|cause|(?<!de)fault|issue|problem|explan|"
    r"verdict|(?<!p)review|complian|^rai|substat|(?:codes?|messages?|msgs?)$"
)
"""What the name of a field has in it that may tell of a failure, beside those that we know."""

_PLAIN: Final = (
    r"(?:at|time|timestamp|date|ur[li]s?|(?:country|language|currency|promo|bar|qr)code)$"
)
_DESCRIPTIVE: Final = re.compile(
    rf"{_PLAIN}|(?:id|prompt|price|cost|model|duration|seconds|pct|percent|orientation|codec|name|"
    r"version|size|seed|width|height|quality|style|ratio|resolution|fps|frames|format|provider|"
    r"engine|priority|credits|amount|currency|region|queue|position|count|object|plan|hash|index|"
    r"elapsed|eta|retries|attempts|source|tier)$|^progress|^type$"
)
"""Fields outside of a reason that only describe the generation; every other one may be a reason."""

_JUDGED: Final = re.compile(r"moderat|flagged|block|reject|refus|censor|denied|banned|violat")
"""With these in its name a time or an address says that it was judged: ``rejected_at``."""

_STATES: Final = frozenset({"status", "state", "taskstatus"})
"""Of the generation itself they are read elsewhere (:mod:`batchsora.providers.runblob.phases`)."""

_FAILED: Final = re.compile(r"(?:(?:task|job) )?(?:stat\w+ )?(?:fail|err)\w*")
"""What a state says that we know anyhow."""

_FLAGS: Final = (
    "error iserror haserror errored failed isfailed hasfailed done finished isfinished completed "
    "iscompleted success ok refunded isrefunded retryable retriable isretryable transient "
    "temporary istransient istemporary watermark haswatermark public ispublic hasimage hasaudio "
    "audio sound archived deleted cached loop stream hd pro test sandbox charged ischarged visible"
)
_HARMLESS: Final = frozenset(_FLAGS.split())
"""Flags that are true, and say nothing of why it failed."""

_GOOD: Final = re.compile(
    r"\b(?:safe|pass(?:ed)?|approved?|allowed|permitted|compliant|valid|retry|retr[iy]able|transient|"
    r"temporary|recoverable)\b"
)
"""What a flag says that is only bad news when it is false."""

_VIDEOS: Final = frozenset(
    {"video", "videourl", "output", "outputurl", "result", "resulturl", "downloadurl"}
)
"""Where a video stands: one that failed has none."""

DEEPEST: Final = 6
MOST: Final = 40
LONGEST: Final = 2000
"""Levels, pieces, and characters of one piece that are read of a reason."""

UNREAD: Final = "(not all of it could be read)"
"""Stands for what is beyond these bounds: it may say anything."""

_LONGEST_JSON: Final = 20_000
_BESIDE_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_JOINTS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement.

    Attributes:
        text: words, a code, or the name of a flag.
        name: of an unknown field: nobody can know what its text means, whatever the words.
    """

    text: str
    name: str = ""

    @property
    def shown(self) -> str:
        """Return it as a person reads it."""
        return f"{self.name}: {self.text}" if self.name else self.text


def pieces(document: object) -> list[str]:
    """List what a failed generation says of its failure, for people."""
    return [piece.shown for piece in said(document)]


def said(document: object) -> list[Piece]:
    """List what a failed generation, or a reason itself, says of the failure, each piece once."""
    found = dict.fromkeys(piece for piece in _pieces(document) if piece.text)
    unread = Piece(UNREAD)
    return [piece for piece in found if piece != unread] + [unread] * (unread in found)


def spelled(text: str) -> str:
    """Write words and codes alike: ``UNSAFE_CONTENT``, ``unsafeContent`` as ``unsafe content``."""
    plain = _BESIDE_CAPITALS.sub(" ", unicodedata.normalize("NFKC", text[:LONGEST]))
    return " ".join(_JOINTS.sub(" ", plain).split()).lower()


def _pieces(document: object) -> Iterator[Piece]:
    left = [MOST]
    if isinstance(document, Mapping):
        yield from _around(document, "", DEEPEST, left)
    else:
        yield from _walk(document, "", DEEPEST, left)


def _around(value: Any, name: str, depth: int, left: list[int]) -> Iterator[Piece]:
    """Go through a generation, or what is wrapped in one: only what is about the failure counts."""
    folded = _folded(name)
    plain = re.search(_PLAIN, folded) and not _JUDGED.search(folded)
    if folded in FIELDS or (_STEMS.search(folded) and not plain):
        yield from _walk(value, name, depth, left)
    elif isinstance(value, Mapping | list | tuple):
        yield from _inside(_around, value, name, depth, left)
    elif isinstance(value, bool):
        yield from _flag(value, name, left)
    elif folded in _STATES:
        told = isinstance(value, str) and not _FAILED.fullmatch(spelled(value))
        if told and depth < DEEPEST - 1:
            yield from _walk(value, name, depth, left)
    elif value and (folded in _VIDEOS or not (_DESCRIPTIVE.search(folded) or folded in _IDS)):
        left[0] -= 1
        yield Piece(" ".join(str(value)[:LONGEST].split()), name[:40] or "item")


def _walk(value: Any, name: str, depth: int, left: list[int]) -> Iterator[Piece]:
    """Go through a reason, all of which counts; ``left`` counts down how much may still be read."""
    if value is None or _is_id(value, _folded(name)):
        return
    if isinstance(value, str) and (inner := _json(value)) is not None:
        value = inner
    if isinstance(value, bool):
        yield from _flag(value, name, left)
    elif isinstance(value, Mapping | list | tuple):
        yield from _inside(_walk, value, name, depth, left)
    elif depth <= 0 or left[0] <= 0:
        left[0] -= 1
        yield Piece(UNREAD)
    else:
        left[0] -= 1
        yield from _piece(value, name)


def _inside(
    go: Callable[[Any, str, int, list[int]], Iterator[Piece]],
    value: Mapping[Any, Any] | Sequence[Any],
    name: str,
    depth: int,
    left: list[int],
) -> Iterator[Piece]:
    """Go through the parts of a value, within bounds."""
    if depth <= 0 or left[0] <= 0:
        left[0] -= 1
        yield Piece(UNREAD)
        return
    parts = value.items() if isinstance(value, Mapping) else ((name, part) for part in value)
    for key, part in parts:
        yield from go(part, str(key), depth - 1, left)
        if left[0] < 0:
            break


def _is_id(value: object, folded: str) -> bool:
    if folded not in _IDS or isinstance(value, Mapping | list | tuple):
        return False
    return folded != "id" or (isinstance(value, str) and bool(_AN_ID.fullmatch(value)))


def _flag(value: bool, name: str, left: list[int]) -> Iterator[Piece]:  # noqa: FBT001 - it is the value
    """Return a flag that is true, or false if it should be true."""
    told = spelled(name)
    good = _GOOD.search(told) and not re.search(r"\b(?:not|never|no)\b", told)
    bad = not value if good else value and _folded(name) not in _HARMLESS
    if bad and told:
        left[0] -= 1
        yield Piece(told if value else f"not {told}", "flag")


def _piece(value: Any, name: str) -> Iterator[Piece]:
    folded = _folded(name)
    strange = "" if folded in _KNOWN else name[:40]
    if isinstance(value, int | float | Decimal):
        if value and folded in _CODES:
            yield Piece(f"code {str(value)[:20]}")
        elif value:
            yield Piece(str(value)[:20], name[:40] or "number")
    elif isinstance(value, str):
        yield Piece(" ".join(value[:LONGEST].split()), strange)
        if len(value) > LONGEST or value.lstrip()[:1] == "{":
            yield Piece(UNREAD)  # JSON that is cut off may have said more


def _json(text: str) -> Any:
    """Read JSON inside a text; None if it is not an object or a list."""
    if text.lstrip()[:1] not in ("{", "[") or len(text) > _LONGEST_JSON:
        return None
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _folded(name: object) -> str:
    return _JOINTS.sub("", str(name)[:100]).lower()
