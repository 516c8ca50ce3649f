"""Which failures are tried again by themselves, and when. Pure.

Only what the provider broke (``system``, ``timeout``) is bought again: a refused prompt or image
would be refused again, and an overdue generation may still finish (design.md, *Failure kinds*).
"""

import random
from dataclasses import dataclass
from datetime import timedelta

from .states import FailureKind

RETRIED = frozenset({FailureKind.SYSTEM, FailureKind.TIMEOUT})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently.

    Attributes:
        retries: new attempts at most after the first, for one job.
        base: seconds that the first delay has at most; it doubles each time.
        ceiling: seconds that a delay has at most.
    """

    retries: int
    base: float = 30.0
    ceiling: float = 900.0

    def decide(
        self, kind: FailureKind, retries_so_far: int, chance: random.Random
    ) -> timedelta | None:
        """Say after which delay to try again, or None when the failure stands."""
        if kind not in RETRIED or retries_so_far >= self.retries:
            return None
        return timedelta(seconds=full_jitter(self.base, self.ceiling, retries_so_far, chance))


def full_jitter(base: float, ceiling: float, step: int, chance: random.Random) -> float:
    """Draw a delay in seconds: anything up to the doubled base, capped.

    Full jitter spreads the clients that failed together (AWS Architecture Blog, "Exponential
    Backoff And Jitter").
    """
    return chance.uniform(0, min(ceiling, base * 2 ** min(step, 32)))
