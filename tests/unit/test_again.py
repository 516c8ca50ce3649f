"""Which jobs are bought again, and which attempts given up: one rule, read as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.model.retry import Patience, Standing, WhyNot, why_not_again, why_not_given_up
from jobs.model.states import AttemptState, JobState

NOW = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
PATIENCE = Patience(NOW, timedelta(minutes=30))
YOUNG, OLD = NOW - timedelta(minutes=29), NOW - timedelta(minutes=30)

Q, S, D = JobState.QUEUED, JobState.SUBMITTING, JobState.IN_DOUBT
P, R, C = JobState.PENDING, JobState.PROCESSING, JobState.COMPLETED
F, X = JobState.FAILED, JobState.CANCELLED
ACCEPTED = AttemptState.ACCEPTED

RETRY = (
    # state, held back, in the manifest, live attempt, accepted at, why not, why not with --abandon
    (Q, False, True, None, None, WhyNot.QUEUED, WhyNot.QUEUED),
    (Q, True, True, None, None, None, None),
    (Q, True, False, None, None, WhyNot.GONE, WhyNot.GONE),
    (S, False, True, AttemptState.OPEN, None, WhyNot.SUBMITTING, WhyNot.SUBMITTING),
    (D, False, True, AttemptState.IN_DOUBT, None, WhyNot.IN_DOUBT, WhyNot.IN_DOUBT),
    (P, False, True, ACCEPTED, YOUNG, WhyNot.UNDER_WAY, WhyNot.YOUNG),
    (P, False, True, ACCEPTED, OLD, WhyNot.UNDER_WAY, None),
    (R, False, True, ACCEPTED, OLD, WhyNot.UNDER_WAY, None),
    (R, False, False, ACCEPTED, OLD, WhyNot.UNDER_WAY, WhyNot.GONE),
    (C, False, True, None, None, WhyNot.COMPLETED, WhyNot.COMPLETED),
    (F, False, True, None, None, None, None),
    (F, False, False, None, None, WhyNot.GONE, WhyNot.GONE),
    (F, False, True, ACCEPTED, YOUNG, WhyNot.UNENDED, None),
    (F, False, False, ACCEPTED, YOUNG, WhyNot.UNENDED, WhyNot.GONE),
    (X, False, True, None, None, None, None),
    (X, False, False, None, None, WhyNot.GONE, WhyNot.GONE),
)
GIVE_UP = (
    (Q, None, None, WhyNot.QUEUED),
    (S, AttemptState.OPEN, None, WhyNot.SUBMITTING),
    (D, AttemptState.IN_DOUBT, None, WhyNot.IN_DOUBT),
    (P, ACCEPTED, YOUNG, WhyNot.YOUNG),
    (P, ACCEPTED, OLD, None),
    (R, ACCEPTED, YOUNG, WhyNot.YOUNG),
    (R, ACCEPTED, OLD, None),
    (R, ACCEPTED, None, WhyNot.YOUNG),
    (C, None, None, WhyNot.COMPLETED),
    (F, None, None, WhyNot.ENDED),
    (F, ACCEPTED, YOUNG, None),
    (X, None, None, WhyNot.CANCELLED),
)


@pytest.mark.parametrize(
    ("state", "held", "there", "live", "accepted_at", "plain", "abandoning"), RETRY
)
def test_what_is_bought_again(
    state: JobState,
    held: bool,  # noqa: FBT001 - a column of the table
    there: bool,  # noqa: FBT001 - the same
    live: AttemptState | None,
    accepted_at: datetime | None,
    plain: WhyNot | None,
    abandoning: WhyNot | None,
) -> None:
    """Nothing that may still finish, unless a person gives it up."""
    job = Standing(state, held, there, live, 1, accepted_at)
    assert why_not_again(job) == plain
    assert why_not_again(job, PATIENCE) == abandoning


@pytest.mark.parametrize(("state", "live", "accepted_at", "why"), GIVE_UP)
def test_what_is_given_up(
    state: JobState, live: AttemptState | None, accepted_at: datetime | None, why: WhyNot | None
) -> None:
    """Only what was accepted, has not ended, and was waited for."""
    job = Standing(state, live=live, live_id=1, accepted_at=accepted_at)
    assert why_not_given_up(job, PATIENCE) == why


def test_every_state_is_in_the_tables() -> None:
    """A state that is added must say where it belongs."""
    assert {row[0] for row in RETRY} == {row[0] for row in GIVE_UP} == set(JobState)
