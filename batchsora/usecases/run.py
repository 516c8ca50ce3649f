"""One run, put together: engine, downloads, progress and signals around one event loop."""

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from batchsora.composition.ownership import Endpoint, is_known, names_own_files
from batchsora.composition.session import RunDependencies, StopSignal
from batchsora.download import Downloader, DownloadPolicy
from batchsora.options import RunOptions
from batchsora.providers.registry import open_provider
from batchsora.providers.runblob.transport import Transport
from batchsora.run_result import DownloadReport, RunResult
from batchsora.usecases.from_options import download_policy
from batchsora.usecases.naming import names_of
from batchsora.usecases.progress import (
    Look,
    Progress,
    above_the_bar,
    batches_look,
    batches_news,
)
from batchsora.usecases.user_interface import Context
from jobs.model.states import Reason
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchStatus, Part
from jobs.runtime.run_context import RunPolicy
from jobs.services.run_outcome import Ending
from jobs.services.runner import Runner
from jobs.store import Store
from jobs.system import stop_signals

log = logging.getLogger(__name__)


NAP = 0.2
"""Seconds between two looks whether the table has changed."""

FILE_TIMEOUT = 60.0
"""Seconds of silence while downloading outside of a run."""


@dataclass(frozen=True, slots=True)
class Until:
    """When a run ends that is not for whole batches, and its progress."""

    done: Callable[[QueryStore], bool]
    look: Look


async def run_batches(
    store: Store,
    place: Endpoint,
    options: RunOptions,
    batch_ids: Sequence[int],
    context: Context,
    policy: RunPolicy,
    until: Until | None = None,
) -> RunResult:
    """Run batches to the end, or to whatever is in the way.

    Args:
        store: opened under the runner's lock.
        until: ends the run earlier, as finished, and downloads nothing.
    """
    deps, timeout = context.deps, options.request_timeout
    if policy.buys:
        store.queries.check_zone()
    ids = set(batch_ids)  # and those of jobs that are handed to the run

    def served() -> list[int]:
        ids.update(store.queries.served_batches())
        return sorted(ids)

    began = deps.clock.now()
    async with (
        open_provider(place.token, place.base_url, timeout) as provider,
        file_client(timeout) as http,
    ):
        # who buys was asked before; a look is no consent to what the database keeps
        binds = policy.buys or is_known(store, place.owner)
        parts = (place.owner, policy, deps.clock, deps.chance, deps.checkpoint)
        runner = Runner(store, provider, *parts, binds=binds)
        progress = asyncio.create_task(_progress(store, served, until, deps), name="progress")
        downloader: Downloader | None = None
        downloading: asyncio.Task[DownloadReport] | None = None
        if until is None and (folder := options.folder) is not None:
            own, private = names_own_files(store, place.owner), place.private_files
            files = download_policy(options, folder, private_files=private, own=own)
            downloader = Downloader(
                store.loading,
                provider,
                http,
                files,
                deps.clock,
                deps.chance,
                deps.checkpoint,
                names_of(store.queries),
            )
            downloading = asyncio.create_task(downloader.run(served), name="downloads")
        running = asyncio.create_task(runner.run(list(batch_ids)), name="runner")
        stopping = None if until is None else asyncio.create_task(_stop(store, runner, until))
        asked: asyncio.Task[None] | None = None
        try:
            say = above_the_bar(context.ui.say)
            with _stoppable(runner, running, downloading, deps.switch, say) as stop:
                if store.queries.stop_is_asked(runner.id):  # while it looked for earlier work
                    stop()  # before its first turn: nothing was awaited since it was made
                else:
                    asked = asyncio.create_task(_heed(store, runner, stop), name="stop asked")
                ending = await _finish(running, downloading)
                ids.update(runner.left.served)
                if stopping is not None and stopping.done():
                    stopping.result()
                    if ending.reason is not Reason.DATABASE:
                        ending = Ending(Reason.FINISHED)
                if downloader is not None:
                    downloader.finish()
                if downloader is not None and _is_cut_short(ending, runner, store, served()):
                    ending = Ending(Reason.INTERRUPTED)
                report, ending = await _last_files(ending, downloading)
        finally:
            observed = progress.done() and not progress.cancelled()
            await _cancel(running, downloading, stopping, asked, progress)
    if observed:
        progress.result()  # an observer that breaks is its program's bug, told when all is safe
    batches = store.queries.statuses(served())
    parts_of = store.queries.parts(runner.left.handed)
    return RunResult(
        ending,
        batches,
        [
            batch if batch.id in batch_ids else _part(batch, parts_of.get(batch.id, Part()))
            for batch in batches
        ],
        frozenset(batch.id for batch in batches) - frozenset(batch_ids),
        report,
        runner.left.surplus,
        runner.reappeared,
        store.queries.odd_prices(began),
    )


def _is_cut_short(ending: Ending, runner: Runner, store: Store, batch_ids: Sequence[int]) -> bool:
    """Return whether a stop was asked for as the last video was made, so files are missing."""
    stopped = ending.reason is Reason.FINISHED and runner.health.stopping
    return stopped and any(one.files_missing for one in store.queries.statuses(batch_ids))


def _part(batch: BatchStatus, part: Part) -> BatchStatus:
    """Return only the handed jobs of a batch: the run is not responsible for the rest."""
    return replace(
        batch,
        paused=False,
        jobs=part.jobs,
        failed_kinds={},
        files_missing=part.files_missing,
        doubts=(),
        held_back=part.held_back,
    )


