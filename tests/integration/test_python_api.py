"""The Python API over real HTTP, against the sandbox."""

import asyncio
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support import tiny

from batchsora import (
    DownloadError,
    GenerationFailedError,
    GenerationInfo,
    InDoubtError,
    RunBlobClient,
    StillRunningError,
    SyncRunBlobClient,
    ValidationError,
)
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.mp4 import make_mp4
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

PNG = tiny.PNG


class SharedTime:
    """One clock for the sandbox and the client, which passes when the client sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.began = datetime(2026, 1, 2, tzinfo=UTC)

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds
        await asyncio.sleep(0)


def test_a_video_from_prompt_to_file(tmp_path: Path) -> None:
    """Bought once, watched through the queue and its percents, and fetched by its id."""
    time = SharedTime()
    told: list[GenerationInfo] = []

    async def main(url: str) -> Path:
        async with RunBlobClient(
            "tok", base_url=url, sleep=time.sleep, monotonic=time.monotonic
        ) as client:
            made = await client.generate("a kite", "16:9", 15)
            video = await client.wait_for_completion(made.generation_id, callback=told.append)
            assert video.generation_id == made.generation_id
            assert [info async for info in client.iter_generations()] == [video]
            return await client.download(made.generation_id, tmp_path)

    with SandboxServer(World(), clock=time) as server:
        path = asyncio.run(main(server.url))
    (made,) = server.world.made
    assert path.read_bytes() == make_mp4(made.id, "16:9", 15)
    assert path == tmp_path / f"{made.id}.mp4"
    places = [info.progress_pos_in_queue for info in told if info.status == "pending"]
    percents = [info.progress_pct for info in told if info.status == "processing"]
    assert places
    assert places == sorted(places, key=lambda place: -(place or 0))
    assert percents
    assert percents == sorted(percents, key=lambda percent: percent or 0)
    assert told[-1].status == "completed"
    assert 300 <= time.passed <= 905


def test_the_same_without_async(tmp_path: Path) -> None:
    """The other client over the same wire, image and all; waiting goes on where it stopped."""
    time = SharedTime()
    picture = tmp_path / "boat.png"
    picture.write_bytes(PNG)
    loaded: list[tuple[int, int | None]] = []
    with (
        SandboxServer(World(), clock=time) as server,
        SyncRunBlobClient(
            "tok", base_url=server.url, sleep=time.sleep, monotonic=time.monotonic
        ) as client,
    ):
        made = client.generate_from_image("the boat leaves", picture)
        with pytest.raises(StillRunningError):
            client.wait_for_completion(made.generation_id, timeout=60)
        with pytest.raises(StillRunningError):
            client.download(made.generation_id, tmp_path)
        video = client.wait_for_completion(made.generation_id)
        path = client.download(
            video, tmp_path / "a" / "b.mp4", lambda *told: loaded.append((told[0], told[1]))
        )
        assert [info.generation_id for info in client.iter_generations()] == [made.generation_id]
        with pytest.raises(ValidationError) as caught:
            client.generate("x", duration=11)
        assert caught.value.details == ("duration: must be 10 or 15",)
    size = path.stat().st_size
    assert loaded[-1] == (size, size)
    assert len(server.world.made) == 1
    assert [thread.name for thread in threading.enumerate() if "batchsora" in thread.name] == []


def test_a_failed_video_and_a_lost_answer() -> None:
    """What was paid and came to nothing is told apart from what may have been paid."""
    world = World(time_scale=1e9, failures={"bad": ["The prompt violates the content policy"]})
    with (
        SandboxServer(world, faults=Faults(flaky=0.3)) as server,
        SyncRunBlobClient("tok", base_url=server.url, sleep=SharedTime().sleep) as client,
    ):
        made = client.generate("bad")
        with pytest.raises(GenerationFailedError, match="content policy") as failed:
            client.wait_for_completion(made.generation_id)
        assert failed.value.kind == "content"
    with (
        SandboxServer(World(), faults=Faults(drop=1)) as server,
        SyncRunBlobClient("tok", base_url=server.url) as client,
    ):
        with pytest.raises(InDoubtError) as doubt:
            client.generate("lost")
        assert doubt.value.in_doubt
        assert [info.prompt for info in client.list_generations()] == ["lost"]


def test_downloads_that_break_off_are_resumed(tmp_path: Path) -> None:
    """Each try goes on where the one before broke off, and so does the next call."""
    time = SharedTime()
    world = World(time_scale=1e9)
    path, part = tmp_path / "kite.mp4", tmp_path / "kite.mp4.part"
    with (
        SandboxServer(world, faults=Faults(cut=1)) as server,
        SyncRunBlobClient("tok", base_url=server.url, sleep=time.sleep) as client,
    ):
        made = client.generate("a kite")
        with pytest.raises(DownloadError, match="can't be fetched"):
            client.download(made.generation_id, path)
    video = make_mp4(made.generation_id, "9:16", 10)
    # four tries, each of which brought half of what was missing
    assert part.stat().st_size / len(video) == pytest.approx(15 / 16, abs=1e-3)
    assert time.passed == 15
    assert not path.exists()
    with (
        SandboxServer(world) as server,
        SyncRunBlobClient("tok", base_url=server.url) as client,
    ):
        client.download(made.generation_id, path)
    assert path.read_bytes() == video
    assert list(tmp_path.iterdir()) == [path]


def test_a_client_that_nobody_closes_ends_quietly(project: Path) -> None:
    """A script without ``with`` ends without a warning, although its thread still stood."""
    code = (
        "from batchsora import SyncRunBlobClient\n"
        "client = SyncRunBlobClient('tok')\n"
        "made = client.generate_from_image('a kite', b'\\x89PNG\\r\\n\\x1a\\nx')\n"
        "items = client.iter_generations()\n"
        "print(next(items).generation_id == made.generation_id)\n"
    )
    with SandboxServer(World()) as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-W", "default::ResourceWarning", "-c", code],
            cwd=project,
            env={**os.environ, "BATCHSORA_BASE_URL": server.url},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("True\n", "")
