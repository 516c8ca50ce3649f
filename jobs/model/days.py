"""Days of the daily budget: their time zone, and the latest day that has begun."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import UnknownTimeZoneError

FARTHEST: Final = timedelta(hours=14)
"""The time zone that is farthest ahead: a day that has begun there is not in the future."""


def latest_begun(now: datetime) -> str:
    """Return the latest day that has begun anywhere."""
    return (now + FARTHEST).date().isoformat()


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name; UnknownTimeZoneError: this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownTimeZoneError(name) from None
