"""Idempotency keys: which one a row is sent with again."""

from sqlalchemy import Connection, bindparam, select, text

from ..database.tables import ATTEMPT
from .attempt_states import CREATED, key_is_taken, sent_later
from .prepared import Prepared
from .records.jobs import QueuedJob

_REPLACED = Prepared(
    select(ATTEMPT.c.idempotency_key)
    .where(
        ATTEMPT.c.job_id == bindparam("job"),
        ATTEMPT.c.fingerprint == bindparam("fingerprint"),
        text("attempt.state IN ('void', 'rejected')"),
        ~sent_later("fingerprint", CREATED),
        ~key_is_taken(),
    )
    .order_by(text("attempt.state = 'rejected'"), ATTEMPT.c.id.desc())
    .limit(1)
)
"""The last void's key comes before that of what was never created: should the void turn up, the
provider answers with it, and nothing is paid for twice. None has a key that made something already:
it would be answered with that, and buy nothing (tests/integration/test_keys_of_replacements.py)."""


def replaced(connection: Connection, job: QueuedJob) -> str | None:
    """Return the key of a row's void or unsent attempt; a failed one's successor gets a new one.

    Another request is never sent under an old key, nor is another spelling of it.

    Returns:
        None where a new one is to be made.
    """
    if job.attempt_id is None:
        return None
    key = _REPLACED.scalar(connection, job=job.id, fingerprint=job.asked.fingerprint)
    return None if key is None else str(key)
