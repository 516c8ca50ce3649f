"""Claiming: one transaction that picks queued jobs, holds their money and writes their intents.

Everything that may forbid a purchase is looked at here, inside the transaction, because cancel,
pause, edits and caps come from other processes too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, not_, or_, select, text, update

from ..ledger import Scope, keys_of, without_room
from ..provider import GenerationRequest
from ..states import AttemptState, JobState
from ..tables import ATTEMPT, BATCH, BUDGET, JOB, LIVE, PRICE, QUEUED, UNSETTLED
from ..text import prompt_key
from . import accounts
from .looks import ACCEPTED
from .rows import ensure_budget, load_budget, request_of

MOST_TWINS = 200
"""Prompts that wait for their equals, after which a turn looks no further: a query has limits."""


class Blocked(StrEnum):
    """Why a queued job can't be bought now."""

    BATCH_CAP = "budget of the batch"
    CAMPAIGN_CAP = "budget of a campaign"
    DAY_CAP = "budget of the day"
    BALANCE = "balance"
    PRICE = "price above --max-price"
    LEARNING = "the first answer that tells a price"
    TWIN = "another job with the same prompt"


_BY_SCOPE = {
    Scope.BATCH: Blocked.BATCH_CAP,
    Scope.CAMPAIGN: Blocked.CAMPAIGN_CAP,
    Scope.DAY: Blocked.DAY_CAP,
    Scope.ACCOUNT: Blocked.BALANCE,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A job whose intent is on disk and whose money is held: its POST may leave."""

    attempt_id: int
    job_id: int
    job_key: str
    request: GenerationRequest
    idempotency_key: str
    send_before: datetime


@dataclass(frozen=True, slots=True)
class ClaimTerms:
    """The terms on which jobs may be claimed.

    Attributes:
        window: unsettled attempts at most, over all batches (``--max-in-flight``).
        want: claims at most now (what the pace allows).
        ceiling: micros to hold for a kind whose price nobody knows yet.
        patience: how long after the intent its POST may still leave.
        last_rows: per batch id the last manifest row that may be bought (``--first N``).
        rows: per batch id the only manifest rows that may be bought (``--sample N``).
        left_out: numbers of jobs that may not be bought.
    """

    window: int
    want: int
    ceiling: int
    patience: timedelta
    last_rows: dict[int, int]
    rows: Mapping[int, frozenset[int]] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()


@dataclass(slots=True)
class ClaimResult:
    """What was claimed, and per batch id what stood in the way of the rest.

    Attributes:
        crowded: True when paid generations fill the window, of whichever batch: room will come.
    """

    claims: list[Claim] = field(default_factory=list)
    blocked: dict[int, set[Blocked]] = field(default_factory=dict)
    crowded: bool = False


def claim(
    connection: Connection, now: datetime, terms: ClaimTerms, new_key: Callable[[], str]
) -> ClaimResult:
    """Claim as many due jobs of the active batches as terms, caps and prices allow."""
    result = ClaimResult()
    live = connection.execute(
        select(func.count()).select_from(ATTEMPT).where(LIVE, ATTEMPT.c.overdue_at.is_(None))
    ).scalar_one()
    want = min(terms.want, terms.window - live)
    if want <= 0:
        paid = select(ATTEMPT.c.id).where(ACCEPTED, ATTEMPT.c.overdue_at.is_(None)).limit(1)
        result.crowded = connection.execute(paid).first() is not None
        return result
    day = accounts.current_day(connection, now)
    unsettled = _unsettled(connection)
    for batch in connection.execute(
        select(BATCH).where(BATCH.c.active, not_(BATCH.c.paused)).order_by(BATCH.c.id)
    ).all():
        if want <= 0:
            break
        picker = _Picker(connection, now, terms, day, batch, new_key, unsettled)
        claims = picker.pick(want)
        want -= len(claims)
        result.claims += claims
        if picker.blocked:
            result.blocked[batch.id] = picker.blocked
    return result


def _unsettled(connection: Connection) -> dict[str, str | None]:
    """Map the prompts of attempts whose generation we don't know to what was asked for.

    Jobs with equal prompts and different parameters are not unsettled together: the list shows no
    more of a generation than its prompt, so their doubts could not be told apart (money.md).
    """
    rows = connection.execute(select(ATTEMPT.c.prompt_key, ATTEMPT.c.fingerprint).where(UNSETTLED))
    return {row.prompt_key: row.fingerprint for row in rows}


class _Picker:
    """Claims the jobs of one batch, and remembers what blocked which kind of job."""

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        terms: ClaimTerms,
        day: str,
        batch: Any,
        new_key: Callable[[], str],
        unsettled: dict[str, str | None],
    ) -> None:
        self._connection = connection
        self._now = now
        self._terms = terms
        self._day = day
        self._batch = batch
        self._new_key = new_key
        self._closed: dict[str, set[str | None]] = {}  # campaigns by kind; None is all of them
        self._twins: dict[str, str | None] = {}  # prompts that wait for a fingerprint's end
        self._closings = 0
        self._unsettled = unsettled
        self.blocked: set[Blocked] = set()

    def pick(self, want: int) -> list[Claim]:
        claims: list[Claim] = []
        while len(claims) < want and len(self._twins) < MOST_TWINS:
            candidates = self._connection.execute(self._query(want - len(claims))).all()
            if not candidates:
                break
            for job in candidates:
                closed = self._closings + len(self._twins)
                made = self._try(job)
                if made is not None:
                    claims.append(made)
                if self._closings + len(self._twins) > closed:
                    break  # look again without what has just closed
        return claims

    def _query(self, limit: int) -> Select[Any]:
        open_kinds = [
            not_(
                JOB.c.kind == kind
                if None in full
                else and_(JOB.c.kind == kind, JOB.c.campaign.is_not(None), JOB.c.campaign.in_(full))
            )
            for kind, full in self._closed.items()
        ]
        last_row = self._terms.last_rows.get(self._batch.id)
        if last_row is not None:
            open_kinds.append(JOB.c.row <= last_row)
        if (rows := self._terms.rows.get(self._batch.id)) is not None:
            open_kinds.append(JOB.c.row.in_(rows))
        if self._terms.left_out:
            open_kinds.append(JOB.c.id.not_in(self._terms.left_out))
        open_kinds += [
            not_(and_(JOB.c.prompt == prompt, JOB.c.fingerprint.is_distinct_from(fingerprint)))
            for prompt, fingerprint in self._twins.items()
        ]
        return (
            select(JOB)
            .where(QUEUED, JOB.c.batch_id == self._batch.id, JOB.c.in_manifest)
            .where(or_(JOB.c.due_at.is_(None), JOB.c.due_at <= self._now), *open_kinds)
            .order_by(JOB.c.retries, text("priority DESC"), JOB.c.id)
            .limit(limit)
        )

    def _close(self, campaign: str | None, kind: str, why: Blocked) -> None:
        self._closed.setdefault(kind, set()).add(campaign)
        self._closings += 1
        self.blocked.add(why)

    def _try(self, job: Any) -> Claim | None:
        same = prompt_key(job.prompt)
        twin = self._unsettled.get(same, job.fingerprint)
        if twin != job.fingerprint:
            self._twins[job.prompt] = twin
            self.blocked.add(Blocked.TWIN)
            return None
        hold, alone = self._hold(job.kind)
        if hold is None:
            return None
        keys = keys_of(job.batch_id, job.campaign, self._day)
        for key in keys:
            ensure_budget(self._connection, key)
        full = without_room([load_budget(self._connection, key) for key in keys], hold)
        if full is not None:
            campaign = job.campaign if full.scope is Scope.CAMPAIGN else None
            self._close(campaign, job.kind, _BY_SCOPE[full.scope])
            return None
        made = self._write_intent(job, hold, keys, same)
        self._unsettled[same] = job.fingerprint
        if made is not None and alone:
            # the first of an unknown kind goes alone: the others wait for the price it tells
            self._close(None, job.kind, Blocked.LEARNING)
        return made

    def _hold(self, kind: str) -> tuple[int | None, bool]:
        price = self._connection.execute(
            select(PRICE.c.highest_micros).where(PRICE.c.kind == kind)
        ).scalar_one_or_none()
        limit = self._batch.max_price_micros
        if price is not None:
            if limit is not None and price > limit:
                self._close(None, kind, Blocked.PRICE)
                return None, False
            return price, False
        asking = self._connection.execute(
            select(ATTEMPT.c.id).where(
                LIVE, ATTEMPT.c.state == AttemptState.OPEN, ATTEMPT.c.kind == kind
            )
        ).first()
        if asking is not None:
            self._close(None, kind, Blocked.LEARNING)
            return None, False
        if limit == 0:
            self._close(None, kind, Blocked.PRICE)
            return None, False
        # one that ended in doubt told nothing: the kind stays unknown, and the next goes alone too
        return (self._terms.ceiling if limit is None else limit), True

    def _write_intent(self, job: Any, hold: int, keys: tuple[str, ...], same: str) -> Claim | None:
        key = self._replaced_key(job) or self._new_key()
        send_before = self._now + self._terms.patience
        attempt_id = self._connection.execute(
            insert(ATTEMPT).values(
                job_id=job.id,
                state=AttemptState.OPEN,
                idempotency_key=key,
                kind=job.kind,
                prompt=job.prompt,
                prompt_key=same,
                fingerprint=job.fingerprint,
                hold_micros=hold,
                day=self._day,
                intent_at=self._now,
                send_before=send_before,
                price_estimated=False,
            )
        ).inserted_primary_key[0]  # type: ignore[index]
        taken = self._connection.execute(
            update(JOB)
            .where(QUEUED, JOB.c.id == job.id)
            .values(
                state=JobState.SUBMITTING,
                attempt_id=attempt_id,
                attempts=JOB.c.attempts + 1,
                submitted_at=self._now,
                error_kind=None,
                error=None,
            )
        )
        if taken.rowcount != 1:
            raise RuntimeError(f"job {job.id} left the queue inside our transaction")
        self._connection.execute(
            update(BUDGET)
            .where(BUDGET.c.key.in_(keys))
            .values(held_micros=BUDGET.c.held_micros + hold)
        )
        return Claim(attempt_id, job.id, job.key, request_of(job), key, send_before)

    def _replaced_key(self, job: Any) -> str | None:
        """Keep a void's or unsent attempt's key; only a failed one's successor gets a new one."""
        if job.attempt_id is None:
            return None
        last = self._connection.execute(
            select(ATTEMPT.c.state, ATTEMPT.c.idempotency_key, ATTEMPT.c.fingerprint).where(
                ATTEMPT.c.id == job.attempt_id
            )
        ).one()
        reusable = last.state in (AttemptState.VOID, AttemptState.REJECTED)
        same = last.fingerprint == job.fingerprint  # another request is never sent under an old key
        return last.idempotency_key if reusable and same else None
