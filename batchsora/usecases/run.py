"""One run, put together: engine, downloads, progress and signals around one event loop."""

import asyncio
import functools
import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx

from batchsora.composition.endpoints import Endpoint
from batchsora.composition.known_database import is_known, names_own_files
from batchsora.composition.session import RunDependencies, StopSignal
from batchsora.download import Downloader
from batchsora.options import RunOptions
from batchsora.providers.registry import open_provider
from batchsora.providers.runblob.transport import Transport
from batchsora.run_result import DownloadReport, RunResult
from batchsora.usecases.from_options import USUAL, RunFacts, download_policy, run_policy
from batchsora.usecases.progress import (
    Look,
    Progress,
    above_the_bar,
    batches_look,
    batches_news,
    statuses,
)
from jobs.model.states import Reason
from jobs.ports.figures import Part
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchStatus
from jobs.services.run_outcome import Ending
from jobs.services.runner import Runner
from jobs.store import Store

log = logging.getLogger(__name__)


NAP = 0.2
"""Seconds between two looks whether the table has changed."""


@dataclass(frozen=True, slots=True)
class Until:
    """What a run is for when it is not for whole batches.

    Attributes:
        done: says whether the run may end.
        look: how far it is, for the progress bar.
    """

    done: Callable[[QueryStore], bool]
    look: Look


class Served:
    """The batches of a run: those that it began with, and those of jobs that were handed to it."""

    def __init__(self, store: Store, batch_ids: Iterable[int]) -> None:
        self._store = store
        self._ids = set(batch_ids)

    def __call__(self) -> list[int]:
        """List their numbers."""
        self.add(self._store.queries.served_batches())
        return sorted(self._ids)

    def add(self, batch_ids: Iterable[int]) -> None:
        """Count some among them."""
        self._ids.update(batch_ids)


def run_batches(
    store: Store,
    place: Endpoint,
    options: RunOptions,
    batch_ids: list[int],
    deps: RunDependencies,
    say: Callable[[str], None],
    until: Until | None = None,
    facts: RunFacts = USUAL,
) -> RunResult:
    """Run batches to the end, or to whatever stands in the way.

    Args:
        store: opened under the runner's lock.
        place: where to buy.
        options: of the run.
        batch_ids: which batches.
        deps: time, chance and checkpoints.
        say: tells a person something, beside the progress bar.
        until: ends the run earlier, as finished.
        facts: what the run is told besides.
    """
    return asyncio.run(_run(store, place, options, batch_ids, deps, say, until, facts))


async def _run(
    store: Store,
    place: Endpoint,
    options: RunOptions,
    batch_ids: list[int],
    deps: RunDependencies,
    say: Callable[[str], None],
    until: Until | None,
    facts: RunFacts,
) -> RunResult:
    policy, timeout = run_policy(options, facts), options.request_timeout
    if policy.buys:
        store.queries.check_zone()
    served = Served(store, batch_ids)
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
        if facts.downloads and (folder := options.folder) is not None:
            own, private = names_own_files(store, place.owner), place.private_files
            files = download_policy(options, folder, private_files=private, own=own)
            downloader = Downloader(
                store.loading, provider, http, files, deps.clock, deps.chance, deps.checkpoint
            )
            downloading = asyncio.create_task(downloader.run(served), name="downloads")
        running = asyncio.create_task(runner.run(batch_ids), name="runner")
        stopping = None if until is None else asyncio.create_task(_stop(store, runner, until))
        try:
            with _stoppable(runner, running, downloading, deps.switch, above_the_bar(say)):
                ending = await _finish(running, downloading)
                served.add(runner.served)
                if stopping is not None and stopping.done():
                    stopping.result()
                    if ending.reason is not Reason.DATABASE:
                        ending = Ending(Reason.FINISHED)
                if downloader is not None:
                    downloader.finish()
                report, ending = await _last_files(ending, downloading)
        finally:
            observed = progress.done() and not progress.cancelled()
            await _cancel(running, downloading, stopping, progress)
    if observed:
        progress.result()  # an observer that breaks is its program's bug, told when all is safe
    batches = statuses(store, served())
    judged = _judged(store, batches, batch_ids, runner.handed)
    return RunResult(
        ending,
        batches,
        judged,
        frozenset(batch.id for batch in batches) - frozenset(batch_ids),
        report,
        runner.surplus,
        runner.reappeared,
        store.queries.odd_prices(began),
    )


def _judged(
    store: Store, batches: Sequence[BatchStatus], own: Sequence[int], handed: Sequence[int]
) -> list[BatchStatus]:
    """Leave of other batches what was handed to the run: it does not answer for their rest."""
    parts = store.queries.parts(handed)
    return [
        batch if batch.id in own else _part(batch, parts.get(batch.id, Part())) for batch in batches
    ]


def _part(batch: BatchStatus, part: Part) -> BatchStatus:
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
    store: Store, served: Served, until: Until | None, deps: RunDependencies
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
                deps.observer(statuses(store, served()))
            await asyncio.sleep(NAP)
    except asyncio.CancelledError:
        deps.observer(statuses(store, served()))  # how it ended
        raise


@contextmanager
def _stoppable(
    runner: Runner,
    running: "asyncio.Task[Ending]",
    downloading: "asyncio.Task[DownloadReport] | None",
    switch: StopSignal,
    say: Callable[[str], None],
) -> Iterator[None]:
    """First signal: submit nothing more, finish what is under way. Second: now."""

    def interrupted() -> None:
        if running.done():
            say("stopping: the next run downloads the missing files")
            if downloading is not None:
                downloading.cancel()
        elif runner.health.stopping:
            say("stopping now: requests that were under way are unconfirmed")
            running.cancel()
        else:
            say("stopping: waiting for open requests (Ctrl-C again: stop now)")
            runner.stop()

    loop = asyncio.get_running_loop()
    # only a process's main thread may listen to signals; elsewhere a program stops the run
    terminal = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if terminal else ()
    for number in numbers:
        loop.add_signal_handler(number, interrupted)
    switch.bind(functools.partial(loop.call_soon_threadsafe, interrupted))
    try:
        yield
    finally:
        switch.bind(None)
        for number in numbers:
            loop.remove_signal_handler(number)


def file_client(timeout: float) -> httpx.AsyncClient:
    """Open a client for files: it has no token, and follows nothing by itself."""
    return httpx.AsyncClient(transport=Transport(), timeout=timeout)
