"""What can go wrong on the way, at which rates, decided by seed, prompt and try alone."""

from dataclasses import dataclass, fields
from enum import StrEnum

from batchsora.sandbox.world import chance


class Fault(StrEnum):
    """What happens to one submission."""

    NONE = "none"
    DROP = "drop"
    LOST = "lost"
    ERROR = "error"
    BROKEN = "broken"
    LATE = "late"
    THROTTLE = "throttle"
    GARBLED = "garbled"


_SUBMISSION_FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
_ROUNDING = 1e-9
"""What a sum of rates such as 0.1 may be off by."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Rates from 0 to 1, and two times in seconds.

    Attributes:
        drop: accepted and charged, then the connection drops.
        lost: the connection drops, and nothing was created.
        error: accepted and charged, then answered 502.
        broken: answered 500, and nothing was created.
        late: accepted and charged, answered after ``late_seconds``.
        throttle: answered 429 with a Retry-After, and nothing was created.
        garbled: accepted and charged, answered 201 with a body that can't be read.
        flaky: reads (status, list, balance) answered 503.
        foreign: another client of the account makes something at the same time.
        twin: another client of the account makes the same prompt at the same time.
        cut: downloads that break off in the middle.
        fail: generations that fail in the end.
        late_seconds: how late a late answer is.
        lag: seconds by which the list is behind.
    """

    drop: float = 0.0
    lost: float = 0.0
    error: float = 0.0
    broken: float = 0.0
    late: float = 0.0
    throttle: float = 0.0
    garbled: float = 0.0
    flaky: float = 0.0
    foreign: float = 0.0
    twin: float = 0.0
    cut: float = 0.0
    fail: float = 0.0
    late_seconds: float = 90.0
    lag: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """Read ``drop=0.1,error=0.05,lag=30``.

        Raises:
            ValueError: an unknown name, a rate that is none, or rates of what happens to one POST
                that are more than 1 together.
        """
        names = [field.name for field in fields(cls)]
        found: dict[str, float] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, _, value = part.partition("=")
            if name not in names:
                raise ValueError(f"no fault {name!r}; there are {', '.join(names)}")
            try:
                amount = float(value)
            except ValueError:
                raise ValueError(f"{part!r}: write it like {name}=0.1") from None
            highest = 86400.0 if name in ("late_seconds", "lag") else 1.0
            if not 0 <= amount <= highest:
                raise ValueError(f"{part!r}: from 0 to {highest:g}")
            found[name] = amount
        if sum(found.get(fault, 0.0) for fault in _SUBMISSION_FAULTS) > 1 + _ROUNDING:
            raise ValueError(f"{', '.join(_SUBMISSION_FAULTS)}: together at most 1")
        return cls(**found)

    def of_submission(self, seed: int, prompt: str, turn: int) -> Fault:
        """Decide what happens to the ``turn``-th POST of a prompt."""
        drawn = chance(seed, "submit", prompt, turn)
        for fault in _SUBMISSION_FAULTS:
            rate: float = getattr(self, fault)
            if drawn < rate:
                return fault
            drawn -= rate
        return Fault.NONE

    def happens(self, rate: float, seed: int, *what: object) -> bool:
        """Decide whether something happens that has a rate of its own."""
        return rate > 0 and chance(seed, *what) < rate
