"""Days of the daily budget: in whose time zone they are, and the latest that has begun."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import DatabaseUnusableError

FARTHEST: Final = timedelta(hours=14)
"""The time zone that is farthest ahead: a day that has begun there is none of the future."""


def latest_begun(now: datetime) -> str:
    """Name the latest day that has begun anywhere."""
    return (now + FARTHEST).date().isoformat()


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone that a database keeps.

    Raises:
        DatabaseUnusableError: this machine does not know it.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DatabaseUnusableError(
            f"this machine does not know the time zone {name} of the daily budget, so nothing was "
            "bought: 'batchsora run --time-zone' takes another one, such as Europe/Berlin; or "
            "install the time zones (the package tzdata)"
        ) from None
