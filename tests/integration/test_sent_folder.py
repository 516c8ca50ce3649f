"""A folder that somebody sent, whose links and database lead batchsora outside of it."""

import asyncio
import base64
import hashlib
import io
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.web.posters import Pictures

QUICK = ("--poll-interval", "0.05", "--rate", "0")
Done = subprocess.CompletedProcess[str]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIattackerattackerattackerattacker evil@x"


@pytest.fixture
def world() -> World:
    """The provider."""
    return World(time_scale=2000.0)


class Person:
    """Somebody who works in a folder that was sent."""

    def __init__(self, folder: Path, home: Path, url: str) -> None:
        self.folder = folder
        home.mkdir(exist_ok=True)
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "RUNBLOB_API_KEY": "tok-person-51aa",
            "BATCHSORA_BASE_URL": url,
        }

    def __call__(self, *words: str) -> Done:
        """Run a command, without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "batchsora", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def person(tmp_path: Path, world: World) -> Iterator[Person]:
    """Make the person, and the folder."""
    folder = tmp_path / "home" / "sent"
    folder.mkdir(parents=True)
    (folder / "night.csv").write_text("id,prompt\na,a kite\n")
    with SandboxServer(world) as server:
        yield Person(folder, tmp_path / "home", server.url)


def change(database: Path, *statements: str) -> None:
    """Change a database as anybody can who has it."""
    with closing(sqlite3.connect(database)) as file, file:
        for statement in statements:
            file.execute(statement)


def pictures(tmp_path: Path, sha256: str, kind: str, shown: Path) -> Path | None:
    """Have the page make a picture as a sent database names it."""
    folder = tmp_path / "sent" / ".batchsora"
    (folder / kind).mkdir(parents=True, exist_ok=True)
    made = Pictures(folder)
    what = made.thumbnail if kind == "thumbs" else made.poster
    return asyncio.run(what(shown, sha256))


def test_a_thumbnail_is_written_where_the_page_keeps_it(tmp_path: Path) -> None:
    """A database's ``sha256`` of an image is a part of a path: it leads to any folder."""
    image = tmp_path / "kite.png"
    Image.new("RGB", (64, 64), (90, 120, 200)).save(image)
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    pictures(tmp_path, f"../../../outside/{digest}", "thumbs", image)
    assert not (tmp_path / "outside").exists()


def test_a_poster_is_read_from_where_the_page_keeps_it(tmp_path: Path) -> None:
    """The same with a video: a file elsewhere is shown (and one that is missing is made)."""
    secret = tmp_path / "diary.jpg"
    secret.write_bytes(b"nothing of the page's")
    assert pictures(tmp_path, f"../../../{secret.stem}", "posters", tmp_path / "a.mp4") is None


def reported(person: Person, sha256: str) -> Done:
    """Have a report made of a database whose file has this hash."""
    assert person("run", "night.csv", "--budget", "9", *QUICK).returncode == 0
    change(
        person.folder / "batchsora.db",
        f"UPDATE artifact SET sha256 = '{sha256}'",  # noqa: S608
        "UPDATE account SET seal = NULL, token_hash = NULL, token_salt = NULL, api_origin = NULL",
    )
    return person("report", "-o", "night.html")


def test_a_report_makes_no_picture_elsewhere(person: Person) -> None:
    """A poster, of a film of the sender's choice, gets any name that ends with .jpg, anywhere."""
    outside = person.folder.parent / "new" / "portrait.jpg"
    (person.folder / ".batchsora" / "posters").mkdir(parents=True)
    said = reported(person, "../../../new/portrait")
    assert not outside.exists(), said.stdout


def test_a_report_makes_no_picture_behind_a_link(person: Person) -> None:
    """SECURITY.md: a link in place of what the page keeps is named, and not written through."""
    outside = person.folder.parent / "outside"
    outside.mkdir()
    (person.folder / ".batchsora").symlink_to("../outside")
    said = reported(person, "0" * 64)
    assert not list(outside.rglob("*")), said.stdout


def test_a_report_shows_no_picture_behind_a_link(person: Person) -> None:
    """A link in place of a poster: the file where it leads becomes a part of the report."""
    Image.new("RGB", (64, 64), (255, 0, 0)).save(person.folder.parent / "private.jpg")
    posters = person.folder / ".batchsora" / "posters"
    posters.mkdir(parents=True)
    (posters / f"{'0' * 64}.jpg").symlink_to("../../../private.jpg")
    reported(person, "0" * 64)
    found = (person.folder / "night.html").read_text()
    shown = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", found)
    colours = [Image.open(io.BytesIO(base64.b64decode(one))).getpixel((5, 5)) for one in shown]
    assert not [colour for colour in colours if colour[0] > 240 and colour[1] < 20]


