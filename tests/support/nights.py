"""What tests of whole runs on virtual time share: rows, moments, and what there is then."""

import asyncio
from collections.abc import Callable
from typing import Any

from jobs.model.provider import SubmitOutcome
from jobs.services.runner import Runner
from support.engine import Engine, spec

PRICE = 120_000
"""Micros that every row costs."""


def load(engine: Engine, count: int, batch: str = "night") -> None:
    """Load so many rows, with the batch's first letter before their numbers."""
    engine.load([spec(f"{batch[0]}{n}", row=n) for n in range(count)], batch=batch)


def counts(engine: Engine, batch_id: int = 1) -> dict[str, int]:
    """Count jobs by state, without zeros."""
    return {state: n for state, n in engine.status(batch_id).jobs.items() if n}


def states(engine: Engine) -> dict[str, str]:
    """Map jobs to their states."""
    return {job.key: job.state for job in engine.store.queries.jobs()}


def attempts(engine: Engine, key: str) -> list[str]:
    """Return the states of a job's attempts."""
    queries = engine.store.queries
    return [one.state for one in queries.attempts_of(queries.job(key).id)]


def money(engine: Engine, batch_id: int = 1) -> tuple[int, int]:
    """Return what is spent and what is reserved."""
    found = engine.status(batch_id).money
    return found.charged, found.held


def answers(engine: Engine, *outcomes: SubmitOutcome) -> list[str]:
    """Answer the first submissions so, whichever row they are for; returns all prompts sent."""
    left, usual, sent = list(outcomes), engine.provider.submit, list[str]()

    async def submit(request: Any, key: str, may_send: Callable[[], bool]) -> SubmitOutcome:
        sent.append(request.prompt)
        outcome = left.pop(0) if left else None
        if outcome is None:
            return await usual(request, key, may_send)
        await asyncio.sleep(0.2)
        return outcome

    engine.provider.submit = submit  # type: ignore[method-assign]
    return sent


def at(*moments: tuple[float, Callable[[], object]]) -> Callable[[Runner], object]:
    """Do things so many seconds after a run began."""

    def plan(_: Runner) -> None:
        for seconds, what in moments:
            asyncio.get_running_loop().call_later(seconds, what)

    return plan


def stop(seconds: float) -> Callable[[Runner], object]:
    """Stop a run so many seconds after it began."""
    return lambda runner: asyncio.get_running_loop().call_later(seconds, runner.stop)
