"""Numbers, dates and times as people see them, as far as their format is understood.

Dates are ISO's, and whole numbers have no thousands separators: ``1,000`` is one thing in London
and another in Berlin, and neither is what the cell holds. Words in a format beside a number belong
to it: 15 shown as ``15 min`` is not 15.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, NamedTuple

_DAY: Final = 86_400
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet knows no zones
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
_NO_29TH: Final = 60
"""Excel counts a 29 February 1900; dates before it are one day off."""

_LITERAL: Final = re.compile(r'"[^"]*"|\\.|[_*].|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
"""What a format shows literally, leaves room for, or says about colours and languages."""
_WORDS: Final = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]+)[^\]]*\]|( )')
"""What of it is text."""
_CONDITION: Final = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)\]")
_HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": le, ">=": ge, "<>": ne, "<": lt, ">": gt, "=": eq,
}  # fmt: skip
_ELAPSED: Final = re.compile(r"\[(?:h+|m+|s+)\]")
_DIGITS: Final = re.compile(
    r"(?P<whole>[#0?]+(?:,[#0?]+)*)(?P<scale>,*)(?:\.(?P<part>[#0?]*))?(?P<percent>%)?"
)
_PLAIN: Final = re.compile(r"-?[0-9]{1,15}")

ELAPSED, DATE, TIME, BOTH = "elapsed", "date", "time", "both"

BUILT_IN: Final = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "yyyy-mm-dd",
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm", 19: "h:mm:ss", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00",
    40: "#,##0.00", 41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00", 45: "mm:ss",
    46: "[h]:mm:ss", 47: "mm:ss.0",
    **dict.fromkeys((*range(27, 32), 36, *range(50, 55), 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}  # fmt: skip
"""Formats that have a number alone (ECMA-376 part 1, 18.8.30)."""


def form_of(number: int, own: Mapping[int, str]) -> str:
    """Return the number format of a style's number; "" if numbers are shown as they are.

    ``own`` are the formats that the workbook defines itself.
    """
    form = own.get(number, BUILT_IN.get(number, ""))
    return "" if form.lower() == "general" else form


def number(text: str, form: str, *, from_1904: bool = False) -> str:
    """Return a number (digits, a point, an exponent) as its format shows it, if understood."""
    if not form:
        return text if _PLAIN.fullmatch(text) else _general(text)
    so = _understood(_section(form, text) if ";" in form else form)
    if so.kind is not None:
        return _moment(float(text), so.kind, form, from_1904=from_1904)
    if so.always is not None:
        return so.always or ("" if is_naught(text) else _general(text))
    body = _general(text) if so.whole is None else _digits(text, form, so, so.whole)
    return f"{so.before}{body}{so.behind}".strip() if so.before or so.behind else body


def hides(text: str, form: str) -> bool:
    """Return whether a format shows nothing of a number that is not 0, as ``;;;`` does."""
    if ";" not in form or is_naught(text):
        return False
    return _understood(_section(form, text)).always == ""


def is_naught(text: str) -> bool:
    """Return whether a number is 0."""
    try:
        return float(text) == 0
    except ValueError:
        return False


def _digits(text: str, form: str, so: "_Form", whole: int) -> str:
    shown = f"{abs(float(text)) * so.factor:.{so.decimals}f}"
    digits, point, part = shown.partition(".")
    if len(part) > so.fewest:
        part = part[: so.fewest] + part[so.fewest :].rstrip("0")
    digits = digits.rjust(whole, "0")
    if "," in form and part:
        digits = f"{int(digits):,}"
    sign = "-" if float(text) < 0 and any(c in "123456789" for c in shown) else ""
    return sign + digits + (point + part if part else "") + so.percent


class _Form(NamedTuple):
    """A format, or one of its sections.

    Attributes:
        kind: of moment that it shows, or None.
        always: what it shows for any value, "" for nothing; None: that depends on the value.
        before: words before the number.
        behind: words behind it.
        whole: minimum of digits before the point; None if that is not understood.
        decimals: maximum of digits behind it.
        fewest: minimum of those.
        factor: by which the value is multiplied.
        percent: ``"%"`` or "".
    """

    kind: str | None
    always: str | None = None
    before: str = ""
    behind: str = ""
    whole: int | None = None
    decimals: int = 0
    fewest: int = 0
    factor: float = 1.0
    percent: str = ""


@lru_cache(1024)
def _understood(form: str) -> _Form:
    first = _LITERAL.sub("", form).lower()
    kind = _kind(first)
    if kind is not None:
        return _Form(kind)
    before, behind, bare = _words(form)
    if not first.strip() and (bare or not form):
        return _Form(None, always=bare)
    before, behind = (text if any(map(str.isalpha, text)) else "" for text in (before, behind))
    found = _DIGITS.fullmatch(first.replace(" ", "").strip("-()"))
    if found is None:
        return _Form(None, None, before, behind)
    part = found["part"] or ""
    factor = (100.0 if found["percent"] else 1.0) / 1000.0 ** len(found["scale"])
    zeros, percent = found["whole"].count("0"), found["percent"] or ""
    return _Form(None, None, before, behind, zeros, len(part), part.count("0"), factor, percent)


def _words(form: str) -> tuple[str, str, str]:
    """Return the texts before and behind a section's number, and all of them if they say something.

    A dash or a bracket alone doesn't.
    """
    before, behind, last = "", "", 0
    numbers = False
    for found in re.finditer(f"{_LITERAL.pattern}| ", form, re.IGNORECASE):
        numbers = numbers or bool(form[last : found.start()].strip())
        last = found.end()
        word = _WORDS.fullmatch(found[0])
        text = "".join(filter(None, word.groups())) if word is not None else ""
        before, behind = (before, behind + text) if numbers else (before + text, behind)
    both = (before + behind).strip()
    return before, behind, both if any(map(str.isalnum, both)) else ""


@lru_cache(1024)
def _sections(form: str) -> tuple[str, ...]:
    """Return the sections of a format that show numbers, without a last one for texts."""
    marks = [found.span() for found in _LITERAL.finditer(form)]
    ends = [
        place
        for place, sign in enumerate(form)
        if sign == ";" and not any(start <= place < end for start, end in marks)
    ]
    parts = [
        form[start + 1 : end] for start, end in zip([-1, *ends], [*ends, len(form)], strict=True)
    ]
    if len(parts) > 1 and "@" in _LITERAL.sub("", parts[-1]):
        del parts[-1]
    return tuple(parts[:3])


def _section(form: str, text: str) -> str:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    parts = _sections(form)
    said = [_CONDITION.search(part) for part in parts]
    for part, found in zip(parts, said, strict=True):
        if found is not None and _HOLDS[found[1]](value, float(found[2])):
            return part
    if any(said):
        return next((part for part, found in zip(parts, said, strict=True) if not found), parts[-1])
    place = 1 if value < 0 else 2 if value == 0 else 0
    return parts[place] if place < len(parts) else parts[0]


def _kind(form: str) -> str | None:
    if _ELAPSED.search(form):
        return ELAPSED
    if form == "general" or not any(letter in form for letter in "ymdhs"):
        return None
    hours = "h" in form or "s" in form
    days = "y" in form or "d" in form or not hours
    return BOTH if hours and days else DATE if days else TIME


def _general(text: str) -> str:
    """Return a number without a format: 15 digits, as many as a spreadsheet holds."""
    try:
        if float(text).is_integer() and abs(float(text)) < 1e15:  # noqa: PLR2004 - as above
            return str(int(float(text)))
        return text if text.lstrip("-").isdigit() else f"{float(text):.15g}"
    except ValueError:
        return text


def _moment(serial: float, kind: str, form: str, *, from_1904: bool) -> str:
    """Return days since the epoch as a moment of this kind."""
    try:
        span = timedelta(seconds=round(serial * _DAY))
        if kind == ELAPSED:
            return duration(span, seconds="s" in _ELAPSED.sub("", form.lower()))
        epoch = _EPOCH_1904 if from_1904 else _EPOCH
        early = not from_1904 and 1 <= serial < _NO_29TH
        moment = epoch + span + timedelta(days=1 if early else 0)
    except (OverflowError, ValueError):  # further than the calendar goes: people see #####
        return _general(repr(serial))
    if kind == TIME or (0 <= serial < 1 and not from_1904):
        exact = moment.second or "s" in _LITERAL.sub("", form).lower()
        return moment.time().isoformat("seconds" if exact else "minutes")
    if kind == DATE:
        return moment.date().isoformat()
    return of_value(moment)


def duration(span: timedelta, *, seconds: bool) -> str:
    """Return a span of time in hours, minutes and, if asked for or not 0, seconds."""
    whole = round(abs(span.total_seconds()))
    minutes, rest = divmod(whole, 60)
    sign = "-" if span < timedelta() and whole else ""
    text = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{rest:02}" if seconds or rest else text


def of_value(value: Any) -> str:
    """Return a value whose format is not known."""
    if isinstance(value, datetime):
        midnight = value.time() == time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, time):
        return value.isoformat("seconds" if value.second else "minutes")
    if isinstance(value, timedelta):
        return duration(value, seconds=True)
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _general(repr(value))
    return "" if value is None else str(value)


def line_ends(text: str) -> str:
    """Return a text whose line breaks are LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
