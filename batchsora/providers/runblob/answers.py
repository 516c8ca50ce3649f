"""What an HTTP answer means: one table of statuses for the client and for the engine's adapter.

For a ``generate`` the table is a whitelist (docs/money.md): only the statuses in it are known to
have created nothing; any other leaves the outcome in doubt.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, Final

from batchsora.providers.runblob import errors
from batchsora.providers.runblob.causes import Cause, cause_of, names_row, quotes
from batchsora.providers.runblob.words import LONGEST, clean
from jobs.model.clock import EARLIEST, LATEST

LONGEST_RETRY_AFTER: Final = 3600.0
"""Seconds; an API that asks for more is asked again after an hour anyway."""

_BY_WORDS: Final = frozenset({400, 402, 403, 422, 429})
"""Statuses of a ``generate`` that created nothing and whose words may concern the account."""

_MOST_DETAILS = 20
_LONGEST_DETAIL = 6000  # what comes after a quoted prompt tells whose fault it is
_TITLE = re.compile(rb"<title[^<>]*>([^<]*)", re.IGNORECASE)  # no "<": each byte is read once
_LONGEST_HEAD: Final = 64 * 1024
"""Bytes of an HTML page in which its title is looked for."""
_IMAGE_FIELD = re.compile(r"\bimage(?:_url|_base64|s)?\b", re.IGNORECASE)
_OK = (200,)
_CREATED = (200, 201, 202)


class Call(Enum):
    """What was asked, as far as the meaning of an answer depends on it."""

    GENERATE = "generate"
    STATUS = "status"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        whole: False when the connection broke before the body's end; then ``body`` is empty.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def parsed(answer: Answer, *, unique: bool = False) -> Any:
    """Read JSON, numbers with a fraction as ``Decimal``; raise a ValueError if it is not valid.

    With ``unique``, duplicate names are not valid: the document could mean either.
    """
    try:
        pairs = _once if unique else None
        return json.loads(answer.body, parse_float=Decimal, object_pairs_hook=pairs)
    except (RecursionError, ArithmeticError) as error:  # [[[[…; 1e99999999999999999999
        raise ValueError("not the JSON of an API") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; its names must differ."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def succeeded(answer: Answer, call: Call) -> bool:
    """Return whether the API did what it was asked to."""
    return answer.whole and answer.status in (_CREATED if call is Call.GENERATE else _OK)


def error_of(  # noqa: C901, PLR0911, PLR0912 - a table: one return for each meaning
    answer: Answer, call: Call, secret: str, now: Callable[[], datetime], prompt: str = ""
) -> errors.RunBlobError:
    """Return the error that an answer without success means.

    Args:
        now: for a ``Retry-After`` that is a date.
        prompt: of a ``generate``; the API's words may quote it.
    """
    details = [clean(line, secret, _LONGEST_DETAIL) for line in _details(answer)]
    said = f": {clean('; '.join(details), secret)}" if details else ""
    status, generates = answer.status, call is Call.GENERATE
    wait = retry_after(answer.headers, now)

    def error(kind: type[errors.RunBlobError], words: str) -> errors.RunBlobError:
        text = f"{words} ({status}){said}"
        if issubclass(kind, errors.RateLimitedError):
            return kind(text, retry_after=wait, status=status, details=details)
        return kind(text, status=status, details=details)

    if generates and status in _BY_WORDS:
        cause = cause_of(details, prompt)
        if cause is Cause.FUNDS:
            return error(errors.InsufficientCreditsError, "the account has too little credit")
        # a quota with a Retry-After passes by itself, like what is busy
        if cause is Cause.ACCOUNT and (status != 429 or wait is None):  # noqa: PLR2004 - too many requests
            return error(errors.AccountError, "the account accepts no more requests")
        if cause is Cause.BUSY and status in (400, 403, 422):
            return error(errors.RateLimitedError, "too many requests")
    match status:
        case 400 | 413 | 415 | 422 if generates or status in (400, 422):
            about_image = status == 413 or any(_IMAGE_FIELD.search(line) for line in details)  # noqa: PLR2004 - the body is too large
            kind = errors.ImageError if about_image and generates else errors.ValidationError
            return error(kind, "the API refused the request")
        case 401:
            return error(errors.BadTokenError, "the API refused the token")
        case 403 if generates and (names_row(details) or quotes(details, prompt)):
            return error(errors.ValidationError, "the API refused the request")
        case 403:
            return error(errors.ForbiddenError, "the API refused access")
        case 402:
            return error(errors.InsufficientCreditsError, "the account has too little credit")
        case 404 if call is Call.STATUS:
            return error(errors.NotFoundError, "the account has no such generation")
        case 404 | 405:
            return error(errors.WrongAddressError, "the base address does not lead to this API")
        case 429:
            return error(errors.RateLimitedError, "too many requests")
    if generates:
        how = "an incomplete answer" if not answer.whole else "an inconclusive answer"
        return errors.InDoubtError(
            f"the API gave {how} ({status}){said}; the generation may still exist",
            status=status,
            details=details,
        )
    if 300 <= status < 400:  # noqa: PLR2004 - redirections
        target = clean(answer.headers.get("location", "elsewhere"), secret)
        return errors.WrongAddressError(
            f"the base address redirects ({status}) to {target}; use the API's own address",
            status=status,
        )
    if status >= 500:  # noqa: PLR2004 - server errors
        return error(errors.ServerError, "the API failed")
    if not answer.whole or status in (408, 425):
        return error(errors.UnreachableError, "the API's answer is incomplete")
    if status < 300:  # noqa: PLR2004 - a success, but not the one that was asked for
        return errors.WrongAddressError(f"an unexpected answer ({status})", status=status)
    return errors.RunBlobError(f"the API answered {status}{said}", status=status, details=details)


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    """Return the seconds of ``Retry-After``; None if absent or unreadable.

    A date is compared with the answer's own ``Date``, so a wrong clock here does no harm.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text):
        seconds = float(text)
    else:
        until = http_date(text)
        if until is None:
            return None
        seconds = (until - (http_date(headers.get("date", "")) or now())).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if math.isfinite(seconds) else None


