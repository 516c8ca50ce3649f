"""Edits of rows that failed: what failed is bought again by ``retry`` alone."""

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from support.engine import Engine, spec
from support.invariants import Invariants
from support.refused import refused
from support.sheets import QUICK, bought, run, sheet
from support.shell import call

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.database.tables import ATTEMPT
from jobs.model.errors import LoadError
from jobs.model.provider import Generation, GenerationPhase, RefusalCause, Refused, Rejected
from jobs.model.retry import RetryPolicy
from jobs.model.spec import JobSpec
from jobs.model.states import FailureKind
from jobs.model.text import text_key
from jobs.ports.loading import OnChange
from jobs.ports.selection import Sought
from jobs.store import past, steering

CONTENT = "The prompt violates the content policy"
BAD = Generation("", GenerationPhase.FAILED, failure=FailureKind.CONTENT, message=CONTENT)
BROKEN = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="render error")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider at which a prompt fails as often as is written in ``failures``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "edits-test")
    return World(time_scale=2000.0)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine at a known price."""
    made = Engine(tmp_path, Invariants())
    made.announce(s10=120_000)
    return made


def planned(name: str) -> Any:
    return json.loads(call("plan", name, "--json").stdout)["to_buy"]


def numbered(*prompts: str) -> list[JobSpec]:
    """Write rows whose ids are their places."""
    return [spec(f"r{n}", prompt, row=n) for n, prompt in enumerate(prompts)]


def unnamed(*prompts: str) -> list[JobSpec]:
    """Write rows without ids."""
    return [
        spec(f"content-{prompt}", prompt, row=n, key_from_content=True)
        for n, prompt in enumerate(prompts)
    ]


def failed(engine: Engine, rows: Sequence[JobSpec], *prompts: str, refused: bool = False) -> None:
    """Buy rows, of which some fail for good whenever they are bought: charged, or refused."""
    if refused:
        no = Rejected(FailureKind.CONTENT, CONTENT)
        engine.provider.script = {prompt: [no] * 9 for prompt in prompts}
    else:
        engine.provider.ends = {prompt: [BAD] * 9 for prompt in prompts}
    engine.load(rows)
    engine.run()
    states = {job.prompt: job.state for job in engine.jobs().values()}
    assert {prompt for prompt, state in states.items() if state == "failed"} == set(prompts)


def go_on(engine: Engine) -> Counter[str]:
    """Run once more as people do, after a look at our own past; gives all that was ever sent."""
    engine.store.write(lambda c: past.hold(c, Sought((1,))))
    engine.run()
    return Counter(text_key(prompt) for prompt, _ in engine.provider.posts)


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("form", ["NFC", "NFD", "space"])
def test_rows_that_were_only_saved_in_another_spelling_are_not_bought_again(
    world: World, api: SandboxServer, form: Any, *, ids: bool
) -> None:
    """A program that decomposes letters saved the file, or somebody typed two spaces."""
    del api
    failing = [f"un café à {town}" for town in ("Paris", "Lyon", "Brest")]

    def spelled(prompt: str) -> str:
        space = form == "space"
        return prompt.replace(" ", "  ") if space else unicodedata.normalize(form, prompt)

    world.failures = {one: [CONTENT] * 9 for text in failing for one in {text, spelled(text)}}

    def save(prompts: list[str]) -> None:
        if ids:
            sheet("a.csv", *prompts)
        else:
            Path("a.csv").write_text("\n".join(["prompt", *prompts, ""]), "utf-8")

    save([*failing, "a boat"])
    assert run("a.csv").exit_code == 3
    save([*map(spelled, failing), "a boat"])
    assert planned("a.csv") == 0
    said = run("a.csv")
    assert (said.exit_code, len(world.made)) == (3, 4), said.output
    assert "edited" not in said.output
    assert f"{spelled(failing[0])}" in json.dumps(
        json.loads(call("jobs", "--json").stdout), ensure_ascii=False
    )


@pytest.mark.parametrize("write", [numbered, unnamed])
@pytest.mark.parametrize("refused", [True, False])
def test_what_was_refused_at_no_cost_is_not_sent_again_either(
    engine: Engine, write: Any, *, refused: bool
) -> None:
    """Nor where the id column came in the same moment."""
    failed(engine, write("old", "other"), "old", refused=refused)
    engine.load(write(" old", "other"))
    engine.load(numbered("old ", "other"))
    assert go_on(engine) == {"old": 1, "other": 1}
    assert engine.jobs()["r0"].state == "failed"


@pytest.mark.parametrize("refused", [True, False])
def test_a_row_that_moved_under_another_id_stays_failed(engine: Engine, *, refused: bool) -> None:
    """A row was put in above: it alone is bought, and the others keep their history."""
    failed(engine, numbered("fine", "x", "y"), "x", "y", refused=refused)
    past_of = {a.prompt: a.job_id for a in engine.attempts()}
    report = engine.load(numbered("fine", "new", "x  ", "y"))
    assert (report.added, report.redone, report.edited) == (1, [], [])
    assert go_on(engine) == {"fine": 1, "new": 1, "x": 1, "y": 1}
    jobs = engine.jobs()
    assert [jobs[f"r{n}"].state for n in range(4)] == ["completed", "completed", "failed", "failed"]
    assert (jobs["r2"].id, jobs["r3"].id) == (past_of["x"], past_of["y"])
    assert engine.store.write(lambda c: steering.retry(c, [jobs["r3"].id])) == [jobs["r3"].id]
    assert go_on(engine)["y"] == 2


def test_rows_below_one_that_was_deleted_stay_failed(engine: Engine) -> None:
    """Their ids count the rows: what was deleted has the last one, and leaves."""
    failed(engine, numbered("x", "y", "z"), "x", "y", "z")
    engine.load(numbered("y", "z"))
    assert go_on(engine) == {"x": 1, "y": 1, "z": 1}
    jobs = engine.jobs()
    assert [(jobs[f"r{n}"].prompt, jobs[f"r{n}"].in_manifest) for n in range(3)] == [
        ("y", True),
        ("z", True),
        ("x", False),
    ]


def test_a_failed_row_and_a_video_that_changed_places_keep_what_they_have(engine: Engine) -> None:
    """Each row asks for what the other one came to: both are there."""
    failed(engine, numbered("fine", "x"), "x")
    engine.load(numbered("x", "fine"))
    assert go_on(engine) == {"fine": 1, "x": 1}
    assert [engine.jobs()[f"r{n}"].state for n in range(2)] == ["failed", "completed"]


def test_videos_below_failed_rows_that_moved_are_asked_about(engine: Engine) -> None:
    """By the ids that the sheet had; with a word for it nothing is bought but the new row."""
    failed(engine, numbered("fine", "x", "boat"), "x")
    moved = numbered("fine", "new", "x", "boat")
    with refused(LoadError, match=r"r3 wants the video of r2: 'boat'"):
        engine.load(moved)
    engine.load(moved, on_change=OnChange.REDO)
    assert go_on(engine) == {"fine": 1, "new": 1, "x": 1, "boat": 1}
    assert engine.jobs()["r2"].state == "failed"


def test_a_row_that_was_given_up_and_moved_is_not_bought_again(engine: Engine) -> None:
    """Its generation may still end; what it is moved to asks for it."""
    failed(engine, numbered("fine", "x"), "x")
    engine.store.write(
        lambda c: c.execute(
            update(ATTEMPT).where(ATTEMPT.c.prompt == "x").values(state="abandoned")
        )
    )
    engine.load(numbered("fine", "new", "x"))
    assert go_on(engine) == {"fine": 1, "new": 1, "x": 1}


def test_one_of_two_equal_rows_has_the_video_that_there_is(engine: Engine) -> None:
    """One of them failed; a single row under another id asks for what both asked for."""
    engine.provider.ends = {"x": [BAD]}
    engine.load([spec("a", "x"), spec("b", "x", row=1)])
    engine.run()
    assert sorted(job.state for job in engine.jobs().values()) == ["completed", "failed"]
    engine.load([spec("c", "x")])
    assert engine.jobs()["c"].state == "completed"
    assert go_on(engine) == {"x": 2}


def test_an_equal_row_beside_a_failed_one_is_wanted(engine: Engine) -> None:
    """It is another video, and was never tried."""
    failed(engine, numbered("x"), "x")
    engine.provider.ends = {}
    engine.load(numbered("x", "x"))
    assert go_on(engine) == {"x": 2}
    assert [engine.jobs()[f"r{n}"].state for n in range(2)] == ["failed", "completed"]


@pytest.mark.parametrize("refused", [True, False])
@pytest.mark.parametrize("back", ["old", "old "])
def test_an_edit_that_is_taken_back_before_it_is_bought_leaves_the_row_failed(
    engine: Engine, back: str, *, refused: bool
) -> None:
    """As it was: with its kind, its words and its attempt."""
    failed(engine, numbered("old"), "old", refused=refused)
    before = engine.jobs()["r0"]
    engine.load(numbered("new"))
    engine.load(numbered("newer"))
    assert engine.jobs()["r0"].state == "queued"
    engine.load(numbered(back))
    job = engine.jobs()["r0"]
    for name in ("state", "error_kind", "error", "attempt_id", "completed_at"):
        assert getattr(job, name) == getattr(before, name), name
    assert go_on(engine) == {"old": 1}


def test_an_edit_is_taken_back_though_it_was_sent_and_refused_for_a_time(engine: Engine) -> None:
    """The last that was paid for is what failed."""
    failed(engine, numbered("old"), "old")
    engine.load(numbered("new"))
    engine.provider.script = {"new": [Refused(RefusalCause.FUNDS, "no money")]}
    engine.run()
    assert engine.jobs()["r0"].state == "queued"
    engine.load(numbered("old"))
    assert engine.jobs()["r0"].state == "failed"
    assert go_on(engine)["old"] == 1


def test_what_was_said_about_a_failed_row_ends_with_its_edit(engine: Engine) -> None:
    """``retry`` queued it, then it was edited, and edited back: it has failed."""
    failed(engine, numbered("old"), "old")
    engine.store.write(lambda c: steering.retry(c, [1]))
    engine.load(numbered("old "))
    assert engine.jobs()["r0"].state == "queued"  # the same request still
    engine.load(numbered("new"))
    engine.load(numbered("old"))
    assert engine.jobs()["r0"].state == "failed"


def test_a_row_that_waits_for_its_retry_waits_though_an_edit_was_taken_back(engine: Engine) -> None:
    """The provider failed, and the row has tries left."""
    engine.provider.ends = {"old": [BROKEN]}
    runners: list[Any] = []

    def stop_at_the_failure(name: str) -> None:
        if name == "look-written" and engine.jobs()["r0"].retries:
            runners[0].stop()

    engine.load(numbered("old"))
    engine.run(
        during=runners.append,
        checkpoint=stop_at_the_failure,
        retry=RetryPolicy(2, base=5000.0, ceiling=5000.0),
    )
    engine.load(numbered("new"))
    engine.load(numbered("old"))
    assert engine.jobs()["r0"].state == "queued"


@pytest.mark.parametrize("back", ["a kite, blue", "a kite, green"])
@pytest.mark.parametrize("tried", [True, False])
def test_an_edited_row_that_left_unbought_and_comes_back_is_bought(
    world: World, api: SandboxServer, back: str, *, tried: bool
) -> None:
    """As one that was never tried: what failed of it was another text."""
    del api
    world.failures = {"a kite": [CONTENT]}
    if tried:
        sheet("a.csv", "a kite", "a boat")
        assert run("a.csv").exit_code == 3
    sheet("a.csv", "a kite, blue", "a boat")
    call("run", "a.csv", "--budget", "0", *QUICK)
    Path("a.csv").write_text("id,prompt\nr1,a boat\n", "utf-8")
    call("run", "a.csv", "--budget", "0", *QUICK)
    sheet("a.csv", back, "a boat")
    planned_to_buy, before = planned("a.csv"), len(world.made)
    said = run("a.csv")
    assert (said.exit_code, bought(world)[back]) == (0, 1), said.output
    assert planned_to_buy == len(world.made) - before


@pytest.mark.parametrize("back", ["old", " old"])
@pytest.mark.parametrize("queue", ["edited", "asked for"])
def test_one_that_comes_back_with_what_failed_is_failed(
    engine: Engine, queue: str, back: str
) -> None:
    """It left while it was queued: edited, or by ``retry``."""
    failed(engine, numbered("other", "old"), "old")
    if queue == "edited":
        engine.load(numbered("other", "new"))
    else:
        engine.store.write(lambda c: steering.retry(c, [engine.jobs()["r1"].id]))
    engine.load(numbered("other"))
    assert engine.jobs()["r1"].state == "cancelled"
    report = engine.load(numbered("other", back))
    assert report.edited == []
    assert engine.jobs()["r1"].state == "failed"
    assert go_on(engine) == {"other": 1, "old": 1}


@pytest.mark.parametrize("back", ["new", "newer"])
def test_a_redone_row_that_left_unbought_and_comes_back_is_bought(
    engine: Engine, back: str
) -> None:
    """The video that it has is another one's; with its text back, that is found."""
    engine.load(numbered("other", "old"))
    engine.run()
    for _ in range(2):
        engine.load(numbered("other", "new"), on_change=OnChange.REDO)
        engine.load(numbered("other"))
        engine.load(numbered("other", "old"))
        assert go_on(engine) == {"other": 1, "old": 1}
        assert engine.jobs()["r1"].held_back == "paid_before"
    engine.load(numbered("other"))
    assert engine.load(numbered("other", back)).edited == []
    assert go_on(engine) == {"other": 1, "old": 1, back: 1}


