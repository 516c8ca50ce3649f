"""Claiming: one transaction that picks queued jobs, holds their money and writes their intents.

What may forbid a purchase is looked at in it: cancel, pause, edits and caps come from others too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, not_, or_, select, text

from ..database.tables import ATTEMPT, BUYABLE, JOB, LIVE, TALLY, UNSETTLED
from ..evidence.looked_for import BuyableRow, FoundInTurn, Wish
from ..model.families import Kind, kinds_of
from ..model.ledger import Scope, keys_of
from ..model.provider import Marked
from ..model.spec import asked_key, request_of
from ..model.states import AttemptState, Blocked, HeldBack, JobState
from ..model.text import prompt_key
from ..ports.purchases import Claim, Claimed, ClaimTerms
from . import accounts, handing, holding, others
from .hold_ledger import HoldLedger
from .latecomers import regain
from .prepared import Prepared, columns_from, read
from .queues import Queue, queues
from .records import LastAttempt, QueuedJob, ServedBatch
from .rows import (
    CREATED,
    key_is_taken,
    moving_jobs,
    new_attempt,
    sent_later,
)

MOST_TWINS = 200
"""Prompts that wait for their equals, and jobs that wait for a look at the list, after which a turn
looks no further: a query has limits."""


BY_SCOPE = {
    Scope.BATCH: Blocked.BATCH_CAP,
    Scope.CAMPAIGN: Blocked.CAMPAIGN_CAP,
    Scope.DAY: Blocked.DAY_CAP,
    Scope.ACCOUNT: Blocked.BALANCE,
}


def claim(
    connection: Connection, now: datetime, terms: ClaimTerms, new_key: Callable[[], str]
) -> Claimed:
    """Claim as many due jobs as terms, caps and prices allow.

    What a person handed over goes first, then the batches that the runner was started for, and
    last what a run has put back.
    """
    under_way = dict(_UNDER_WAY.all(connection))
    want = min(terms.want, terms.window - sum(under_way.values()))
    if want <= 0:
        return Claimed(crowded=JobState.PENDING in under_way or JobState.PROCESSING in under_way)
    # all that follows is read in the writing transaction itself: what another process wrote (cap,
    # pause, cancel, edit) is seen or comes later, never between look and purchase; see
    # tests/crash/test_steering_race.py
    day = accounts.current_day(connection, now)
    theirs, copies = others.hold_back_copied(connection, terms.elsewhere)
    ledger, found = HoldLedger(connection), FoundInTurn(terms.looked_for)
    claimed: list[Claim] = []
    blocked: dict[int, frozenset[Blocked]] = {}
    crowded = False
    for batch, queue in queues(connection):
        if want <= 0:
            break
        picker = _Picker(connection, ledger, found, now, terms, day, batch, queue, new_key)
        claims = picker.pick(want)
        want -= len(claims)
        claimed += claims
        theirs += picker.elsewhere
        crowded |= bool(picker.lacking)
        if picker.blocked:
            blocked[batch.id] = blocked.get(batch.id, frozenset()) | picker.blocked
    # once for all claims: each of them was measured against those before it in the ledger's own
    # numbers, and nobody else writes until the commit (test_the_cap_is_never_passed_at_any_commit)
    ledger.write()
    return Claimed(claimed, blocked, theirs, crowded, found, copies)


_UNDER_WAY = Prepared(
    select(TALLY.c.state, func.sum(TALLY.c.jobs))
    .where(text("tally.state IN ('submitting', 'pending', 'processing')"), TALLY.c.jobs > 0)
    .group_by(TALLY.c.state)
)
"""Jobs whose attempts may be under way at the provider; an overdue one's job has failed."""

_ATTEMPT = select(*columns_from(ATTEMPT, LastAttempt))
_UNSETTLED_TWIN = Prepared(
    _ATTEMPT.where(
        UNSETTLED,
        ATTEMPT.c.prompt_key == bindparam("prompt_key"),
        ATTEMPT.c.kind.between(bindparam("kinds"), bindparam("last_kind")),
    )
    .order_by(ATTEMPT.c.id.desc())
    .limit(1),
    LastAttempt,
)
_DOUBTS = Prepared(
    select(func.count()).where(
        UNSETTLED,
        ATTEMPT.c.state == AttemptState.IN_DOUBT,
        ATTEMPT.c.kind.between(bindparam("kinds"), bindparam("last_kind")),
    )
)
_ASKING = Prepared(
    select(ATTEMPT.c.id).where(
        LIVE, ATTEMPT.c.state == AttemptState.OPEN, ATTEMPT.c.kind == bindparam("kind")
    )
)
_LAST = Prepared(_ATTEMPT.where(ATTEMPT.c.id == bindparam("id")), LastAttempt)
_INTENT = Prepared(
    new_attempt(
        "claim",
        price_estimated=False,
        **{
            name: bindparam(name)
            for name in (
                "job_id", "idempotency_key", "kind", "prompt", "prompt_key", "fingerprint",
                "request_key", "mark", "hold_micros", "day", "intent_at", "send_before", "batch_id",
                "campaign",
            )
        },
    )
)  # fmt: skip
_TAKE = Prepared(
    moving_jobs(
        "claim",
        or_(BUYABLE, handing.IN_HAND),
        JOB.c.id == bindparam("job"),
        attempt_id=bindparam("attempt"),
        attempts=JOB.c.attempts + 1,
        submitted_at=bindparam("at"),
        error_kind=None,
        error=None,
    )
)


