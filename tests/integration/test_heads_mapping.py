"""What columns are taken for is shown, and what a person said once about it counts again."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import Workbook
from support.shell import Shell

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--no-download", "--yes")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A provider whose videos take half a second, at the address in the environment."""
    made = World(time_scale=2000.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def written(text: str) -> str:
    Path("ideas.csv").write_text(text, encoding="utf-8")
    return "ideas.csv"


IDEAS = "Video idea,Length (sec),Notes,Owner\nA kite,15,n,o\n"


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_a_plan_says_what_each_column_is_taken_for(
    call: Shell, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """Within the terminal's width, and as fields for scripts."""
    monkeypatch.setenv("COLUMNS", columns)
    said = call("plan", written(IDEAS))
    assert (
        "columns prompt ← Video idea · duration ← Length (sec) · carried along: Notes, Owner"
        in " ".join(said.out.split())
    )
    about = said.out.split("\n\n")[0]
    assert max(map(len, about.splitlines())) <= int(columns)
    told = call("plan", "ideas.csv", "--json").json
    assert told["columns"] == {"prompt": "Video idea", "duration": "Length (sec)"}
    assert told["carried"] == ["Notes", "Owner"]


def test_a_long_table_is_shown_by_its_first_columns(call: Shell) -> None:
    """Foreign headers are long, many, and may hold what drives a terminal."""
    many = ",".join(f"c{n}" for n in range(40))
    shown = call("plan", written(f'prompt,"{"x" * 200}","a\x1b[2Jb",{many}\nA kite,,,\n')).out
    assert "\x1b" not in shown
    assert "x" * 41 not in shown
    assert "and 30 more" in " ".join(shown.split())


@pytest.mark.usefixtures("world")
def test_a_run_says_it_before_it_buys(call: Shell) -> None:
    """With the defaults that a person said."""
    said = call("run", written(IDEAS), "--default", "orientation=16:9", *QUICK)
    assert said.code == 0
    assert "prompt ← Video idea" in said.words
    assert "orientation (else 16:9)" in said.words


def test_what_was_said_once_counts_again(call: Shell, world: World) -> None:
    """The same file without its ``--map`` and ``--default``: nothing is bought again."""
    written("What,Size\nA kite,XL\n")
    words = ("--map", "What=prompt", "--map", "Size=", "--default", "duration=15")
    assert call("run", "ideas.csv", *words, *QUICK).code == 0
    again = call("run", "ideas.csv", *QUICK)
    assert again.code == 0
    assert "read with your saved options: --map What=prompt --map Size= --default duration=15" in (
        again.words
    )
    assert len(world.made) == 1
    plan = call("plan", "ideas.csv", "--json").json
    assert plan["said_before"] == ["--map What=prompt", "--map Size=", "--default duration=15"]
    assert plan["already_done"] == 1
    assert call("run", "ideas.csv", *QUICK).code == 0  # kept by that load as well
    assert len(world.made) == 1


@pytest.mark.usefixtures("world")
def test_a_word_of_now_goes_before_one_of_before(call: Shell) -> None:
    """Another header, another default, or none."""
    written("What,That\nA kite,A heron\n")
    assert call("run", "ideas.csv", "--map", "What=prompt", *QUICK).code == 0
    plan = call("plan", "ideas.csv", "--map", "That=prompt", "--json").json
    assert (plan["columns"], plan["said_before"]) == ({"prompt": "That"}, [])
    told = call("plan", "ideas.csv", "--default", "duration=15", "--json").json
    assert told["defaults"] == {"duration": "15"}


@pytest.mark.usefixtures("world")
def test_a_header_of_before_that_is_gone_is_passed_over(call: Shell) -> None:
    """The person has given it the proper name since."""
    written("What,note\nA kite,x\n")
    assert call("run", "ideas.csv", "--map", "What=prompt", *QUICK).code == 0
    written("prompt,note\nA kite,x\n")
    plan = call("plan", "ideas.csv", "--json").json
    assert (plan["columns"], plan["already_done"]) == ({"prompt": "prompt"}, 1)
    assert call("export", "-o", "done.csv").code == 0


@pytest.mark.usefixtures("world")
def test_a_sheet_said_once_is_read_again(call: Shell) -> None:
    """Of a workbook whose first sheet is another one."""
    book = Workbook()
    book.active.append(["prompt"])
    book.active.append(["not this"])
    book.create_sheet("Summer").append(["prompt"])
    book["Summer"].append(["A kite"])
    book.save("ideas.xlsx")
    assert call("run", "ideas.xlsx", "--sheet", "Summer", *QUICK).code == 0
    plan = call("plan", "ideas.xlsx", "--json").json
    assert plan["said_before"] == ["--sheet Summer"]
    assert [job["prompt"] for job in plan["samples"]] == ["A kite"]
    first = call("plan", "ideas.xlsx", "--sheet", "Sheet", "--json").json
    assert [job["prompt"] for job in first["samples"]] == ["not this"]


@pytest.mark.usefixtures("world")
def test_nonsense_in_a_database_is_no_word(call: Shell) -> None:
    """A database may come from anywhere; what it says of a reading is looked at."""
    assert call("run", written("prompt\nA kite\n"), *QUICK).code == 0
    with sqlite3.connect("batchsora.db") as database:
        kept = {"path": str(Path("ideas.csv").resolve()), "columns": {"prompt": 7, "x": "y"}}
        kept |= {"defaults": ["duration"], "sheet": 3, "sheet_said": True}
        database.execute("UPDATE batch SET reading = ?", [json.dumps(kept)])
    database.close()
    assert call("plan", "ideas.csv", "--json").json["said_before"] == []