def http_date(text: str) -> datetime | None:
    """Read a date of a header; None if it is not valid, or outside 2000 to 2100."""
    try:
        found = parsedate_to_datetime(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if EARLIEST <= found < LATEST else None


def _details(answer: Answer) -> list[str]:
    """List what the API says is wrong."""
    try:
        document = parsed(answer)
    except ValueError:
        return _plain(answer.body)
    if not isinstance(document, dict):
        return []
    said = (document.get(name) for name in ("detail", "error", "errors"))
    lines = [line for found in said for line in _lines(found)]
    own = _line({name: document[name] for name in ("msg", "message", "code") if name in document})
    lines += [own] if own and own not in lines else []
    return lines[:_MOST_DETAILS]


def _plain(body: bytes) -> list[str]:
    """Return the words of an answer that is not JSON: its title, or a short text."""
    if title := _TITLE.search(body, 0, _LONGEST_HEAD):
        return [title[1].decode("utf-8", "replace").strip()]
    text = body[: LONGEST + 1].decode("utf-8", "replace").strip()
    return [text] if text[:1].isalpha() and len(body) <= LONGEST else []


def _lines(detail: object) -> list[str]:
    if isinstance(detail, str):
        return [detail]
    entries = [detail] if isinstance(detail, dict) else detail
    if not isinstance(entries, list):
        return []
    return [line for line in map(_line, entries[:_MOST_DETAILS]) if line]


def _line(entry: object) -> str:
    """Write an entry of a 422 as ``duration: Input should be 10 or 15 [code]``."""
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, dict):
        return ""
    loc = entry.get("loc")
    where = ".".join(
        str(part)[:100]
        for part in (loc if isinstance(loc, list) else [])
        if isinstance(part, str | int) and part != "body"
    )
    words = next((v for k in ("msg", "message", "type") if isinstance(v := entry.get(k), str)), "")
    code = entry.get("code")
    if isinstance(code, str) and code.casefold() != words.casefold():
        words = f"{words} [{code}]" if words else code
    return f"{where}: {words}" if where and words else where or words
