"""Waiting for jobs: by running what they need, or by watching the runner that does."""

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from batchsora.composition.databases import existing_store, working_store
from batchsora.composition.endpoints import Endpoint
from batchsora.composition.exit_codes import Exit, exit_of_jobs
from batchsora.composition.known_database import owner_of
from batchsora.composition.session import RunDependencies, endpoint
from batchsora.options import RunOptions
from batchsora.presentation.errors import broken
from batchsora.run_result import RunResult
from batchsora.settings import Settings
from batchsora.usecases.fetch_files import fetch_files
from batchsora.usecases.from_options import RunFacts, download_policy
from batchsora.usecases.moved_database import settle_place
from batchsora.usecases.progress import ENDS, Progress, jobs_look
from batchsora.usecases.run import Until, changes, run_batches
from batchsora.usecases.user_interface import UserInterface
from jobs.database.lock import is_held, lasting_runner
from jobs.model.errors import DatabaseLockedError, DatabaseUnusableError
from jobs.model.states import JobState, Reason
from jobs.ports.queries import QueryStore
from jobs.ports.seen import JobRow
from jobs.ports.selection import Wanted
from jobs.services.run_outcome import Ending
from jobs.store import Store


class RunnerGoneError(Exception):
    """The runner that was watched ended before the jobs did; whoever watched goes on by itself."""


def over(job_ids: Sequence[int], *, elsewhere: bool = False) -> "Done":
    """Make a question: is there nothing more to wait for?

    Args:
        job_ids: numbers of jobs.
        elsewhere: another runner works on them; what it does not buy is not waited for.
    """

    def done(seen: QueryStore) -> bool:
        return all(
            job.state in ENDS or (elsewhere and is_left(job)) for job in seen.numbered(job_ids)
        )

    return done


def is_left(job: JobRow) -> bool:
    """Check whether a job is queued, and nobody is at work who buys it."""
    return bool(job.state == JobState.QUEUED and not job.served)


def wait(
    keys: Sequence[str],
    options: RunOptions,
    settings: Settings,
    deps: RunDependencies,
    ui: UserInterface,
) -> tuple[Exit, list[JobRow]]:
    """Wait for jobs, and buy nothing.

    Args:
        keys: of jobs; none means all that are under way.
        options: which batch, how often to poll, and where files are downloaded at the end.
        settings: of the command.
        deps: time and chance.
        ui: speaks to the person.

    Returns:
        The exit that it means, and the jobs as they stand.

    Raises:
        jobs.model.errors.NotFoundError: there is no such job or batch.
    """
    with existing_store(settings.database) as store:
        job_ids = _chosen(store, keys, options.batch)
    if not job_ids:
        ui.say("nothing is under way")
        return Exit.DONE, []
    ending = finish(job_ids, options, settings, deps, ui, buys=False)
    return conclude(ending, job_ids, options, settings, deps)


def _chosen(store: Store, keys: Sequence[str], batch: str | None) -> list[int]:
    if keys:
        with store.queries.snapshot() as seen:
            return [seen.job(key, batch).id for key in keys]
    states = [str(state) for state in JobState if state not in (*ENDS, JobState.QUEUED)]
    return [job.id for job in store.queries.jobs(Wanted(batch, states))]


Done = Callable[[QueryStore], bool]
"""Says whether jobs are as far as somebody waits for."""


def finish(
    job_ids: Sequence[int],
    options: RunOptions,
    settings: Settings,
    deps: RunDependencies,
    ui: UserInterface,
    *,
    done: Done | None = None,
    hand: Callable[[Store], Ending | None] | None = None,
    enough: float | None = None,
    buys: bool = True,
) -> Ending:
    """Bring jobs to their end, as a runner or beside the one that is alive.

    Args:
        job_ids: numbers of jobs.
        options: to run them with.
        settings: of the command.
        deps: time and chance.
        ui: speaks to the person.
        done: how far they are waited for; None is to their end.
        hand: hands them to a runner that is alive and serves, or returns why there is no more to
            wait for. Without it that runner is watched, and what it does not buy is left.
        enough: seconds after which what a lasting runner still has in hand is waited for no more.
        buys: False submits nothing.
    """
    done = over(job_ids) if done is None else done
    while True:
        try:
            with (
                working_store(
                    settings.database, deps.clock, lambda: owner_of(settings), brief=True
                ) as store,
                endpoint(settings) as place,
            ):
                return serve(store, job_ids, place, options, deps, ui, done, buys=buys).ending
        except DatabaseLockedError:
            with existing_store(settings.database) as store:
                ending = None if hand is None else hand(store)
                if ending is not None:
                    return ending
                left = over(job_ids, elsewhere=True)
                if hand is not None and left(store.queries) and not done(store.queries):
                    continue  # that runner takes nothing up: it is tried again, after a while
                limit = enough if lasting_runner(settings.database) is not None else None
                try:
                    watch(store, job_ids, done, settings, quiet=deps.quiet, limit=limit)
                except RunnerGoneError:
                    continue
                if hand is None or done(store.queries) or not left(store.queries):
                    return Ending(Reason.FINISHED)


