"""Whole runs on virtual time: looks at generations, patience with them, rows that come later."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from support.engine import Engine
from support.nights import PRICE, at, counts, load, money

from jobs.model.provider import (
    ForbiddenError,
    Generation,
    GenerationPhase,
    GenerationRequest,
    ThrottledError,
    TokenRefusedError,
    UnknownGenerationError,
    UnreachableError,
)
from jobs.model.retry import Patience
from jobs.services.run_outcome import Reason


def other(engine: Engine, prompt: str) -> str:
    """Let another client of the account buy a prompt."""
    return engine.provider.make(GenerationRequest(prompt, "9:16", 10)).id


def looks_fail(engine: Engine, *errors: Exception) -> None:
    """Let the first single looks fail so."""
    left, usual = list(errors), engine.provider.generation

    async def look(generation_id: str) -> Generation:
        if left:
            raise left.pop(0)
        return await usual(generation_id)

    engine.provider.generation = look  # type: ignore[method-assign]


# -- where looks find ours


def test_many_are_looked_at_by_pages_of_the_list(engine: Engine) -> None:
    """Far fewer requests than generations; others' pages push ours down and hide none."""
    load(engine, 40)
    foreign = [(float(5 * second), lambda: other(engine, "foreign")) for second in range(60)]
    assert engine.run(during=at(*foreign), max_in_flight=40, rate=20).reason is Reason.FINISHED
    assert counts(engine) == {"completed": 40}
    assert engine.provider.list_reads + engine.provider.single_reads < 90


@pytest.mark.parametrize(
    "error", [UnreachableError("503"), ThrottledError("429", 20.0), ForbiddenError("403")]
)
def test_a_list_that_fails_stops_nobody(engine: Engine, error: Exception) -> None:
    """Single looks show what it would have shown."""
    load(engine, 6)
    engine.provider.list_errors = [error] * 40
    assert engine.run().reason is Reason.FINISHED
    assert (counts(engine), money(engine)) == ({"completed": 6}, (6 * PRICE, 0))


@pytest.mark.parametrize(
    "error",
    [UnreachableError("503"), ThrottledError("429", 20.0), UnknownGenerationError("404")],
)
def test_a_look_that_fails_is_made_again(engine: Engine, error: Exception) -> None:
    """Never an end by itself."""
    load(engine, 1)
    looks_fail(engine, *[error] * 4)
    assert engine.run().reason is Reason.FINISHED
    assert (counts(engine), money(engine)) == ({"completed": 1}, (PRICE, 0))


def test_a_generation_that_can_never_be_seen_is_given_up_for_the_run(engine: Engine) -> None:
    """It stays paid for, and its row is not bought again."""
    load(engine, 2)
    usual = engine.provider.generation

    async def look(generation_id: str) -> Generation:
        if generation_id == "gen-0":
            raise UnknownGenerationError(generation_id)
        return await usual(generation_id)

    engine.provider.generation = look  # type: ignore[method-assign]
    engine.provider.hides["gen-0"] = 10**9
    assert engine.run(generation_timeout=1200).reason is Reason.FINISHED
    assert counts(engine) == {"completed": 1, "failed": 1}
    assert engine.status().failed_kinds == {"overdue": 1}
    assert (money(engine), len(engine.provider.posts)) == ((2 * PRICE, 0), 2)


def test_a_token_that_is_refused_while_looking_ends_the_run(engine: Engine) -> None:
    """What is paid for is looked at by the next one."""
    load(engine, 2)
    looks_fail(engine, TokenRefusedError("401"))
    assert engine.run().reason is Reason.TOKEN
    assert (counts(engine), money(engine)) == ({"pending": 2}, (2 * PRICE, 0))
    assert engine.run().reason is Reason.FINISHED
    assert len(engine.provider.posts) == 2


def test_looks_that_nobody_answers_end_the_run(engine: Engine) -> None:
    load(engine, 1)
    looks_fail(engine, *[UnreachableError("503")] * 9999)
    engine.provider.list_errors = [UnreachableError("503")] * 9999

    def cut() -> None:
        engine.provider.balance_errors = [UnreachableError("503")] * 9999

    ending = engine.run(during=at((5, cut)), unreachable_patience=200.0)
    assert ending.reason is Reason.UNREACHABLE
    assert money(engine) == (PRICE, 0)


# -- how long a run waits


ODD = [
    (GenerationPhase.UNKNOWN, "pondering", "unknown"),
    (GenerationPhase.COMPLETED, None, "no-file"),
    (GenerationPhase.PROCESSING, None, "overdue"),
]


@pytest.mark.parametrize(("phase", "word", "kind"), ODD)
def test_patience_ends_and_the_generation_does_not(
    engine: Engine, phase: GenerationPhase, word: str | None, kind: str
) -> None:
    """The row fails, paid for; the next run finds the video, and buys nothing."""
    load(engine, 1)
    shows, odd = engine.provider._view, [True]

    def view(made: Any) -> Generation:
        seen = shows(made)
        return (
            Generation(seen.id, phase, seen.prompt, seen.created_at, said_state=word)
            if odd
            else seen
        )

    engine.provider._view = view  # type: ignore[method-assign]
    assert engine.run(generation_timeout=350, poll_interval=60).reason is Reason.FINISHED
    assert engine.status().failed_kinds == {kind: 1}
    assert engine.store.queries.job("n0").said_state == word
    odd.clear()
    assert engine.run().reason is Reason.FINISHED
    assert (counts(engine), money(engine)) == ({"completed": 1}, (PRICE, 0))
    assert len(engine.provider.posts) == 1


def test_a_clock_that_is_set_forth_and_back_ends_no_patience(engine: Engine) -> None:
    """A video of minutes is not overdue, nor is its look put off until tomorrow."""
    load(engine, 3)

    def skew(hours: float) -> Callable[[], None]:
        return lambda: setattr(engine.clock, "skew", timedelta(hours=hours))

    ending = engine.run(during=at((30, skew(30)), (90, skew(-3)), (120, skew(0))))
    assert ending.reason is Reason.FINISHED
    assert counts(engine) == {"completed": 3}


def test_an_announced_end_is_looked_at_before_its_time(engine: Engine) -> None:
    engine.provider.takes = 20.0
    load(engine, 1)

    def announce() -> None:
        engine.store.control.look_sooner(["gen-0", "gen-else"])

    assert engine.run(during=at((25, announce), (26, announce))).reason is Reason.FINISHED
    (attempt,) = engine.attempts()
    took = attempt.ended_at - attempt.accepted_at
    assert timedelta(seconds=20) <= took <= timedelta(seconds=30)


def test_what_a_person_gave_up_is_looked_at_and_may_finish(engine: Engine) -> None:
    engine.provider.takes = 4000.0
    load(engine, 1)
    engine.run(generation_timeout=600)
    number = engine.jobs()["n0"].id
    patience = Patience(engine.clock.now(), timedelta(0))
    assert engine.store.control.give_up([number], patience) == [number]
    engine.clock.start += timedelta(hours=3)
    assert engine.run().reason is Reason.FINISHED
    assert counts(engine) == {"completed": 1}
    assert (money(engine), len(engine.provider.posts)) == ((PRICE, 0), 1)
