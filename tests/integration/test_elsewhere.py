"""Two copies of a database buy on one account at the same time: both notice, and stop."""

import asyncio
import csv
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual
from support.shell import Shell

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.clock import SystemClock
from jobs.model.provider import FailureKind, Generation, GenerationPhase, GenerationRequest
from jobs.model.retry import RetryPolicy
from jobs.model.states import HeldBack, Reason
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier
from jobs.store import holding, steering

ROWS, TOGETHER = 60, 4
ALARM = "somebody else is buying the same rows on this account"
EXISTS = "already exist in this account"
PACE = ("--poll-interval", "0.05", "--rate", "0", "--no-download", "--max-in-flight", f"{TOGETHER}")


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """Call commands in a folder with a manifest, with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-elsewhere")
    with Path("night.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "prompt"])
        writer.writerows([f"r{n}", f"a heron in reeds {n}"] for n in range(ROWS))
    return Shell(capfd)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A provider whose videos take a second or two, at the address in the environment."""
    made = World(time_scale=500.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def started(database: str, *words: str) -> "subprocess.Popen[str]":
    """Run a database in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "batchsora", "--db", database, "run", *words, *PACE],
        env=os.environ.copy(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_copies_of_a_database_do_not_buy_it_all_twice(call: Shell, world: World) -> None:
    """The overlap is at most what both had in flight before a page showed it, and both say so."""
    assert call("run", "night.csv", "--no-download").code == 2  # loaded, and nothing bought
    shutil.copy("batchsora.db", "copy.db")
    both = [
        started(name, "--batch", "night", "--budget", "20") for name in ("batchsora.db", "copy.db")
    ]
    said = [process.communicate(timeout=100)[0] for process in both]
    made = Counter(item.prompt for item in world.made)
    twice = sum(count - 1 for count in made.values())
    assert max(made.values()) <= 2
    assert twice <= 3 * TOGETHER, said
    assert len(made) < ROWS or twice == 0, said
    codes = [process.returncode for process in both]
    assert 4 in codes
    for code, text in zip(codes, said, strict=True):
        assert ALARM in text or EXISTS in text or code == 0, text
    alarmed = any(ALARM in text for text in said)
    assert alarmed or twice == 0, said  # one began so late that its look found what there was
    # nothing is bought by itself from then on; a person takes the other's videos over
    count = len(world.made)
    later = call("run", "--batch", "night", "--budget", "20", *PACE)
    assert (later.code, len(world.made)) == (4, count), later.err
    assert (ALARM if alarmed else EXISTS) in later.err
    assert call("run", "--batch", "night", "--adopt-existing", "--budget", "20", *PACE).code in (
        0,
        4,
    )
    assert len(world.made) == count
    last = call("run", "--batch", "night", "--buy-again", "--budget", "20", *PACE)
    assert last.code == 0, last.err
    assert len({item.prompt for item in world.made}) == ROWS


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine that begins after a look at the list."""
    found = Engine(tmp_path, Invariants())
    found.announce(s10=120_000)
    yield found
    found.store.close()


def others(engine: Engine, *prompts: str) -> None:
    """Let somebody else buy something."""
    for prompt in prompts:
        engine.provider.make(GenerationRequest(prompt, "9:16", 10))


def run(engine: Engine, *, looked: bool = True, **policy: object) -> Reason:
    """Run with a few in flight, so that the list is read while rows are queued."""
    looked_at = engine.clock.now() if looked else None
    return engine.run(max_in_flight=4, looked_at=looked_at, **policy).reason


def test_what_somebody_else_buys_is_held_back(engine: Engine) -> None:
    """A row that is seen to be made by another is not bought as well; the others are."""
    engine.load([spec(f"r{n}", row=n) for n in range(12)])
    posts = engine.provider.posts

    def meanwhile(_: GenerationRequest) -> None:
        if len(posts) == 2:
            others(engine, "prompt of r10")

    engine.provider.on_post = meanwhile
    assert run(engine) is Reason.FINISHED
    jobs = engine.jobs()
    assert (jobs["r10"].state, jobs["r10"].held_back) == ("queued", "elsewhere")
    assert jobs["r10"].held_back_by in {made.id for made in engine.provider.made}
    assert len(posts) == 11
    assert {job.state for key, job in jobs.items() if key != "r10"} == {"completed"}


def test_a_row_that_a_person_names_is_bought_by_the_same_run(engine: Engine) -> None:
    """Although the run has seen that others bought it; once more, and it is held back again."""
    engine.load([spec(f"r{n}", row=n) for n in range(12)])
    posts = engine.provider.posts

    def named() -> None:
        number = engine.jobs()["r10"].id
        engine.store.write(lambda c: steering.retry(c, [number], now=engine.clock.now()))

    def meanwhile(request: GenerationRequest) -> None:
        if len(posts) == 2:
            others(engine, "prompt of r10")
        if request.prompt == "prompt of r11":
            assert engine.jobs()["r10"].held_back == "elsewhere"
            asyncio.get_running_loop().call_later(5.0, named)

    engine.provider.on_post = meanwhile
    assert run(engine) is Reason.FINISHED
    assert sorted(prompt for prompt, _ in posts) == sorted(f"prompt of r{n}" for n in range(12))


@pytest.mark.parametrize(("copies", "left"), [(2, 0), (3, 1)])
def test_several_purchases_of_the_same_hold_the_batch_back(
    engine: Engine, copies: int, left: int
) -> None:
    """A twin or two may be chance; a copy of the database is none."""
    engine.load([spec(f"r{n}", row=n) for n in range(30)])
    engine.load([spec("other")], batch="another")
    posts = engine.provider.posts

    def copying(request: GenerationRequest) -> None:
        if len(posts) <= copies:
            others(engine, request.prompt)

    engine.provider.on_post = copying
    assert (
        engine.run([1, 2], max_in_flight=4, looked_at=engine.clock.now()).reason is Reason.FINISHED
    )
    held = [job for job in engine.jobs().values() if job.held_back == "elsewhere"]
    assert bool(held) is bool(left)
    if held:
        assert len(held) >= 20
        assert len({job.held_back_by for job in held}) == 1
    assert engine.jobs()["other"].state == "completed"


def test_answers_of_our_own_that_are_lost_alarm_nobody(engine: Engine) -> None:
    """What was made without our knowing its id is ours, until its doubt is settled."""
    prompts = [f"prompt of r{n}" for n in range(30)]
    engine.provider.script = {prompt: ["made"] for prompt in prompts[:12]}
    engine.load([spec(f"r{n}", row=n) for n in range(30)])
    assert run(engine, grace=60.0) is Reason.FINISHED
    assert {job.state for job in engine.jobs().values()} == {"completed"}
    assert len(engine.provider.made) == 30


@pytest.mark.parametrize("looked", [True, False])
def test_what_was_made_before_is_no_news(engine: Engine, *, looked: bool) -> None:
    """Who buys again, or was asked about it, is not stopped by what was there already."""
    engine.load([spec(f"r{n}", row=n) for n in range(12)])
    others(engine, *(f"prompt of r{n}" for n in range(12)))
    engine.provider.made = [
        replace(made, created_at=made.created_at.replace(year=2020))
        for made in engine.provider.made
    ]
    assert run(engine, looked=looked) is Reason.FINISHED
    assert len(engine.provider.posts) == 12


def test_a_time_before_the_run_is_no_news_over_http(call: Shell, world: World) -> None:
    """``--buy-again`` buys although another has just bought the same."""
    for n in range(ROWS):
        world.add_foreign(f"a heron in reeds {n}", SystemClock().now())
    first = call("run", "night.csv", "--budget", "20", "--first", "8", *PACE)
    assert (first.code, len(world.made)) == (4, ROWS)
    again = call("run", "night.csv", "--budget", "20", "--first", "8", "--buy-again", *PACE)
    assert len(world.made) == ROWS + 8, again.err


def looked_for(engine: Engine) -> EarlierWork:
    """Look for earlier work, and hold back what was found, as a run does before it buys."""
    work = run_virtual(find_earlier(engine.store, engine.provider, engine.clock, Sought([1])))
    engine.store.adoption.hold_back(work)
    return work


def failed(kind: FailureKind) -> Generation:
    return Generation("", GenerationPhase.FAILED, failure=kind, message="no")


@pytest.mark.parametrize("queued", [True, False])
@pytest.mark.parametrize("beside", [True, False])
def test_a_row_that_fails_yet_is_not_bought_again_beside_a_newer_one(
    engine: Engine, *, beside: bool, queued: bool
) -> None:
    """A backup was restored: there its row had failed, and been bought again, since."""
    engine.load([spec("r0"), *([spec("r1", row=1)] if queued else [])])
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)]}
    engine.provider.takes = 600.0
    engine.run(
        during=lambda runner: asyncio.get_running_loop().call_later(60, runner.stop), rate=0.005
    )
    assert engine.jobs()["r0"].state in ("pending", "processing")
    if beside:
        others(engine, "prompt of r0")
    work = looked_for(engine)
    engine.run(
        looked_at=engine.clock.now(), looked_for=work.looked_at, retry=RetryPolicy(2, 1.0, 2.0)
    )
    job = engine.jobs()["r0"]
    assert (job.state, job.held_back) == (("queued", "exists") if beside else ("completed", None))
    assert [prompt for prompt, _ in engine.provider.posts].count("prompt of r0") == (2 - beside)


