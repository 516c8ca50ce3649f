"""What the account has already is found by its prompt before anything is bought."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual
from support.provider import SORA_LIST, Made

from batchsora.presentation import held
from jobs.model.provider import (
    Generation,
    GenerationPhase,
    GenerationRequest,
    InDoubt,
    ProviderError,
    Rejected,
    Throttled,
    UnreachableError,
)
from jobs.model.states import FailureKind, HeldBack, Reason
from jobs.ports.selection import Sought
from jobs.reconciliation import adoption
from jobs.reconciliation.adoption import find_earlier, read_list, take_over
from jobs.services.runner import Runner
from jobs.store import holding, outcomes, steering


@pytest.fixture
def engine(tmp_path: Path):
    """An engine whose account has made two of its prompts before."""
    found = Engine(tmp_path, Invariants())
    found.announce(s10=120_000)
    for name in ("a", "b"):
        at = found.clock.now()
        found.provider.made.append(Made(f"old-{name}", f" prompt of {name}\n", at, 120_000, ""))
    yield found
    found.store.close()


def look(engine: Engine):
    """Look for earlier work of the first batch."""
    return run_virtual(find_earlier(engine.store, engine.provider, engine.clock, Sought([1])))


def test_rows_that_exist_are_found_and_left_out(engine: Engine) -> None:
    """The run goes on for the others alone."""
    engine.load([spec(name, row=i) for i, name in enumerate("abc")])
    work = look(engine)
    assert (len(work.matches), work.jobs) == (2, 3)
    engine.store.adoption.hold_back(work)
    assert engine.run().reason is Reason.FINISHED
    assert [prompt for prompt, _ in engine.provider.posts] == ["prompt of c"]
    assert engine.jobs()["a"].state == "queued"
    assert (engine.jobs()["a"].held_back, engine.jobs()["a"].held_back_by) == ("exists", "old-a")


def test_taken_over_they_are_polled_and_cost_nothing(engine: Engine) -> None:
    """A generation is the job's own from then on, and can't be taken twice."""
    engine.load([spec(name, row=i) for i, name in enumerate("abc")])
    work = look(engine)
    assert take_over(engine.store, work, engine.clock.now()) == 2
    assert take_over(engine.store, work, engine.clock.now()) == 0
    engine.run()
    assert {job.state for job in engine.jobs().values()} == {"completed"}
    assert engine.budget("batch:1").charged_micros == 120_000
    assert look(engine).matches == ()


def test_two_rows_of_one_prompt_take_two_generations(engine: Engine) -> None:
    """Variants are matched one to one: what is missing is bought."""
    engine.load([spec(f"a{i}", prompt="prompt of a", row=i) for i in range(3)])
    assert len(look(engine).matches) == 1


def stop_soon(engine: Engine, runner: Runner) -> None:
    """Stop a run as soon as something was sent: its doubts are left to the next."""
    engine.provider.on_post = lambda _: runner.stop()


def test_what_is_held_back_stays_so_beside_a_doubt_of_its_prompt(engine: Engine) -> None:
    """Its reason is still there, and nobody's: a doubt of an equal row frees nothing."""
    for made in engine.provider.made:
        made.created_at -= timedelta(days=1)
    engine.load([spec("r0", "prompt of a"), spec("r1", "prompt of a", row=1)])
    engine.store.adoption.hold_back(look(engine))
    held = {key: job.held_back_by for key, job in engine.jobs().items()}
    assert held == {"r0": "old-a", "r1": None}
    engine.provider.script = {"prompt of a": [InDoubt("the connection dropped")]}
    engine.run(grace=20)
    assert engine.jobs()["r1"].state == "in_doubt"
    engine.store.adoption.hold_back(look(engine))
    assert engine.jobs()["r0"].held_back_by == "old-a"


def test_a_prompt_in_doubt_is_no_earlier_work(engine: Engine) -> None:
    """What may belong to a doubt of ours is left to that doubt."""
    engine.provider.script = {"prompt of x": ["made"]}
    engine.load([spec(f"x{i}", prompt="prompt of x", row=i) for i in range(2)])
    engine.store.write(lambda c: holding.pick(c, 1, [0]))
    engine.run(during=lambda runner: stop_soon(engine, runner))
    assert engine.jobs()["x0"].state == "in_doubt"
    assert look(engine).matches == ()


def test_failed_generations_are_nothing_to_take_over(engine: Engine) -> None:
    """Only what finished, or still may, spares a purchase."""
    engine.load([spec("a")])
    generation = engine.provider._view(engine.provider.made[0])
    engine.provider.ends = {
        " prompt of a\n": [type(generation)("", GenerationPhase.FAILED, message="no")]
    }
    engine.provider.made[0].takes = 0.0
    assert look(engine).matches == ()


