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
