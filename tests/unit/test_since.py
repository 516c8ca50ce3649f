"""Moments in the past, as people type them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora.cli.since import moment_of

NOW = datetime(2026, 11, 29, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("8h", timedelta(hours=8)), ("90m", timedelta(minutes=90)), ("2 d", timedelta(days=2)),
        ("1W", timedelta(weeks=1)), ("2026-11-29T10:00Z", timedelta(minutes=30)),
        ("2026-11-28t22:30:00+00:00", timedelta(hours=12)),
    ],
)  # fmt: skip
def test_a_moment_is_understood(text: str, ago: timedelta) -> None:
    """How long ago, or when."""
    assert moment_of(text, NOW) == NOW - ago


def test_days_begin_at_midnight_here() -> None:
    """In the zone of this machine."""
    for text, days in (("today", 0), ("yesterday", 1)):
        found = moment_of(text, NOW).astimezone()
        assert (found.hour, found.minute) == (0, 0)
        assert found.date() == (NOW.astimezone() - timedelta(days=days)).date()
    assert moment_of("2026-11-28", NOW).astimezone().date().isoformat() == "2026-11-28"


@pytest.mark.parametrize("text", ["", "soon", "8x", "-8h", "2026-13-01", "99999h h", "2026-12-24"])
def test_others_are_refused(text: str) -> None:
    """Also what is still to come."""
    with pytest.raises(ValueError, match=r"is not a moment|still to come"):
        moment_of(text, NOW)


@given(st.text(max_size=60))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    """Nothing else is raised."""
    with suppress(ValueError):
        assert moment_of(text, NOW) <= NOW
