import pytest

from jobs.model.states import (
    ATTEMPT_TRANSITIONS,
    JOB_TRANSITIONS,
    LIVE_ATTEMPTS,
    AttemptState,
    JobState,
    attempt_sources,
    sources,
)


def test_every_state_can_be_reached_from_the_first() -> None:
    """No state stands in the table that nothing leads to."""
    for table, first, states in (
        (JOB_TRANSITIONS, JobState.QUEUED, set(JobState)),
        (ATTEMPT_TRANSITIONS, AttemptState.OPEN, set(AttemptState)),
    ):
        reached = {first}
        for _ in states:
            reached |= {new for old, _, new in table if old in reached}
        assert reached == states


def test_an_attempt_that_is_settled_never_becomes_live_again() -> None:
    """A rejected, completed or failed attempt can't charge a second time.

    A void may: it charged nothing, and its generation may turn up after all. What counted as paid
    for twice is charged already, and its row has it in place of what was not created.
    """
    settled = set(AttemptState) - set(LIVE_ATTEMPTS)
    again = [row for row in ATTEMPT_TRANSITIONS if row[0] in settled and row[2] in LIVE_ATTEMPTS]
    assert again == [
        (AttemptState.VOID, "reappear", AttemptState.ACCEPTED),
        (AttemptState.ABANDONED, "regain", AttemptState.ACCEPTED),
    ]


def test_a_job_is_bought_only_out_of_the_queue() -> None:
    """Claiming has one source, so that everything else must queue a job openly first."""
    assert sources("claim") == (JobState.QUEUED,)
    assert attempt_sources("accept") == (AttemptState.OPEN, AttemptState.IN_DOUBT)


@pytest.mark.parametrize("state", [JobState.IN_DOUBT, JobState.PENDING, JobState.PROCESSING])
def test_a_job_that_may_be_paid_for_can_not_be_cancelled(state: JobState) -> None:
    """Cancelling never loses sight of money."""
    assert state not in sources("cancel")
