"""A submission whose answer is lost, and that the list never shows."""

from typing import Any

from jobs.model.provider import GenerationRequest as Request
from support.engine import Engine

LOST = "prompt of r4"
"""Of the row whose answer is lost."""

PRICE = 120_000
"""Micro-dollars, of every row."""


def hide(engine: Engine) -> None:
    """Let the list never show what is made of the lost answer."""
    make = engine.provider.make

    def hidden(request: Request, key: str = "foreign") -> Any:
        made = make(request, key)
        if request.prompt == LOST and [m.prompt for m in engine.provider.made].count(LOST) == 1:
            engine.provider.hides[made.id] = 10**9
        return made

    engine.provider.make = hidden  # type: ignore[method-assign]


def waits(engine: Engine) -> bool:
    """Check that the lost one was sent once and keeps its money."""
    (attempt,) = [a for a in engine.attempts() if a.prompt == LOST]
    assert attempt.state == "in_doubt"
    assert engine.budget("account").held_micros == attempt.hold_micros == PRICE
    return [prompt for prompt, _ in engine.provider.posts].count(LOST) == 1
