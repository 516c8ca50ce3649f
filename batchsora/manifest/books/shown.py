"""Numbers, dates and times as people see them, as far as their format can be told.

A date is ISO's whatever the order of its parts, and a whole number has no thousands separators:
``1,000`` is one thing in London and another in Berlin, and neither is what the cell holds.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final

_DAY: Final = 86_400
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet knows no zones
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
_NO_29TH: Final = 60
"""Excel counts a 29 February 1900; dates before it are one day off."""

_LITERAL: Final = re.compile(r'"[^"]*"|\\.|[_*].|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
"""What a format shows as it stands, leaves room for, or says of colours and languages."""
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
    """Return a number format by its number; empty where numbers are shown as they are.

    Args:
        number: by which the styles of a workbook name it.
        own: the formats that the workbook has itself.
    """
    form = own.get(number, BUILT_IN.get(number, ""))
    return "" if form.lower() == "general" else form


def number(text: str, form: str, *, from_1904: bool = False) -> str:
    """Write a number as it is shown.

    Args:
        text: as a file has it: digits, a point, an exponent.
        form: its number format; what is not understood of it is left out.
        from_1904: how the workbook counts its days.
    """
    if not form:
        return text if _PLAIN.fullmatch(text) else _general(text)
    kind, whole, decimals, fewest, factor, percent = _understood(form)
    if kind is not None:
        return _moment(float(text), kind, form, from_1904=from_1904)
    if whole is None:
        return _general(text)
    shown = f"{abs(float(text)) * factor:.{decimals}f}"
    digits, point, part = shown.partition(".")
    if len(part) > fewest:
        part = part[:fewest] + part[fewest:].rstrip("0")
    digits = digits.rjust(whole, "0")
    if "," in form and part:
        digits = f"{int(digits):,}"
    sign = "-" if float(text) < 0 and any(c in "123456789" for c in shown) else ""
    return sign + digits + (point + part if part else "") + percent


@lru_cache(1024)
def _understood(form: str) -> tuple[str | None, int | None, int, int, float, str]:
    """Take a format apart.

    Returns:
        What moment it shows, or None; the digits before the point at least, None where it is not
        understood; those behind it at most and at least; what the value is multiplied by; ``"%"``.
    """
    first = _LITERAL.sub("", form.partition(";")[0]).lower()
    kind = _kind(first)
    found = _DIGITS.fullmatch(first.replace(" ", ""))
    if kind is not None or found is None:
        return kind, None, 0, 0, 1.0, ""
    part = found["part"] or ""
    factor = (100.0 if found["percent"] else 1.0) / 1000.0 ** len(found["scale"])
    zeros = found["whole"].count("0")
    return None, zeros, len(part), part.count("0"), factor, found["percent"] or ""


def _kind(form: str) -> str | None:
    """Say whether a format shows a moment, and of what kind."""
    if _ELAPSED.search(form):
        return ELAPSED
    if form == "general" or not any(letter in form for letter in "ymdhs"):
        return None
    hours = "h" in form or "s" in form
    days = "y" in form or "d" in form or not hours
    return BOTH if hours and days else DATE if days else TIME


def _general(text: str) -> str:
    """Write a number without a format: 15 digits, as many as a spreadsheet holds."""
    try:
        if float(text).is_integer() and abs(float(text)) < 1e15:  # noqa: PLR2004 - as above
            return str(int(float(text)))
        return text if text.lstrip("-").isdigit() else f"{float(text):.15g}"
    except ValueError:
        return text


def _moment(serial: float, kind: str, form: str, *, from_1904: bool) -> str:
    """Write days since the epoch as their format's kind of moment."""
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
    """Write a span of time in hours, minutes and, where they say something, seconds."""
    whole = round(abs(span.total_seconds()))
    minutes, rest = divmod(whole, 60)
    sign = "-" if span < timedelta() and whole else ""
    text = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{rest:02}" if seconds or rest else text


def of_value(value: Any) -> str:
    """Write a value whose format is not known."""
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
