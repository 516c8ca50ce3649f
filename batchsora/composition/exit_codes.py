"""Exit codes, in one place (design.md, *Exit codes*)."""

from collections.abc import Collection, Iterable
from enum import IntEnum

from batchsora.providers.runblob.errors import BadTokenError, RunBlobError
from jobs.model.errors import (
    DatabaseLockedError,
    DatabaseOwnerError,
    DatabaseUnusableError,
    DatabaseVersionError,
    EngineError,
)
from jobs.model.provider import ThrottledError, TokenRefusedError, UnreachableError
from jobs.model.states import Blocked, JobState, Reason
from jobs.ports.seen import BatchStatus, JobRow
from jobs.services.run_outcome import Ending


class Exit(IntEnum):
    """The exit code of the process."""

    DONE = 0
    BUG = 1
    USAGE = 2
    FAILED = 3
    STOPPED = 4
    DATABASE = 5
    TOKEN = 6
    IN_DOUBT = 7
    UNREACHABLE = 8
    INTERRUPTED = 130


ITS_OWN = frozenset({Blocked.PAUSED, Blocked.BATCH_CAP, Blocked.CAMPAIGN_CAP, Blocked.PRICE})
"""What a batch itself has in the way of its jobs."""
STOPPED = (
    Reason.FUNDS,
    Reason.ACCOUNT,
    Reason.ACCESS,
    Reason.REQUEST,
    Reason.UNDECIDED,
    Reason.BLOCKED,
)
"""Why a run ends that leaves work for when a person has done something."""
_WHATEVER_ELSE = {
    Reason.DATABASE: Exit.DATABASE,
    Reason.INTERRUPTED: Exit.INTERRUPTED,
    Reason.UNREACHABLE: Exit.UNREACHABLE,
    Reason.TOKEN: Exit.TOKEN,
    Reason.ADDRESS: Exit.USAGE,
}
"""Endings that decide the exit alone, however the jobs stand."""


def exit_of_error(error: EngineError) -> Exit:
    """Return the exit code of an engine's error."""
    database = (
        DatabaseLockedError,
        DatabaseOwnerError,
        DatabaseUnusableError,
        DatabaseVersionError,
    )
    return Exit.DATABASE if isinstance(error, database) else Exit.USAGE


def exit_of_run(
    ending: Ending,
    batches: Iterable[BatchStatus],
    *,
    files_wanted: bool,
    surplus: int = 0,
    guests: Collection[int] = (),
) -> Exit:
    """Return the exit code of a run; if several apply, 5, 130, 8, 6, 7, 4 and 3 in this order.

    Args:
        batches: as they are afterwards; of the guests only the jobs that were handed over.
        surplus: generations that turned up after their replacement had been paid for.
        guests: numbers of batches that the run was not started for. Whoever handed their jobs over
            was told of their caps, and a run has not failed because of these.
    """
    seen = list(batches)
    if ending.reason in _WHATEVER_ELSE:
        return _WHATEVER_ELSE[ending.reason]
    if surplus or any(batch.jobs[JobState.IN_DOUBT] for batch in seen):
        return Exit.IN_DOUBT
    paused = any(batch.paused and batch.jobs[JobState.QUEUED] for batch in seen)
    if paused or _stopped(ending, guests):
        return Exit.STOPPED
    failed = any(batch.jobs[JobState.FAILED] for batch in seen)
    missing = files_wanted and any(batch.files_missing for batch in seen)
    return Exit.FAILED if failed or missing else Exit.DONE


def _stopped(ending: Ending, guests: Collection[int]) -> bool:
    """Check for an obstacle that was not only other batches' own."""
    if ending.reason is not Reason.BLOCKED or not ending.blocked:
        return ending.reason in STOPPED
    return any(batch not in guests or why - ITS_OWN for batch, why in ending.blocked.items())


def exit_of_jobs(ending: Ending, jobs: Iterable[JobRow], *, files_wanted: bool) -> Exit:
    """Return the exit code for some jobs, in the same order as for a run."""
    seen = list(jobs)
    states = {job.state for job in seen}
    if ending.reason in _WHATEVER_ELSE:
        return _WHATEVER_ELSE[ending.reason]
    # what a runner was sending that is gone, or ends, may be paid for or not
    unknown = any(job.state == JobState.SUBMITTING and not job.served for job in seen)
    if unknown or JobState.IN_DOUBT in states:
        return Exit.IN_DOUBT
    stopped = ending.reason in STOPPED and JobState.CANCELLED in states
    if stopped or any(job.state == JobState.QUEUED and not job.served for job in seen):
        return Exit.STOPPED
    missing = any(job.state == JobState.COMPLETED and not job.sha256 for job in seen)
    bad = states & {JobState.FAILED, JobState.CANCELLED}
    return Exit.FAILED if bad or (files_wanted and missing) else Exit.DONE


def exit_of_read(error: Exception) -> Exit:
    """Return the exit code of a failed read of the API, outside a run."""
    if isinstance(error, TokenRefusedError | BadTokenError):
        return Exit.TOKEN
    passing = isinstance(error, RunBlobError) and error.retryable
    if passing or isinstance(error, UnreachableError | ThrottledError):
        return Exit.UNREACHABLE
    return Exit.USAGE
