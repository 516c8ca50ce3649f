"""How a file is to be read is said once: its encoding, its separator, that pictures are fitted."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from support.shell import Shell

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--budget", "5", "--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")
TABLE = "prompt^seconds\nA k\u00fcte^15\n"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A provider whose videos take half a second."""
    made = World(time_scale=2000.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def test_an_encoding_and_a_separator_count_again(call: Shell, world: World) -> None:
    """Without them the second run would be refused."""
    Path("t.csv").write_bytes(TABLE.encode("cp1252"))
    words = ("--encoding", "cp1252", "--delimiter", "^")
    assert call("run", "t.csv", *words, *QUICK).code == 0
    again = call("run", "t.csv", *QUICK)
    assert again.code == 0
    assert "read with your saved options: --encoding cp1252 --delimiter '^'" in again.words
    assert call("run", "t.csv", *QUICK).code == 0
    assert len(world.made) == 1
    plan = call("plan", "t.csv", "--json").json
    assert plan["said_before"] == ["--encoding cp1252", "--delimiter '^'"]
    assert plan["already_done"] == 1


def test_a_file_that_was_saved_otherwise_tells_its_own(call: Shell, world: World) -> None:
    """As UTF-8, with or without its mark, and with commas: the row is the same one."""
    Path("t.csv").write_bytes(TABLE.encode("cp1252"))
    assert call("run", "t.csv", "--encoding", "cp1252", "--delimiter", "^", *QUICK).code == 0
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        Path("t.csv").write_text(TABLE.replace("^", ","), encoding=encoding)
        assert call("plan", "t.csv", "--json").json["said_before"] == []
        assert call("run", "t.csv", *QUICK).code == 0
    assert len(world.made) == 1


@pytest.mark.usefixtures("world")
def test_a_word_of_now_goes_before(call: Shell) -> None:
    Path("t.csv").write_bytes(TABLE.encode("cp1252"))
    assert call("run", "t.csv", "--encoding", "cp1252", "--delimiter", "^", *QUICK).code == 0
    plan = call("plan", "t.csv", "--encoding", "latin-1", "--json").json
    assert plan["said_before"] == ["--delimiter '^'"]


@pytest.mark.usefixtures("world")
def test_fitted_pictures_stay_fitted_until_that_is_taken_back(call: Shell) -> None:
    Image.new("RGB", (8, 8)).save("kite.bmp")
    Path("t.csv").write_text("prompt,image\nA kite,kite.bmp\n")
    assert call("run", "t.csv", "--fit-images", *QUICK).code == 0
    plan = call("plan", "t.csv", "--json").json
    assert (plan["said_before"], plan["already_done"]) == (["--fit-images"], 1)
    assert call("run", "t.csv", *QUICK).code == 0
    assert call("plan", "t.csv", "--json").json["already_done"] == 1
    assert call("plan", "t.csv", "--no-fit-images").code != 0


@pytest.mark.usefixtures("world")
def test_pictures_outside_are_allowed_anew_each_time(call: Shell, tmp_path: Path) -> None:
    """A database that was found beside a table grants nothing."""
    Image.new("RGB", (8, 8)).save(tmp_path.parent / "kite.png")
    Path("t.csv").write_text("prompt,image\nA kite,../kite.png\n")
    assert call("run", "t.csv", "--allow-outside", *QUICK).code == 0
    assert call("plan", "t.csv").code != 0


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    "said",
    [
        {"encoding": "base64", "delimiter": ",,", "fit_images": "yes"},
        {"encoding": "no such", "delimiter": 7, "fit_images": 1},
        {"encoding": 7, "delimiter": None},
    ],
)
def test_nonsense_in_a_database_is_no_word(call: Shell, said: dict[str, object]) -> None:
    Path("t.csv").write_text("prompt,note\nA kite,b\n")
    assert call("run", "t.csv", *QUICK).code == 0
    with sqlite3.connect("batchsora.db") as database:
        kept = {"path": str(Path("t.csv").resolve()), **said}
        database.execute("UPDATE batch SET reading = ?", [json.dumps(kept)])
    database.close()
    assert call("plan", "t.csv", "--json").json["said_before"] == []