def test_a_provider_that_stumbles_is_asked_again(engine: Engine) -> None:
    """One 503 does not make the look blind; a provider that is gone ends it before any purchase."""
    engine.load([spec("a")])
    answer = engine.provider.generations
    failures = [UnreachableError("503")]

    async def stumbling(_: str, limit: int, offset: int) -> object:
        if failures:
            raise failures.pop()
        return await answer("sora", limit, offset)

    engine.provider.generations = stumbling
    assert len(look(engine).matches) == 1
    failures += [UnreachableError("503") for _ in range(9)]
    with pytest.raises(UnreachableError):
        look(engine)


class Pages:
    """The scripted provider's list, given out in another way."""

    def __init__(self, engine: Engine, way: str) -> None:
        self._real = engine.provider.generations
        self._way = way
        self.reads = 0
        engine.provider.generations = self

    async def __call__(self, _: str, limit: int, offset: int) -> Sequence[Generation]:
        self.reads += 1
        match self._way:
            case "20 a page":
                return await self._real("sora", 20, offset)
            case "half of the rest":
                page = await self._real("sora", limit, offset)
                return page[: (len(page) + 1) // 2]
            case "holes":
                page = await self._real("sora", limit, offset)
                return [one for one in page if not one.id.endswith("3")]
            case "no offset":
                return await self._real("sora", limit, 0)
            case "20 a page, no offset":
                return await self._real("sora", 20, 0)
            case "error behind the first":
                if offset:
                    raise ProviderError("the API answered 422: offset is too large")
        return await self._real("sora", limit, offset)


WITHOUT_GAPS = ("as asked", "20 a page", "half of the rest")


@pytest.mark.parametrize(
    ("way", "count", "found", "whole"),
    [
        ("as asked", 0, 2, True),
        ("as asked", 98, 2, True),
        ("as asked", 99, 2, True),
        ("as asked", 250, 2, True),
        ("20 a page", 250, 2, True),
        ("half of the rest", 1, 2, False),
        ("half of the rest", 2, 2, False),
        ("half of the rest", 9, 2, False),
        ("half of the rest", 80, 2, False),
        ("holes", 250, 2, True),
        ("no offset", 250, 0, False),
        ("20 a page, no offset", 250, 0, False),
    ],
)
def test_the_list_is_read_to_its_real_end(
    engine: Engine, way: str, count: int, found: int, *, whole: bool
) -> None:
    """A short page is not the end; where the end is not reached, rows not found wait too."""
    engine.load([spec(name, row=i) for i, name in enumerate("abc")])
    newest = [engine.provider.make(GenerationRequest(f"new {n}", "9:16", 10)) for n in range(count)]
    Pages(engine, way)
    work = look(engine)
    assert len(work.matches) == found
    assert work.looked == (len(newest) + 2 if way in WITHOUT_GAPS else work.looked)
    assert len(work.not_looked) == (0 if whole else 3 - found)
    engine.store.adoption.hold_back(work)
    engine.run()
    bought = [prompt for prompt, _ in engine.provider.posts]
    assert bought == (["prompt of c"] if whole else [])


def test_two_thousand_and_more_are_looked_through(engine: Engine) -> None:
    """What an account of years has at the far end of its list is found too."""
    engine.load([spec("a")])
    for n in range(2500):
        engine.provider.make(GenerationRequest(f"new {n}", "9:16", 10))
    assert len(look(engine).matches) == 1


def test_beyond_the_bound_rows_wait(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far it looked is told, and what was not found there is not bought."""
    monkeypatch.setattr(adoption, "MOST_PAGES", 1)
    engine.load([spec("x")])
    for n in range(150):
        engine.provider.make(GenerationRequest(f"new {n}", "9:16", 10))
    work = look(engine)
    assert (work.looked, list(work.not_looked)) == (100, [1])
    engine.store.adoption.hold_back(work)
    engine.run()
    assert engine.provider.posts == []
    assert engine.jobs()["x"].held_back == "not_looked"
    (said,) = held.lines(engine.status())
    assert "with --buy-again it buys them unchecked" in said
    assert "--adopt-existing" not in said  # nothing was found that could be taken over
    monkeypatch.undo()
    engine.store.adoption.hold_back(look(engine))
    engine.run()
    assert [prompt for prompt, _ in engine.provider.posts] == ["prompt of x"]


def test_a_page_that_fails_ends_the_look(engine: Engine) -> None:
    """Also behind the first: what was seen by then proves nothing of the rest."""
    engine.load([spec("x")])
    Pages(engine, "error behind the first")
    with pytest.raises(ProviderError, match="offset is too large"):
        look(engine)


def test_an_empty_list_is_believed_when_it_is_empty_twice(engine: Engine) -> None:
    """And further back as well: three requests, and no more."""
    engine.provider.made.clear()
    pages = Pages(engine, "as asked")
    assert run_virtual(read_list(engine.provider, engine.clock, SORA_LIST)).whole
    assert pages.reads == 3


@pytest.mark.parametrize(
    "outcome",
    [Throttled(1.0), Rejected(FailureKind.VALIDATION, "no"), "made"],
    ids=["throttled", "rejected", "void"],
)
def test_what_became_of_old_attempts_says_nothing(engine: Engine, outcome: object) -> None:
    """A backup of before the purchase is restored: its attempts have no generation that we know."""
    engine.provider.script = {"prompt of x": [outcome]}
    engine.load([spec("x")])
    if outcome == "made":
        engine.provider.lag = 10_000.0
    engine.run(grace=5.0, during=lambda runner: stop_soon(engine, runner))
    engine.store.write(lambda c: steering.retry(c, [1]))
    if outcome == "made":
        engine.store.write(lambda c: outcomes.void(c, 1, "a test says so", engine.clock.now()))
    assert engine.jobs()["x"].attempt_id is not None
    assert engine.jobs()["x"].state == "queued"
    engine.provider.lag = 0.0
    if outcome != "made":
        engine.provider.make(GenerationRequest("prompt of x", "9:16", 10))
    work = look(engine)
    assert len(work.matches) == 1
    engine.store.adoption.hold_back(work)
    assert engine.jobs()["x"].held_back == "exists"
    assert take_over(engine.store, work, engine.clock.now()) == 1
    job = engine.jobs()["x"]
    assert (job.state, job.held_back) == ("pending", None)
    # a void's generation is paid for, and charged; somebody else's purchase is not ours
    assert job.charged_micros == (120_000 if outcome == "made" else 0)
    engine.run()
    assert engine.jobs()["x"].state == "completed"
    assert len(engine.provider.made) == 3


def test_a_row_that_is_held_back_stays_so_while_its_reason_is_not_shown(engine: Engine) -> None:
    """A list that leaves an entry out the next time is no word that the row may be bought."""
    engine.load([spec("a")])
    engine.store.adoption.hold_back(look(engine))
    made = engine.provider.made[0]
    engine.provider.made.remove(made)
    engine.store.adoption.hold_back(look(engine))
    assert engine.jobs()["a"].held_back == "exists"
    made.takes, made.end = 0.0, GenerationPhase.FAILED
    engine.provider.ends = {made.prompt: [Generation("", GenerationPhase.FAILED, message="no")]}
    engine.provider.made.append(made)
    engine.store.adoption.hold_back(look(engine))
    assert engine.jobs()["a"].held_back is None


def test_rows_of_one_prompt_that_differ_are_left_to_a_person(engine: Engine) -> None:
    """Which of them it is can't be told from a list of prompts."""
    engine.load([spec("a", row=1), spec("b", prompt="prompt of a", duration=15, row=2)])
    work = look(engine)
    assert take_over(engine.store, work, engine.clock.now()) == 0
    engine.store.adoption.hold_back(work)
    assert {job.held_back for job in engine.jobs().values()} == {"exists"}
    engine.run()
    assert engine.provider.posts == []
    engine.store.write(lambda c: holding.release(c, Sought([1]), [HeldBack.EXISTS]))
    engine.run()
    assert len(engine.provider.posts) == 2


def test_one_without_an_address_in_the_list_is_looked_at_singly(engine: Engine) -> None:
    """The list of some providers shows no addresses; a video without any is not taken over."""
    engine.load([spec("a", row=1), spec("b", row=2)])
    for made in engine.provider.made:
        made.takes = 0.0
    real, alone = engine.provider.generations, engine.provider.generation

    async def bare(_: str, limit: int, offset: int) -> Sequence[Generation]:
        return [replace(one, video_url=None) for one in await real("sora", limit, offset)]

    async def some(name: str) -> Generation:
        found = await alone(name)
        return replace(found, video_url=None) if name == "old-b" else found

    engine.provider.generations, engine.provider.generation = bare, some
    work = look(engine)
    assert {m.generation.id: m.takeable for m in work.matches} == {"old-a": True, "old-b": False}
