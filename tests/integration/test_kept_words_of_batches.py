"""Which words of before count, where one file was loaded as several batches."""

from pathlib import Path
from typing import Any

import openpyxl
import pytest
from support.shell import Shell

from batchsora.sandbox.world import World

pytestmark = pytest.mark.usefixtures("api")
QUICK = ("--budget", "9", "--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")


@pytest.fixture
def world() -> World:
    return World(time_scale=2000.0)


def table(*rows: str) -> None:
    Path("t.csv").write_text("\n".join(["id,prompt", *rows]) + "\n")


def batch_of(call: Shell, key: str) -> str:
    (found,) = [one for one in call("jobs", "--json").json if one["key"] == key]
    return str(found["batch"])


def test_two_batches_of_one_table(call: Shell, world: World) -> None:
    """A new row is loaded into the batch whose words were used."""
    table("kite,A kite")
    assert call("run", "t.csv", "--default", "duration=15", *QUICK).code == 0
    table("hill,A hill")
    assert call("run", "t.csv", "--name", "short", "--default", "duration=10", *QUICK).code == 0
    table("hill,A hill", "boat,A boat")
    said = call("run", "t.csv", *QUICK)
    bought = {one.prompt: one.duration for one in world.made}
    batches = call("status", "--json").json
    assert bought.get("A boat", 10) == 10, (said.err, batches)


def save(*sheets: tuple[str, list[list[Any]]]) -> None:
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for title, rows in sheets:
        sheet = made.create_sheet(title)
        for row in (["id", "prompt", "Text"], *rows):
            sheet.append(row)
    made.save("t.xlsx")
    made.close()


def test_a_sheet_that_was_said_counts_beside_another(call: Shell, world: World) -> None:
    """``--sheet Feb`` counted again until March was bought as well; then January is."""
    months = [
        (month, [["k", f"A note in {month}", f"A kite in {month}"]])
        for month in ("Jan", "Feb", "Mar")
    ]
    save(*months)
    words = ("--map", "Text=prompt", "--map", "prompt=")
    assert call("run", "t.xlsx", "--sheet", "Feb", *words, *QUICK).code == 0
    assert call("run", "t.xlsx", *QUICK).code == 0
    assert [one.prompt for one in world.made] == ["A kite in Feb"]
    assert call("run", "t.xlsx", "--sheet", "Mar", *words, *QUICK).code == 0
    said = call("run", "t.xlsx", *QUICK)
    assert [one.prompt for one in world.made] == ["A kite in Feb", "A kite in Mar"], said.err
