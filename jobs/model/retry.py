"""Which failures are retried automatically, and when. Pure.

Only what the provider broke is bought again: a refused prompt or image would be refused again, and
an overdue generation may still finish (design.md, *Failure kinds*).
"""

import random
from dataclasses import dataclass
from datetime import timedelta

from .states import FailureKind

RETRIED = frozenset({FailureKind.SYSTEM, FailureKind.TIMEOUT})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to retry a job, and the most seconds of the first delay (doubled) and of any."""

    retries: int
    base: float = 30.0
    ceiling: float = 900.0

    def decide(
        self, kind: FailureKind, retries_so_far: int, chance: random.Random
    ) -> timedelta | None:
        """Return the delay after which to try again; None when the failure is final."""
        if kind not in RETRIED or retries_so_far >= self.retries:
            return None
        return timedelta(seconds=full_jitter(self.base, self.ceiling, retries_so_far, chance))


def full_jitter(base: float, ceiling: float, step: int, chance: random.Random) -> float:
    """Draw a delay in seconds: anything up to the doubled base, capped.

    It spreads clients that failed together (AWS Architecture Blog, "Exponential Backoff And
    Jitter").
    """
    return chance.uniform(0, min(ceiling, base * 2 ** min(step, 32)))
