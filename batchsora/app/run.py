"""One run, put together: engine, downloads, progress and signals around one event loop."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from batchsora.app.progress import Progress, above_the_bar, statuses
from batchsora.app.session import Endpoint, Hooks
from batchsora.download import Downloader, DownloadPolicy, DownloadReport
from batchsora.runblob.adapter import RunBlobProvider
from batchsora.runblob.client import RunBlobClient
from batchsora.runblob.transport import new_transport
from jobs.ending import Ending, Reason
from jobs.policy import RunPolicy
from jobs.runner import Runner
from jobs.store import Store
from jobs.store.views import BatchStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunTerms:
    """The terms of a run, beside the caps that are kept in the database.

    Attributes:
        request_timeout: seconds for one request.
        download: how to fetch files; None fetches none.
    """

    policy: RunPolicy
    request_timeout: float
    download: DownloadPolicy | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run went.

    Attributes:
        surplus: generations that turned up after their replacement had been paid for.
    """

    ending: Ending
    batches: list[BatchStatus]
    downloads: DownloadReport
    surplus: int = 0


def run_batches(
    store: Store,
    place: Endpoint,
    terms: RunTerms,
    batch_ids: list[int],
    hooks: Hooks,
    say: Callable[[str], None],
) -> RunResult:
    """Run batches to the end, or to whatever stands in the way.

    Args:
        store: opened under the runner's lock.
        place: where to buy.
        terms: the run's terms.
        batch_ids: which batches.
        hooks: time, chance and checkpoints.
        say: tells a person something, beside the progress bar.
    """
    return asyncio.run(_run(store, place, terms, batch_ids, hooks, say))


async def _run(
    store: Store,
    place: Endpoint,
    terms: RunTerms,
    batch_ids: list[int],
    hooks: Hooks,
    say: Callable[[str], None],
) -> RunResult:
    client = RunBlobClient(place.token, base_url=place.base_url, timeout=terms.request_timeout)
    async with client, file_client(terms.request_timeout) as http:
        provider = RunBlobProvider(client)
        runner = Runner(
            store, provider, place.owner, terms.policy, hooks.clock, hooks.chance, hooks.checkpoint
        )
        progress = asyncio.create_task(Progress(store, batch_ids).run(), name="progress")
        downloader: Downloader | None = None
        downloading: asyncio.Task[DownloadReport] | None = None
        if terms.download is not None:
            downloader = Downloader(
                store, provider, http, terms.download, hooks.clock, hooks.chance, hooks.checkpoint
            )
            downloading = asyncio.create_task(downloader.run(batch_ids), name="downloads")
        running = asyncio.create_task(runner.run(batch_ids), name="runner")
        try:
            with _signals(runner, running, downloading, above_the_bar(say)):
                ending = await _finish(running, downloading)
                if downloader is not None:
                    downloader.finish()
                report, ending = await _last_files(ending, downloading)
        finally:
            await _cancel(running, downloading, progress)
    return RunResult(ending, statuses(store, batch_ids), report, runner.surplus)


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


@contextmanager
def _signals(
    runner: Runner,
    running: "asyncio.Task[Ending]",
    downloading: "asyncio.Task[DownloadReport] | None",
    say: Callable[[str], None],
) -> Iterator[None]:
    """First signal: submit nothing more, finish what is under way. Second: now."""

    def interrupted() -> None:
        if running.done():
            say("stopping: files that are not here yet come with the next run")
            if downloading is not None:
                downloading.cancel()
        elif runner.gate.stopping:
            say("stopping now: what was under way is in doubt")
            running.cancel()
        else:
            say("stopping: waiting for the answers under way (again: stop now)")
            runner.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def file_client(timeout: float) -> httpx.AsyncClient:
    """Open a client for files: it has no token, and follows nothing by itself."""
    return httpx.AsyncClient(transport=new_transport(), timeout=timeout)
