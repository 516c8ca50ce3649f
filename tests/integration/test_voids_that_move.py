"""Over HTTP: a submission that a person called never made, whose row then gets another id."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.listed import Account
from support.shell import Said, Shell
from support.voids import LOST, called_never_made, hidden

from batchsora.sandbox.world import Reply

RUN = (
    "run", "--budget", "5", "--poll-interval", "0.05", "--rate", "0", "--quiet", "--grace", "0.2",
    "--no-download",
)  # fmt: skip
PAGES = 2
"""Pages that the look before buying reads, and the run does not need."""


def sheet(ids: str = "0123") -> None:
    """Write four rows, whose ids end so."""
    with Path("night.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["id", "prompt"], *([f"r{i}", f"a heron, number {n}"] for n, i in enumerate(ids))]
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, call: Shell) -> Iterator[Account]:
    """A list that hides the lost one, and a person who calls it never made."""
    sheet()
    with called_never_made(call, monkeypatch, *RUN) as made:
        yield made


def same(_: Shell) -> None:
    """Nothing: the control."""


def renamed(_: Shell) -> None:
    """Its row has another id, as where the ids count the rows and one was put in above."""
    sheet("0923")


def removed(call: Shell) -> None:
    """Its batch was removed, and the sheet is loaded again."""
    assert call("rm", "night", "--yes").code == 0


def without_ids(_: Shell) -> None:
    """The id column was taken out."""
    text = Path("night.csv").read_text()
    Path("night.csv").write_text("".join(line.partition(",")[2] for line in text.splitlines(True)))


def shifted(_: Shell) -> None:
    """A row was put in above, and the ids count the rows: its id asks for another one's video."""
    with Path("night.csv").open("w", newline="", encoding="utf-8") as file:
        prompts = ["a heron, number 0", "a swan", *(f"a heron, number {n}" for n in (1, 2, 3))]
        csv.writer(file).writerows(
            [["id", "prompt"], *([f"r{n}", p] for n, p in enumerate(prompts))]
        )


WAYS = pytest.mark.parametrize("way", [same, renamed, shifted, removed, without_ids])


def buy(call: Shell, way: Callable[[Shell], None]) -> Said:
    """Change the sheet or its batch, and run it."""
    way(call)
    more = (
        ("--adopt-existing",) if way is removed else ("--redo-changed",) if way is shifted else ()
    )
    return call(*RUN, "night.csv", *more)


@WAYS
def test_the_key_is_kept(call: Shell, world: Account, way: Callable[[Shell], None]) -> None:
    """A provider that honours idempotency keys answers with the first generation."""
    world.honour_idempotency = True
    buy(call, way)
    assert Counter(one.prompt for one in world.made)[LOST] == 1


@WAYS
def test_it_is_told(call: Shell, world: Account, way: Callable[[Shell], None]) -> None:
    """Two videos were bought for one row: exit 7 and ``status`` say so, whatever the id is."""
    buy(call, way)
    assert Counter(one.prompt for one in world.made)[LOST] == 2
    world.listing = None
    said = call(*RUN, "night.csv")
    assert (said.code, "twice" in said.words) == (7, True), said.err
    assert "twice" in call("status").out


@WAYS
def test_seen_after_the_look(call: Shell, world: Account, way: Callable[[Shell], None]) -> None:
    """The list shows it once the look before buying is over, and before anything is bought."""
    world.asked = 0

    def later(offset: int, plain: Reply) -> Reply:
        return plain if world.asked > PAGES else hidden(offset, plain)

    world.listing = later
    said = buy(call, way)
    assert Counter(one.prompt for one in world.made)[LOST] == 1, said.err


@pytest.mark.parametrize("way", [same, renamed, without_ids])
def test_the_cap_counts_it(call: Shell, world: Account, way: Callable[[Shell], None]) -> None:
    """What our own void made is charged when it is taken over, under whatever id (money.md)."""
    world.listing = None
    way(call)
    assert call(*RUN, "night.csv", "--adopt-existing").code == 0
    assert len(world.made) == 4
    text = Path("night.csv").read_text()
    more = "a swan\n" if way is without_ids else "r8,a swan\n"
    Path("night.csv").write_text(text + more)
    said = call(*RUN, "night.csv", "--budget", "0.50")
    assert sum(one.price for one in world.made) <= 500_000, said.err


def test_a_twin_of_what_was_paid_for_twice(call: Shell, world: Account) -> None:
    """Two videos of the prompt are paid for, and the sheet asks for two: none is bought."""
    assert call(*RUN, "night.csv").code == 0
    world.listing = None
    assert call(*RUN, "night.csv").code == 7
    assert Counter(one.prompt for one in world.made)[LOST] == 2
    with Path("night.csv").open("a", encoding="utf-8") as file:
        file.write(f'r9,"{LOST}"\n')
    said = call(*RUN, "night.csv", "--adopt-existing")
    assert Counter(one.prompt for one in world.made)[LOST] == 2, said.err


def test_a_new_row_asks_for_what_an_edited_row_has(call: Shell, world: Account) -> None:
    """``r1`` asks for a swan by now, and has the heron, which turned up."""
    text = Path("night.csv").read_text(encoding="utf-8").replace(LOST, "a swan")
    Path("night.csv").write_text(text, encoding="utf-8")
    world.listing = None
    said = call(*RUN, "night.csv")
    assert "it is its row's video" in said.words, said.err
    Path("night.csv").write_text(f'{text}r8,"{LOST}"\n', encoding="utf-8")
    said = call(*RUN, "night.csv")
    assert said.code == 2
    assert "--redo-changed" in said.err
    said = call(*RUN, "night.csv", "--redo-changed", "--adopt-existing")
    assert said.code == 0, said.err
    assert Counter(one.prompt for one in world.made)[LOST] == 1
