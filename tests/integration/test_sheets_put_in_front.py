"""A sheet that is put in front of the loaded one: the message names the option that goes on."""

import openpyxl
import pytest
from support.shell import Shell

from batchsora.sandbox.world import World

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second."""
    return World(time_scale=2000.0)


QUICK = ("--yes", "--no-download", "--poll-interval", "0.05", "--rate", "0")


def loaded(call: Shell, *flags: str) -> None:
    """Load the only sheet of a workbook, then put another one in front of it."""
    book = openpyxl.Workbook()
    first = book.worksheets[0]
    first.title = "My ideas"
    first.append(["prompt"])
    first.append(["A kite over the sea"])
    book.save("b.xlsx")
    assert call("run", "b.xlsx", *flags, *QUICK).code == 0
    front = book.create_sheet("Archive", 0)
    front.append(["prompt"])
    front.append(["An old idea that nobody wants"])
    book.save("b.xlsx")


@pytest.mark.parametrize("flags", [(), ("--name", "b"), ("--name", "mine")])
def test_the_sheet_of_before_is_named(call: Shell, flags: tuple[str, ...]) -> None:
    """``--name b`` would load the archive into the batch of the sheet of before."""
    loaded(call, *flags)
    said = call("run", "b.xlsx", *flags, *QUICK)
    assert said.code == 2
    assert "--sheet 'My ideas'" in said.words
    assert "--name" not in said.words
    assert "--sheet 'My ideas'" in call("plan", "b.xlsx", *flags).words
    again = call("run", "b.xlsx", "--sheet", "My ideas", *flags, *QUICK)
    assert again.code == 0
    assert call("jobs", "--json").json[0]["prompt"] == "A kite over the sea"
    assert len(call("jobs", "--json").json) == 1


def test_the_other_sheet_is_a_batch_of_its_own(call: Shell) -> None:
    loaded(call)
    assert call("run", "b.xlsx", "--sheet", "Archive", *QUICK).code == 2
    assert call("run", "b.xlsx", "--sheet", "Archive", "--name", "old", *QUICK).code == 0
    assert len(call("jobs", "--json").json) == 2


def test_a_sheet_that_was_renamed_is_no_other_one(call: Shell) -> None:
    """The message of a manifest in a new place holds: both names are gone on with by hand."""
    loaded(call)
    book = openpyxl.load_workbook("b.xlsx")
    del book["Archive"]
    book["My ideas"].title = "Ideas"
    book.save("b.xlsx")
    said = call("run", "b.xlsx", *QUICK)
    assert said.code == 2
    assert "use --name b" in said.words
    assert call("run", "b.xlsx", "--name", "b", *QUICK).code == 0
