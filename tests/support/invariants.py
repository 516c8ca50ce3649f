"""What must hold at every commit, checked inside the writing transaction before its COMMIT."""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, case, func, select

from jobs.database.tables import ATTEMPT, EVENT, JOB, TALLY
from jobs.model.ledger import Budget, keys_of, twice_key
from jobs.model.states import JobState
from jobs.store import views
from jobs.store.latecomers import is_surplus
from jobs.store.prepared import Prepared

HOLDING = ("open", "in_doubt")
CHARGED = ("accepted", "completed", "failed", "abandoned")
OF_ATTEMPT = (
    "id", "job_id", "state", "prompt", "request_key", "idempotency_key", "generation_id",
    "hold_micros", "price_micros", "refunded_micros", "day", "batch_id", "campaign", "error",
)  # fmt: skip
OF_JOB = ("duration", "orientation", "attempt_id")
Kept = namedtuple("Kept", [*OF_ATTEMPT, *OF_JOB, "job_state", "row_batch"])  # noqa: PYI024
ATTEMPTS = Prepared(
    select(
        *(ATTEMPT.c[name] for name in OF_ATTEMPT),
        *(JOB.c[name] for name in OF_JOB),
        JOB.c.state.label("job_state"),
        JOB.c.batch_id.label("row_batch"),
    ).join(JOB, JOB.c.id == ATTEMPT.c.job_id),
    Kept,
)
KEPT = Prepared(
    select(TALLY.c.batch_id, TALLY.c.state, TALLY.c.error_kind, TALLY.c.jobs).where(
        TALLY.c.jobs != 0
    )
)
KIND = case((JOB.c.state == JobState.FAILED, JOB.c.error_kind), else_="").label("error_kind")
COUNTED = Prepared(
    select(JOB.c.batch_id, JOB.c.state, KIND, func.count().label("jobs")).group_by(
        JOB.c.batch_id, JOB.c.state, KIND
    )
)
EVENTS = Prepared(
    select(EVENT.c.kind, EVENT.c.job_id, EVENT.c.attempt_id)
    .where(EVENT.c.job_id.is_not(None))
    .order_by(EVENT.c.id)
)
OF_ATTEMPTS = {
    "in_doubt": ("unconfirmed",),
    "accepted": ("accepted", "found"),
    "completed": ("accepted", "found", "paid_twice"),
    "failed": ("accepted", "found", "paid_twice"),
    "abandoned": ("accepted", "found", "paid_twice"),
    "void": ("never_made",),
}
"""What the last event of an attempt tells, by its state."""

LIVE_JOBS = {
    "open": JobState.SUBMITTING,
    "in_doubt": JobState.IN_DOUBT,
}


class Invariants:
    """A store's observer; counts the commits that it saw, and keeps the attempts that it saw last.

    Args:
        caps: False when the provider may charge more than it announced.
        events: False when there are attempts of before revision 0013.
    """

    def __init__(self, *, caps: bool = True, events: bool = True) -> None:
        self.commits = 0
        self.attempts: Sequence[Any] = ()
        self.highest: dict[str, int] = {}
        self._caps = caps
        self._events = events

    def __call__(self, connection: Connection) -> None:
        self.commits += 1
        budgets = {budget.key: budget for budget in views.budgets(connection)}
        for budget in budgets.values():
            used = budget.used
            self.highest[budget.key] = max(self.highest.get(budget.key, 0), used)
            if self._caps and budget.cap is not None and budget.key != "account":
                assert used <= budget.cap, budget
        attempts = self.attempts = ATTEMPTS.all(connection)
        self._totals_are_the_attempts(budgets, attempts)
        self._tally_is_the_count(connection)
        self._jobs_follow_their_attempts(attempts)
        if self._events:
            self._events_tell_of_them(connection, attempts)

    @staticmethod
    def _tally_is_the_count(connection: Connection) -> None:
        assert set(KEPT.all(connection)) == set(COUNTED.all(connection))

    @staticmethod
    def _totals_are_the_attempts(budgets: dict[str, Budget], attempts: Sequence[Any]) -> None:
        held: dict[str, int] = {}
        charged: dict[str, int] = {}
        refunded: dict[str, int] = {}
        for attempt in attempts:
            for key in keys_of(attempt.batch_id, attempt.campaign, attempt.day):
                if attempt.state in HOLDING:
                    held[key] = held.get(key, 0) + attempt.hold_micros
                if key != "account":
                    refunded[key] = refunded.get(key, 0) + attempt.refunded_micros
                if attempt.state in CHARGED:
                    charged[key] = charged.get(key, 0) + attempt.price_micros
            if is_surplus(attempt.error):
                twice = twice_key(attempt.row_batch)
                charged[twice] = charged.get(twice, 0) + attempt.price_micros
        for key, budget in budgets.items():
            assert budget.held == held.get(key, 0), budget
            assert budget.charged == charged.get(key, 0), budget
            assert budget.refunded == refunded.get(key, 0), budget

    @staticmethod
    def _jobs_follow_their_attempts(attempts: Sequence[Any]) -> None:
        for attempt in attempts:
            if attempt.state in LIVE_JOBS:
                assert attempt.job_state == LIVE_JOBS[attempt.state], attempt
                assert attempt.attempt_id == attempt.id
            if attempt.job_state == JobState.COMPLETED and attempt.attempt_id == attempt.id:
                assert attempt.state == "completed"

    @staticmethod
    def _events_tell_of_them(connection: Connection, attempts: Sequence[Any]) -> None:
        last: dict[int, str] = {}
        ends: dict[int, tuple[str, int]] = {}
        for kind, job, attempt in EVENTS.all(connection):
            if kind in ("completed", "failed", "retrying"):
                ends[job] = kind, attempt
            else:
                last[attempt] = kind
        for attempt in attempts:
            told = OF_ATTEMPTS.get(attempt.state, (None,))
            assert last.get(attempt.id) in told, (attempt, last.get(attempt.id))
            if attempt.job_state == JobState.COMPLETED and attempt.attempt_id == attempt.id:
                assert ends[attempt.job_id] == ("completed", attempt.id)
