"""The types that users of the Python API see: never run, checked by mypy (pyproject.toml)."""

from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import assert_type

from batchsora import (
    GenerationCreated,
    GenerationFailedError,
    GenerationInfo,
    RunBlobClient,
    StillRunningError,
    SyncRunBlobClient,
)


async def asynchronous() -> None:
    async with RunBlobClient() as client:
        assert_type(client, RunBlobClient)
        assert_type(await client.generate("a kite", "16:9", 15, b""), GenerationCreated)
        assert_type(await client.generate_from_image("a kite", Path("a.png")), GenerationCreated)
        assert_type(await client.status("id"), GenerationInfo)
        assert_type(await client.list_generations(limit=5, offset=1), list[GenerationInfo])
        assert_type(client.iter_generations(), AsyncIterator[GenerationInfo])
        assert_type(await client.wait_for_completion("id", 5, 900, print), GenerationInfo)
        assert_type(await client.get_balance(), Decimal)
        assert_type(await client.download("id", "videos/", progress=print), Path)


def synchronous(watch: Callable[[GenerationInfo], None]) -> None:
    with SyncRunBlobClient("token", base_url="https://api.example", timeout=5) as client:
        assert_type(client, SyncRunBlobClient)
        made = client.generate("a kite", orientation="16:9", duration=15, callback_url=None)
        assert_type(made, GenerationCreated)
        assert_type(made.price, Decimal | None)
        assert_type(client.generate_from_image("a kite", image="a.png"), GenerationCreated)
        assert_type(client.status("id").progress_pct, int | None)
        assert_type(client.list_generations(limit=5, offset=1), list[GenerationInfo])
        assert_type(client.iter_generations(page_size=10), Iterator[GenerationInfo])
        assert_type(client.wait_for_completion("id", callback=watch, timeout=60), GenerationInfo)
        assert_type(client.get_balance(), Decimal)
        assert_type(client.download(client.status("id"), Path("a.mp4")), Path)


def refused(client: SyncRunBlobClient) -> None:
    # an ignored error that is none is an error itself (warn_unused_ignores)
    client.generate()  # type: ignore[call-arg]
    client.generate("a kite", seconds=10)  # type: ignore[call-arg]
    client.generate("a kite", "9:16", "10")  # type: ignore[arg-type]
    client.wait_for_completion("id", callback=5)  # type: ignore[arg-type]


def failures(failed: GenerationFailedError, running: StillRunningError) -> None:
    assert_type(failed.info, GenerationInfo)
    assert_type(failed.details, tuple[str, ...])
    assert_type(running.generation_id, str)
    assert_type(running.retryable, bool)
