from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.model.clock import SystemClock, passed_since

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("then", "now", "wall", "passed"),
    [
        ("a:100.5", "a:160.5", timedelta(minutes=1), timedelta(minutes=1)),
        ("a:100.0", "a:160.0", HOUR, timedelta(minutes=1)),  # set forward
        ("a:100.0", "a:3700.0", -HOUR, HOUR),  # set back
        ("a:100.0", "b:3700.0", HOUR, HOUR),  # restarted
        ("a:100.0", "b:3700.0", -HOUR, None),  # restarted, and set back
        ("a:100.0", "b:9.0", timedelta(days=20_000), None),  # it was 1970
        (None, "a:160.0", HOUR, HOUR),  # a doubt of an older version
        (None, None, HOUR, HOUR),  # no such clock
        ("a:100.0", None, -HOUR, None),
        ("with:colons:100.0", "with:colons:160.0", HOUR, timedelta(minutes=1)),
    ],
)
def test_the_boot_clock_decides_where_it_can(
    then: str | None, now: str | None, wall: timedelta, passed: timedelta | None
) -> None:
    """The wall clock is asked only after a restart, and believed only where it is plausible."""
    assert passed_since(then, now, NOON, NOON + wall) == passed


def test_the_machine_has_such_a_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux names each start of the machine; elsewhere there is none, and that is no error."""
    first, second = SystemClock().boot(), SystemClock().boot()
    if first is not None:
        passed = passed_since(first, second, NOON, NOON + HOUR)
        assert passed is not None
        assert timedelta(0) <= passed < HOUR
    posix = pytest.importorskip("jobs.system.posix")
    monkeypatch.setattr(posix, "BOOT_ID", tmp_path / "none")
    assert SystemClock().boot() is None