def serve(
    store: Store,
    job_ids: Sequence[int],
    place: Endpoint,
    options: RunOptions,
    deps: RunDependencies,
    ui: UserInterface,
    done: Done,
    *,
    buys: bool = True,
) -> RunResult:
    """Run these jobs, and nothing else, until something is so; the runner's lock is held.

    No file is downloaded.

    Raises:
        jobs.model.errors.DatabaseUnusableError: the database is no longer this run's, or was used
            on another machine last and nobody said that it was ``moved`` here.
    """
    if buys:
        settle_place(store, deps.clock.now(), ui, place.owner, moved=options.moved)
    store.control.hand_over(job_ids)
    until = Until(done, jobs_look(store, job_ids))
    facts = RunFacts(buys=buys, downloads=False)
    result = run_batches(store, place, options, [], deps, ui.say, until, facts)
    breach = result.ending.breach
    if breach is not None:  # nothing can be read there of what was bought
        raise DatabaseUnusableError(broken(breach))
    return result


def watch(
    store: Store,
    job_ids: Sequence[int],
    done: Done,
    settings: Settings,
    *,
    quiet: bool,
    limit: float | None = None,
) -> None:
    """Watch jobs that another terminal's runner works on, until they are done or it leaves them.

    Args:
        store: for reading.
        job_ids: their numbers.
        done: how far they are waited for.
        settings: of the command.
        quiet: show no progress.
        limit: seconds after which they are watched no more.

    Raises:
        RunnerGoneError: the runner ended before.
    """

    async def main() -> None:
        shown = Progress(jobs_look(store, job_ids), quiet=quiet)
        progress = asyncio.create_task(shown.run())
        left = over(job_ids, elsewhere=True)
        watching = asyncio.create_task(changes(store, lambda seen: done(seen) or left(seen)))
        now = asyncio.get_running_loop().time
        until = math.inf if limit is None else now() + limit
        try:
            while not watching.done() and now() < until:
                await asyncio.wait({watching}, timeout=min(1.0, until - now()))
                if not watching.done() and not is_held(settings.database):
                    raise RunnerGoneError
            if watching.done():
                watching.result()
        finally:
            for task in (watching, progress):
                task.cancel()
            await asyncio.gather(watching, progress, return_exceptions=True)

    asyncio.run(main())


def conclude(
    ending: Ending,
    job_ids: Sequence[int],
    options: RunOptions,
    settings: Settings,
    deps: RunDependencies,
    *,
    flat: bool = False,
) -> tuple[Exit, list[JobRow]]:
    """Fetch the files of jobs if they are wanted, and say how everything stands."""
    with existing_store(settings.database) as store:
        found = store.queries.numbered(job_ids)
        missing = [job for job in found if job.state == JobState.COMPLETED and not _is_here(job)]
        folder, stopped = options.folder, ending.reason is Reason.INTERRUPTED
        if folder is not None and missing and not stopped:
            with endpoint(settings) as place:
                private = place.private_files
                policy = download_policy(options, folder, private_files=private, flat=flat)
                for batch in {job.batch for job in missing}:
                    names = [job.key for job in missing if job.batch == batch]
                    fetch_files(store, place, policy, batch, names, deps)
            found = store.queries.numbered(job_ids)
    return exit_of_jobs(ending, found, files_wanted=options.folder is not None), found


def _is_here(job: JobRow) -> bool:
    return bool(job.sha256) and job.file is not None and Path(job.file).is_file()
