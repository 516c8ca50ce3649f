"""Fetching files outside of a run."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from batchsora.composition.endpoints import Endpoint
from batchsora.composition.known_database import names_own_files
from batchsora.composition.session import RunDependencies
from batchsora.download import Downloader, DownloadPolicy
from batchsora.providers.registry import open_provider
from batchsora.run_result import DownloadReport
from batchsora.usecases.run import file_client
from jobs.store import Store

TIMEOUT = 60.0


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
            open_provider(place.token, place.base_url, TIMEOUT) as provider,
            file_client(TIMEOUT) as http,
        ):
            downloader = Downloader(
                store.loading, provider, http, policy, deps.clock, deps.chance, deps.checkpoint
            )
            downloader.finish()
            return await downloader.run(lambda: batch_ids, keys)

    return asyncio.run(main())


def _whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