def test_a_cancelled_row_whose_attempts_failed_follows_its_edit_and_stays_cancelled(
    engine: Engine,
) -> None:
    """A person cancelled it: nothing of it is paid for that would be bought twice."""
    failed(engine, numbered("old"), "old")
    engine.store.write(lambda c: steering.retry(c, [1]))
    engine.store.write(lambda c: steering.cancel(c, [1], engine.clock.now()))
    assert engine.load(numbered("new")).edited == []
    job = engine.jobs()["r0"]
    assert (job.state, job.prompt) == ("cancelled", "new")


@pytest.mark.parametrize("first", ["retry", "load"])
@pytest.mark.parametrize("words", [None, "by hand"])
def test_the_campaign_of_a_failed_row_is_followed(
    engine: Engine, first: str, words: str | None
) -> None:
    """It is bought again under the cap of the campaign that the sheet names, now or before."""
    failed(engine, [spec("a", "old", campaign="rich", priority=1)], "old")
    engine.cap(10_000_000, campaign="rich")
    engine.cap(0, campaign="poor")

    def again() -> None:
        if words is None:
            engine.store.write(lambda c: steering.retry(c, [1], now=engine.clock.now()))
        else:
            engine.store.write(lambda c: steering.reword(c, 1, words))

    def load() -> None:
        url = "https://example.com/done"
        engine.load([spec("a", "old", campaign="poor", priority=5, callback_url=url)])

    for step in (again, load) if first == "retry" else (load, again):
        step()
    job = engine.jobs()["a"]
    assert (job.state, job.campaign, job.priority) == ("queued", "poor", 5)
    assert (job.prompt, job.callback_url) == (words or "old", "https://example.com/done")
    engine.run()
    assert len(engine.provider.made) == 1


