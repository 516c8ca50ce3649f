"""What the account has already is found by its prompt before anything is bought."""

from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual
from support.provider import Made

from jobs.earlier import find_earlier, take_over
from jobs.ending import Reason
from jobs.provider import GenerationPhase, UnreachableError
from jobs.runner import Runner
from jobs.states import HeldBack
from jobs.store import holding


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
    return run_virtual(find_earlier(engine.store, engine.provider, engine.clock, [1]))


def test_rows_that_exist_are_found_and_left_out(engine: Engine) -> None:
    """The run goes on for the others alone."""
    engine.load([spec(name, row=i) for i, name in enumerate("abc")])
    work = look(engine)
    assert (len(work.matches), work.jobs) == (2, 3)
    found = {match.job_id: match.generation.id for match in work.matches}
    engine.store.write(lambda c: holding.hold_back(c, found, HeldBack.EXISTS))
    assert engine.run().reason is Reason.FINISHED
    assert [prompt for prompt, _ in engine.provider.posts] == ["prompt of c"]
    assert engine.jobs()["a"].state == "queued"


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


def test_a_prompt_in_doubt_is_no_earlier_work(engine: Engine) -> None:
    """What may belong to a doubt of ours is left to that doubt."""
    engine.provider.script = {"prompt of x": ["made"]}
    engine.load([spec(f"x{i}", prompt="prompt of x", row=i) for i in range(2)])
    engine.store.write(lambda c: holding.pick(c, 1, [0], ()))
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

    async def stumbling(limit: int, offset: int) -> object:
        if failures:
            raise failures.pop()
        return await answer(limit, offset)

    engine.provider.generations = stumbling
    assert len(look(engine).matches) == 1
    failures += [UnreachableError("503") for _ in range(9)]
    with pytest.raises(UnreachableError):
        look(engine)
