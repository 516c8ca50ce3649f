"""Generations of ours, as the list of their family must show them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A generation of ours that the list must show."""

    attempt_id: int
    generation_id: str
    prompt: str
    bought: bool  # False if it was taken over: then it may be older than its attempt
    intent_at: datetime  # when its intent was written, by our clock, as accepted_at
    accepted_at: datetime
    dated: bool = True  # whether the provider's own time of it is known
    answered: bool = True  # whether the answer to its request named it: it was created in between
    mark: str | None = None  # what the list must show of its request; None: it has none