def test_that_of_a_row_with_a_video_is_left(engine: Engine) -> None:
    """What it was bought under stays told."""
    engine.load([spec("a", "old", campaign="rich")])
    engine.run()
    engine.load([spec("a", "old", campaign="poor")])
    assert engine.jobs()["a"].campaign == "rich"


@pytest.mark.parametrize("new", ["a kite, blue", "a boat", "a  boat"])
def test_a_plan_counts_the_edit_of_a_failed_row(world: World, api: SandboxServer, new: str) -> None:
    """What it says is what the run buys."""
    del api
    world.failures = {"a kite": [CONTENT]}
    sheet("a.csv", "a boat", "a kite")
    assert run("a.csv").exit_code == 3
    sheet("a.csv", "a boat", new)
    plan = planned("a.csv")
    said = run("a.csv")
    assert plan == len(world.made) - 2, (plan, said.output)


def test_an_edit_and_its_campaign_are_followed_together(engine: Engine) -> None:
    """The cap of the campaign that it is in now holds."""
    failed(engine, [spec("a", "old", campaign="rich")], "old")
    engine.cap(10_000_000, campaign="rich")
    engine.cap(0, campaign="poor")
    engine.load([spec("a", "new", campaign="poor")])
    engine.run()
    assert len(engine.provider.made) == 1
