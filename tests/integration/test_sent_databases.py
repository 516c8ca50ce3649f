"""A ``batchsora.db`` in a folder that somebody sent: real processes buy nothing without a word."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.older import make_0008, make_0010
from support.refused import refused

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database import schema
from jobs.database.seal import KEY_FILE, Sealer
from jobs.model.errors import DatabaseAlteredError
from jobs.model.host import this_host

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--no-download")
NOT_YOURS = "this database may not be yours"
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def world() -> World:
    """The provider."""
    return World(time_scale=2000.0)


class Person:
    """Somebody with an account of a machine and a token, who works in a folder."""

    def __init__(self, folder: Path, home: Path, url: str, token: str) -> None:
        self._folder = folder
        self.environment = {
            **os.environ,
            "XDG_STATE_HOME": str(home),
            "RUNBLOB_API_KEY": token,
            "BATCHSORA_BASE_URL": url,
        }

    def __call__(self, *words: str) -> Done:
        """Run a command, without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "batchsora", *words],
            cwd=self._folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


People = Callable[..., Person]


@pytest.fixture
def people(tmp_path: Path, world: World) -> Iterator[People]:
    """Make people who share the folder with the database."""
    folder = tmp_path / "sent"
    folder.mkdir()
    (folder / "night.csv").write_text("id,prompt\na,a kite\nb,a lamp\nc,a boat\n")
    with SandboxServer(world) as server:

        def make(name: str, token: str | None = None) -> Person:
            return Person(folder, tmp_path / name, server.url, token or f"tok-{name}-51aa")

        yield make


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Name the database in the folder."""
    return tmp_path / "sent" / "batchsora.db"


def change(database: Path, *statements: str) -> None:
    """Change a database as anybody can who has it."""
    with closing(sqlite3.connect(database)) as file, file:
        for statement in statements:
            file.execute(statement)


def seal(database: Path) -> str:
    """Read the seal."""
    with closing(sqlite3.connect(database)) as file:
        return str(file.execute("SELECT seal FROM account").fetchone()[0])


def forge(database: Path, sender: Person, *more: str) -> None:
    """Have three rows and a budget for them, of nobody's account and no machine."""
    assert sender("run", "night.csv", *QUICK).returncode == 2  # loaded, and nobody agreed
    change(
        database,
        "UPDATE account SET host = NULL, run_id = NULL, api_origin = NULL, token_salt = NULL,"
        " token_hash = NULL",
        "INSERT OR REPLACE INTO budget (key, cap_micros, charged_micros, held_micros,"
        " refunded_micros) VALUES ('batch:1', 9000000, 0, 0, 0)",
        "UPDATE job SET held_back = NULL, named = 1",
        *more,
    )


THIS_MACHINE = f"UPDATE account SET host = '{this_host(os.environ)}'"  # noqa: S608

FORGED = {
    "no machine": [],
    "this machine": [THIS_MACHINE],
    "no seal": ["UPDATE account SET seal = NULL"],
    "a made up seal": ["UPDATE account SET seal = printf('%032x %064x', 1, 2)"],
    "a seal that is none": ["UPDATE account SET seal = 'yours'"],
    "a made up token": [
        "UPDATE account SET api_origin = 'http://x', token_salt = '00', token_hash = '00'"
    ],
}


@pytest.mark.parametrize(
    ("command", "forged"),
    [
        *((("run", *QUICK), forged) for forged in FORGED.values()),
        (("run", "night.csv", *QUICK), FORGED["this machine"]),
        (("run", "night.csv", "--yes", *QUICK), FORGED["this machine"]),
    ],
    ids=[*FORGED, "run night.csv", "--yes"],
)
def test_a_sent_database_buys_nothing_without_a_word(
    command: tuple[str, ...], forged: list[str], people: People, database: Path, world: World
) -> None:
    """Its budget is no consent, whatever it says of itself."""
    forge(database, people("sender"), *forged)
    said = people("person")(*command)
    assert said.returncode == 5, said.stderr
    assert NOT_YOURS in said.stderr
    assert "run --moved" in said.stderr
    assert not world.made


def test_the_word_is_said_once(people: People, database: Path, world: World) -> None:
    """``--moved`` goes on with what is kept in it; after that it is one's own."""
    forge(database, people("sender"))
    person = people("person")
    said = person("run", "--moved", *QUICK)
    assert said.returncode == 0, said.stderr
    assert len(world.made) == 3
    assert person("run", *QUICK).returncode == 0


def test_of_an_older_version_it_is_asked_for_too(
    people: People, database: Path, world: World
) -> None:
    """An upgrade seals nothing by what the file says, not even by this machine's name."""
    forge(database, people("sender"), THIS_MACHINE)
    make_0010(database)
    person = people("person")
    said = person("run", *QUICK)
    assert (said.returncode, NOT_YOURS in said.stderr) == (5, True), said.stderr
    assert not world.made


