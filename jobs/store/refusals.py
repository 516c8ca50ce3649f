"""What a row has heard before: its earlier attempts are kept with the provider's words."""

from sqlalchemy import Connection, bindparam, select, text

from ..blame import Heard, same_words
from ..states import AttemptState
from ..tables import ATTEMPT
from .prepared import Prepared

MOST_LOOKED_AT = 50
"""Earlier attempts of a job that are compared, the newest first."""

_THIS = Prepared(
    select(ATTEMPT.c.job_id, ATTEMPT.c.fingerprint).where(ATTEMPT.c.id == bindparam("attempt"))
)
_EARLIER = Prepared(
    select(ATTEMPT.c.id, ATTEMPT.c.error)
    .where(
        ATTEMPT.c.job_id == bindparam("job"),
        ATTEMPT.c.id < bindparam("attempt"),
        ATTEMPT.c.fingerprint == bindparam("fingerprint"),
        text(f"+state = '{AttemptState.REJECTED}'"),
    )
    .order_by(ATTEMPT.c.id.desc())
    .limit(MOST_LOOKED_AT)
)
_TAKEN_SINCE = Prepared(
    select(ATTEMPT.c.id)
    # what was taken over from the list held nothing, and shows nothing of submissions
    .where(
        ATTEMPT.c.id > bindparam("attempt"),
        text("+generation_id IS NOT NULL"),
        ATTEMPT.c.hold_micros > 0,
    )
    .limit(1)
)


def heard(connection: Connection, attempt_id: int, message: str) -> Heard:
    """Return whether a row has heard a refusal before, for the same request.

    Args:
        connection: a snapshot.
        attempt_id: whose answer it is.
        message: the refusal.
    """
    this = _THIS.first(connection, attempt=attempt_id)
    words = same_words(message)
    earlier = _EARLIER.all(
        connection, job=this.job_id, attempt=attempt_id, fingerprint=this.fingerprint
    )
    alike = [one.id for one in earlier if same_words(one.error or "").endswith(words)]
    if not alike:
        return Heard.NEVER
    # the oldest: what was accepted since is no less so because it was refused again
    taken = _TAKEN_SINCE.first(connection, attempt=min(alike))
    return Heard.BEFORE if taken is None else Heard.AND_OTHERS_TAKEN
