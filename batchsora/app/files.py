"""Fetching files outside of a run."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from batchsora.app.known import names_own_files
from batchsora.app.run import file_client
from batchsora.app.session import Endpoint, Hooks
from batchsora.download import Downloader, DownloadPolicy, DownloadReport
from batchsora.runblob.adapter import RunBlobProvider
from batchsora.runblob.client import RunBlobClient
from jobs.store import Store, files, views

TIMEOUT = 60.0


def fetch_files(
    store: Store,
    place: Endpoint,
    policy: DownloadPolicy,
    batch: str | None,
    keys: Sequence[str],
    hooks: Hooks,
) -> DownloadReport:
    """Fetch what is missing; files that are no longer where they were put count as missing.

    Raises:
        jobs.errors.NotFoundError: there is no such batch or job.
    """

    def chosen(connection: Connection) -> list[int]:
        for key in keys:
            views.find_job(connection, key, batch)
        return [row.id for row in views.find_batches(connection, batch)]

    batch_ids = store.read(chosen)
    there = store.read(lambda c: files.files_there(c, batch_ids))
    gone = [(job, attempt) for job, attempt, path, size in there if not _whole(Path(path), size)]

    def forget(connection: Connection) -> None:
        for job, attempt in gone:
            files.forget_file(connection, attempt, job)

    store.write(forget)
    policy = replace(policy, own=names_own_files(store, place.owner))

    async def main() -> DownloadReport:
        client = RunBlobClient(place.token, base_url=place.base_url, timeout=TIMEOUT)
        async with client, file_client(TIMEOUT) as http:
            downloader = Downloader(
                store,
                RunBlobProvider(client),
                http,
                policy,
                hooks.clock,
                hooks.chance,
                hooks.checkpoint,
            )
            downloader.finish()
            return await downloader.run(lambda: batch_ids, keys)

    return asyncio.run(main())


def _whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
