"""A request is known again in any spelling: in our past, the list, a claim, and by its void."""

import asyncio
import json
import sqlite3
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crash.night import TOKEN, Night
from sqlalchemy import text
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual
from support.sheets import QUICK, bought, run, sheet
from support.shell import call

from batchsora.presentation.errors import message
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.provider import Generation, GenerationPhase, InDoubt
from jobs.model.retry import RetryPolicy
from jobs.model.states import FailureKind, HeldBack
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import find_earlier, take_over
from jobs.store import holding, outcomes, past

BROKEN = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="render error")
CONTENT = "The prompt violates the content policy"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    return World(time_scale=2000.0)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    return made


@pytest.mark.parametrize("between", ["bought", "cap"])
def test_a_failed_row_edited_and_edited_back_buys_what_another_batch_has(
    world: World, api: SandboxServer, between: str
) -> None:
    """a.csv fails, b.csv has the video; a.csv is edited and edited back: no word was said."""
    del api
    world.failures = {"a kite": [CONTENT], "a kite, blue": [CONTENT]}
    sheet("a.csv", "a kite")
    assert run("a.csv").exit_code == 3
    sheet("b.csv", "a kite")
    assert run("b.csv").exit_code == 0
    assert bought(world) == {"a kite": 2}
    sheet("a.csv", "a kite, blue")
    said = run("a.csv") if between == "bought" else call("run", "a.csv", "--budget", "0", *QUICK)
    sheet("a.csv", "a kite")
    said = run("a.csv")
    assert bought(world)["a kite"] == 2, (said.exit_code, said.output)


def test_a_video_that_was_shared_across_spellings_holds_no_wanted_row_back(
    world: World, api: SandboxServer
) -> None:
    """The row has its own video in another spelling; an equal row is wanted, and is new."""
    del api
    sheet("a.csv", "un café")
    assert run("a.csv").exit_code == 0
    other = unicodedata.normalize("NFD", "un café")
    sheet("a.csv", other)
    said = run("a.csv", "--redo-changed", "--adopt-existing")
    assert said.exit_code == 0, said.output
    assert len(world.made) == 1
    sheet("a.csv", other, other)
    said = run("a.csv")
    assert (said.exit_code, len(world.made)) == (0, 2), said.output


def test_a_row_that_was_bought_in_its_own_spelling_holds_no_wanted_row_back(
    world: World, api: SandboxServer
) -> None:
    del api
    sheet("a.csv", "un café")
    assert run("a.csv").exit_code == 0
    sheet("a.csv", "un café", "un café")
    said = run("a.csv")
    assert (said.exit_code, len(world.made)) == (0, 2), said.output


@pytest.mark.parametrize("again", ["a kite", "a  kite", "a kite "])
def test_generate_in_another_spelling_while_it_may_finish(
    world: World, api: SandboxServer, again: str
) -> None:
    """The same video is under way: only --again buys another one."""
    del api
    world.time_scale = 0.001
    assert call("generate", "a kite", "--budget", "9").exit_code == 0
    said = call("generate", again, "--budget", "9")
    assert len(world.made) == 1, said.output
    assert "--again" in message(said.exception)


@pytest.mark.parametrize("edited", ["prompt of r0", "prompt  of r0", "prompt of r0 "])
@pytest.mark.parametrize("later", [0, 2])
def test_what_a_void_of_ours_made_is_charged_however_the_row_is_spelled(
    engine: Engine, edited: str, later: int
) -> None:
    """A person said never made; the row's white space is edited; then its video is taken over."""
    engine.provider.script = {"prompt of r0": ["made"]}
    engine.provider.hides = {"gen-0": 600.0}
    engine.load([spec("r0")])
    engine.run(during=lambda runner: asyncio.get_running_loop().call_later(0.5, runner.stop))
    (attempt,) = engine.attempts()
    now = engine.clock.now()
    assert engine.store.write(lambda c: outcomes.void(c, attempt.id, "said so", now, on_word=True))
    engine.load([spec("r0", edited)], held_back=HeldBack.NOT_LOOKED)
    engine.clock.start += timedelta(hours=1 + later)

    async def look() -> int:
        sought = engine.store.spool(lambda c: holding.note(c, Sought([1])))
        work = await find_earlier(engine.store, engine.provider, engine.clock, sought)
        engine.store.adoption.hold_back(work)
        return take_over(engine.store, work, engine.clock.now())

    taken = run_virtual(look())
    engine.clock._last = 0.0
    engine.run()
    assert engine.jobs()["r0"].state == "completed"
    assert engine.provider.charged == 120_000, "bought once"
    (budget,) = engine.rows(text("SELECT charged_micros FROM budget WHERE key = 'batch:1'"))
    assert budget.charged_micros == 120_000, (taken, engine.attempts())


@pytest.mark.parametrize("second", ["un café", unicodedata.normalize("NFD", "un café"), "un  café"])
def test_rows_of_one_text_take_over_what_exists(
    world: World, api: SandboxServer, second: str
) -> None:
    """They differ in nothing that the provider would make otherwise."""
    del api
    for _ in range(2):
        world.add_foreign("un café", datetime.now(UTC) - timedelta(hours=1))
    sheet("a.csv", "un café", second)
    said = run("a.csv", "--adopt-existing")
    assert (said.exit_code, len(world.made)) == (0, 2), said.output