def test_a_rehearsal_cuts_off_no_file_behind_a_link(person: Person) -> None:
    """``run --sandbox``, the harmless thing to do first, empties a file outside of the folder."""
    victim = person.folder.parent / "token"
    victim.write_text("rb_live_0123456789")  # a file of one line, without an end of line
    (person.folder / "batchsora-sandbox.db.world").symlink_to("../token")
    said = person("run", "night.csv", "--sandbox", *QUICK)
    assert victim.read_text() == "rb_live_0123456789", said.stderr


def test_a_rehearsal_writes_no_file_behind_a_link(person: Person) -> None:
    """What the manifest says is written into a new file of the sender's choice."""
    victim = person.folder.parent / "new"
    (person.folder / "batchsora-sandbox.db.world").symlink_to("../new")
    person("run", "night.csv", "--sandbox", *QUICK)
    assert not victim.exists(), victim.read_text()


@pytest.mark.posix  # a pipe that lies in a folder
def test_a_rehearsal_waits_for_no_pipe(person: Person) -> None:
    """SECURITY.md: pipes are not waited for; a folder that was sent may hold one."""
    os.mkfifo(person.folder / "batchsora-sandbox.db.world")
    command = [sys.executable, "-m", "batchsora", "run", "night.csv", "--sandbox", *QUICK]
    try:
        subprocess.run(
            command,
            cwd=person.folder,
            env=person.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=15,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.fail("it waits for the pipe")


def test_no_database_is_made_behind_a_link(person: Person) -> None:
    """A dangling ``batchsora.db`` puts a manifest's lines into a file that sshd reads."""
    victim = person.folder.parent / ".ssh" / "authorized_keys"
    victim.parent.mkdir(mode=0o700)
    (person.folder / "night.csv").write_text(f'id,prompt\na,"a kite\n{KEY}\nat dusk"\n')
    (person.folder / "batchsora.db").symlink_to("../.ssh/authorized_keys")
    said = person("run", "night.csv", *QUICK)  # nobody agreed to anything
    assert not victim.exists()
    assert said.returncode == 5, said.stderr
    assert "give the database itself with --db" in said.stderr


def test_an_empty_file_behind_a_link_stays_empty(person: Person) -> None:
    """Only a database that is there already may be behind a link of one's own."""
    victim = person.folder.parent / "empty"
    victim.touch()
    (person.folder / "batchsora.db").symlink_to("../empty")
    assert person("run", "night.csv", *QUICK).returncode == 5
    assert victim.read_bytes() == b""


def test_a_database_behind_a_link_of_ones_own_goes_on(person: Person, world: World) -> None:
    """It may lie on another disk."""
    assert person("run", "night.csv", "--no-download", *QUICK).returncode == 2
    database = person.folder / "batchsora.db"
    database.rename(person.folder.parent / "far.db")
    database.symlink_to("../far.db")
    said = person("run", "night.csv", "--budget", "9", "--no-download", *QUICK)
    assert said.returncode == 0, said.stderr
    assert len(world.made) == 1


@pytest.mark.parametrize(
    "forged",
    [
        "token_hash = 'zz', token_salt = 'zz'",
        "token_hash = 'é', token_salt = '00'",
        "token_hash = '00', token_salt = NULL",
    ],
)
def test_a_forged_token_is_refused_in_words(person: Person, forged: str) -> None:
    """``run`` reads these before it asks: whoever has no key yet meets "a bug in batchsora"."""
    assert person("run", "night.csv", "--no-download", *QUICK).returncode == 2
    url = person.environment["BATCHSORA_BASE_URL"]
    change(
        person.folder / "batchsora.db",
        f"UPDATE account SET seal = NULL, api_origin = '{url}', {forged}",  # noqa: S608
    )
    said = person("run", *QUICK)
    assert "bug" not in said.stderr, said.stderr
    assert said.returncode == 5, said.stderr
    assert person("doctor").returncode == 5


@pytest.mark.parametrize(
    "forged",
    [
        "host = x'ff00'",
        "host = CAST(x'ff' AS TEXT)",
        "run_at = 'nonsense', host = 'x'",
    ],
)
@pytest.mark.parametrize(
    "command",
    [("run",), ("generate", "a cat", "--yes"), ("doctor",), ("status",)],
    ids=lambda words: words[0],
)
def test_a_forged_account_is_refused_in_words(
    person: Person, command: tuple[str, ...], forged: str
) -> None:
    """What ``run`` and ``generate`` read before they ask is nonsense: no "bug in batchsora"."""
    assert person("run", "night.csv", "--no-download", *QUICK).returncode == 2
    change(person.folder / "batchsora.db", f"UPDATE account SET seal = NULL, {forged}")  # noqa: S608
    said = person(*command)
    assert said.returncode == 5, said.stderr
    assert "not valid" in (said.stdout if command[0] == "doctor" else said.stderr)


def test_the_question_is_worded_by_nobody_else(person: Person) -> None:
    """The machine's name, which a sent database makes up, begins lines of its own in it."""
    assert person("run", "night.csv", "--no-download", *QUICK).returncode == 2
    lie = "you' || char(10) || 'batchsora: all is well, this database is yours"
    change(person.folder / "batchsora.db", f"UPDATE account SET seal = NULL, host = '{lie}'")  # noqa: S608
    said = person("run", *QUICK)
    assert said.returncode == 5
    assert len(said.stderr.splitlines()) == 1, said.stderr


def test_no_video_behind_a_link_is_written_over(person: Person) -> None:
    """SECURITY.md: below where ``videos`` leads new files are made, "none written over"."""
    assert person("run", "night.csv", "--budget", "9", "--no-download", *QUICK).returncode == 0
    films = person.folder.parent / "films" / "night"
    films.mkdir(parents=True)
    (films / "a.mp4").write_bytes(b"the only copy of a wedding")
    (person.folder / "videos").symlink_to("../films")
    database = person.folder / "batchsora.db"
    # as a sender does who guesses where it is unpacked; it has no seal of this account any more
    path = person.folder / "videos" / "night" / "a.mp4"
    change(
        database,
        "INSERT INTO artifact (attempt_id, job_id, path, tries)"  # noqa: S608
        f" SELECT attempt_id, id, '{path}', 0 FROM job",
        "UPDATE account SET seal = NULL, token_hash = NULL, token_salt = NULL, api_origin = NULL",
    )
    said = person("download")
    assert (films / "a.mp4").read_bytes() == b"the only copy of a wedding", said.stderr


def test_results_are_written_into_no_file_that_a_sent_database_names(person: Person) -> None:
    """``export --in-place`` adds columns to whatever table the database calls its manifest."""
    victim = person.folder.parent / "contacts.csv"
    victim.write_text("id,prompt\na,0171 1234\n")
    assert person("run", "night.csv", "--no-download", *QUICK).returncode == 2
    change(
        person.folder / "batchsora.db",
        f"UPDATE batch SET source = '{victim}', reading = json_set(reading, '$.path', '{victim}')",  # noqa: S608
        "UPDATE account SET seal = NULL, token_hash = NULL, token_salt = NULL, api_origin = NULL",
    )
    said = person("export", "--in-place")
    assert victim.read_text() == "id,prompt\na,0171 1234\n", (said.stdout, said.stderr)
    assert (said.returncode, "may not be yours" in said.stderr) == (2, True), said.stderr


def test_results_are_written_beside_ones_own_database_or_elsewhere(person: Person) -> None:
    """Elsewhere only where the database is known; in its own folder always."""
    far = person.folder.parent / "far.csv"
    far.write_text("id,prompt\nb,a lamp\n")
    for manifest in ("night.csv", "../far.csv"):
        words = ("run", manifest, "--budget", "9", "--no-download", *QUICK)
        assert person(*words).returncode == 0
    said = person("export", "--in-place", "--batch", "far")
    assert said.returncode == 0, said.stderr
    assert "completed" in far.read_text()
    change(
        person.folder / "batchsora.db",
        "UPDATE account SET seal = NULL, token_hash = NULL, token_salt = NULL, api_origin = NULL",
    )
    said = person("export", "--in-place", "--batch", "night")
    assert said.returncode == 0, said.stderr
    assert person("export", "--in-place", "--batch", "far").returncode == 2


@pytest.mark.posix  # nothing else bounds memory
@pytest.mark.parametrize("kind", ["nonsense", "large"])
def test_a_sent_journal_is_refused_in_words(tmp_path: Path, kind: str) -> None:
    """The sandbox's journal: no JSON; or sparse, 3 GB that take no room in an archive."""
    journal = tmp_path / "batchsora-sandbox.db.world"
    (tmp_path / "night.csv").write_text("id,prompt\na,a kite\n")
    journal.write_text("nonsense\n")
    if kind == "large":
        os.truncate(journal, 3 * 1024**3)
    import resource  # noqa: PLC0415

    most = 2 * 1024**3
    said = subprocess.run(
        [sys.executable, "-m", "batchsora", "run", "night.csv", "--sandbox", "--no-download"],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
    )
    assert (said.returncode, "Move it away" in said.stderr) == (2, True), said.stderr