def test_generate_is_asked_for_too(people: People, database: Path, world: World) -> None:
    """A budget for single videos that is kept in it is no consent either."""
    forge(database, people("sender"), "UPDATE batch SET name = 'adhoc'")
    said = people("person")("generate", "a cat")
    assert (said.returncode, NOT_YOURS in said.stderr) == (5, True), said.stderr
    assert not world.made


@pytest.mark.parametrize(
    "command",
    [("status",), ("jobs",), ("show", "a"), ("export", "-o", "x.csv"), ("doctor",)],
    ids=lambda words: words[0],
)
def test_looking_needs_no_word(
    command: tuple[str, ...], people: People, database: Path, tmp_path: Path
) -> None:
    """It shows what it is; no secret is made for it."""
    forge(database, people("sender"))
    said = people("person")(*command)
    assert said.returncode == 0, said.stderr
    assert not (tmp_path / "person").exists()
    if command[0] == "doctor":
        assert "may not be yours" in said.stdout


LOOKS = (
    ("wait",),
    ("wait", "a"),
    ("reconcile",),
    ("reconcile", "--no-wait"),
    ("resume", "night"),
    ("download",),
    ("balance",),
    ("plan", "night.csv"),
    ("retry", "--yes"),
    ("doctor", "--reset-day"),
    ("generations",),
)


def test_a_look_is_no_consent(people: People, database: Path, world: World) -> None:
    """What buys nothing does not make it one's own: the next run still asks."""

    def whose() -> object:
        with closing(sqlite3.connect(database)) as file:
            return file.execute("SELECT seal, token_hash FROM account").fetchone()

    forge(database, people("sender"))
    person, sent = people("person"), whose()
    for look in LOOKS:
        person(*look)
        assert whose() == sent, look
    said = person("run", *QUICK)
    assert (said.returncode, NOT_YOURS in said.stderr) == (5, True), said.stderr
    assert not world.made


@pytest.mark.parametrize("look", [("wait", "b"), ("reconcile",)], ids=lambda words: words[0])
def test_a_look_keeps_a_renewed_token(
    look: tuple[str, ...], people: People, database: Path, world: World
) -> None:
    """In a database that is known by its seal."""
    person = people("person")
    assert person("run", "night.csv", "--first", "1", "--budget", "9", *QUICK).returncode == 0
    with closing(sqlite3.connect(database)) as file:
        before = file.execute("SELECT token_hash FROM account").fetchone()
    people("person", "tok-person-51aa-renewed")(*look)
    with closing(sqlite3.connect(database)) as file:
        assert file.execute("SELECT token_hash FROM account").fetchone() != before
    assert len(world.made) == 1


def test_own_databases_are_never_asked_for(people: People, database: Path) -> None:
    """The first run, the next one, from a restored backup, and with a renewed token."""
    person = people("person")
    assert person("run", "night.csv", "--first", "1", "--budget", "9", *QUICK).returncode == 0
    backup, mine = database.read_bytes(), seal(database)
    assert person("run", "night.csv", *QUICK).returncode == 0
    database.write_bytes(backup)
    said = person("run", "night.csv", "--adopt-existing", *QUICK)
    assert said.returncode == 0, said.stderr
    change(database, "UPDATE account SET token_hash = NULL, token_salt = NULL, api_origin = NULL")
    again = people("person", "tok-renewed-8123")("run", "night.csv", *QUICK)
    assert NOT_YOURS not in again.stderr
    assert seal(database) == mine


@pytest.mark.parametrize("older", [make_0008, make_0010])
def test_an_older_one_of_ones_own_goes_on(
    older: Callable[[Path], None], people: People, database: Path, world: World
) -> None:
    """It is bound to the token that it is used with, which nobody else has; then it is sealed."""
    person = people("person")
    assert person("run", "night.csv", "--first", "1", "--budget", "9", *QUICK).returncode == 0
    older(database)
    said = person("run", "night.csv", *QUICK)
    assert said.returncode == 0, said.stderr
    assert len(world.made) == 3
    assert len(seal(database).split()) == 2


def test_where_no_secret_can_be_kept(
    people: People, database: Path, tmp_path: Path, world: World
) -> None:
    """What one made goes on: in the same process, and later by the token that it is bound to."""
    (tmp_path / "person").write_text("no folder")
    person = people("person")
    assert person("run", "night.csv", "--first", "1", "--budget", "9", *QUICK).returncode == 0
    assert person("run", "night.csv", *QUICK).returncode == 0
    assert len(world.made) == 3
    change(database, "UPDATE account SET token_hash = NULL, token_salt = NULL")
    said = person("run", "night.csv", *QUICK)
    assert said.returncode == 5
    assert "XDG_STATE_HOME sets another folder" in said.stderr


