"""Sending local images: memory and CPU of batchsora's way, beside the JSON made whole in memory.

``--images=1000`` sends a thousand (100 by default), sixteen at a time, of 8 MB each.
"""

import asyncio
import base64
import hashlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from rig import CLIENT_CORE, SERVER_CORE, environment, options, pinned

from batchsora.providers.runblob.adapter import RunBlobProvider
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.providers.runblob.transport import Transport
from jobs.model.provider import Accepted, GenerationRequest, ImageRef

SIZE = 8 * 1024**2
AT_ONCE = 16
FILES = 4
ROUNDS = 3
ANSWER = b'{"generation_id": "gen-1", "status": "pending", "price": "0.12"}'
REPLY = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)

Send = Callable[[Path], Awaitable[None]]


async def discard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read requests, keep nothing, and accept them."""
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).lower():
            left = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
            while left:
                left -= len(await reader.read(min(left, 1 << 20)))
            writer.write(REPLY)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client is done
    finally:
        writer.close()


async def serve() -> None:
    """Say the address, and serve until killed."""
    server = await asyncio.start_server(discard, "127.0.0.1", 0, limit=1 << 20)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def with_batchsora(url: str, send_all: Callable[[Send], Awaitable[None]]) -> None:
    """Send as a run does: hashed before, encoded on the way, and hashed again."""
    async with RunBlobClient("token", base_url=url) as client:
        provider = RunBlobProvider(client, patience=3600)

        async def send(path: Path) -> None:
            loaded = path.stem.partition("-")[2]
            image = ImageRef(path.name, str(path), loaded, SIZE, "image/jpeg")
            request = GenerationRequest("a kite", "9:16", 10, image)
            outcome = await provider.submit(request, "key", lambda: True)
            if not isinstance(outcome, Accepted):
                raise TypeError(f"not accepted: {outcome}")

        await send_all(send)


async def naively(url: str, send_all: Callable[[Send], Awaitable[None]]) -> None:
    """Send over the same transport, as a first script does."""
    async with httpx.AsyncClient(transport=Transport(), timeout=60) as http:

        async def send(path: Path) -> None:
            document = {"prompt": "a kite", "image_base64": data_uri(path)}
            (await http.post(f"{url}/v1/sora/generate", json=document)).raise_for_status()

        await send_all(send)


def data_uri(path: Path) -> str:
    """Encode a picture at once."""
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"


WAYS = {"batchsora": with_batchsora, "naive": naively}


async def contend(way: str, url: str, paths: list[Path]) -> None:
    """Send pictures, and report what that took."""

    async def send_all(send: Send) -> None:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(path: Path) -> None:
            async with turns:
                await send(path)

        await asyncio.gather(*(one(path) for path in paths))

    before = resource.getrusage(resource.RUSAGE_SELF)
    await WAYS[way](url, send_all)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu": cpu, "memory": after.ru_maxrss * 1024}))


def pictures(folder: Path, count: int) -> None:
    """Make so many pictures, named by their hash; only a few take room on the disk."""
    made: list[Path] = []
    for number in range(count):
        if number < FILES:
            noise = random.Random(number).randbytes(SIZE - 8)  # noqa: S311 - no secret
            data = b"\xff\xd8\xff\xda\0\x02" + noise + b"\xff\xd9"
            made.append(folder / f"{number}-{hashlib.sha256(data).hexdigest()}.jpg")
            made[-1].write_bytes(data)
        else:
            like = made[number % FILES]
            os.link(like, folder / f"{number}-{like.stem.partition('-')[2]}.jpg")


def measured(way: str, url: str, folder: Path) -> tuple[float, float]:
    """Run one way in a process of its own; gives CPU seconds and peak memory in megabytes."""
    command = pinned([sys.executable, __file__, way, url, str(folder)], CLIENT_CORE)
    done = subprocess.run(
        command, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )  # fmt: skip
    told = json.loads(done.stdout)
    return told["cpu"], told["memory"] / 1024**2


def main() -> None:
    """Print the medians of interleaved rounds."""
    asked = options("images", images=100, rounds=ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        few, many = Path(name, "few"), Path(name, "many")
        for folder, count in ((few, 1), (many, asked.images)):
            folder.mkdir()
            pictures(folder, count)
        server = subprocess.Popen(
            pinned([sys.executable, __file__, "server"], SERVER_CORE),
            env=environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None  # noqa: S101 - for the types
            url = server.stdout.readline().strip()
            idle = measured("batchsora", url, few)[1]
            found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
            for _ in range(asked.rounds):
                for way, rounds in found.items():
                    rounds.append(measured(way, url, many))
        finally:
            server.kill()
            server.communicate()
    print(f"{asked.images} images of 8 MB, {AT_ONCE} at a time; one alone: {idle:.0f} MB at peak")
    medians = {
        way: [statistics.median(values) for values in zip(*rounds, strict=True)]
        for way, rounds in found.items()
    }
    for way, (cpu, memory) in medians.items():
        per = 100 * cpu / asked.images
        print(f"  {way:<10} {memory:5.0f} MB at peak, {per:.2f} s of CPU for 100 images")
    (cpu, memory), (naive_cpu, naive_memory) = medians["batchsora"], medians["naive"]
    print(f"  ratios: memory {memory / naive_memory:.2f}, CPU {cpu / naive_cpu:.2f}")


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    if role == "server":
        asyncio.run(serve())
    else:
        asyncio.run(contend(role, rest[0], sorted(Path(rest[1]).iterdir())))
