"""Which states of attempts tell what of a row, said once for every question about its attempts.

Each is written out as SQL with the table's name: SQLite uses a partial index only where a query
repeats its predicate to the letter, and a job has a state, too (docs/performance.md).
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Exists, exists, text

from ..database.columns import sql_list
from ..database.tables import ATTEMPT, JOB, LIVE
from ..model.states import AttemptState

CREATED: Final = (
    AttemptState.OPEN,
    AttemptState.IN_DOUBT,
    AttemptState.ACCEPTED,
    AttemptState.COMPLETED,
    AttemptState.FAILED,
    AttemptState.ABANDONED,
)
"""An attempt in these states may have been created: what is rejected or void was not."""

ACCEPTED: Final = text(f"attempt.state = '{AttemptState.ACCEPTED}'")
VOID: Final = text(f"attempt.state = '{AttemptState.VOID}'")
UNSETTLED: Final = text("attempt.state IN ('open', 'in_doubt')")
"""Attempts whose generation may be in the account under an id we do not know."""

HAS_LIVE: Final = exists().where(LIVE, ATTEMPT.c.job_id == JOB.c.id)
"""Jobs of which an attempt is under way, in doubt, or may still end."""

_LATER: Final = ATTEMPT.alias("later")
_KNOWN: Final = ATTEMPT.alias("known")


def sent_later(same: str, states: Iterable[AttemptState]) -> Exists:
    """Select the attempts after which their row asked for the same again.

    Args:
        same: the column that says so: ``request_key`` is the request in any spelling,
            ``fingerprint`` is the very text that its idempotency key goes with.
        states: of the later attempts that count.
    """
    return exists().where(
        _LATER.c.job_id == ATTEMPT.c.job_id,
        _LATER.c.id > ATTEMPT.c.id,
        _LATER.c[same] == ATTEMPT.c[same],
        text(f"later.state IN {sql_list(states)}"),
    )


def key_is_taken() -> Exists:
    """Select the attempts whose idempotency key another attempt of their row was created with.

    The provider answers such a key with what it made then, so it buys nothing.
    """
    return exists().where(
        _KNOWN.c.job_id == ATTEMPT.c.job_id,
        _KNOWN.c.idempotency_key == ATTEMPT.c.idempotency_key,
        text(f"known.state IN {sql_list(CREATED)}"),
    )
