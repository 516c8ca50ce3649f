"""What is said when our patience with a generation ends: by where it was seen last. Pure.

The row fails, the charge stays, and the generation is still looked at: it may end after all.
"""

from datetime import datetime, timedelta
from typing import Final

from .ports.updates import GivenUp
from .provider import Generation, GenerationPhase
from .states import FailureKind

NO_STATE: Final = "nothing that batchsora understands"
_LEAVE: Final = "the next 'batchsora run' looks again first; 'batchsora abandon' gives it up"
_SEEN: Final = {
    GenerationPhase.UNKNOWN: (
        FailureKind.UNKNOWN,
        (
            "the provider says {said} after {minutes:g} minutes, and batchsora does not know what "
            f"that means; it is paid and may still finish: {_LEAVE}"
        ),
    ),
    GenerationPhase.COMPLETED: (
        FailureKind.NO_FILE,
        (
            "the provider says that it is completed, and after {minutes:g} minutes still gives no "
            f"usable address of the video; it is paid: {_LEAVE}"
        ),
    ),
}
_OVERDUE: Final = (
    FailureKind.OVERDUE,
    (
        "not finished after {minutes:g} minutes; it is paid and may still finish: "
        "the next 'batchsora run' looks again first"
    ),
)
"""``phase: (kind, words)``; every other phase, and no look at all, is overdue."""


def given_up(seen: Generation | None, patience: timedelta, next_look_at: datetime) -> GivenUp:
    """Return how a generation is given up for this run.

    Args:
        seen: the last look; None when the provider did not know it.
        patience: how long it was waited for.
        next_look_at: when it is looked at again.
    """
    phase = None if seen is None else seen.phase
    kind, words = _OVERDUE if phase is None else _SEEN.get(phase, _OVERDUE)
    state = None if seen is None else seen.said_state
    said = NO_STATE if state is None else repr(state)
    minutes = patience.total_seconds() / 60
    message = words.format(said=said, minutes=minutes)
    return GivenUp(kind, message, next_look_at, state)
