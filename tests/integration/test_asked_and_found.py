"""What was asked for and what was found about a row are two things, and a person's word is kept."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.shell import Shell

from batchsora.composition.databases import existing_store
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.ports.selection import Sought
from jobs.store import holding

RUN = ("run", "--yes", "--poll-interval", "0.05", "--rate", "0", "--no-download", "--quiet")


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """Call commands in a folder with a sheet of three rows, with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-asked")
    sheet("trial.csv", "heron 0", "heron 1", "heron 2")
    return Shell(capfd)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A provider whose videos take half a second, at the address in the environment."""
    made = World(time_scale=2000.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def sheet(name: str, *prompts: str, ids: str = "r") -> None:
    """Write a manifest."""
    rows = [f"{ids}{n},{prompt}" for n, prompt in enumerate(prompts)]
    Path(name).write_text("\n".join(["id,prompt", *rows]))


def exists(world: World, *prompts: str) -> None:
    """Have the account make prompts that no database knows."""
    for prompt in prompts:
        world.add_foreign(prompt, datetime.now(UTC))


def bought(world: World) -> Counter[str]:
    """Count what was bought, by prompt."""
    return Counter(item.prompt for item in world.made if not item.foreign)


def held(call: Shell, name: str = "trial") -> dict[str, int]:
    """Count the rows of a batch that are held back, by reason."""
    found: dict[str, int] = call("status", "--batch", name, "--json").json["batches"][0][
        "held_back"
    ]
    return found


def test_a_look_changes_nothing_outside_of_the_pick(call: Shell, world: World) -> None:
    """Not even where nobody can say whether these rows may be bought."""
    exists(world, "heron 1")
    said = call(*RUN, "trial.csv", "--first", "1")
    assert (said.code, held(call)) == (0, {"left_out": 2}), said.err
    assert "exist already" not in said.err
    # nor does a run that names no batch look for them, whatever it may overrule
    for more in ((), ("--buy-again",), ("--adopt-existing",)):
        assert call(*RUN, *more).code == 0
    assert (bought(world), held(call)) == ({"heron 0": 1}, {"left_out": 2})
    # who names the batch asks for them, and only then they are looked for
    assert call(*RUN, "--batch", "trial").code == 4
    assert bought(world) == {"heron 0": 1, "heron 2": 1}
    assert held(call) == {"exists": 1}


def test_what_was_found_does_not_ask_for_a_row(call: Shell, world: World) -> None:
    """A row that was found, and then left out by a pick, is bought by no run of all batches."""
    exists(world, "heron 1", "heron 2")
    assert call(*RUN, "trial.csv").code == 4
    assert held(call) == {"exists": 2}
    call(*RUN, "trial.csv", "--first", "2")
    for item in world.made:
        item.foreign = False  # they count as bought from now on
    declined = call("run", "--buy-again", "--quiet")
    assert "1 video(s) of trial for" in declined.words, declined.err
    assert call(*RUN, "--buy-again").code == 0  # what it was not asked for stops no run
    assert bought(world) == {"heron 0": 1, "heron 1": 2, "heron 2": 1}
    assert held(call) == {"exists": 1}  # over left_out: that word was not about it
    assert call(*RUN, "--batch", "trial").code == 4
    assert bought(world) == {"heron 0": 1, "heron 1": 2, "heron 2": 1}


def test_rows_that_nobody_asked_for_are_not_asked_for_by_a_look(call: Shell, world: World) -> None:
    """A load that was declined: an unnamed run with ``--buy-again`` buys none of it."""
    sheet("more.csv", "swan 0", "heron 1", ids="m")
    exists(world, "heron 1", "heron 2")
    assert call("run", "trial.csv", "--quiet").code == 2
    held_back = held(call)
    assert held_back["unasked"] + held_back.get("exists", 0) == 3
    assert call(*RUN, "more.csv").code == 4
    assert call(*RUN, "--buy-again").code == 0  # what it was not asked for stops no run
    assert bought(world) == {"swan 0": 1, "heron 1": 1}
    assert held(call) == held_back  # its word was not about them


def test_what_was_found_about_rows_that_nobody_asks_for_stops_no_run(
    call: Shell, world: World
) -> None:
    """Neither outside of the pick, nor in batches that nobody has asked for."""
    exists(world, "heron 1", "heron 2")
    assert call(*RUN, "trial.csv").code == 4
    picked = call(*RUN, "trial.csv", "--first", "1")
    assert (picked.code, held(call)) == (0, {"exists": 2}), picked.err
    assert call(*RUN).code == 0  # nothing of it is asked for any more
    sheet("more.csv", "swan 0", "swan 1")
    assert call(*RUN, "more.csv", "--first", "1").code == 0
    assert call(*RUN, "--batch", "trial").code == 4
    assert bought(world) == {"heron 0": 1, "swan 0": 1}


FINDS = ("in the account", "in this database")


def find(call: Shell, world: World, where: str) -> None:
    """Have two rows of the trial held back because of what was found."""
    if where == "in the account":
        exists(world, "heron 1", "heron 2")
    else:
        sheet("old.csv", "heron 1", "heron 2", ids="o")
        assert call(*RUN, "old.csv").code == 0
    assert call(*RUN, "trial.csv").code == 4
    assert set(held(call)) == {"exists" if where == "in the account" else "paid_before"}


@pytest.mark.parametrize("where", FINDS)
def test_a_retry_by_name_is_kept(call: Shell, world: World, where: str) -> None:
    """The next run looks again, and buys the row that a person named, and no other."""
    find(call, world, where)
    before = bought(world)
    assert call("retry", "r1", "--batch", "trial", "--yes").code == 0
    said = call(*RUN)
    assert said.code == 4, said.err
    assert bought(world) - before == {"heron 1": 1}
    assert sum(held(call).values()) == 1
    # it was bought; what comes of it is looked at as ever
    assert call(*RUN, "trial.csv").code == 4
    assert bought(world) - before == {"heron 1": 1}


@pytest.mark.parametrize("where", FINDS)
def test_a_retry_by_name_is_kept_under_another_id(call: Shell, world: World, where: str) -> None:
    """An id column that is renumbered, or goes, is no edit: the word was about the video."""
    find(call, world, where)
    before = bought(world)
    assert call("retry", "r1", "--batch", "trial", "--yes").code == 0
    sheet("trial.csv", "heron 0", "heron 1", "heron 2", ids="x")
    assert call(*RUN, "trial.csv").code == 4
    assert bought(world) - before == {"heron 1": 1}
    assert sum(held(call).values()) == 1


def test_buy_again_is_kept_under_another_id(call: Shell, world: World) -> None:
    """The run had no money for it."""
    find(call, world, "in the account")
    money, world.balance = world.balance, 0
    assert call(*RUN, "--batch", "trial", "--buy-again").code == 4
    world.balance = money
    sheet("trial.csv", "heron 0", "heron 1", "heron 2", ids="x")
    assert call(*RUN, "trial.csv").code == 0
    assert bought(world) == {"heron 0": 1, "heron 1": 1, "heron 2": 1}


@pytest.mark.parametrize("found", [True, False], ids=["found", "left out"])
def test_a_pick_leaves_no_row_out_that_was_asked_for_by_name(
    call: Shell, world: World, *, found: bool
) -> None:
    """It is bought with the picked ones, is counted in the question, and is looked for."""
    if found:
        exists(world, "heron 1", "heron 2")
        assert call(*RUN, "trial.csv").code == 4
    else:
        assert call(*RUN, "trial.csv", "--first", "1").code == 0
    assert call("retry", "r1", "--yes").code == 0
    asked = call("run", "trial.csv", "--first", "1", "--quiet")
    assert "1 video(s) of trial for about $0.12" in asked.words
    assert call(*RUN, "trial.csv", "--first", "1").code == 0
    assert bought(world) == {"heron 0": 1, "heron 1": 1}


def test_a_row_asked_for_by_name_is_looked_for_beside_a_pick(call: Shell, world: World) -> None:
    """What appeared since the word holds it back; nor does a cancelled row keep the word."""
    assert call(*RUN, "trial.csv", "--first", "1").code == 0
    assert call("retry", "r1", "r2", "--yes").code == 0
    assert call("cancel", "r2", "--yes").code == 0
    exists(world, "heron 1")
    assert call(*RUN, "trial.csv", "--first", "1").code == 4
    assert held(call) == {"exists": 1}
    assert bought(world) == {"heron 0": 1}


def test_a_failed_row_that_is_retried_is_bought_beside_a_pick(call: Shell, world: World) -> None:
    """``retry`` says that a run buys it, and so does one of the first row alone."""
    world.failures["heron 2"] = ["internal error"]
    assert call(*RUN, "trial.csv", "--retries", "0").code == 3
    assert call("retry", "r2", "--yes").code == 0
    assert call(*RUN, "trial.csv", "--first", "1").code == 0
    assert bought(world)["heron 2"] == 2


@pytest.mark.parametrize("where", FINDS)
def test_buy_again_is_kept_when_the_run_could_not_buy(
    call: Shell, world: World, where: str
) -> None:
    """Money ran out before: the next run goes on, without asking again."""
    find(call, world, where)
    before = bought(world)
    money, world.balance = world.balance, 0
    assert call(*RUN, "--batch", "trial", "--buy-again").code == 4
    assert bought(world) == before
    world.balance = money
    said = call(*RUN)
    assert said.code == 0, said.err
    assert bought(world) - before == {"heron 1": 1, "heron 2": 1}


def test_a_word_covers_what_there_was_when_it_was_given(call: Shell, world: World) -> None:
    """What is made afterwards by somebody else is found as ever."""
    find(call, world, "in the account")
    money, world.balance = world.balance, 0
    assert call(*RUN, "--batch", "trial", "--buy-again").code == 4
    world.balance = money
    for item in world.made:  # all of that was an hour ago
        item.created_at -= timedelta(hours=1)
    with existing_store(Path("batchsora.db")) as store:
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        store.write(lambda c: holding.overrule(c, Sought([1]), an_hour_ago))
    exists(world, "heron 2")
    said = call(*RUN)
    assert said.code == 4, said.err
    assert bought(world) == {"heron 0": 1, "heron 1": 1}
    assert held(call) == {"exists": 1}


def test_an_edit_ends_a_word(call: Shell, world: World) -> None:
    """It was about another request."""
    find(call, world, "in the account")
    assert call("retry", "r1", "--batch", "trial", "--yes").code == 0
    exists(world, "crane 1")
    sheet("trial.csv", "heron 0", "crane 1", "heron 2")
    assert call(*RUN, "trial.csv").code == 4
    assert bought(world) == {"heron 0": 1}
    assert held(call) == {"exists": 2}


def test_a_row_that_comes_back_under_another_id_is_the_same_row(call: Shell, world: World) -> None:
    """``plan`` says so, and a run buys nothing."""
    assert call(*RUN, "trial.csv").code == 0
    sheet("trial.csv", "heron 0")
    assert call(*RUN, "trial.csv").code == 0
    Path("trial.csv").write_text("id,prompt\nr0,heron 0\nx1,heron 1\nx2,heron 2\nx3,heron 2\n")
    planned = call("plan", "trial.csv", "--json").json
    assert (planned["already_done"], planned["remaining_cost"]) == (3, "0.12")
    said = call(*RUN, "trial.csv")
    assert said.code == 0, said.err
    assert bought(world) == {"heron 0": 1, "heron 1": 1, "heron 2": 2}


def test_wait_says_how_to_look_again_where_names_are_not_unique(
    call: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it tells to type works."""
    world = World(time_scale=2000.0)
    with SandboxServer(world, faults=Faults()) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        exists(world, "heron 1")
        assert call(*RUN, "trial.csv").code == 4
        sheet("other.csv", "swan 0", "swan 1")
        assert call(*RUN, "other.csv").code == 0
        said = call("wait", "r1", "--batch", "trial")
        assert "'batchsora retry r1 --batch trial'" in said.out


@pytest.mark.parametrize("after", [["crane 1", "heron 1"], ["heron 1"]])
def test_a_shared_video_is_known_when_its_row_was_edited(
    call: Shell, world: World, after: list[str]
) -> None:
    """Taken over from another batch, edited, and wanted again: it is not bought without a word."""
    sheet("old.csv", "heron 1", ids="o")
    assert call(*RUN, "old.csv").code == 0
    sheet("trial.csv", "heron 1")
    assert call(*RUN, "trial.csv", "--adopt-existing").code == 0
    sheet("trial.csv", "crane 1")
    money, world.balance = world.balance, 0
    call(*RUN, "trial.csv", "--redo-changed")
    world.balance = money
    sheet("trial.csv", *after)
    assert call(*RUN, "trial.csv").code == 4
    assert bought(world)["heron 1"] == 1