def test_what_the_look_before_matched_to_a_row_holds_no_equal_row_back(engine: Engine) -> None:
    """Made a moment before the look: one row waits for it, and its twin is bought."""
    rows = [spec(f"r{n}", row=n) for n in range(10)]
    engine.load([*rows, *(spec(f"t{n}", "twins", row=n) for n in (10, 11, 12))])
    others(engine, "twins")
    looked_for(engine)
    assert run(engine) is Reason.FINISHED
    jobs = engine.jobs()
    assert (jobs["t10"].held_back, jobs["t11"].held_back) == ("exists", None)
    assert {job.state for key, job in jobs.items() if key != "t10"} == {"completed"}
    assert len(engine.provider.posts) == 12


def test_twins_whose_matches_a_page_shows_again_alarm_nobody(engine: Engine) -> None:
    """Four prompts of which others made one video each before the look: no copy buys in step."""
    twins = [spec(f"t{n}", f"twins {n % 4}", row=n) for n in range(8)]
    engine.load([*twins, *(spec(f"r{n}", row=n) for n in range(8, 30))])
    others(engine, *(f"twins {n}" for n in range(4)))
    looked_for(engine)
    assert run(engine) is Reason.FINISHED
    assert Counter(job.held_back for job in engine.jobs().values()) == {"exists": 4, None: 26}
    assert len(engine.provider.posts) == 26