async def _stop(store: Store, runner: Runner, until: Until) -> None:
    """Stop a run when what it was for is done; returns then, and only then."""
    await changes(store, until.done)
    runner.stop()


async def _heed(store: Store, runner: Runner, stop: Callable[[], object]) -> None:
    """Stop as at the first Ctrl-C when a person asks for that elsewhere, as on the page."""
    await changes(store, lambda seen: seen.stop_is_asked(runner.id))
    stop()


async def changes(store: Store, done: Callable[[QueryStore], bool]) -> None:
    """Look whenever the table has changed, until something is so."""
    mark: int | None = None
    while True:
        if (found := store.change_mark()) != mark:
            mark = found
            with store.queries.snapshot() as seen:
                if done(seen):
                    return
        await asyncio.sleep(NAP)


async def _finish(
    running: "asyncio.Task[Ending]", downloading: "asyncio.Task[DownloadReport] | None"
) -> Ending:
    """Wait for the engine; a downloader that breaks is a bug that ends the run."""
    waiting = {running} if downloading is None else {running, downloading}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if downloading is not None and downloading.done():
        downloading.result()
    try:
        return await running
    except asyncio.CancelledError:
        return Ending(Reason.INTERRUPTED)


async def _last_files(
    ending: Ending, downloading: "asyncio.Task[DownloadReport] | None"
) -> tuple[DownloadReport, Ending]:
    """Wait for the files that are still coming, unless the person wants to stop."""
    if downloading is None or ending.reason is Reason.INTERRUPTED:
        return DownloadReport(), ending
    try:
        return await downloading, ending
    except asyncio.CancelledError:
        return DownloadReport(), Ending(Reason.INTERRUPTED)


async def _cancel(*tasks: "asyncio.Task[object] | None") -> None:
    alive = [task for task in tasks if task is not None and not task.done()]
    for task in alive:
        task.cancel()
    await asyncio.gather(*alive, return_exceptions=True)


async def _progress(
    store: Store, served: Callable[[], list[int]], until: Until | None, deps: RunDependencies
) -> None:
    if deps.observer is None:
        look = batches_look(store, served) if until is None else until.look
        await Progress(look, quiet=deps.quiet, news=batches_news(store, served)).run()
        return
    mark: int | None = None
    try:
        while True:
            if (found := store.change_mark()) != mark:
                mark = found
                deps.observer(store.queries.statuses(served()))
            await asyncio.sleep(NAP)
    except asyncio.CancelledError:
        deps.observer(store.queries.statuses(served()))  # how it ended
        raise


@contextmanager
def _stoppable(
    runner: Runner,
    running: "asyncio.Task[Ending]",
    downloading: "asyncio.Task[DownloadReport] | None",
    switch: StopSignal,
    say: Callable[[str], None],
) -> Iterator[Callable[[], object]]:
    """First signal: submit nothing more, finish what is under way. Second: now.

    Yields what the first signal does.
    """

    def stop() -> None:
        if running.done():
            say("stopping: the missing files are paid for, and the next run downloads them")
            if downloading is not None:
                downloading.cancel()
        elif not runner.health.stopping:
            say(
                "stopping: nothing more is submitted; waiting for the answers to open requests "
                "(Ctrl-C again: stop now)"
            )
            runner.stop()

    def interrupted() -> None:
        if running.done() or not runner.health.stopping:
            stop()
        else:
            say(
                "stopping now: requests that were under way are unconfirmed; the next run finds "
                "out what became of them before it buys again"
            )
            running.cancel()

    loop = asyncio.get_running_loop()
    # only a process's main thread may listen to signals; elsewhere a program stops the run
    terminal = threading.current_thread() is threading.main_thread()
    with stop_signals(interrupted) if terminal else nullcontext():
        switch.bind(functools.partial(loop.call_soon_threadsafe, interrupted))
        try:
            yield stop
        finally:
            switch.bind(None)


def file_client(timeout: float) -> httpx.AsyncClient:
    """Open a client for files: it has no token, and follows nothing by itself."""
    return httpx.AsyncClient(transport=Transport(), timeout=timeout)


def fetch_files(
    store: Store,
    place: Endpoint,
    policy: DownloadPolicy,
    batch: str | None,
    keys: Sequence[str],
    deps: RunDependencies,
) -> DownloadReport:
    """Download missing files; those no longer where they were put count as missing.

    Raises:
        jobs.model.errors.NotFoundError: there is no such batch or job.
    """
    with store.queries.snapshot() as seen:
        for key in keys:
            seen.job(key, batch)
        batch_ids = [row.id for row in seen.batches(batch)]
    there = store.loading.files_there(batch_ids)
    store.loading.forget_files([one for one in there if not _whole(Path(one.path), one.bytes)])
    policy = replace(policy, own=names_own_files(store, place.owner))

    async def main() -> DownloadReport:
        async with (
            open_provider(place.token, place.base_url, FILE_TIMEOUT) as provider,
            file_client(FILE_TIMEOUT) as http,
        ):
            downloader = Downloader(
                store.loading,
                provider,
                http,
                policy,
                deps.clock,
                deps.chance,
                deps.checkpoint,
                names_of(store.queries),
            )
            downloader.finish()
            return await downloader.run(lambda: batch_ids, keys)

    return asyncio.run(main())


def _whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
