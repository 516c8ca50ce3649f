"""What batches buy beside each other in one run: equal rows of another one wait for it.

One after the other, the second batch's rows would be found in our own past
(:mod:`jobs.store.past`), which is asked before the first purchase. Asked in the claim by what was
bought since, each purchase once, however it is spelled (:func:`jobs.model.spec.asked_key`).
"""

from dataclasses import dataclass
from operator import attrgetter

from sqlalchemy import Connection, bindparam, select

from ..database.tables import ATTEMPT, PAID, UNSETTLED
from ..evidence.looked_for import FoundInTurn
from ..model.states import AttemptState
from ..model.text import prompt_key
from .prepared import Prepared
from .records.attempts import SentSince
from .records.jobs import QueuedJob

_SINCE = (
    select(ATTEMPT.c.id, ATTEMPT.c.state, ATTEMPT.c.generation_id, ATTEMPT.c.intent_at)
    .where(
        ATTEMPT.c.request_key == bindparam("request"),
        ATTEMPT.c.id > bindparam("since"),
        ATTEMPT.c.batch_id != bindparam("batch"),
        ATTEMPT.c.state != AttemptState.FAILED,
    )
    .order_by(ATTEMPT.c.id)
    .limit(1)
)
_BOUGHT = Prepared(_SINCE.where(PAID), SentSince)
_SENT = Prepared(
    _SINCE.where(UNSETTLED, ATTEMPT.c.prompt_key == bindparam("prompt_key")), SentSince
)


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What another batch has sent since the run began.

    Attributes:
        generation_id: None while it is not known.
        open: its answer is still to come: the row waits for that.
    """

    generation_id: str | None
    open: bool


def bought(
    connection: Connection,
    job: QueuedJob,
    request: str,
    looked_for: FoundInTurn,
    *,
    unsettled: bool,
) -> Meanwhile | None:
    """Find what another batch has bought since the run began that a row asks for.

    Args:
        connection: in a writing transaction.
        job: about to be bought; what its own batch has is no reason: equal rows are wanted.
        request: what it asks for (:func:`jobs.model.spec.asked_key`).
        looked_for: remembers up to where other batches were asked, and which rows wait for what.
        unsettled: an attempt of its prompt is under way to the provider, or in doubt.

    Returns:
        What it is to wait for; None where it may be bought.
    """
    batch = job.batch_id
    since = looked_for.asked(batch, request)
    while True:
        values = {"batch": batch, "request": request, "since": since}
        found = [_BOUGHT.first(connection, **values)]
        if unsettled:
            found.append(_SENT.first(connection, prompt_key=prompt_key(job.asked.prompt), **values))
        first = min((one for one in found if one is not None), key=attrgetter("id"), default=None)
        if first is None:
            return None
        if first.state == AttemptState.OPEN:
            return Meanwhile(None, open=True)
        since = first.id
        if looked_for.is_taken(batch, first.id):
            continue
        looked_for.take(batch, first.id)
        looked_for.note_asked(batch, request, first.id)
        if job.overruled_at is None or first.intent_at > job.overruled_at:
            return Meanwhile(first.generation_id, open=False)
