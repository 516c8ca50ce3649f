"""What this database has paid for is earlier work too, under whatever name it is loaded again."""

import csv
import json
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.listed import Account
from support.shell import Shell

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Made, Reply, World
from jobs.model.clock import SystemClock

RUN = ("run", "--budget", "5", "--poll-interval", "0.05", "--rate", "0", "--quiet")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A provider whose videos take half a second, at the address in the environment."""
    made = Account(time_scale=2000.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def sheet(name: str, prompts: list[str], *, ids: bool = True) -> str:
    """Write a manifest."""
    rows = [{"id": f"r{n}", "prompt": prompt} for n, prompt in enumerate(prompts)]
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, ["id", "prompt"] if ids else ["prompt"], extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(rows)
    return name


SIX = [f"a heron in reeds {n}" for n in range(6)]


def renamed(call: Shell) -> str:
    """The same rows in a file of another name."""
    del call
    return sheet("again.csv", SIX)


def copied(call: Shell) -> str:
    """A copy of the file in another folder, its batch named otherwise."""
    del call
    Path("copy").mkdir()
    return shutil.copy("prompts.csv", "copy/others.csv")


def exported_csv(call: Shell) -> str:
    """The batch's own export."""
    assert call("export", "-o", "out.csv").code == 0
    return "out.csv"


def exported_xlsx(call: Shell) -> str:
    """The batch's own export, as a workbook."""
    assert call("export", "-o", "out.xlsx").code == 0
    return "out.xlsx"


def removed(call: Shell) -> str:
    """The same file, once its batch was removed."""
    assert call("rm", "prompts", "--yes").code == 0
    return "prompts.csv"


def without_ids(call: Shell) -> str:
    """The same prompts in a file without ids."""
    del call
    return sheet("plain.csv", SIX, ids=False)


WAYS = (renamed, copied, exported_csv, exported_xlsx, removed, without_ids)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_same_rows_are_not_bought_again(
    call: Shell, world: World, way: Callable[[Shell], str]
) -> None:
    """``plan`` and an unattended ``run`` say it; a word takes the videos over, or buys again."""
    assert call(*RUN, sheet("prompts.csv", SIX)).code == 0
    again = way(call)

    planned = call("plan", again, "--json").json
    assert (planned["paid_before"], planned["remaining_cost"]) == (6, "0.00")
    assert planned["already_done"] == 0
    told = " ".join(call("plan", again).out.split())
    assert "6 of these rows were already paid for in batch 'prompts" in told
    assert "--adopt-existing" in told
    assert "--buy-again" in told

    said = call(*RUN, again)
    assert said.code == 4
    assert "6 of these rows were already paid for in batch 'prompts" in said.words
    assert "--buy-again buys them again" in said.words
    assert len(world.made) == 6
    # nor does any later run of all batches buy them
    assert call(*RUN).code == 4
    assert len(world.made) == 6

    name = Path(again).stem
    adopted = call(*RUN, again, "--adopt-existing", "--json")
    assert adopted.code == 0, adopted.err
    (batch,) = [one for one in adopted.json["batches"] if one["batch"] == name]
    assert (batch["jobs"]["completed"], batch["money"]["charged"]) == (6, "0.00")
    jobs = json.loads(call("jobs", "--batch", name, "--json").out)
    assert len(jobs) == 6
    assert all(Path(job["file"]).read_bytes()[4:8] == b"ftyp" for job in jobs)
    assert {job["price"] for job in jobs} == {"0.00"}
    assert call("show", jobs[0]["job"], "--batch", name).code == 0
    assert call("export", "--batch", name, "-o", "shared.csv").code == 0
    with Path("shared.csv").open(encoding="utf-8-sig", newline="") as file:
        results = list(csv.DictReader(file))
    assert all(Path(row["file"]).is_file() and row["video_url"] for row in results)
    assert len(world.made) == 6
    # what is shared is settled: nothing is asked, and nothing is bought
    assert call(*RUN, again).code == 0
    assert call("plan", again, "--json").json["already_done"] == 6
    assert len(world.made) == 6


