"""Wait for jobs: run what they need, or watch the runner that does."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from batchsora.composition.databases import existing_store, working_store
from batchsora.composition.exit_codes import Exit, exit_of_jobs
from batchsora.composition.ownership import Endpoint, owner_of
from batchsora.composition.session import endpoint
from batchsora.options import RunOptions
from batchsora.presentation.errors import broken
from batchsora.usecases.from_options import download_policy, run_policy
from batchsora.usecases.moved_database import settle_place
from batchsora.usecases.progress import ENDS, Progress, jobs_look
from batchsora.usecases.run import Until, changes, fetch_files, run_batches
from batchsora.usecases.user_interface import Context
from jobs.database.lock import is_held, lasting_runner
from jobs.model.errors import DatabaseLockedError, DatabaseUnusableError
from jobs.model.states import JobState, Reason
from jobs.ports.queries import QueryStore
from jobs.ports.seen import JobRow
from jobs.ports.selection import Wanted
from jobs.services.run_outcome import Ending
from jobs.store import Store


def over(job_ids: Sequence[int], *, elsewhere: bool = False) -> "Done":
    """Make the question whether jobs have ended, or are left by a runner ``elsewhere``."""

    def done(seen: QueryStore) -> bool:
        return all(
            job.state in ENDS or (elsewhere and is_left(job)) for job in seen.numbered(job_ids)
        )

    return done


def is_left(job: JobRow) -> bool:
    """Check whether a job is queued, and nobody is at work who buys it."""
    return bool(job.state == JobState.QUEUED and not job.served)


def wait(keys: Sequence[str], options: RunOptions, context: Context) -> tuple[Exit, list[JobRow]]:
    """Wait for jobs, and buy nothing; return the exit code and the jobs.

    Args:
        keys: of jobs; none: all that are under way.

    Raises:
        jobs.model.errors.NotFoundError: there is no such job or batch.
    """
    with existing_store(context.settings.database) as store:
        job_ids = _chosen(store, keys, options.batch)
    if not job_ids:
        context.ui.say("nothing is under way")
        return Exit.DONE, []
    ending = finish(job_ids, options, context, buys=False)
    return conclude(ending, job_ids, options, context)


def _chosen(store: Store, keys: Sequence[str], batch: str | None) -> list[int]:
    if keys:
        with store.queries.snapshot() as seen:
            return [seen.job(key, batch).id for key in keys]
    states = [str(state) for state in JobState if state not in (*ENDS, JobState.QUEUED)]
    return [job.id for job in store.queries.jobs(Wanted(batch, states))]


Done = Callable[[QueryStore], bool]
"""Whether jobs are as far as somebody waits for."""


def finish(
    job_ids: Sequence[int],
    options: RunOptions,
    context: Context,
    *,
    done: Done | None = None,
    hand: Callable[[Store], Ending | None] | None = None,
    enough: float | None = None,
    buys: bool = True,
) -> Ending:
    """Bring jobs to their end, as a runner or beside the active one.

    Args:
        done: how long to wait for them; None: to their end.
        hand: hands them to an active runner that serves, or returns why there is nothing more to
            wait for. Without it that runner is watched, and what it does not buy is left.
        enough: seconds after which to stop waiting for what a lasting runner still has in hand.
        buys: False submits nothing.
    """
    settings = context.settings
    done = over(job_ids) if done is None else done
    while True:
        try:
            with (
                working_store(
                    settings.database, context.deps.clock, lambda: owner_of(settings), brief=True
                ) as store,
                endpoint(settings) as place,
            ):
                return serve(store, job_ids, place, options, context, done, buys=buys)
        except DatabaseLockedError:
            with existing_store(settings.database) as store:
                ending = None if hand is None else hand(store)
                if ending is not None:
                    return ending
                left = over(job_ids, elsewhere=True)
                if hand is not None and left(store.queries) and not done(store.queries):
                    continue  # that runner takes nothing up: it is tried again, after a while
                limit = enough if lasting_runner(settings.database) is not None else None
                if not asyncio.run(_watch(store, job_ids, done, context, limit)):
                    continue  # that runner has ended
                if hand is None or done(store.queries) or not left(store.queries):
                    return Ending(Reason.FINISHED)


def serve(
    store: Store,
    job_ids: Sequence[int],
    place: Endpoint,
    options: RunOptions,
    context: Context,
    done: Done,
    *,
    buys: bool = True,
) -> Ending:
    """Run only these jobs until ``done``, under the runner's lock; download nothing.

    Raises:
        jobs.model.errors.DatabaseUnusableError: the database is no longer this run's, or was last
            used on another machine and nobody said that it was ``moved`` here.
    """
    if buys:
        now = context.deps.clock.now()
        settle_place(store, now, context.ui, place.owner, moved=options.moved)
    store.control.hand_over(job_ids)
    until = Until(done, jobs_look(store, job_ids))
    policy = replace(run_policy(options), buys=buys)
    result = asyncio.run(run_batches(store, place, options, [], context, policy, until))
    breach = result.ending.breach
    if breach is not None:  # nothing can be read there of what was bought
        raise DatabaseUnusableError(broken(breach))
    return result.ending


async def _watch(
    store: Store, job_ids: Sequence[int], done: Done, context: Context, limit: float | None
) -> bool:
    """Watch jobs of another runner for ``limit`` seconds at most; return False if it ended."""
    shown = Progress(jobs_look(store, job_ids), quiet=context.deps.quiet)
    progress = asyncio.create_task(shown.run())
    left = over(job_ids, elsewhere=True)
    watching = asyncio.create_task(changes(store, lambda seen: done(seen) or left(seen)))
    now = asyncio.get_running_loop().time
    until = math.inf if limit is None else now() + limit
    try:
        while not watching.done() and now() < until:
            await asyncio.wait({watching}, timeout=min(1.0, until - now()))
            if not watching.done() and not is_held(context.settings.database):
                return False
        if watching.done():
            watching.result()
        return True
    finally:
        for task in (watching, progress):
            task.cancel()
        await asyncio.gather(watching, progress, return_exceptions=True)


def conclude(
    ending: Ending,
    job_ids: Sequence[int],
    options: RunOptions,
    context: Context,
    *,
    flat: bool = False,
) -> tuple[Exit, list[JobRow]]:
    """Download the files of jobs if wanted; return the exit code and the jobs."""
    with existing_store(context.settings.database) as store:
        found = store.queries.numbered(job_ids)
        missing = [
            job
            for job in found
            if job.state == JobState.COMPLETED
            and not (job.sha256 and job.file and Path(job.file).is_file())
        ]
        folder, stopped = options.folder, ending.reason is Reason.INTERRUPTED
        if folder is not None and missing and not stopped:
            with endpoint(context.settings) as place:
                private = place.private_files
                policy = download_policy(options, folder, private_files=private, flat=flat)
                for batch in {job.batch for job in missing}:
                    names = [job.key for job in missing if job.batch == batch]
                    fetch_files(store, place, policy, batch, names, context.deps)
            found = store.queries.numbered(job_ids)
    return exit_of_jobs(ending, found, files_wanted=options.folder is not None), found
