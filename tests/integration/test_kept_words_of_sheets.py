"""What was said once of a sheet counts again, also when another one was bought since."""

from typing import Any

import openpyxl
import pytest
from support.shell import Shell

from batchsora.sandbox.world import World

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second."""
    return World(time_scale=2000.0)


QUICK = ("--budget", "9", "--poll-interval", "0.05", "--rate", "0", "--yes", "--no-download")


def save(jan: list[list[Any]]) -> None:
    """Write a workbook with a sheet for each of two months."""
    made = openpyxl.Workbook()
    made.remove(made.worksheets[0])
    for title, rows in (("Jan", jan), ("Feb", [["boat", "A boat", "Acme"]])):
        sheet = made.create_sheet(title)
        for row in (["id", "prompt", "Kunde"], *rows):
            sheet.append(row)
    made.save("t.xlsx")
    made.close()


FIRST = [["kite", "A kite", "Acme"]]


def test_the_cap_of_a_campaign_holds_after_another_sheet_was_bought(
    call: Shell, world: World
) -> None:
    """Without the second run, ``Kunde`` counts as the campaign, and the cap holds."""
    save(FIRST)
    words = ("--map", "Kunde=campaign")
    assert call("run", "t.xlsx", *words, "--cap", "Acme=0.30", *QUICK).code == 0
    assert call("run", "t.xlsx", "--sheet", "Feb", *words, *QUICK).code == 0
    save([*FIRST, *([f"hill {n}", f"A hill {n}", "Acme"] for n in range(4))])
    call("run", "t.xlsx", *QUICK)
    jan = [one for one in world.made if one.prompt != "A boat"]
    assert len(jan) == 2  # $0.24; a third would pass the $0.30


def test_a_default_counts_again_after_another_sheet_was_bought(call: Shell, world: World) -> None:
    save(FIRST)
    assert call("run", "t.xlsx", "--default", "duration=15", *QUICK).code == 0
    assert call("run", "t.xlsx", "--sheet", "Feb", *QUICK).code == 0
    save([*FIRST, ["hill", "A hill", "Acme"]])
    call("run", "t.xlsx", *QUICK)
    bought = {one.prompt: one.duration for one in world.made}
    assert bought.get("A hill", 15) == 15


@pytest.mark.parametrize("second", [False, True])
def test_hidden_rows_that_were_left_out_or_taken_stay_so(call: Shell, *, second: bool) -> None:
    """``--include-hidden`` is forgotten in the same way: its rows leave the manifest."""
    save([*FIRST, ["hill", "A hill", "Acme"]])
    book = openpyxl.load_workbook("t.xlsx")
    book["Jan"].row_dimensions[3].hidden = True
    book.save("t.xlsx")
    assert call("run", "t.xlsx", "--include-hidden", *QUICK).code == 0
    if second:
        assert call("run", "t.xlsx", "--sheet", "Feb", *QUICK).code == 0
    plan = call("plan", "t.xlsx", "--json").json
    assert plan["said_before"] == ["--include-hidden"]