def test_a_secret_that_can_not_be_kept_drives_out_no_other(
    people: People, database: Path, tmp_path: Path
) -> None:
    """A run without a state folder (full, or ``sudo`` made it) leaves the seal as it was."""
    person, state = people("person"), tmp_path / "person"
    assert person("run", "night.csv", "--budget", "9", *QUICK).returncode == 0
    before = seal(database)
    person.environment["XDG_STATE_HOME"] = str(tmp_path / "file")
    (tmp_path / "file").write_text("no folder")
    assert person("run", *QUICK).returncode == 0  # known by the token
    assert person("run", "--moved", *QUICK).returncode == 0
    assert seal(database) == before
    assert state.is_dir()


def test_a_secret_in_the_sent_folder_is_none(people: People, database: Path, world: World) -> None:
    """Where HOME is relative, a sender could give both a secret and its seal."""
    forged = Sealer(bytes(32)).sealed(None)
    forge(database, people("sender"), f"UPDATE account SET seal = '{forged}'")  # noqa: S608
    folder = database.parent / ".local/state/batchsora"
    folder.mkdir(parents=True)
    (folder / KEY_FILE).touch(0o600)
    (folder / KEY_FILE).write_text("00" * 32)
    person = people("person")
    person.environment |= {"HOME": ".", "XDG_STATE_HOME": ""}
    said = person("run", *QUICK)
    assert (said.returncode, NOT_YOURS in said.stderr) == (5, True), said.stderr
    assert "HOME is '.'" in said.stderr
    assert not world.made


def test_two_accounts_are_asked_once_each(people: People, database: Path, world: World) -> None:
    """A seal has room for both, so that taking turns needs no word each time."""
    forge(database, people("one"))
    one, other = people("one", "tok-shared"), people("other", "tok-shared")
    assert one("run", *QUICK).returncode == 0
    change(database, "UPDATE account SET token_hash = NULL, token_salt = NULL, api_origin = NULL")
    assert other("run", *QUICK).returncode == 5
    assert other("run", "--moved", *QUICK).returncode == 0
    change(database, "UPDATE account SET token_hash = NULL, token_salt = NULL, api_origin = NULL")
    for person in (one, other, one):
        said = person("run", *QUICK)
        assert NOT_YOURS not in said.stderr
    assert len(world.made) == 3


def test_a_sent_database_with_a_lying_index_is_refused(
    people: People, database: Path, world: World
) -> None:
    """Rows that an index hides are found before anything is taken for consent."""
    forge(database, people("sender"))
    write = "PRAGMA writable_schema = ON"
    lie = "UPDATE sqlite_master SET sql = replace(sql, {}) WHERE name = 'ix_job_batch_state'"
    change(database, write, lie.format("'state)', 'state) WHERE id > 1'"))
    change(database, "REINDEX ix_job_batch_state")
    change(database, write, lie.format("' WHERE id > 1', ''"))
    said = people("person")("run", "--moved", *QUICK)
    assert said.returncode == 5, said.stderr
    assert "damaged" in said.stderr
    assert not world.made


LIFT = (
    "CREATE TRIGGER {} AFTER UPDATE ON budget BEGIN UPDATE budget SET cap_micros = 10000000000; END"
)
SPACE = "\N{NO-BREAK SPACE}"
INTO_A_TABLE = "UPDATE sqlite_master SET sql = replace(sql, '{}', '{}') WHERE name = '{}'"

ALTERED = {
    "a trigger": [LIFT.format("lift")],
    "another trigger of our name": ["DROP TRIGGER job_gone", LIFT.format("job_gone")],
    "a view": ["CREATE VIEW v AS SELECT 1"],
    "a view of our name": ["DROP TABLE review", "CREATE VIEW review AS SELECT 1 AS attempt_id"],
    "a virtual table": ["CREATE VIRTUAL TABLE words USING fts5(x)"],
    "a table": ["CREATE TABLE more (x)"],
    "a missing index": ["DROP INDEX uq_attempt_generation_id"],
    "an index on an expression": ["CREATE INDEX more ON job (upper(prompt))"],
    "an index of our name": ["DROP INDEX ix_job_later", "CREATE INDEX ix_job_later ON job (id)"],
    "a column": ["ALTER TABLE budget ADD COLUMN more TEXT"],
    "a generated column": ["ALTER TABLE budget ADD COLUMN more AS (upper(key))"],
    "a CHECK": [INTO_A_TABLE.format("held_micros >= 0", "held_micros > -9", "budget")],
    "a default": [INTO_A_TABLE.format("named BOOLEAN DEFAULT 0", "named BOOLEAN DEFAULT 1", "job")],
    "what a conflict does": [
        INTO_A_TABLE.format("state TEXT NOT NULL", "state TEXT NOT NULL ON CONFLICT REPLACE", "job")
    ],
    "a space that is a letter to SQLite": [
        INTO_A_TABLE.format("held_micros BIGINT NOT", f"held_micros BIGINT{SPACE}NOT", "budget")
    ],
    "such a space elsewhere": [
        INTO_A_TABLE.format("state TEXT NOT NULL", f"state TEXT{SPACE}NOT NULL", "job")
    ],
    "the table of the version": [
        "DROP TABLE alembic_version",
        "CREATE TABLE alembic_version (a, version_num AS (hex(zeroblob(500000000))))",
    ],
    "how texts compare": [INTO_A_TABLE.format("state TEXT", "state TEXT COLLATE NOCASE", "job")],
    "NULL as a name": [INTO_A_TABLE.format("held_back IS NULL", 'held_back IS "NULL"', "job")],
}  # fmt: skip


