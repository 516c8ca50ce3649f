"""What the API answers, read so that no answer can break the reader.

A field that can't be read is None; unknown fields are kept; money is ``Decimal``.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from batchsora.providers.runblob import phases
from batchsora.providers.runblob.answered import Answered
from batchsora.providers.runblob.catalog import FAMILIES
from batchsora.providers.runblob.reasons import pieces, spelled
from batchsora.providers.runblob.words import clean, printable
from jobs.model.clock import EARLIEST, LATEST
from jobs.model.families import family_of, named_id, provider_id
from jobs.model.money import LARGEST_USD
from jobs.model.states import FailureKind
from jobs.model.text import folded_id

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.{0,40}", re.IGNORECASE)
_LONGEST_AMOUNT = 40
_LARGEST_INT = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"\d{9,13}(?:\.\d{1,9})?")
_MILLISECONDS = 10**11
"""From here on a number of seconds would be in the year 5138: it counts milliseconds."""
_TOO_LARGE = 10**15
LONGEST_PROMPT: Final = 64 * 1024
"""Characters of a listed prompt that are read: ours have 4,000, escaped six times as many, or four
in another encoding. What is longer is somebody else's, and looks as if it were cut."""


def usable_id(value: object) -> str | None:
    """Return an id that can be kept and asked for, a UUID in lower case; None for anything else."""
    if isinstance(value, str) and _ID.fullmatch(value) and value not in (".", ".."):
        return folded_id(value)
    return None


def usable_named_id(value: str) -> str | None:
    """Return a generation's name among all families, as :func:`usable_id` does."""
    family, own = family_of(value), usable_id(provider_id(value))
    return named_id(family, own) if own is not None and family in FAMILIES else None


def amount(value: object) -> Decimal | None:
    """Read an amount of USD from text or a number; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if isinstance(value, str) and len(value) > _LONGEST_AMOUNT:
        return None
    try:
        found = Decimal(value)
        usable = found.is_finite() and 0 <= found <= LARGEST_USD
    except ArithmeticError:
        return None
    return found if usable else None


def _time(value: object) -> datetime | None:
    """Read a time: ISO 8601 (UTC without a zone), or seconds or milliseconds since 1970."""
    if isinstance(value, str):
        text = value.strip()
        found = _moment(text) if _TIME.fullmatch(text) else None
        if found is None and _DIGITS.fullmatch(text):
            found = _since_1970(Decimal(text))
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        found = _since_1970(value)
    else:
        return None
    return found if found is not None and EARLIEST <= found < LATEST else None


def _since_1970(number: float | Decimal) -> datetime | None:
    try:
        if not -_TOO_LARGE < number < _TOO_LARGE:  # int() of 1e999999 takes half a minute
            return None
        seconds = number / 1000 if number >= _MILLISECONDS else number
        return _EPOCH + timedelta(microseconds=int(seconds * 10**6))
    except (ValueError, ArithmeticError):
        return None


@lru_cache(maxsize=512)
def _moment(text: str) -> datetime | None:
    """Read a time once: a generation's are seen at each poll."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        value = amount(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return int(value) if 0 <= value <= _LARGEST_INT else None


def _percent(value: object) -> int | None:
    found = _whole(value)
    return None if found is None else min(found, 100)


def _prompt(value: object) -> str | None:
    text = value[:LONGEST_PROMPT] if isinstance(value, str) else ""
    return printable(text) if text.strip() else None


def _words(value: object) -> str | None:
    return (clean(value) or None) if isinstance(value, str) else None


def _state(value: object) -> str | None:
    return phases.canonical(value) if isinstance(value, str) else None


