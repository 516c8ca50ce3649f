"""Which failures are retried automatically, and when. Pure.

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
    """How often and how patiently to retry.

    Attributes:
        retries: most new attempts after the first, for one job.
        base: most seconds of the first delay; it doubles each time.
        ceiling: most seconds of any delay.
    """

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

    Full jitter spreads the clients that failed together (AWS Architecture Blog, "Exponential
    Backoff And Jitter").
    """
    return chance.uniform(0, min(ceiling, base * 2 ** min(step, 32)))
