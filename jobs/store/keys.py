"""Idempotency keys: which one a row is sent with again."""

from sqlalchemy import Connection, bindparam, exists, select, text

from ..columns import sql_list
from ..tables import ATTEMPT
from .latecomers import CREATED
from .prepared import Prepared
from .records.jobs import QueuedJob

_LATER, _KNOWN = ATTEMPT.alias("later"), ATTEMPT.alias("known")
_REPLACED = Prepared(
    select(ATTEMPT.c.idempotency_key)
    .where(
        ATTEMPT.c.job_id == bindparam("job"),
        ATTEMPT.c.fingerprint == bindparam("fingerprint"),
        text("attempt.state IN ('void', 'rejected')"),
        ~exists().where(
            _LATER.c.job_id == ATTEMPT.c.job_id,
            _LATER.c.id > ATTEMPT.c.id,
            _LATER.c.fingerprint == ATTEMPT.c.fingerprint,
            text(f"later.state IN {sql_list(CREATED)}"),
        ),
        ~exists().where(
            _KNOWN.c.job_id == ATTEMPT.c.job_id,
            _KNOWN.c.idempotency_key == ATTEMPT.c.idempotency_key,
            _KNOWN.c.generation_id.is_not(None),
        ),
    )
    .order_by(text("attempt.state = 'rejected'"), ATTEMPT.c.id.desc())
    .limit(1)
)
"""The last void's key comes before that of what was never created; none has one that answers with a
generation that is known."""


def replaced(connection: Connection, job: QueuedJob) -> str | None:
    """Return the key of a row's void or unsent attempt; a failed one's successor gets a new one.

    Another request is never sent under an old key, nor is another spelling of it.

    Returns:
        None where a new one is to be made.
    """
    if job.attempt_id is None:
        return None
    key = _REPLACED.scalar(connection, job=job.id, fingerprint=job.fingerprint)
    return None if key is None else str(key)