@pytest.mark.parametrize("second", ["a kite", "a  kite"])
def test_a_row_beside_an_unsettled_one_of_its_text(engine: Engine, second: str) -> None:
    """An equal row is wanted; what the run says of it."""
    engine.provider.script = {"a kite": [InDoubt("dropped")]}
    engine.load([spec("a", "a kite"), spec("b", second, row=1), spec("c", "other", row=2)])
    ending = engine.run()
    states = {key: job.state for key, job in engine.jobs().items()}
    assert states["b"] == "completed", (ending, states)


@pytest.mark.parametrize("fails", [True, False])
def test_a_row_that_waits_for_its_retry_is_looked_for_in_what_another_batch_bought_since(
    engine: Engine, *, fails: bool
) -> None:
    """The first batch's row failed by the provider's fault; the second one bought the video."""
    if fails:
        engine.provider.ends = {"old": [BROKEN]}
        runners: list[Any] = []

        def stop_at_the_failure(name: str) -> None:
            if name == "look-written" and engine.jobs()["a"].retries:
                runners[0].stop()

        engine.load([spec("a", "old")])
        engine.run(
            during=runners.append,
            checkpoint=stop_at_the_failure,
            retry=RetryPolicy(2, base=5000.0, ceiling=5000.0),
        )
    else:
        engine.load([spec("a", "old")])
    assert engine.jobs()["a"].state == "queued"
    engine.load([spec("b", "old")], batch="copy")
    assert engine.store.write(lambda c: past.hold(c, Sought((2,)))) == []
    engine.run((2,))
    assert engine.jobs()["b"].state == "completed"
    engine.store.write(lambda c: past.hold(c, Sought((1,))))
    made = len(engine.provider.made)
    engine.run((1,))
    assert len(engine.provider.made) == made, engine.jobs()["a"].state


def test_a_killed_runs_retry_is_not_bought_beside_the_copy_that_has_the_video(
    world: World, api: SandboxServer
) -> None:
    """SIGKILL while a row waits for its retry; the copy buys the video; then the first again."""
    night = Night(Path.cwd(), api.url)
    world.failures = {"a kite": ["Internal error while rendering the video"]}
    sheet("a.csv", "a kite")
    sheet("b.csv", "a kite")
    options = ("--budget", "9", "--rate", "0", "--poll-interval", "0.05", "--no-download")
    with night.start("run", "a.csv", *options, "--retries", "2") as running:
        waits = "SELECT id FROM job WHERE state = 'queued' AND retries = 1"
        running.until(lambda: night.database.exists() and _found(night, waits))
        running.kill()
        running.communicate(timeout=60)
    assert len(world.made) == 1
    assert run("b.csv").exit_code == 0
    assert len(world.made) == 2
    said = run("a.csv")
    assert len(world.made) == 2, (said.exit_code, said.output)


def _found(night: Night, query: str) -> bool:
    try:
        return bool(night.rows(query))
    except sqlite3.OperationalError:
        return False


@pytest.mark.parametrize("spelled", ["a kite, blue", "a  kite, blue"])
def test_an_edit_that_was_bought_after_a_backup_waits(
    world: World, api: SandboxServer, spelled: str
) -> None:
    del api
    world.failures = {"a kite": [CONTENT]}
    sheet("a.csv", "a boat", "a kite")
    assert run("a.csv").exit_code == 3
    before = Path("batchsora.db").read_bytes()
    sheet("a.csv", "a boat", "a kite, blue")
    assert run("a.csv").exit_code == 0
    for left in Path().glob("batchsora.db*"):
        left.unlink()
    Path("batchsora.db").write_bytes(before)
    sheet("a.csv", "a boat", spelled)
    said = run("a.csv")
    assert bought(world)["a kite, blue"] == 1, said.output


@pytest.mark.parametrize("new", ["a kite, blue", "a boat", "a  boat"])
def test_plan_counts_the_edit_of_a_failed_row(world: World, api: SandboxServer, new: str) -> None:
    del api
    world.failures = {"a kite": [CONTENT]}
    sheet("a.csv", "a boat", "a kite")
    assert run("a.csv").exit_code == 3
    sheet("a.csv", "a boat", new)
    plan = json.loads(call("plan", "a.csv", "--json").stdout)
    said = run("a.csv")
    assert plan["to_buy"] == len(world.made) - 2, (plan, said.output)


@pytest.mark.parametrize("kind", ["15", "16:9"])
def test_other_parameters_in_another_spelling_are_bought(
    world: World, api: SandboxServer, kind: str
) -> None:
    del api
    sheet("a.csv", "un café")
    assert run("a.csv").exit_code == 0
    head, cell = ("duration", "15") if kind == "15" else ("orientation", "16:9")
    other = unicodedata.normalize("NFD", "un café")
    Path("b.csv").write_text(f"id,prompt,{head}\nr0,{other},{cell}\n", "utf-8")
    said = run("b.csv")
    assert (said.exit_code, len(world.made)) == (0, 2), said.output