@pytest.mark.parametrize("way", [renamed, removed], ids=lambda way: way.__name__)
def test_buy_again_buys_them(call: Shell, world: World, way: Callable[[Shell], str]) -> None:
    """A person may want each video twice."""
    assert call(*RUN, sheet("prompts.csv", SIX)).code == 0
    again = way(call)
    assert call(*RUN, again).code == 4
    assert call(*RUN, again, "--buy-again").code == 0
    assert len(world.made) == 12


def test_equal_rows_are_counted(call: Shell, world: World) -> None:
    """Two paid, three equal rows: two wait, and the third is bought."""
    assert call(*RUN, sheet("two.csv", ["a kite", "a kite"])).code == 0
    assert len(world.made) == 2
    three = sheet("three.csv", ["a kite", "a kite", "a kite"])
    assert call("plan", three, "--json").json["paid_before"] == 2
    assert call(*RUN, three).code == 4
    assert len(world.made) == 3
    assert call(*RUN, three).code == 4
    assert len(world.made) == 3
    assert call(*RUN, three, "--adopt-existing").code == 0
    assert len(world.made) == 3


def test_another_duration_is_another_video(call: Shell, world: World) -> None:
    """What differs in anything that decides which video comes out was not paid for."""
    assert call(*RUN, sheet("one.csv", ["a kite"])).code == 0
    Path("longer.csv").write_text("prompt,duration\na kite,15\n")
    assert call("plan", "longer.csv", "--json").json["paid_before"] == 0
    assert call(*RUN, "longer.csv").code == 0
    assert len(world.made) == 2


def test_what_failed_is_no_earlier_work(call: Shell, world: World) -> None:
    """Nothing came of it, so there is nothing to take."""
    world.failures = {"a kite": ["The prompt violates the content policy"]}
    assert call(*RUN, sheet("one.csv", ["a kite"]), "--retries", "0").code == 3
    assert call(*RUN, sheet("two.csv", ["a kite"])).code == 0
    assert len(world.made) == 2


def test_a_single_video_counts_for_manifests_and_not_for_itself(call: Shell, world: World) -> None:
    """``generate`` buys what it was asked for, again and again."""
    quick = ("--poll-interval", "0.05", "--quiet", "--yes")
    assert call("generate", "a kite", *quick).code == 0
    assert call("generate", "a kite", "--again", *quick).code == 0
    assert len(world.made) == 2
    assert call(*RUN, sheet("one.csv", ["a kite"])).code == 4
    assert len(world.made) == 2


def test_an_edit_of_a_shared_row_is_reported_and_not_bought(call: Shell, world: World) -> None:
    """The row has its video, as if it had paid for it."""
    assert call(*RUN, sheet("one.csv", ["a kite"])).code == 0
    assert call(*RUN, sheet("two.csv", ["a kite"]), "--adopt-existing").code == 0
    said = call(*RUN[:-1], sheet("two.csv", ["a red kite"]))
    assert "edited after they were paid for" in said.words
    assert len(world.made) == 1
    assert call(*RUN, "two.csv", "--redo-changed").code == 0
    assert [made.prompt for made in world.made] == ["a kite", "a red kite"]


def test_a_shared_file_that_is_gone_is_fetched_again(call: Shell, world: World) -> None:
    """At no cost, as any other."""
    assert call(*RUN, sheet("one.csv", ["a kite"])).code == 0
    assert call(*RUN, sheet("two.csv", ["a kite"]), "--adopt-existing").code == 0
    (job,) = json.loads(call("jobs", "--batch", "two", "--json").out)
    Path(job["file"]).unlink()
    assert call("download", "--batch", "two").code == 0
    (job,) = json.loads(call("jobs", "--batch", "two", "--json").out)
    assert Path(job["file"]).is_file()
    assert len(world.made) == 1


PAIR = ["a heron at dawn", "a swan at dusk"]


