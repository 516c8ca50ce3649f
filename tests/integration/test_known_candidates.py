"""People see what is known: ``resolve --never-made`` asks, and what turned up is told by all."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual
from support.refused import refused
from support.shell import call

from batchsora.presentation.errors import message
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.errors import NotAllowedError
from jobs.model.provider import Generation
from jobs.reconciliation.by_word import look_for, resolve_as, resolve_never_made
from jobs.store import latecomers, outcomes, views

NEVER_MADE = ("resolve", "r0", "--never-made", "--force", "--grace", "0")
QUICK = ("--rate", "0", "--poll-interval", "0.05", "--no-download", "--retries", "0")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An account, and a folder with a manifest of one row."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "candidates-test")
    Path("night.csv").write_text("id,prompt\nr0,a red kite\n")
    return World(time_scale=2000.0)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Serve the account with some faults, always at the same address."""
    port = 0

    @contextmanager
    def serve(world: World, **faults: float) -> Iterator[SandboxServer]:
        nonlocal port
        with SandboxServer(world, port, Faults(**faults)) as server:
            port = int(server.url.rpartition(":")[2])
            monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
            yield server

    return serve


def test_never_made_with_candidates_known_asks_for_force(
    world: World, served: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two generations could be the row's: a word is not enough, and they are named."""
    with served(world, drop=1.0, twin=1.0):
        assert call("run", "night.csv", "--budget", "1", "--grace", "0.3", *QUICK).exit_code == 7
        words = ("resolve", "r0", "--never-made", "--grace", "0")
        done = call(*words)
        assert done.exit_code == 2
        said = message(done.exception)
        oldest = sorted(world.made, key=lambda made: (made.created_at, made.id))
        assert said.index(oldest[0].id) < said.index(oldest[1].id)
        assert "completed" in said
        assert "--force" in said
        monkeypatch.delenv("RUNBLOB_API_KEY")
        assert call(*words).exit_code == 2  # known without a look
        monkeypatch.setenv("RUNBLOB_API_KEY", "candidates-test")
    with served(world, flaky=1.0):
        done = call(*words)
        assert done.exit_code == 2
        assert "could be any of these" in message(
            done.exception
        )  # known, though it can't be read now
        assert json.loads(call("show", "r0", "--json").stdout)["status"] == "in_doubt"
        assert call(*words, "--force").exit_code == 0


def in_doubt(tmp_path: Path) -> Engine:
    """A row in doubt of which nothing is known yet; its generation is in the account."""
    engine = Engine(tmp_path, Invariants())
    engine.announce(s10=120_000)
    engine.provider.script = {"prompt of r0": ["made"]}
    engine.load([spec("r0")])
    engine.run(
        during=lambda runner: asyncio.get_running_loop().call_later(0.5, runner.stop), grace=60
    )
    assert engine.jobs()["r0"].state == "in_doubt"
    engine.clock.start += timedelta(minutes=1)
    return engine


def never_made(engine: Engine, *, look: bool, force: bool = False) -> None:
    job = engine.store.read(lambda c: views.find_job(c, "r0"))

    async def main() -> None:
        grace, trouble = timedelta(0), ""
        if look:
            found = await look_for(engine.store, engine.provider, engine.clock, job, grace)
            trouble = found.trouble
        resolve_never_made(
            engine.store, engine.clock, job, grace=grace, force=force, trouble=trouble
        )

    run_virtual(main())


def test_a_fresh_look_finds_what_nobody_noted(tmp_path: Path) -> None:
    """The list shows a generation of the prompt: it is named, kept, and asked about."""
    engine = in_doubt(tmp_path)
    with refused(NotAllowedError, match="gen-0"):
        never_made(engine, look=True)
    (attempt,) = engine.attempts()
    assert [one["generation_id"] for one in attempt.candidates] == ["gen-0"]
    never_made(engine, look=True, force=True)
    assert engine.jobs()["r0"].state == "queued"


def test_a_look_that_finds_nothing_lets_a_word_count(tmp_path: Path) -> None:
    """Other prompts, and what is older than the doubt, are none of it."""
    engine = in_doubt(tmp_path)
    engine.provider.made[0].prompt = "somebody else's"
    never_made(engine, look=True)
    assert engine.jobs()["r0"].state == "queued"


def test_what_is_paid_for_twice_is_told_by_every_command(
    world: World, served: Callable[..., Any]
) -> None:
    """Hidden until it was bought again: reconcile, status and show name it, and advise nothing."""
    with served(world, drop=1.0, lag=3600.0):
        for _ in range(3):  # each is made, and a person says that it was not
            done = call("run", "night.csv", "--budget", "5", "--grace", "0.1", *QUICK)
            assert done.exit_code == 7
            assert call(*NEVER_MADE).exit_code == 0
    bought = len(world.made)
    assert bought == 3
    with served(world):
        done = call("reconcile", "--grace", "0.1", "--json")
        assert done.exit_code == 7
        twice = json.loads(done.stdout)["paid_twice"]
        assert len(twice) == bought - 1
        assert {one["price"] for one in twice} == {"0.12"}
        again = call("reconcile", "--grace", "0.1")
        assert again.exit_code == 0
        assert again.stdout.count("paid twice   r0 in night") == bought - 1
        assert "$0.24 paid for twice" in call("status").stdout
        (batch,) = json.loads(call("status", "--json").stdout)["batches"]
        assert batch["paid_twice"] == "0.24"
        assert batch["money"]["charged"] == "0.36"
        shown = call("show", "r0").stdout
        assert shown.count("was bought again: paid for twice") == bought - 1
        assert "its video is the row's" in shown
        assert "retry" not in shown
        assert call("run", *QUICK).exit_code == 0
        assert len(world.made) == bought


def test_a_void_that_turned_up_is_told_by_the_run_that_sees_it(
    world: World, served: Callable[..., Any]
) -> None:
    """A person said never made; a short run looks first, takes the video and buys nothing."""
    with served(world, drop=1.0, lag=3600.0):
        call("run", "night.csv", "--budget", "0.12", "--grace", "0.1", *QUICK)
        assert call(*NEVER_MADE).exit_code == 0
    assert len(world.made) == 1
    before = len(world.made)
    with served(world):
        done = call("run", "night.csv", "--budget", "5", *QUICK)
        assert "turned up after they had counted as never made" in done.stderr
        assert len(world.made) == before


def test_what_a_run_found_meanwhile_is_no_other_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person names a generation, and while the provider is asked a run settles an equal row."""
    engine = Engine(tmp_path, Invariants())
    engine.announce(s10=120_000)
    engine.provider.script = {"a kite": ["made", "made"]}
    engine.load([spec("r0", "a kite"), spec("r1", "a kite", row=1)])
    engine.run(
        during=lambda runner: asyncio.get_running_loop().call_later(0.5, runner.stop), grace=60
    )
    mine, other = engine.attempts()
    assert {mine.state, other.state} == {"in_doubt"}
    asked = engine.provider.generation

    async def beside(generation_id: str) -> Generation:
        now = engine.clock.now()
        assert engine.store.write(lambda c: outcomes.adopt(c, other.id, "gen-0", now))
        return await asked(generation_id)

    monkeypatch.setattr(engine.provider, "generation", beside)
    job = engine.store.read(lambda c: views.find_job(c, "r0"))
    with refused(NotAllowedError, match="gen-0 belongs to job 'r1' of 'night' already"):
        run_virtual(
            resolve_as(engine.store, engine.provider, engine.clock, job, "gen-0", force=False)
        )
    now = engine.clock.now()
    assert not engine.store.write(lambda c: outcomes.adopt(c, mine.id, "gen-0", now))
    assert engine.store.write(lambda c: outcomes.void(c, mine.id, "never made", now))
    assert engine.store.write(lambda c: latecomers.reappear(c, mine.id, "gen-0", now)) is None
    assert [one.generation_id for one in engine.attempts()] == [None, "gen-0"]
