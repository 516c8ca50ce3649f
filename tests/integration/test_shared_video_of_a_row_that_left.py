"""A video that was taken over at no cost stays our own past when its row leaves the manifest."""

from collections import Counter
from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.sandbox.world import World

RUN = ("run", "--budget", "9", "--rate", "0", "--poll-interval", "0.05", "--no-download", "--quiet")


pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def world() -> World:
    """A provider whose videos take half a second."""
    return World(time_scale=2000.0)


def sheet(name: str, **rows: str) -> str:
    """Write prompts by their ids."""
    lines = "".join(f'{key},"{prompt}"\n' for key, prompt in rows.items())
    Path(name).write_text(f"id,prompt\n{lines}", "utf-8")
    return name


@pytest.mark.parametrize("came", ["a kite", "a  kite", " a kite"])
@pytest.mark.parametrize("shared", [True, False])
def test_under_another_id(call: Shell, world: World, came: str, *, shared: bool) -> None:
    """One video is paid for, and each sheet asks for one; the second one's id changes."""
    if shared:
        assert call(*RUN, sheet("a.csv", r0="a kite")).code == 0
        assert call(*RUN, sheet("b.csv", r0="a kite"), "--adopt-existing").code == 0
    else:
        assert call(*RUN, sheet("b.csv", r0="a kite")).code == 0
    assert len(world.made) == 1
    said = call(*RUN, sheet("b.csv", k1=came))
    assert len(world.made) == 1, (said.code, said.err, [item.prompt for item in world.made])


@pytest.mark.parametrize("came", ["a kite", "a  kite"])
def test_of_rows_that_were_exchanged(call: Shell, world: World, came: str) -> None:
    """Two rows of one sheet exchanged their videos; then their ids and their spelling changed."""
    assert call(*RUN, sheet("b.csv", r0="a kite", r1="a boat")).code == 0
    changed = sheet("b.csv", r0="a boat", r1="a kite")
    assert call(*RUN, changed, "--redo-changed", "--adopt-existing").code == 0
    assert len(world.made) == 2
    call(*RUN, sheet("b.csv", k0="a boat", k1=came))
    assert Counter(item.prompt.replace("  ", " ") for item in world.made) == {
        "a kite": 1,
        "a boat": 1,
    }


def test_that_comes_back_a_load_later(call: Shell, world: World) -> None:
    """The row left, and somebody else's sheet of the same name asks for it in other spelling."""
    assert call(*RUN, sheet("a.csv", r0="a kite")).code == 0
    assert call(*RUN, sheet("b.csv", r0="a kite", r1="a boat"), "--adopt-existing").code == 0
    assert call(*RUN, sheet("b.csv", r1="a boat")).code == 0
    assert len(world.made) == 2
    call(*RUN, sheet("b.csv", r1="a boat", k1="a kite "))
    assert len(world.made) == 2


@pytest.mark.parametrize("left", ["one after the other", "nothing"])
def test_edited_back_when_the_other_row_is_gone(call: Shell, world: World, left: str) -> None:
    """Two rows exchanged their videos, one is deleted, and the other gets its first text back."""
    assert call(*RUN, sheet("b.csv", r0="a kite", r1="a boat")).code == 0
    changed = sheet("b.csv", r0="a boat", r1="a kite")
    assert call(*RUN, changed, "--redo-changed", "--adopt-existing").code == 0
    assert len(world.made) == 2
    if left == "nothing":
        call(*RUN, sheet("b.csv", r0="a kite"), "--redo-changed", "--adopt-existing")
    else:
        call(*RUN, sheet("b.csv", r0="a boat"), "--redo-changed", "--adopt-existing")
        call(*RUN, sheet("b.csv", r0="a kite"), "--redo-changed", "--adopt-existing")
    assert Counter(item.prompt for item in world.made) == {"a kite": 1, "a boat": 1}