def test_swapped_prompts_are_taken_over(call: Shell, world: World) -> None:
    """Each row has the other one's video and file, whatever became of the row that paid for it."""
    assert call(*RUN, sheet("night.csv", PAIR)).code == 0
    files = [Path(job["file"]).read_bytes() for job in call("jobs", "--json").json]
    assert files[0] != files[1]
    said = call(*RUN, sheet("night.csv", PAIR[::-1]), "--redo-changed")
    assert (said.code, len(world.made)) == (4, 2), said.err
    assert "--adopt-existing takes over those videos at no cost" in said.words
    said = call(*RUN, "night.csv", "--adopt-existing")
    assert (said.code, len(world.made)) == (0, 2), said.err
    jobs = call("jobs", "--json").json
    assert [job["generation_id"] for job in jobs] == [world.made[1].id, world.made[0].id]
    assert [Path(job["file"]).read_bytes() for job in jobs] == files[::-1]
    assert call(*RUN, "night.csv").code == 0
    # and back again: each has its own once more
    assert call(*RUN, sheet("night.csv", PAIR), "--redo-changed", "--adopt-existing").code == 0
    jobs = call("jobs", "--json").json
    assert [job["generation_id"] for job in jobs] == [made.id for made in world.made]
    assert [Path(job["file"]).read_bytes() for job in jobs] == files
    assert len(world.made) == 2


def test_a_row_that_was_edited_back_takes_its_own_video(call: Shell, world: World) -> None:
    """There was no money for the edit, and then the first text was the better one."""
    assert call(*RUN, sheet("night.csv", PAIR)).code == 0
    money, world.balance = world.balance, 0
    assert call(*RUN, sheet("night.csv", [PAIR[0], "a crane"]), "--redo-changed").code == 4
    world.balance = money
    said = call(*RUN, sheet("night.csv", PAIR))
    assert said.code == 4
    assert "--adopt-existing takes over those videos at no cost" in said.words
    assert "--adopt-existing takes over those videos" in " ".join(
        call("plan", "night.csv").out.split()
    )
    assert call(*RUN, "night.csv", "--adopt-existing").code == 0
    jobs = call("jobs", "--json").json
    assert [job["generation_id"] for job in jobs] == [made.id for made in world.made]
    assert all(Path(job["file"]).is_file() for job in jobs)
    assert len(world.made) == 2


def test_a_video_is_not_taken_for_two_equal_rows(call: Shell, world: World) -> None:
    """Its first row wants it back, and another one of the sheet has it: two were asked for."""
    assert call(*RUN, sheet("night.csv", PAIR)).code == 0
    assert (
        call(*RUN, sheet("night.csv", PAIR[::-1]), "--redo-changed", "--adopt-existing").code == 0
    )
    assert len(world.made) == 2
    said = call(*RUN, sheet("night.csv", [PAIR[0], PAIR[0]]), "--redo-changed", "--adopt-existing")
    assert (said.code, len(world.made)) == (0, 3), said.err
    names = [job["generation_id"] for job in call("jobs", "--json").json]
    assert names == [world.made[2].id, world.made[0].id]


def test_a_row_bought_anew_leaves_its_first_video_to_others(call: Shell, world: World) -> None:
    """An edit that was paid for has taken its place in the row."""
    assert call(*RUN, sheet("night.csv", PAIR[:1])).code == 0
    assert call(*RUN, sheet("night.csv", PAIR[1:]), "--redo-changed").code == 0
    assert call(*RUN, sheet("night.csv", PAIR[::-1])).code == 4
    assert call(*RUN, "night.csv", "--adopt-existing").code == 0
    jobs = call("jobs", "--json").json
    assert [job["generation_id"] for job in jobs] == [world.made[1].id, world.made[0].id]
    assert len({Path(job["file"]).read_bytes() for job in jobs}) == 2
    assert len(world.made) == 2


def test_a_restored_backup_buys_nothing_again(call: Shell, world: World) -> None:
    """What was throttled in the backup was bought since: the account shows it."""
    sheet("night.csv", SIX)
    world.balance = 240_000
    assert call(*RUN, "night.csv").code == 4
    shutil.copy("batchsora.db", "backup.db")
    world.balance = 10_000_000
    assert call(*RUN, "night.csv").code == 0
    assert len(world.made) == 6
    said = call("--db", "backup.db", *RUN, "night.csv")
    assert (said.code, len(world.made)) == (4, 6), said.err
    assert "4 of these 4 prompts already exist in this account" in said.words
    assert call("--db", "backup.db", *RUN, "night.csv", "--adopt-existing").code == 0
    assert len(world.made) == 6


def refuse(status: int, body: Any) -> Callable[[int, Reply], Reply]:
    """Answer every page so."""
    return lambda _, __: Reply(status, body)


