"""``batchsora.Batch``: what the command line does, from a program, against the sandbox."""

import asyncio
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.shell import call

from batchsora import Batch
from batchsora.composition.databases import existing_store
from batchsora.sandbox.world import World
from batchsora.settings import SettingsError
from batchsora.usecases import start
from batchsora.usecases.bought_already import settle_earlier
from batchsora.usecases.load import InvalidRowsError
from jobs.model.errors import NotAllowedError, NotFoundError

QUICK: dict[str, Any] = {"poll_interval": 0.05, "rate": 0.0, "download": None}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider whose videos take half a second, and a folder with a manifest."""
    monkeypatch.chdir(tmp_path)
    rows = [f"r{n},a heron in reeds {n},summer" for n in range(4)]
    Path("night.csv").write_text("\n".join(["id,prompt,campaign", *rows]))
    return World(time_scale=2000.0)


def batch(**more: Any) -> Batch:
    """Open the manifest with a token that is nowhere else."""
    return Batch("night.csv", token="from-the-program", **more)


@pytest.mark.usefixtures("api")
def test_a_run_from_a_program_is_the_command_lines(world: World) -> None:
    """Plan, run under the cap, look at the results, go on by name."""
    seen: list[dict[str, Any]] = []
    assert batch().plan()["cost"] == "0.48"
    report = batch().run(seen.append, budget="0.24", **QUICK)
    assert (report.exit, report.done) == (4, False)
    assert report.status["money"]["charged"] == "0.24"
    assert any("--budget" in note for note in report.notes)
    assert [status["batch"] for status in seen] == ["night"] * len(seen)
    assert seen[-1]["jobs"]["completed"] == 2
    again = Batch(name="night", token="from-the-program").run(budget=Decimal(1), **QUICK)
    assert again.done
    assert len(world.made) == 4
    results = list(batch().results())
    assert [job.key for job in results] == ["r0", "r1", "r2", "r3"]
    assert {job.price for job in results} == {Decimal("0.12")}
    assert results[0].to_dict()["campaign"] == "summer"
    assert list(batch().results("failed")) == []


@pytest.mark.usefixtures("api")
def test_nothing_is_bought_without_a_cap_or_a_word(world: World) -> None:
    """There is nobody to ask; the rows are loaded all the same."""
    with pytest.raises(NotAllowedError, match="--budget"):
        batch().run(**QUICK)
    assert not world.made
    assert batch().status()["jobs"]["queued"] == 4
    assert batch().run(yes=True, **QUICK).done
    with pytest.raises(TypeError, match="budget"):
        batch().run(budget=0.1, **QUICK)  # type: ignore[arg-type]


@pytest.mark.usefixtures("api")
def test_rows_that_are_loaded_under_a_cap_are_looked_for_first(world: World) -> None:
    """Nobody buys them before; a run looks, and does."""
    batch().load(budget="5.00")
    assert batch().status()["held_back"] == {"not_looked": 4}
    assert batch().run(**QUICK).done
    assert (batch().status()["held_back"], len(world.made)) == ({}, 4)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("terms", "error", "says"),
    [
        ({"bugdet": "0.12"}, TypeError, "did you mean 'budget'"),
        ({"budget": 0.12}, TypeError, "budget: write it as text"),
        ({"budget": "abc"}, ValueError, "budget: 'abc' is not a valid amount in USD"),
        ({"campaign_budgets": "6.00"}, TypeError, "amounts by name"),
        ({"download": 5}, TypeError, "download"),
        ({"observer": 5}, TypeError, "the observer must be a function"),
        ({"campaign_budgets": {"a": 1.5}}, TypeError, r"campaign_budgets\['a'\]"),
        ({"first": 0}, ValueError, "first must be from 1"),
        ({"sample": 2, "first": 1}, ValueError, "not both"),
        ({"poll_interval": -1}, ValueError, "poll_interval must be from 0.05"),
        ({"rate": -1}, ValueError, "rate"),
        ({"retries": 2.5}, TypeError, "whole number"),
        ({"max_in_flight": True}, TypeError, "max_in_flight"),
        ({"yes": "no"}, TypeError, "True or False"),
        ({"on_existing": "maybe"}, ValueError, "maybe"),
    ],
)
def test_terms_that_can_not_be_kept_are_refused(
    world: World, terms: dict[str, Any], error: type[Exception], says: str
) -> None:
    """A misspelt cap would cap nothing."""
    Path("m.csv").write_text("prompt\nA fox\n")
    with pytest.raises(error, match=says):
        Batch("m.csv").run(**({"yes": True} | terms))
    assert not world.made
    assert not Path("batchsora.db").exists()


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("folder", ["night.csv/videos", "a" * 300, "/dev/null"])
def test_a_folder_that_takes_no_videos_is_refused_before_they_are_bought(
    world: World, folder: str
) -> None:
    """Also of a single video; nothing is bought to find it out."""
    with pytest.raises(SettingsError, match="can't be saved in"):
        batch().run(**{**QUICK, "budget": "1", "download": folder})
    done = call("generate", "a kite", "--budget", "1", "--wait", "--download", folder)
    assert done.exit_code == 2
    assert world.made == []


@pytest.mark.parametrize("name", ["name", "base_url", "sheet", "encoding", "defaults", "token"])
def test_what_is_not_text_is_refused(name: str) -> None:
    """By its name, before anything is read; a token is not shown."""
    given: dict[str, Any] = {name: {"duration": 1234} if name == "defaults" else 1234}
    with pytest.raises(TypeError, match=f"{name} must be text") as caught:
        Batch("m.csv", **given)
    assert ("1234" in str(caught.value)) == (name != "token")


@pytest.mark.usefixtures("world")
def test_errors_reach_the_caller() -> None:
    """They are the same ones that the command line turns into words."""
    with pytest.raises(ValueError, match="manifest"):
        Batch()
    assert batch(database="empty.db").load().added == 4
    with pytest.raises(NotFoundError):
        list(Batch(name="nobody", database="empty.db").results())
    Path("night.csv").write_text("id,prompt\nr1,\n")
    with pytest.raises(InvalidRowsError):
        batch().run(yes=True, **QUICK)


@pytest.mark.usefixtures("api")
def test_inside_a_running_loop_the_loop_stays_free(world: World) -> None:
    """As in a notebook: other tasks go on, and a cancelled run stops and writes everything down."""
    world.time_scale = 200.0
    ticks: list[int] = []

    async def notebook() -> None:
        async def tick() -> None:
            while True:
                ticks.append(1)
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        running = asyncio.create_task(batch().run_async(budget="1", **QUICK))
        while not world.made:  # noqa: ASYNC110 - the provider is another thread
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        ticking.cancel()

    asyncio.run(notebook())
    assert len(ticks) > 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("run of")]
    left = batch().status()["jobs"]
    assert left["submitting"] == left["in_doubt"] == 0
    assert left["pending"] + left["processing"] == len(world.made)
    world.time_scale = 1e6
    assert batch().run(**QUICK).done
    assert len(world.made) == 4


@pytest.mark.usefixtures("api")
def test_an_observer_that_breaks_is_told_when_all_is_safe(world: World) -> None:
    """Its error is the caller's; the run was not cut off by it."""

    def observer(status: dict[str, Any]) -> None:
        raise LookupError(status["batch"])

    with pytest.raises(LookupError, match="night"):
        batch().run(observer, budget="1", **QUICK)
    assert batch().status()["jobs"]["completed"] == len(world.made) == 4


@pytest.mark.usefixtures("world")
def test_a_rehearsal_needs_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its database is another one."""
    monkeypatch.delenv("RUNBLOB_API_KEY", raising=False)
    report = Batch("night.csv", sandbox=True).run(download=None, rate=0.0)
    assert report.done
    assert not Path("batchsora.db").exists()


@pytest.mark.usefixtures("api")
def test_a_stop_that_is_asked_for_during_the_look_is_heeded_before_anything_is_bought(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page tells that the run stops: it may have no id by then. The next run is not stopped."""

    def asked_meanwhile(*given: Any, **more: Any) -> Any:
        found = settle_earlier(*given, **more)
        with existing_store(Path("batchsora.db")) as store:
            store.control.stop_run()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(start, "settle_earlier", asked_meanwhile)
        report = batch().run(budget="5", **QUICK)
    assert report.exit == 130
    assert not world.made
    assert batch().run(budget="5", **QUICK).done
