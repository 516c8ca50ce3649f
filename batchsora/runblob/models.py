"""The wire: what the API answers, read so that no answer can break the reader.

A field that can't be read is None; fields that nobody knows yet are kept; money is ``Decimal``.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

from batchsora.runblob.words import clean, printable
from jobs.money import LARGEST_USD

LONGEST_URL: Final = 8192
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_URL = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f\ud800-\udfff<>\"\\]+", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.{0,40}", re.IGNORECASE)
_LONGEST_AMOUNT = 40
_LARGEST_INT = 2**53


def usable_id(value: object) -> str | None:
    """Give an id that can be kept and asked for; None for anything else."""
    if isinstance(value, str) and _ID.fullmatch(value) and value not in (".", ".."):
        return value
    return None


def amount(value: object) -> Decimal | None:
    """Read an amount of USD from text or a number; None when it is no money at all."""
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
    """Read an ISO 8601 time, UTC when it names no zone."""
    return (
        _moment(text) if isinstance(value, str) and _TIME.fullmatch(text := value.strip()) else None
    )


@lru_cache(maxsize=512)
def _moment(text: str) -> datetime | None:
    """Read a time once: a generation's are seen at each look."""
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


def _web_address(value: object) -> str | None:
    if isinstance(value, str) and len(value) <= LONGEST_URL and _URL.fullmatch(value):
        return value
    return None


def _text(value: object) -> str | None:
    return printable(value) if isinstance(value, str) and value.strip() else None


def _words(value: object) -> str | None:
    return (clean(value) or None) if isinstance(value, str) else None


def _state(value: object) -> str | None:
    return clean(value, longest=40).lower() if isinstance(value, str) else None


Id = Annotated[str | None, BeforeValidator(usable_id)]
Amount = Annotated[Decimal | None, BeforeValidator(amount)]
Time = Annotated[datetime | None, BeforeValidator(_time)]
Text = Annotated[str | None, BeforeValidator(_text)]
Words = Annotated[str | None, BeforeValidator(_words)]
State = Annotated[str | None, BeforeValidator(_state)]
Percent = Annotated[int | None, BeforeValidator(_percent)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
WebAddress = Annotated[str | None, BeforeValidator(_web_address)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class GenerationCreated(_Answer):
    """What ``generate`` answers.

    Attributes:
        generation_id: what to ask for; always usable when it comes from the client.
        status: normally ``pending``.
        price: what was charged, in USD; None when it can't be read.
    """

    generation_id: str
    status: State = None
    price: Amount = None


class GenerationInfo(_Answer):
    """One generation as the API shows it.

    Attributes:
        generation_id: None when it can't be used, in a list; a status always has the one asked for.
        status: ``pending``, ``processing``, ``completed``, ``failed``, or a word yet unknown.
        prompt: as echoed; None when absent or blank.
        video_url: of the finished video.
        created_at: aware UTC, as ``completed_at``.
        progress_pct: 0 to 100.
        progress_pos_in_queue: while pending.
        error_message: cleaned and shortened.
    """

    generation_id: Id = None
    status: State = None
    prompt: Text = None
    video_url: WebAddress = None
    created_at: Time = None
    completed_at: Time = None
    progress_pct: Percent = None
    progress_pos_in_queue: Whole = None
    error_message: Words = None


def created(document: object) -> GenerationCreated | None:
    """Read the answer to ``generate``; None when it names no usable id."""
    if not isinstance(document, dict) or usable_id(document.get("generation_id")) is None:
        return None
    return GenerationCreated.model_validate(_named(document))


def info(document: object, secret: str = "") -> GenerationInfo:
    """Read one generation; what is no object at all is one of which nothing is known.

    Args:
        document: the answer, or an entry of it.
        secret: the token, to be taken out of the API's words.
    """
    fields = _named(document) if isinstance(document, dict) else {}
    words = fields.get("error_message")
    if isinstance(words, str):
        fields["error_message"] = clean(words, secret)
    return GenerationInfo.model_validate(fields)


def _named(document: dict[str, object]) -> dict[str, object]:
    """Copy an object; a name with half a surrogate pair would break the model."""
    if "".join(document).isascii():
        return dict(document)
    return {printable(name): value for name, value in document.items()}


def listed(document: object, secret: str = "") -> list[GenerationInfo] | None:
    """Read a page of generations, bare or wrapped; None when it is no such page."""
    if isinstance(document, dict):
        for name in ("items", "generations", "data", "results"):
            if isinstance(document.get(name), list):
                document = document[name]
                break
    return [info(entry, secret) for entry in document] if isinstance(document, list) else None


def balance(document: object) -> Decimal | None:
    """Read the account's money; less than zero is zero; None when it is no balance."""
    value = document.get("balance") if isinstance(document, dict) else None
    if isinstance(value, str) and value.strip().startswith("-"):
        return None if amount(value.strip()[1:]) is None else Decimal(0)
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and value < 0:
        return Decimal(0)
    return amount(value)