def refuse_later(status: int, body: Any) -> Callable[[int, Reply], Reply]:
    """Answer the first page, and refuse the second."""
    return lambda offset, plain: Reply(status, body) if offset else plain


@pytest.mark.parametrize(
    ("listing", "code", "words"),
    [
        (refuse(401, {"detail": "Bad key"}), 6, "Bad key"),
        (refuse(403, {"detail": "This key may not list"}), 2, "This key may not list"),
        (refuse(404, {"detail": "Not Found"}), 2, "404"),
        (refuse(405, {"detail": "Method Not Allowed"}), 2, "405"),
        (refuse(422, {"detail": "limit is too large"}), 2, "limit is too large"),
        (refuse(400, {"detail": "no listing here"}), 2, "no listing here"),
        (refuse(200, "<!doctype html><title>Welcome</title>"), 2, "could not check whether"),
        (refuse(200, {"welcome": 1}), 2, "could not check whether"),
        (refuse_later(404, {"detail": "no such page"}), 2, "could not check whether"),
        (refuse_later(422, {"detail": "offset is too large"}), 2, "offset is too large"),
    ],
)
def test_a_failed_look_stops_before_the_first_purchase(
    call: Shell, world: Account, listing: Callable[[int, Reply], Reply], code: int, words: str
) -> None:
    """It says what failed, that nothing was bought, and how to buy all the same."""
    for n in range(3):
        world.add_foreign(f"somebody else's {n}", SystemClock().now())
    world.listing = listing
    said = call(*RUN, sheet("night.csv", ["a kite", "a heron"]))
    assert (said.code, len(world.made)) == (code, 3), said.err
    assert words in said.words
    assert "Nothing was bought" in said.words
    assert "--buy-again skips this check" in said.words
    # a list that fails is needed for nothing else while single looks answer
    again = call(*RUN, "night.csv", "--buy-again")
    assert len(world.made) >= 4, again.err


@pytest.mark.parametrize(
    "cut",
    [
        lambda _, plain: Reply(200, plain.body[:20]),
        lambda offset, plain: Reply(200, plain.body[: 90 if offset else 97]),
    ],
    ids=["20 a page", "97 of 100"],
)
def test_short_pages_are_read_on(
    call: Shell, world: Account, cut: Callable[[int, Reply], Reply]
) -> None:
    """What stands behind a short page is found too."""
    sheet("night.csv", SIX)
    assert call(*RUN, "night.csv").code == 0
    now = SystemClock().now()
    for n in range(150):
        world.add(Made(f"f{n}", f"filler {n}", "9:16", 10, 0, None, now, 0.1, foreign=True))
    world.listing = cut
    said = call("--db", "lost.db", *RUN, "night.csv")
    assert (said.code, len(world.made)) == (4, 156), said.err
    assert "6 of these 6 prompts already exist" in said.words


def test_a_list_that_heeds_no_offset_leaves_the_rest_waiting(call: Shell, world: Account) -> None:
    """It says how far it looked; unattended nothing is bought, until a person says so."""
    now = SystemClock().now()
    for n in range(150):
        world.add(Made(f"f{n}", f"filler {n}", "9:16", 10, 0, None, now, 0.1, foreign=True))
    newest: list[Any] = []

    def first_page(offset: int, plain: Reply) -> Reply:
        newest[:] = newest if offset else plain.body
        return Reply(200, list(newest))

    world.listing = first_page
    said = call(*RUN, sheet("night.csv", SIX))
    assert (said.code, len(world.made)) == (4, 150), said.err
    assert "only the newest 100 generations of the account were checked" in said.words
    assert call(*RUN, "night.csv", "--adopt-existing").code == 4
    assert len(world.made) == 150
    world.listing = None
    assert call(*RUN, "night.csv").code == 0
    assert len(world.made) == 156