@dataclass(slots=True)
class _Picker:
    """Claims the jobs of one batch, and remembers what blocked which kind of job."""

    _connection: Connection
    _ledger: HoldLedger
    _found: FoundInTurn
    _now: datetime
    _terms: ClaimTerms
    _day: str
    _batch: ServedBatch
    _queue: Queue
    _new_key: Callable[[], str]
    # campaigns by kind; None is all of them
    _closed: dict[str, set[str | None]] = field(default_factory=dict)
    # families' kinds and prompts that wait for a fingerprint's end
    _twins: dict[tuple[str, str], str | None] = field(default_factory=dict)
    _closings: int = 0
    # jobs that are to be looked for first
    lacking: list[int] = field(default_factory=list)
    blocked: set[Blocked] = field(default_factory=set)
    elsewhere: list[str] = field(default_factory=list)

    def pick(self, want: int) -> list[Claim]:
        claims: list[Claim] = []
        while len(claims) < want and len(self._twins) + len(self.lacking) < MOST_TWINS:
            candidates = self._candidates(want - len(claims))
            if not candidates:
                break
            for job in candidates:
                closed = self._closed_by_now
                # a video that is paid for and that no row has goes first, or it is bought again
                # and paid for twice (test_voids_beside_submissions.py)
                regained = regain(self._connection, job, self._now)
                made = None if regained else self._try(job)
                if made is not None:
                    claims.append(made)
                if self._closed_by_now > closed:
                    break  # look again without what has just closed
        return claims

    @property
    def _closed_by_now(self) -> int:
        return self._closings + len(self._twins) + len(self.lacking)

    def _candidates(self, most: int) -> Sequence[QueuedJob]:
        bound = {"batch": self._batch.id, "now": self._now, "most": most}
        closed = self._still_open()
        if not closed:
            return self._queue.prepared.all(self._connection, **bound)
        return list(read(self._connection, self._queue.ask(*closed), QueuedJob, bound))

    def _still_open(self) -> list[ColumnElement[bool]]:
        """Return conditions that leave out what this turn has closed."""
        open_kinds = [
            not_(
                JOB.c.kind == kind
                if None in full
                else and_(JOB.c.kind == kind, JOB.c.campaign.is_not(None), JOB.c.campaign.in_(full))
            )
            for kind, full in self._closed.items()
        ]
        open_kinds += [
            not_(
                and_(
                    JOB.c.prompt == prompt,
                    JOB.c.kind.startswith(kinds, autoescape=True),
                    JOB.c.fingerprint.is_distinct_from(fingerprint),
                )
            )
            for (kinds, prompt), fingerprint in self._twins.items()
        ]
        if self.lacking:
            open_kinds.append(JOB.c.id.not_in(self.lacking))
        return open_kinds

    def _close(self, campaign: str | None, kind: str, why: Blocked) -> None:
        self._closed.setdefault(kind, set()).add(campaign)
        self._closings += 1
        self.blocked.add(why)

    def _try(self, job: QueuedJob) -> Claim | None:
        same, request = prompt_key(job.asked.prompt), asked_key(job.asked)
        kind = Kind.parse(job.asked.kind)
        kinds = kinds_of(kind.provider, kind.family)
        marked = self._terms.marked(request_of(job.asked))
        twin = _UNSETTLED_TWIN.first(
            self._connection, prompt_key=same, kinds=kinds, last_kind=f"{kinds}\U0010ffff"
        )
        if twin is not None and twin.request_key != request and marked.mark is None:
            # the list shows only the prompt of a generation, so doubts of jobs with the same prompt
            # and other parameters could not be told apart (money.md; test_settling_runs.py)
            self._twins[kinds, job.asked.prompt] = twin.fingerprint
            self.blocked.add(Blocked.TWIN)
            return None
        if twin is None:
            theirs = others.hold_back(self._connection, self._terms.elsewhere, job)
            if theirs is not None:
                self.elsewhere.append(theirs)
                return None
        last = None if job.attempt_id is None else _LAST.first(self._connection, id=job.attempt_id)
        sent = (last.id, last.fingerprint) if last is not None and last.idempotency_key else None
        wish = Wish(job.asked.fingerprint, job.attempt_id)
        row = BuyableRow(job.id, wish, sent, job.held_back, job.handed, job.named)
        if self._found.lacks(row) or self._waits_for_another_batch(job, request, twin):
            self.lacking.append(job.id)
            return None
        hold, alone = self._hold(job.asked.kind)
        if hold is None:
            return None
        scopes = keys_of(job.batch_id, job.campaign, self._day)
        full = self._ledger.without_room(scopes, hold)
        if full is not None:
            campaign = job.campaign if full.scope is Scope.CAMPAIGN else None
            self._close(campaign, job.asked.kind, BY_SCOPE[full.scope])
            return None
        made = self._write_intent(job, hold, same, request, marked)
        self._found.note_asked(job.batch_id, request, made.attempt_id)
        self._ledger.hold(scopes, hold)
        if alone:
            # the first of an unknown kind goes alone: the others wait to learn its price
            self._close(None, job.asked.kind, Blocked.LEARNING)
        return made

    def _waits_for_another_batch(
        self, job: QueuedJob, request: str, twin: LastAttempt | None
    ) -> bool:
        """Check whether another batch of the run has bought the row's request, or is about to."""
        asks = self._terms.looked_for.asks_past(job.held_back, handed=job.handed)
        if not (self._batch.of_manifest and asks):
            return False
        unsettled = twin is not None
        found = others.bought_here(self._connection, job, request, self._found, unsettled=unsettled)
        if found is not None and found.state != AttemptState.OPEN:
            by = {job.id: found.generation_id}
            holding.hold_back(self._connection, by, HeldBack.PAID_BEFORE)
        return found is not None

    def _has_many_doubts(self, kind: str) -> bool:
        """Check whether too many wait for a person that no list can settle."""
        kinds = next((one for one in self._terms.blind if kind.startswith(one)), None)
        if kinds is None:
            return False
        many = _DOUBTS.scalar(self._connection, kinds=kinds, last_kind=f"{kinds}\U0010ffff")
        return int(many or 0) >= self._terms.doubts_most

    def _hold(self, kind: str) -> tuple[int | None, bool]:
        if self._has_many_doubts(kind):
            self._close(None, kind, Blocked.DOUBTS)
            return None, False
        known = self._ledger.price_of(kind)
        hold = accounts.hold_of(known, self._batch.max_price_micros, self._terms.ceiling)
        if hold is None:
            self._close(None, kind, Blocked.PRICE)
            return None, False
        if known is not None and not known.is_questioned:
            return hold, False
        if _ASKING.first(self._connection, kind=kind) is not None:
            self._close(None, kind, Blocked.LEARNING)
            return None, False
        # the price is unknown, or the last answer gave an odd one that needs confirming. An attempt
        # that ended in doubt gave none: the kind stays unknown, and the next goes alone too
        return hold, True

    def _write_intent(
        self, job: QueuedJob, hold: int, same: str, request: str, marked: Marked
    ) -> Claim:
        # the key of a void, if there is one: if the void was made after all, the provider answers
        # with it instead of making another (test_keys_of_replacements.py)
        sent = {"job": job.id, "fingerprint": job.asked.fingerprint}
        key = job.attempt_id and _REPLACED_KEY.scalar(self._connection, **sent)
        key = key or self._new_key()
        send_before = self._now + self._terms.patience
        attempt_id = _INTENT.insert(
            self._connection,
            job_id=job.id,
            idempotency_key=key,
            kind=job.asked.kind,
            prompt=job.asked.prompt,
            prompt_key=same,
            fingerprint=job.asked.fingerprint,
            request_key=request,
            mark=marked.mark,
            hold_micros=hold,
            day=self._day,
            intent_at=self._now,
            send_before=send_before,
            batch_id=job.batch_id,
            campaign=job.campaign,
        )
        # intent and job in one transaction that is synced before the POST leaves: a process killed
        # after it leaves an open attempt to settle, never a video that we know nothing of
        # (tests/crash/test_sync_order.py, mutant intent_after_post)
        if _TAKE.run(self._connection, job=job.id, attempt=attempt_id, at=self._now) != 1:
            raise RuntimeError(f"job {job.id} left the queue inside our transaction")
        return Claim(
            attempt_id=attempt_id,
            job_id=job.id,
            batch_id=job.batch_id,
            job_key=job.key,
            kind=job.asked.kind,
            request=marked.request,
            idempotency_key=key,
            send_before=send_before,
        )


_REPLACED_KEY = Prepared(
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
"""The key of a row's void or unsent attempt; never for another request, nor another spelling of it.

The last void's key comes before a refused attempt's: should the void turn up, the provider
answers with it, and nothing is paid for twice. A key that made something already is never reused:
the answer would be that video, and nothing new is bought
(tests/integration/test_keys_of_replacements.py)."""
