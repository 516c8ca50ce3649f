"""Our own past, where a run is handed rows, serves several batches, or rows come beside it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crash.night import TOKEN, Night
from support.shell import call

from batchsora.composition.databases import existing_store
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Reply, World
from batchsora.usecases import start
from batchsora.usecases.bought_already import settle_earlier
from batchsora.usecases.load import LoadOptions, load_manifest
from batchsora.usecases.manifest_options import Source
from jobs.ports.control import Terms
from jobs.store import Store

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download")
LONG = "a train that takes all night"
NO_CREDIT = Reply(402, {"detail": "INSUFFICIENT_CREDITS"})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider, and two manifests of which the second has the rows of the first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    Path("a.csv").write_text("id,prompt\na0,a boat\na1,a bird\na2,a bell\n")
    Path("b.csv").write_text("id,prompt\nb0,a boat\nb1,a bird\nb2,a bell\n")
    Path("long.csv").write_text(f"id,prompt\nlong,{LONG}\n")
    return World(time_scale=2000.0)


def bought(world: World) -> Counter[str]:
    return Counter(item.prompt for item in world.made if item.prompt != LONG)


def unbought(world: World, patch: pytest.MonkeyPatch) -> None:
    """Run a.csv while there is no credit: its rows were looked for, and stay queued."""
    take: Any = world.generate
    patch.setattr(world, "generate", lambda *_: NO_CREDIT)
    call("run", "a.csv", "--budget", "9", *QUICK)
    patch.setattr(world, "generate", take)
    assert not bought(world)


@pytest.mark.parametrize("how", ["resumed", "retried", "resumed, control", "retried, control"])
def test_rows_whose_videos_another_batch_has_are_handed_over(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    night = Night(Path.cwd(), api.url)
    unbought(world, monkeypatch)
    if "retried" in how:
        assert call("cancel", "a0", "a1", "a2", "--yes").exit_code == 0
    else:
        assert call("pause", "a").exit_code == 0
    said = call("run", "b.csv", "--budget", "9", *QUICK)
    assert said.exit_code == 0, said.output
    assert set(bought(world).values()) == {1}
    if "control" in how:
        words = ("resume", "a") if "resumed" in how else ("retry", "a0", "a1", "a2", "--yes")
        assert call(*words).exit_code == 0
        said = call("run", "--batch", "a", "--budget", "9", *QUICK)
        assert said.exit_code == 4
    else:
        with night.start("run", "long.csv", "--budget", "9", *QUICK) as running:
            found = running.until(lambda: [item for item in world.made if item.prompt == LONG])
            found[0].takes = 10.0**6
            words = ("resume", "a") if how == "resumed" else ("retry", "a0", "a1", "a2", "--yes")
            said = call(*words)
            assert "the active run takes over" in said.output
            open_ones = "SELECT id FROM job WHERE handed AND state NOT IN ('completed', 'failed')"
            running.until(lambda: not night.rows(open_ones))
            found[0].takes = 0.1
            running.communicate(timeout=60)
    assert set(bought(world).values()) == {1}, bought(world)


@pytest.mark.parametrize("together", [True, False])
def test_two_batches_with_the_same_rows_in_one_run(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    """One after the other the second waits; a run of every unfinished batch buys both."""
    del api
    unbought(world, monkeypatch)
    take: Any = world.generate
    monkeypatch.setattr(world, "generate", lambda *_: NO_CREDIT)
    said = call("run", "b.csv", "--budget", "9", *QUICK)
    monkeypatch.setattr(world, "generate", take)
    if together:
        said = call("run", *QUICK, "--budget", "9")
    else:
        said = call("run", "--batch", "a", *QUICK, "--budget", "9")
        said = call("run", "--batch", "b", *QUICK, "--budget", "9")
    assert set(bought(world).values()) == {1}, bought(world)
    assert said.exit_code == 4


SPELLED = {
    "a.csv": "a  red boat,a café,a sea\u00a0bird",
    "b.csv": "a red boat ,a cafe\u0301,a sea bird",
}


@pytest.mark.parametrize("together", [True, False])
def test_two_batches_that_ask_for_the_same_in_other_spellings(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    """White space and the Unicode form make no other video, in one run or one after the other."""
    del api
    take: Any = world.generate
    monkeypatch.setattr(world, "generate", lambda *_: NO_CREDIT)
    for name, prompts in SPELLED.items():
        rows = "".join(f'r{n},"{prompt}"\n' for n, prompt in enumerate(prompts.split(",")))
        Path(name).write_text(f"id,prompt\n{rows}", "utf-8")
        call("run", name, "--budget", "9", *QUICK)
    monkeypatch.setattr(world, "generate", take)
    for batches in [()] if together else [("--batch", "a"), ("--batch", "b")]:
        said = call("run", *batches, *QUICK, "--budget", "9")
    assert len(bought(world)) == 3, bought(world)
    assert set(bought(world).values()) == {1}
    assert said.exit_code == 4
    said = call("retry", "--batch", "b", "r0", "--yes")
    assert said.exit_code == 0, said.output
    call("run", *QUICK, "--budget", "9")
    assert len(bought(world)) == 4, "a person said to buy it again"


@pytest.mark.parametrize("made", [False, True])
def test_what_the_page_loads_between_look_and_purchase_is_not_released_by_that_run(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, *, made: bool
) -> None:
    """As while the question of a run waits for its answer.

    The page loads as a run begins that does not serve yet, and its own look fails: "nothing was
    handed over".
    """
    del api
    if made:
        world.add_foreign("a kite", datetime.now(UTC))

    def then_load(store: Store, *more: Any, **words: Any) -> Any:
        found = settle_earlier(store, *more, **words)
        Path("a.csv").write_text("id,prompt\na0,a boat\na1,a bird\na2,a bell\na3,a kite\n")
        with existing_store(store.path) as page:
            options = LoadOptions(name="a", quiet=True)
            manifest = Source(Path("a.csv")).opened(Path("fitted"))
            load_manifest(page, manifest, options, Terms(), datetime.now(UTC))
        return found

    monkeypatch.setattr(start, "settle_earlier", then_load)
    call("run", "a.csv", "--budget", "9", *QUICK)
    assert bought(world)["a kite"] == made, bought(world)


@pytest.mark.parametrize("whose", ["the account's", "our own"])
@pytest.mark.parametrize("beside", [True, False])
def test_a_row_that_failed_in_the_run_is_retried_with_a_prompt_that_has_a_video(
    world: World, api: SandboxServer, *, beside: bool, whose: str
) -> None:
    """Over HTTP, in processes; before a run it waits."""
    night = Night(Path.cwd(), api.url)
    world.failures = {"a kite": ["Content policy violation"] * 9}
    Path("kite.csv").write_text(f"id,prompt\nk0,a kite\nlong,{LONG}\n")
    if whose == "our own":
        assert call("run", "a.csv", "--budget", "9", *QUICK).exit_code == 0
    else:
        world.add_foreign("a boat", datetime.now(UTC) - timedelta(hours=1))
    with night.start("run", "kite.csv", "--budget", "9", *QUICK) as running:
        found = running.until(lambda: [item for item in world.made if item.prompt == LONG])
        found[0].takes = 10.0**6
        running.until(lambda: night.states()["failed"] == 1)
        if not beside:
            found[0].takes = 0.1
            running.communicate(timeout=60)
        said = call("retry", "k0", "--prompt", "a boat", "--yes")
        assert said.exit_code == 0, said.output
        if beside:
            assert "the active run takes over" in said.output
            moved = (
                "SELECT id FROM job WHERE key = 'k0' AND (state = 'completed' OR held_back > '')"
            )
            running.until(lambda: night.rows(moved))
            found[0].takes = 0.1
            running.communicate(timeout=60)
        else:
            assert call("run", "--batch", "kite", "--budget", "9", *QUICK).exit_code == 4
    assert bought(world)["a boat"] == 1, bought(world)
