"""A sent database that says it is of a newer version: what is defined in it is not looked at."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jobs.database import schema

ENDLESS = (
    "CREATE VIEW {} AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
    " SELECT {} FROM n ORDER BY x DESC"
)
BATCH = "x AS id, 'b' || x AS name, NULL AS removed_at"
ACCOUNT = "x AS api_origin, x AS token_salt, x AS token_hash"


def forged(path: Path) -> None:
    """Make a database of a version that nobody knows, with views in place of its tables."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
        file.execute("INSERT INTO alembic_version VALUES ('9999')")
        file.execute(ENDLESS.format("batch", BATCH))
        file.execute(ENDLESS.format("account", ACCOUNT))
        file.execute("CREATE TABLE budget (key TEXT)")


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("doctor",), {}),
        (
            (),
            {
                "_BATCHSORA_COMPLETE": "bash_complete",
                "COMP_WORDS": "batchsora pause ",
                "COMP_CWORD": "2",
            },
        ),
    ],
    ids=["doctor", "completion"],
)
def test_a_view_that_never_ends_is_not_asked(
    tmp_path: Path, words: tuple[str, ...], more: dict[str, str]
) -> None:
    """Nothing but the version is read: such a view would go on until killed."""
    forged(tmp_path / "batchsora.db")
    assert schema.version(tmp_path / "batchsora.db") == "9999"
    command = [sys.executable, "-c", "from batchsora.cli import main; main()", *words]
    if not more:
        command = [sys.executable, "-m", "batchsora", *words]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), **more}
    try:
        subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.fail("it did not end")
