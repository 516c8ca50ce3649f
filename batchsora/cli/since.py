"""Moments in the past, as people type them: ``2026-11-28``, ``yesterday``, ``8h``."""

import re
from datetime import datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"([0-9]{1,4})\s*(m|min|h|d|w)")
_UNITS: Final = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS: Final = {"today": 0, "yesterday": 1}


def moment_of(text: str, now: datetime) -> datetime:
    """Return the moment that a text means; a day begins at midnight of this machine's zone.

    Raises:
        ValueError: it means none, or one to come.
    """
    said = text.strip().lower()
    if (ago := _AGO.fullmatch(said)) is not None:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        if said in _DAYS:
            day = (now.astimezone() - timedelta(days=_DAYS[said])).date()
            found = datetime(day.year, day.month, day.day).astimezone()
        else:
            found = datetime.fromisoformat(said.upper())
            found = found.astimezone() if found.tzinfo is None else found
        if found <= now:
            return found
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text[:40]!r} is not a moment; write it like 2026-11-28, yesterday or 8h"
        ) from None
    raise ValueError(f"{text[:40]!r} is still to come")
