"""Holding rows back that somebody else is seen to buy (:mod:`jobs.elsewhere`)."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from ..elsewhere import Elsewhere
from ..states import HeldBack
from ..tables import ATTEMPT, BUYABLE, JOB, UNSETTLED
from . import holding
from .prepared import Prepared
from .takeovers import known_ids

_UNSETTLED_ID = Prepared(
    select(ATTEMPT.c.id).where(UNSETTLED, ATTEMPT.c.prompt_key == bindparam("prompt_key")).limit(1)
)


def hold_back(connection: Connection, elsewhere: Elsewhere, job: Any, key: str) -> str | None:
    """Hold a job back when somebody else has made its prompt.

    Args:
        connection: in a writing transaction; no attempt of the prompt is unsettled in it.
        elsewhere: what others were seen to make.
        job: a queued one; what others had made when a person overruled it is none of it.
        key: of its prompt (:func:`jobs.text.prompt_key`).

    Returns:
        The generation that is the reason; None where there is none.
    """
    made = elsewhere.made(key, job.overruled_at)
    theirs = _not_ours(connection, made)
    if theirs is None:
        return None
    holding.hold_back(connection, {job.id: theirs}, HeldBack.ELSEWHERE)
    return theirs


def hold_back_copied(connection: Connection, elsewhere: Elsewhere) -> dict[int, str]:
    """Hold whole batches back when others bought several prompts that this run has bought too.

    Two copies of a database buy the same rows in the same order: neither sees a row of the other
    before it has bought that row itself. What has no known generation here but an unsettled attempt
    may be ours.

    Returns:
        The generation that is the reason, by batch; empty where there is none.
    """
    if not elsewhere.suspicious:
        return {}
    both = elsewhere.both()
    ours = known_ids(connection, [generation for generation, _ in both.values()])
    elsewhere.forget(key for key, (generation, _) in both.items() if generation in ours)
    theirs = {
        key: found
        for key, found in elsewhere.both().items()
        if _UNSETTLED_ID.first(connection, prompt_key=key) is None
    }
    if not elsewhere.enough(theirs):
        return {}
    elsewhere.forget(theirs)  # once: whoever releases the rows knows of these
    held = {batch_id: generation for generation, batch_id in theirs.values()}
    for batch_id, generation in held.items():
        connection.execute(
            update(JOB)
            .where(BUYABLE, JOB.c.batch_id == batch_id)
            .values(held_back=HeldBack.ELSEWHERE, held_back_by=generation, handed=False)
        )
    return held


def _not_ours(connection: Connection, made: Iterable[str]) -> str | None:
    made = list(made)
    ours = known_ids(connection, made) if made else set()
    return next((one for one in made if one not in ours), None)
