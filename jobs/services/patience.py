"""How our patience with a generation ends: by where it was seen last. Pure.

The row fails, the charge stays, and the generation is still looked at: it may end after all.
"""

from datetime import datetime, timedelta
from typing import Final

from ..model.provider import Generation, GenerationPhase
from ..model.states import FailureKind
from ..model.words import Words
from ..ports.updates import GivenUp

_KINDS: Final = {
    GenerationPhase.UNKNOWN: FailureKind.UNKNOWN,
    GenerationPhase.COMPLETED: FailureKind.NO_FILE,
}
"""Every other phase, and no look at all, is overdue."""


def given_up(
    seen: Generation | None, patience: timedelta, next_look_at: datetime, words: Words
) -> GivenUp:
    """Return how a generation is given up for this run.

    Args:
        seen: the last look; None when the provider did not know it.
        patience: how long it was waited for.
        next_look_at: when it is looked at again.
        words: make the reason that its row keeps.
    """
    kind = FailureKind.OVERDUE if seen is None else _KINDS.get(seen.phase, FailureKind.OVERDUE)
    state = None if seen is None else seen.said_state
    message = words.given_up(kind, patience.total_seconds() / 60, state)
    return GivenUp(kind, message, next_look_at, state)
