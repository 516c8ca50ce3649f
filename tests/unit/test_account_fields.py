"""The account's row in a database that somebody else may have written."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.blank import blank

from jobs.database.account_fields import wrong_field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("host = 'a'", None),
        ("run_at = '2026-03-01 22:15:00.000000', time_zone = 'Europe/Berlin'", None),
        ("list_lags = '{\"veo\": 2}'", None),
        ("token_hash = '0a', token_salt = '0b'", None),
        ("host = x'61'", "host"),
        ("seal = CAST(x'ff' AS TEXT)", "seal"),
        ("host = printf('%5000s', 'x')", "host"),
        ("run_at = 'nonsense'", "run_at"),
        ("quiet_at = '2026-13-01 22:15:00.000000'", "quiet_at"),
        ("time_zone = '../../secret'", "time_zone"),
        ("time_zone = 'Nowhere/At all'", "time_zone"),
        ("floor_micros = 'nonsense'", "floor_micros"),
        ("list_lags = 'x'", "list_lags"),
        ("list_lags = '[]'", "list_lags"),
        ('list_lags = \'{"sora": "1"}\'', "list_lags"),
        ("list_lags = '{\"sora\": NaN}'", "list_lags"),
        ("list_lags = 2", "list_lags"),
        ("token_hash = 'zz', token_salt = '00'", "token_hash"),
        ("token_hash = '00', token_salt = NULL", "token_salt"),
        ("token_hash = '00', token_salt = '0'", "token_salt"),
    ],
)
def test_a_value_that_is_none_is_named(change: str, field: str | None, tmp_path: Path) -> None:
    """Each is what would end a command as a bug before a person is asked."""
    path = tmp_path / "a.db"
    blank(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute(f"UPDATE account SET {change}")  # noqa: S608 - of this test
        assert wrong_field(file.execute) == field


def test_a_missing_row_is_named(tmp_path: Path) -> None:
    """There is always one."""
    path = tmp_path / "a.db"
    blank(path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("DELETE FROM account")
        assert wrong_field(file.execute) == "id"