@pytest.mark.parametrize(
    ("waits", "changes", "held"),
    [
        (True, {}, False),
        (True, {"duration": 15}, True),  # it may be either's
        (False, {}, True),
    ],
)
def test_a_match_of_a_later_look_counts_for_its_row_alone(
    engine: Engine, *, waits: bool, changes: dict[str, int], held: bool
) -> None:
    """The page's *Go on* looks beside a run that has seen the generation already."""
    engine.announce(s10=120_000, s15=120_000)
    engine.load(
        [
            *(spec(f"r{n}", row=n) for n in range(10)),
            spec("a", "twins", row=10, priority=-1),
            spec("b", "twins", row=11, priority=-1, **changes),
        ]
    )
    posts = engine.provider.posts

    def meanwhile(_: GenerationRequest) -> None:
        if len(posts) == 2:
            others(engine, "twins")
            number, made = engine.jobs()["a"].id, engine.provider.made[-1].id
            reason = HeldBack.EXISTS if waits else HeldBack.LEFT_OUT
            engine.store.write(
                lambda c: holding.hold_back(c, {number: made if waits else None}, reason)
            )

    engine.provider.on_post = meanwhile
    assert run(engine) is Reason.FINISHED
    jobs = engine.jobs()
    assert (jobs["b"].state, jobs["b"].held_back) == (
        ("queued", "elsewhere") if held else ("completed", None)
    )
