"""SIGKILL in the middle of a file: the next process fetches what is missing, and little more."""

import asyncio
import contextlib
import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from crash.night import Night, Running, manifest

from batchsora.fetch.part import BLOCK
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(251)) * 40_000
HALF = 10 * BLOCK
PIECE = 16 * 1024


class Files:
    """A file server in a thread, which counts what it sends.

    Attributes:
        url: of the one file.
        begun: where in the file each answer began.
        sent: bytes of bodies.
        stop_at: bytes of an answer after which it falls silent.
    """

    def __init__(self) -> None:
        self.url = ""
        self.begun: list[int] = []
        self.sent = 0
        self.stop_at: int | None = None

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            start = 0
            if "range: bytes=" in asked and 'if-range: "v1"' in asked:
                start = int(asked.partition("range: bytes=")[2].partition("-")[0])
            self.begun.append(start)
            lines = ["HTTP/1.1 206 Partial" if start else "HTTP/1.1 200 OK", 'ETag: "v1"']
            lines.append(f"Content-Length: {len(VIDEO) - start}")
            if start:
                lines.append(f"Content-Range: bytes {start}-{len(VIDEO) - 1}/{len(VIDEO)}")
            writer.write("\r\n".join([*lines, "", ""]).encode())
            end = len(VIDEO) if self.stop_at is None else self.stop_at
            for place in range(start, end, PIECE):
                piece = VIDEO[place : min(place + PIECE, end)]
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
            if end < len(VIDEO):
                await reader.read()
        writer.close()


@contextmanager
def serving() -> Iterator[Files]:
    files, ready = Files(), threading.Event()
    over: list[Any] = []

    async def main() -> None:
        server = await asyncio.start_server(files.answer, "127.0.0.1", 0)
        files.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/video.mp4"
        ending = asyncio.Event()
        over.extend((asyncio.get_running_loop(), ending))
        ready.set()
        await ending.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    ready.wait()
    try:
        yield files
    finally:
        loop, ending = over
        loop.call_soon_threadsafe(ending.set)
        thread.join()


def marked(folder: Path) -> int:
    """Return how many bytes of the one part are marked; a note being written or removed marks 0."""
    for note in folder.rglob("*.part.json"):
        with contextlib.suppress(ValueError, FileNotFoundError):
            return max((size for size, _ in json.loads(note.read_text())["marks"]), default=0)
    return 0


def kill_at(night: Night, running: Running, size: int) -> None:
    """Kill a download when so many bytes are marked."""
    running.until(lambda: marked(night.folder) >= size)
    running.kill()
    running.communicate()


@pytest.mark.parametrize("kills", [1, 3])
def test_a_killed_download_goes_on_where_it_was(tmp_path: Path, kills: int) -> None:
    """Each kill costs a block at most; the file is the server's, and nothing else stays behind."""
    manifest(tmp_path / "night.csv", 1)
    with SandboxServer(World(time_scale=3000.0)) as api, serving() as files:
        night = Night(tmp_path, api.url)
        assert night.run("night.csv").returncode == 0
        with closing(sqlite3.connect(night.database)) as raw, raw:
            raw.execute("UPDATE job SET video_url = ?", (files.url,))
        for turn in range(1, kills + 1):
            files.stop_at = HALF * turn // kills
            with night.start("download") as running:
                kill_at(night, running, files.stop_at - BLOCK)
        files.stop_at = None
        said = night.command("download")
        assert said.returncode == 0, said.stderr
    (video,) = tmp_path.rglob("*.mp4")
    assert [path.name for path in video.parent.iterdir()] == [video.name]
    assert hashlib.sha256(video.read_bytes()).digest() == hashlib.sha256(VIDEO).digest()
    assert len(files.begun) == kills + 1
    assert files.sent <= len(VIDEO) + kills * 2 * BLOCK
    assert night.states() == {"completed": 1}