@pytest.fixture
def loaded(people: People) -> Person:
    """Somebody's own database, with rows and a budget."""
    person = people("person")
    assert person("run", "night.csv", "--first", "1", "--budget", "9", *QUICK).returncode == 0
    return person


@pytest.mark.parametrize("altered", ALTERED.values(), ids=ALTERED)
def test_a_schema_that_is_not_ours_is_refused(altered: list[str], tmp_path: Path) -> None:
    """Before anything of it is read or written, for whoever looks or runs."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    change(path, "PRAGMA writable_schema = ON", *altered)
    before = path.read_bytes()
    for look in (schema.version, schema.check_version, schema.upgrade):
        with refused(DatabaseAlteredError, match="was changed by another program"):
            look(path)
    assert path.read_bytes() == before


def test_a_space_of_unicode_is_no_layout_to_sqlite(tmp_path: Path) -> None:
    """Why it matters: NOT NULL becomes a part of the type's name, and the column may be NULL."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    change(path, "PRAGMA writable_schema = ON", *ALTERED["a space that is a letter to SQLite"])
    with closing(sqlite3.connect(path)) as file:
        columns = file.execute("PRAGMA table_info(budget)").fetchall()
    assert [column[3] for column in columns if column[1] == "held_micros"] == [0]


def test_a_command_says_what_to_do(loaded: Person, database: Path, world: World) -> None:
    """Even where the database is sealed, and with every word: 2, and nothing is bought."""
    change(database, *ALTERED["a trigger"])
    before = database.read_bytes()
    for words in (("status",), ("run", "night.csv", "--yes", "--moved", *QUICK)):
        said = loaded(*words)
        assert said.returncode == 2, said.stderr
        assert "'trigger lift'" in said.stderr
        assert "start a new one with --db FILE" in said.stderr
    assert len(world.made) == 1
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    ("added", "drop"),
    [
        ("CREATE VIEW mine AS SELECT key, state FROM job", "DROP VIEW mine"),
        ("CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY)", "DROP TABLE _litestream_seq"),
    ],
)
def test_who_added_something_hears_how_to_go_on(
    added: str, drop: str, loaded: Person, database: Path
) -> None:
    """In one's own database dropping it is all that is needed."""
    change(database, added)
    said = loaded("status")
    assert (said.returncode, f"'{drop}' in SQLite" in said.stderr) == (2, True), said.stderr
    change(database, drop)
    assert loaded("status").returncode == 0


def test_what_a_sender_named_is_no_part_of_a_remedy(tmp_path: Path) -> None:
    """Nobody is told to type it."""
    path = tmp_path / "a.db"
    schema.upgrade(path)
    change(path, """CREATE VIEW "x; DROP TABLE job" AS SELECT 1""")
    with refused(DatabaseAlteredError, match="'DROP it' in SQLite"):
        schema.version(path)


def test_a_schema_is_checked_before_an_upgrade(loaded: Person, database: Path) -> None:
    """A trigger of an older version's database does not act in the upgrade."""
    make_0008(database)
    change(
        database,
        "CREATE TRIGGER more AFTER UPDATE ON account BEGIN"
        " UPDATE budget SET cap_micros = 10000000000; END",
    )
    before = database.read_bytes()
    said = loaded("run", *QUICK)
    assert (said.returncode, "'trigger more'" in said.stderr) == (2, True), said.stderr
    assert database.read_bytes() == before
    assert not list(database.parent.glob("*.before-*"))
    said = loaded("doctor")
    assert said.returncode == 2
    assert "'trigger more'" in said.stdout + said.stderr


def test_statistics_are_no_change(loaded: Person, database: Path) -> None:
    """``ANALYZE`` and ``VACUUM``, by whatever program, change nothing that matters."""
    with closing(sqlite3.connect(database)) as file:
        file.execute("ANALYZE")
        file.execute("VACUUM")
    said = loaded("run", "night.csv", *QUICK)
    assert said.returncode == 0, said.stderr