Id = Annotated[str | None, BeforeValidator(usable_id)]
Amount = Annotated[Decimal | None, BeforeValidator(amount)]
Time = Annotated[datetime | None, BeforeValidator(_time)]
Prompt = Annotated[str | None, BeforeValidator(_prompt)]
Words = Annotated[str | None, BeforeValidator(_words)]
State = Annotated[str | None, BeforeValidator(_state)]
Percent = Annotated[int | None, BeforeValidator(_percent)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
WebAddress = Annotated[str | None, BeforeValidator(phases.web_address)]


class GenerationCreated(Answered):
    """What ``generate`` answers.

    Attributes:
        generation_id: always usable when it comes from the client.
        status: normally ``pending``.
        price: the charge in USD; None if it can't be read.
    """

    generation_id: str
    status: State = None
    price: Amount = None


class GenerationInfo(Answered):
    """One generation as the API shows it; printed, a completed one is its video's address.

    Attributes:
        generation_id: None if unusable, in a list; a status always has the one asked for.
        status: ``pending``, ``processing``, ``completed`` or ``failed``, whatever the API's word
            is; else its own word.
        prompt: as echoed, :data:`LONGEST_PROMPT` of it at most; None when absent or blank.
        video_url: of the finished video, resolved against the API's address.
        created_at: aware UTC, like ``completed_at``.
        progress_pct: 0 to 100.
        progress_pos_in_queue: while pending.
        error_message: why it failed, in the API's words and codes, cleaned and shortened.
        said_state: the API's own word for its state.
        failure_kind: what these mean, if it failed (:mod:`batchsora.providers.runblob.failures`).
    """

    generation_id: Id = None
    status: State = None
    prompt: Prompt = None
    video_url: WebAddress = None
    created_at: Time = None
    completed_at: Time = None
    progress_pct: Percent = None
    progress_pos_in_queue: Whole = None
    error_message: Words = None
    said_state: Words = None
    failure_kind: FailureKind | None = None

    def __str__(self) -> str:
        finished = self.status == "completed" and self.video_url
        return finished or super().__str__()


Named = str | GenerationCreated | GenerationInfo
"""A generation by its id, or as it was answered."""


def id_of(generation: Named) -> str:
    """Return a generation's id; raise a ValueError if it has none that can be used."""
    given = (
        generation if isinstance(generation, str) else getattr(generation, "generation_id", None)
    )
    if not isinstance(given, str) or usable_named_id(given) is None:
        raise ValueError(f"not an id of a generation: {clean(str(generation), longest=60)!r}")
    return str(given)


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


def created(document: object) -> GenerationCreated | None:
    """Read the answer to ``generate``; None if it has no usable id."""
    if not isinstance(document, dict) or usable_id(document.get("generation_id")) is None:
        return None
    fields = _named(document) | {"generation_id": usable_id(document["generation_id"])}
    return GenerationCreated.model_validate(fields)


def looked_up(
    answer: dict[str, object], generation_id: str, secret: str = "", base_url: str = ""
) -> GenerationInfo | None:
    """Read a status; None if the answer does not name that generation itself."""
    found = naming(answer, generation_id)
    if found is None:
        return None
    return info(
        {**found, "generation_id": generation_id}, secret, base_url, reasons_in(answer, found)
    )


def info(
    document: object,
    secret: str = "",
    base_url: str = "",
    whole: dict[str, object] | None = None,
) -> GenerationInfo:
    """Read one generation; nothing is known of what is not an object.

    ``whole`` is the answer around it, which may also say why it failed.
    """
    fields: dict[str, object] = _named(document) if isinstance(document, dict) else {}
    said = dict(fields) if whole is None else whole
    told = phases.told(fields, secret, said)
    fields["status"], fields["said_state"] = told.status, told.said
    fields["failure_kind"] = told.failure
    if told.status == "completed":
        fields["video_url"] = phases.video_address(fields, base_url)
    if told.failure is not None:
        fields["error_message"] = clean(": ".join(pieces(said)), secret)
    elif isinstance(words := fields.get("error_message"), str):
        fields["error_message"] = clean(words, secret)
    return GenerationInfo.model_validate(fields)


def _named(document: dict[str, object]) -> dict[str, object]:
    """Copy an object; half a surrogate pair in a name would break the model."""
    if "".join(document).isascii():
        return dict(document)
    return {printable(name): value for name, value in document.items()}


def listed(document: object, secret: str = "", base_url: str = "") -> list[GenerationInfo] | None:
    """Read a page of generations, bare or wrapped; None if it is not one.

    Nor is a page inside a failed answer: without entries it would be the end of the list.
    """
    if erred(document):
        return None
    if isinstance(document, dict):
        wrapped = next((name for name in PAGES if isinstance(document.get(name), list)), None)
        if wrapped is None or (not document[wrapped] and not is_plain_end(document, wrapped)):
            return None
        document = document[wrapped]
    if not isinstance(document, list):
        return None
    return [info(entry, secret, base_url) for entry in document]


def balance(document: object) -> Decimal | None:
    """Read the account's money; a negative balance is zero; None if it is not a balance."""
    if not isinstance(document, dict) or erred(document):
        return None
    value = document.get("balance")
    if isinstance(value, str) and value.strip().startswith("-"):
        return None if amount(value.strip()[1:]) is None else Decimal(0)
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and value < 0:
        return Decimal(0)
    return amount(value)


# What wraps an answer: an API may answer "200" and mean that the *request* failed. Read as the
# generation, the page or the balance, such an answer would be an end that never happened, and an
# end buys again.


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
    words = [word for name in phases.FIELDS if isinstance(word := document.get(name), str)]
    said = any(phases.meaning(word) in phases.ENDED_BADLY for word in words)
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