def test_pictures_are_not_mixed_up(call: Shell, world: World) -> None:
    """One prompt with many pictures: nothing is taken over by itself, and nothing bought."""
    lines = [f"r{n},animate this,https://pictures.test/{n}.png" for n in range(4)]
    Path("night.csv").write_text("\n".join(["id,prompt,image_url", *lines]))
    assert call(*RUN, "night.csv").code == 0
    said = call("--db", "lost.db", *RUN, "night.csv", "--adopt-existing")
    assert (said.code, len(world.made)) == (4, 4), said.err
    assert "differ in image" in said.words
    oldest_first = [made.id for made in world.made]
    places = [said.words.index(name) for name in oldest_first]
    assert places == sorted(places)
    lost = ("--db", "lost.db")
    assert call(*lost, "resolve", "r2", "--generation", oldest_first[2]).code == 0
    assert call(*lost, "resolve", "r1", "--generation", oldest_first[2]).code == 2
    assert call(*lost, *RUN, "night.csv", "--buy-again").code == 0
    assert len(world.made) == 7
    jobs = json.loads(call(*lost, "jobs", "--json").out)
    assert jobs[2]["generation_id"] == oldest_first[2]


def test_variants_are_taken_over_in_their_order(call: Shell, world: World) -> None:
    """Equal rows: the oldest video is the first row's."""
    Path("night.csv").write_text("id,prompt,count\na,a kite,3\n")
    assert call(*RUN, "night.csv", "--max-in-flight", "1").code == 0
    assert call("--db", "lost.db", *RUN, "night.csv", "--adopt-existing").code == 0
    jobs = json.loads(call("--db", "lost.db", "jobs", "--json").out)
    assert [job["generation_id"] for job in jobs] == [made.id for made in world.made]
    assert len(world.made) == 3


def test_what_may_have_been_paid_for_waits_too(
    call: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submission whose answer was lost may have been bought: its copy is not bought beside it."""
    world = World(time_scale=2000.0)
    faults = Faults.parse("list=altered:enhance,drop=1")
    with SandboxServer(world, faults=faults) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        sheet("first.csv", SIX[:1])
        assert call(*RUN, "first.csv", "--grace", "0.3").code == 7
        said = call(*RUN, sheet("again.csv", SIX[:1]), "--grace", "0.3")
        assert said.code in (4, 7)
        assert len(world.made) == 1
        # there is no finished video that could be taken
        assert "They have no finished video to take over, so they are held back" in said.words
        assert "--adopt-existing takes over those videos" not in said.words
        assert "--adopt-existing" not in call("plan", "again.csv").out


SPELLED = {
    "as it was": lambda prompt: prompt,
    "in another Unicode form": lambda prompt: unicodedata.normalize("NFD", prompt),
    "with two spaces": lambda prompt: prompt.replace(" ", "  "),
    "with spaces that don't break": lambda prompt: prompt.replace(" ", "\u00a0"),
    "with a blank at its end": lambda prompt: f"{prompt} ",
}


@pytest.mark.parametrize("first", SPELLED)
@pytest.mark.parametrize("then", ["as it was", "in another Unicode form", "with two spaces"])
def test_a_prompt_in_another_spelling_is_the_same_video(
    call: Shell, world: Account, first: str, then: str
) -> None:
    """Two were paid for, in whatever spelling; of three equal rows two wait."""
    prompt = "a café on the quay"
    call(*RUN, sheet("a.csv", [SPELLED[first](prompt), prompt]))
    assert len(world.made) == 2
    call(*RUN, sheet("b.csv", [SPELLED[then](prompt)] * 3))
    assert len(world.made) == 3


def test_a_video_is_taken_over_by_a_row_that_spells_its_prompt_otherwise(
    call: Shell, world: Account
) -> None:
    call(*RUN, sheet("a.csv", [SPELLED["with two spaces"]("a café on the quay")]))
    again = sheet("b.csv", [SPELLED["in another Unicode form"]("a café on the quay")])
    assert call(*RUN, again).code == 4
    assert call(*RUN, again, "--adopt-existing").code == 0
    assert len(world.made) == 1


def test_another_spelling_of_another_video_is_another_video(call: Shell, world: Account) -> None:
    """Its duration is another."""
    Path("a.csv").write_text("id,prompt,duration\nr0,a  boat,10\n")
    Path("b.csv").write_text("id,prompt,duration\nr0,a boat,15\n")
    call(*RUN, "a.csv")
    call(*RUN, "b.csv", "--buy-again")
    assert len(world.made) == 2
    Path("c.csv").write_text("id,prompt,duration\nr0,a   boat,15\n")
    call(*RUN, "c.csv")
    assert len(world.made) == 2
