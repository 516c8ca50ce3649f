"""A generation as the provider keeps it."""

import math
from dataclasses import dataclass
from datetime import datetime

QUEUED_SHARE = 0.2


@dataclass(slots=True)
class Made:
    """One generation as the provider keeps it.

    Attributes:
        price: what was charged for it, in micros.
        takes: seconds of real time until it ends; infinite: never.
        failure: its error message, when it fails in the end.
        foreign: True when another client of the account made it.
    """

    id: str
    prompt: str
    orientation: str
    duration: int
    price: int
    key: str | None
    created_at: datetime
    takes: float
    failure: str | None = None
    foreign: bool = False

    def phase(self, now: datetime) -> str:
        """Return where it stands."""
        age = (now - self.created_at).total_seconds()
        if age >= self.takes:
            return "completed" if self.failure is None else "failed"
        waits = self.takes * QUEUED_SHARE if math.isfinite(self.takes) else 0.0
        return "pending" if age < waits else "processing"
