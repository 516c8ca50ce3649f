"""Fetching files in parallel: batchsora's way beside a bare stream loop, and a limit beside itself.

``--files=N`` fetches so many (40 by default) of 8 MB each, four at a time.
"""

import asyncio
import hashlib
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from rig import CLIENT_CORE, SERVER_CORE, environment, options, pinned

from batchsora.fetch import fetch_video
from batchsora.fetch.pace import Pace
from batchsora.providers.runblob.transport import Transport
from jobs.model.clock import SystemClock

SIZE = 8 * 1024**2
AT_ONCE = 4
ROUNDS = 3
LIMIT = 32 * 1024**2
"""Bytes a second; far less than loopback gives."""

Fetch = Callable[[httpx.AsyncClient, str, Path], Awaitable[None]]


async def serve() -> None:
    """Say the address, and serve one video under every name until killed."""
    video = b"\0\0\0\x18ftypmp42" + random.Random(1).randbytes(SIZE - 12)  # noqa: S311 - noise
    head = b'HTTP/1.1 200 OK\r\nETag: "v"\r\nContent-Length: %d\r\n\r\n' % SIZE

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(head)
                for start in range(0, SIZE, 1 << 18):
                    writer.write(video[start : start + (1 << 18)])
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is done
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def bare(http: httpx.AsyncClient, url: str, target: Path) -> None:
    """Write what comes, and hash it; nothing is checked, and nothing can be resumed."""
    found = hashlib.sha256()
    async with http.stream("GET", url) as response:
        with target.open("wb") as file:
            async for chunk in response.aiter_raw():
                file.write(chunk)
                found.update(chunk)


def with_batchsora(pace: Pace | None) -> Fetch:
    """Fetch as a run does."""

    async def fetch(http: httpx.AsyncClient, url: str, target: Path) -> None:
        await fetch_video(http, url, target, allow_private=True, pace=pace)

    return fetch


async def contend(way: str, url: str, folder: Path, count: int) -> None:
    """Fetch so many files one way, and report what that took."""
    pace = Pace(LIMIT, SystemClock()) if way == "limited" else None
    fetch = bare if way == "bare" else with_batchsora(pace)
    turns = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(transport=Transport(), timeout=60) as http:

        async def one(number: int) -> None:
            async with turns:
                await fetch(http, f"{url}/{number}.mp4", folder / f"{number}.mp4")

        began = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.gather(*(one(number) for number in range(count)))
        after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = {"seconds": time.perf_counter() - began, "cpu": cpu, "memory": after.ru_maxrss / 1024}
    print(json.dumps(told))


def measured(way: str, url: str, count: int) -> dict[str, float]:
    """Run one way in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = pinned([sys.executable, __file__, way, url, folder, str(count)], CLIENT_CORE)
        done = subprocess.run(
            command, env=environment(), stdout=subprocess.PIPE, text=True, check=True
        )  # fmt: skip
        told: dict[str, float] = json.loads(done.stdout)
        return told


def main() -> None:
    """Print the medians of interleaved rounds."""
    asked = options("downloads", files=40, rounds=ROUNDS)
    found: dict[str, list[dict[str, float]]] = {"bare": [], "batchsora": [], "limited": []}
    server = subprocess.Popen(
        pinned([sys.executable, __file__, "server"], SERVER_CORE),
        env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None  # noqa: S101 - for the types
        url = server.stdout.readline().strip()
        for _ in range(asked.rounds):
            for way, rounds in found.items():
                rounds.append(measured(way, url, asked.files))
    finally:
        server.kill()
        server.communicate()
    print(f"{asked.files} files of 8 MB, {AT_ONCE} at a time")
    medians = {
        way: {name: statistics.median(told[name] for told in rounds) for name in rounds[0]}
        for way, rounds in found.items()
    }
    for way, told in medians.items():
        rate = asked.files * SIZE / 1024**2 / told["seconds"]
        print(
            f"  {way:<10} {rate:5.0f} MB/s, {100 * told['cpu'] / asked.files:.2f} s of CPU for 100 "
            f"files, {told['memory']:.0f} MB at peak"
        )
    ours, theirs = medians["batchsora"], medians["bare"]
    speed, cpu = theirs["seconds"] / ours["seconds"], ours["cpu"] / theirs["cpu"]
    taken = asked.files * SIZE / medians["limited"]["seconds"] / LIMIT
    print(f"  ratios: speed {speed:.2f}, CPU {cpu:.2f} of the bare loop; {taken:.2f} of the limit")


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    if role == "server":
        asyncio.run(serve())
    else:
        asyncio.run(contend(role, rest[0], Path(rest[1]), int(rest[2])))
