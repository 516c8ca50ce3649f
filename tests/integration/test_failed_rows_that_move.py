"""Failed rows that move under their ids: what is paid for comes first, and is not bought again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.refused import refused
from support.shell import call

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.errors import LoadError
from jobs.model.provider import Generation, GenerationPhase
from jobs.model.states import FailureKind
from jobs.ports.selection import Sought
from jobs.store import past, steering

BAD = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message="no")
QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download")
NO = "The prompt violates the content policy"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    return made


def numbered(*prompts: str) -> list[Any]:
    return [spec(f"r{n}", prompt, row=n) for n, prompt in enumerate(prompts)]


def go_on(engine: Engine) -> int:
    engine.store.write(lambda c: past.hold(c, Sought((1,))))
    engine.run()
    return len(engine.provider.posts)


def test_deleting_a_failed_twin_above_keeps_the_video(engine: Engine) -> None:
    """X failed, y failed, x has a video; the failed x is deleted, the ids count the rows."""
    engine.provider.ends = {"x": [BAD], "y": [BAD]}
    engine.load([spec("r0", "x"), spec("r1", "y", row=1)])
    engine.run()
    engine.load(numbered("x", "y", "x"))
    engine.run()
    assert [engine.jobs()[f"r{n}"].state for n in range(3)] == ["failed", "failed", "completed"]
    engine.load(numbered("y", "x"))
    go_on(engine)
    job = engine.jobs()["r1"]
    assert job.prompt == "x"
    assert job.state == "completed" or job.held_back == "paid_before", (job.state, job.held_back)


@pytest.mark.parametrize("came", ["x", " x", "x "])
def test_a_video_in_another_spelling_comes_before_a_failed_row(engine: Engine, came: str) -> None:
    """A failed for "x", b has the video of " x"; one row under another id asks for it."""
    engine.provider.ends = {"x": [BAD]}
    engine.load([spec("a", "x"), spec("b", " x", row=1)])
    engine.run()
    assert [engine.jobs()[k].state for k in "ab"] == ["failed", "completed"]
    engine.load([spec("c", came)])
    go_on(engine)
    job = engine.jobs()["c"]
    assert job.state == "completed" or job.held_back == "paid_before", (job.state, job.held_back)


def test_of_two_failed_rows_the_one_that_may_still_finish_gets_the_key(engine: Engine) -> None:
    engine.provider.ends = {"x": [BAD]}
    engine.load([spec("a", "x")])
    engine.run()
    engine.provider.takes = 5000.0
    engine.load([spec("a", "x"), spec("b", "x", row=1)])
    engine.run(generation_timeout=600.0)
    jobs = engine.jobs()
    assert [(jobs[k].state, jobs[k].error_kind) for k in "ab"] == [
        ("failed", "content"),
        ("failed", "overdue"),
    ]
    engine.load([spec("c", "x")])
    engine.clock.start += timedelta(seconds=9000)
    go_on(engine)
    assert engine.jobs()["c"].state == "completed", engine.jobs()


@pytest.mark.parametrize("moved", [True, False])
def test_a_row_whose_prompt_was_given_by_hand_and_failed_is_not_bought_for_a_space(
    engine: Engine, *, moved: bool
) -> None:
    engine.provider.ends = {"x": [BAD] * 9, "y": [BAD] * 9, "x ": [BAD] * 9}
    engine.load(numbered("fine", "x"))
    engine.run()
    job = engine.jobs()["r1"]
    engine.store.write(lambda c: steering.reword(c, job.id, "y"))
    engine.run()
    assert engine.jobs()["r1"].state == "failed"
    before = len(engine.provider.posts)
    engine.load(numbered("fine", "new", "x ") if moved else numbered("fine", "x "))
    go_on(engine)
    assert len(engine.provider.posts) == before + moved, engine.provider.posts


def test_a_video_whose_row_moved_too_is_asked_about(engine: Engine) -> None:
    """X failed, x has a video; both rows ask for something else, and a third one for x."""
    engine.provider.ends = {"x": [BAD]}
    engine.load(numbered("x"))
    engine.run()
    engine.load(numbered("x", "x"))
    engine.run()
    with refused(LoadError, match="as if rows had moved under their ids"):
        engine.load(numbered("new", "new2", "x"))


def posts_of_x(engine: Engine) -> int:
    return sum(prompt.strip() == "x" for prompt, _ in engine.provider.posts)


def retried(engine: Engine, key: str) -> None:
    """Do what ``retry --kind content`` does, and the next run."""
    before, job = posts_of_x(engine), engine.jobs()[key]
    if job.state == "failed":
        engine.store.write(lambda c: steering.retry(c, [job.id], now=engine.clock.now()))
    engine.store.write(lambda c: past.hold(c, Sought((1,))))
    engine.run()
    assert posts_of_x(engine) == before, "bought again, though its video is paid for"


def test_of_a_twin_below_a_failed_one_that_was_deleted(engine: Engine) -> None:
    """X and y failed, x has a video; the failed x is deleted, and the ids count the rows."""
    engine.provider.ends = {"x": [BAD], "y": [BAD]}
    engine.load(numbered("x", "y"))
    engine.run()
    engine.load(numbered("x", "y", "x"))
    engine.run()
    assert [engine.jobs()[f"r{n}"].state for n in range(3)] == ["failed", "failed", "completed"]
    engine.load(numbered("y", "x"))
    retried(engine, "r1")


def test_of_one_in_another_spelling(engine: Engine) -> None:
    """A failed for "x", b has a video of " x"; one row under another id asks for " x"."""
    engine.provider.ends = {"x": [BAD]}
    engine.load([spec("a", "x"), spec("b", " x", row=1)])
    engine.run()
    assert [engine.jobs()[key].state for key in "ab"] == ["failed", "completed"]
    engine.load([spec("c", " x")])
    retried(engine, "c")


def test_of_one_without_ids(engine: Engine) -> None:
    """Equal rows without ids: the first failed, the second has a video; one is deleted."""
    engine.provider.ends = {"x": [BAD]}
    one = spec("c-x", "x", key_from_content=True)
    two = spec("c-x#2", "x", row=1, key_from_content=True)
    engine.load([one])
    engine.run()
    engine.load([one, two])
    engine.run()
    engine.load([one])
    retried(engine, "c-x")


def test_of_one_beside_what_may_still_finish(engine: Engine) -> None:
    """A failed, b is overdue; one row under another id asks for what both asked for."""
    engine.provider.ends = {"x": [BAD]}
    engine.load([spec("a", "x")])
    engine.run()
    engine.provider.takes = 5000.0
    engine.load([spec("a", "x"), spec("b", "x", row=1)])
    engine.run(generation_timeout=600.0)
    assert [engine.jobs()[key].error_kind for key in "ab"] == ["content", "overdue"]
    engine.load([spec("c", "x")])
    engine.clock.start += timedelta(seconds=9000)
    retried(engine, "c")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "moves-test")
    made = World(time_scale=2000.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def test_a_failed_row_that_was_deleted_above_its_twin(world: World) -> None:
    world.failures = {"a kite": [NO], "a boat": [NO]}

    def sheet(*prompts: str) -> None:
        rows = "".join(f"r{n},{prompt}\n" for n, prompt in enumerate(prompts))
        Path("a.csv").write_text(f"id,prompt\n{rows}", "utf-8")

    sheet("a kite", "a boat")
    assert call("run", "a.csv", "--budget", "9", *QUICK).exit_code == 3
    sheet("a kite", "a boat", "a kite")
    assert call("run", "a.csv", "--budget", "9", *QUICK).exit_code == 3
    assert [item.prompt for item in world.made].count("a kite") == 2
    sheet("a boat", "a kite")
    call("run", "a.csv", "--budget", "9", *QUICK)
    call("retry", "--batch", "a", "--kind", "content", "--yes")
    call("run", "a.csv", "--budget", "9", *QUICK)
    made = [item.prompt for item in world.made].count("a kite")
    assert made == 2, "the second video of the kite was there, and a third one was bought"
