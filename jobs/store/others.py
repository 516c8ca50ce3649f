"""Rows that wait because somebody else buys them, or another batch of this run does.

Others are seen in the account's list (:mod:`jobs.evidence.elsewhere`). What another batch bought
since the run began is asked for in the claim itself, each purchase once however it is spelled; what
was bought before is found in our own past (:mod:`jobs.store.past`).
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from sqlalchemy import Connection, bindparam, select, update

from ..database.tables import ATTEMPT, BATCH, BUYABLE, HELD_BACK, JOB, PAID, QUEUED, UNSETTLED
from ..evidence.elsewhere import Elsewhere, Key
from ..evidence.looked_for import FoundInTurn
from ..model.families import Kind
from ..model.spec import asked_key
from ..model.states import AttemptState, HeldBack
from ..model.text import prompt_key
from . import doubts, holding
from .prepared import Prepared, as_list, columns_from, one_of
from .records import AskedJob, PastAttempt, QueuedJob

_UNSETTLED_PROMPTS = Prepared(select(ATTEMPT.c.kind, ATTEMPT.c.prompt).where(UNSETTLED))

_AWAITED = Prepared(  # by batch, for its index
    select(*columns_from(JOB, AskedJob)).where(
        HELD_BACK,
        QUEUED,
        JOB.c.in_manifest,
        JOB.c.batch_id.in_(select(BATCH.c.id).where(BATCH.c.removed_at.is_(None))),
        JOB.c.held_back == HeldBack.EXISTS,
        JOB.c.held_back_by.in_(one_of("generations")),
    ),
    AskedJob,
)
"""Generations that a look before buying has matched to a row, which waits for them."""


def hold_back(connection: Connection, elsewhere: Elsewhere, job: QueuedJob) -> str | None:
    """Hold a queued job back if somebody else has bought its prompt, of which nothing is unsettled.

    What others had made when a person overruled it does not count, nor does what an equal row waits
    for. Return the generation that is the reason; None if the job is not held back.
    """
    family = Kind.parse(job.asked.kind).family
    made = elsewhere.made(family, job.asked.prompt, job.overruled_at)
    theirs = _not_ours(connection, made, asked_key(job.asked))
    if theirs is not None and not _is_a_doubts(connection, elsewhere, family, job.asked.prompt):
        holding.hold_back(connection, {job.id: theirs}, HeldBack.ELSEWHERE)
        return theirs
    return None


def _is_a_doubts(connection: Connection, elsewhere: Elsewhere, family: str, prompt: str) -> bool:
    """Check whether what a list that cuts prompts shows may be of an unsettled attempt."""
    cuts = elsewhere.echo(family).altered
    return cuts and elsewhere.key(family, prompt) in _unsettled(connection, elsewhere)


def _unsettled(connection: Connection, elsewhere: Elsewhere) -> set[Key]:
    return {
        elsewhere.key(Kind.parse(kind).family, prompt)
        for kind, prompt in _UNSETTLED_PROMPTS.all(connection)
    }


Both = Mapping[Key, tuple[str, int]]
"""Shown prompts that this run bought, with a generation of others and our batch."""


def hold_back_copied(connection: Connection, elsewhere: Elsewhere) -> tuple[list[str], Both]:
    """Hold whole batches back when others bought several prompts that this run has bought too.

    Two copies of a database buy the same rows in the same order: neither sees a row of the other
    before it has bought that row itself. What has no known generation here but an unsettled attempt
    may be ours. Return the generations that are the reason, one a batch, and what is dealt with by
    this, to be forgotten (:meth:`Elsewhere.forget`).
    """
    if not elsewhere.suspicious:
        return [], {}
    both = elsewhere.both()
    seen = [generation for generation, _ in both.values()]
    ours = doubts.known(connection, seen).keys() | {
        row.held_back_by for row in _awaited(connection, seen)
    }
    own = {key: found for key, found in both.items() if found[0] in ours}
    unsettled = _unsettled(connection, elsewhere)
    theirs = {k: found for k, found in both.items() if k not in own and k not in unsettled}
    if not elsewhere.enough(theirs):
        return [], own
    held = {batch_id: generation for generation, batch_id in theirs.values()}
    for batch_id, generation in held.items():
        connection.execute(
            update(JOB)
            .where(BUYABLE, JOB.c.batch_id == batch_id)
            .values(held_back=HeldBack.ELSEWHERE, held_back_by=generation, handed=False)
        )
    return [*held.values()], own | theirs  # once: whoever releases the rows knows of these


def _not_ours(connection: Connection, made: Sequence[str], request: str) -> str | None:
    """Return the first generation that no attempt of ours has, and no equal row waits for."""
    ours = doubts.known(connection, made)
    theirs = [one for one in made if one not in ours]
    if not theirs:
        return None
    awaited = _awaited(connection, theirs)
    matched = {row.held_back_by for row in awaited if asked_key(row.asked) == request}
    return next((one for one in theirs if one not in matched), None)


def _awaited(connection: Connection, generations: Iterable[str]) -> Sequence[AskedJob]:
    return _AWAITED.all(connection, generations=as_list(generations))


_SINCE = (
    select(*columns_from(ATTEMPT, PastAttempt))
    .where(
        ATTEMPT.c.request_key == bindparam("request"),
        ATTEMPT.c.id > bindparam("since"),
        ATTEMPT.c.batch_id != bindparam("batch"),
        ATTEMPT.c.state != AttemptState.FAILED,
    )
    .order_by(ATTEMPT.c.id)
    .limit(1)
)
_BOUGHT_SINCE = Prepared(_SINCE.where(PAID), PastAttempt)
_SENT_SINCE = Prepared(
    _SINCE.where(UNSETTLED, ATTEMPT.c.prompt_key == bindparam("prompt_key")), PastAttempt
)


def bought_here(
    connection: Connection,
    job: QueuedJob,
    request: str,
    looked_for: FoundInTurn,
    *,
    unsettled: bool,
) -> PastAttempt | None:
    """Find what another batch has sent since the run began that a row is to wait for.

    What its own batch has is no reason: equal rows are wanted. ``looked_for`` remembers up to where
    other batches were asked, and which rows wait for what; ``unsettled``: an attempt of the row's
    prompt is under way to the provider, or in doubt.
    """
    batch = job.batch_id
    since = looked_for.asked(batch, request)
    while True:
        values = {"batch": batch, "request": request, "since": since}
        found = [_BOUGHT_SINCE.first(connection, **values)]
        if unsettled:
            found.append(
                _SENT_SINCE.first(connection, prompt_key=prompt_key(job.asked.prompt), **values)
            )
        first = min((one for one in found if one is not None), key=attrgetter("id"), default=None)
        if first is None or first.state == AttemptState.OPEN:
            return first
        since = first.id
        if looked_for.is_taken(batch, first.id):
            continue
        looked_for.take(batch, first.id)
        looked_for.note_asked(batch, request, first.id)
        if job.overruled_at is None or first.intent_at > job.overruled_at:
            return first
