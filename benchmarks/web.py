"""The page: one of a batch of 100,000 jobs beside one of 100, and a run under fifty open pages."""

import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from peers import Peers
from rig import (
    SERVER_CORE,
    Provider,
    Run,
    environment,
    installed,
    machine,
    options,
    ours,
    pinned,
    run,
)

MANY, FEW = 100_000, 100
PASSWORD = "a password of benchmarks"  # noqa: S105 - on loopback, for a minute
INSIDE = {"Authorization": f"Bearer {PASSWORD}"}
ROUNDS = 3
LOOKS = 20
PAGES = 50
PARTS = ("head", "summary", "now", "failures")
PATHS = {
    "the batch": "/batches/1",
    "its jobs": "/batches/1/jobs",
    "its last jobs": "/batches/1/jobs?before=999999999",
    "jobs by state": "/batches/1/jobs?state=completed",
    "jobs by words": "/batches/1/jobs?q=kite",
    "one job": "/jobs/50",
    "its plots": "/batches/1/course",
    "no such words": "/batches/1/jobs?q=zebra",
    "the list": "/",
}
JOBS, WINDOW = 1280, 64


@contextlib.contextmanager
def served(folder: Path, core: int) -> Iterator[str]:
    """Serve a folder's database; gives the address."""
    program = str(Path(sys.executable).with_name("batchsora"))
    process = subprocess.Popen(
        pinned([program, "web", "--no-browser", "--port", "0"], core),
        cwd=folder, env={**environment(), "BATCHSORA_WEB_PASSWORD": PASSWORD},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None  # noqa: S101 - for the types
        found = None
        while found is None:
            found = re.search(r"http://[^/]+", process.stdout.readline())
        yield found[0]
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Print both."""
    asked = options("web", rounds=ROUNDS, jobs=MANY)
    print(machine())
    _sizes(asked.jobs)
    _open_pages(installed(), asked.rounds)


def _sizes(many: int) -> None:
    """Compare pages of a large and a small batch; each look comes after a change."""
    with tempfile.TemporaryDirectory() as name:
        took: dict[int, dict[str, float]] = {}
        for jobs in (FEW, many):
            folder = Path(name, str(jobs))
            folder.mkdir()
            made = ours("table_of.py")
            words = [
                str(folder / "batchsora.db"),
                "--jobs",
                str(jobs),
                "--done",
                str(jobs * 9 // 10),
            ]
            subprocess.run([*made, *words], check=True)
            with (
                served(folder, SERVER_CORE) as url,
                httpx.Client(base_url=url, headers=INSIDE) as http,
            ):
                token = re.search(r'X-CSRF-Token": "(\w+)"', http.get("/").text)
                assert token is not None  # noqa: S101 - for the types
                http.headers.update({"X-CSRF-Token": token[1], "Origin": url})
                took[jobs] = {what: _median(http, path) for what, path in PATHS.items()}
    print(f"\nms a page, {FEW} jobs beside {many:,}")
    for what in PATHS:
        few, large = took[FEW][what] * 1000, took[many][what] * 1000
        print(f"  {what:16}{few:8.1f}{large:8.1f}{large / few:8.2f}")


def _median(http: httpx.Client, path: str) -> float:
    seconds = []
    for number in range(LOOKS):
        http.post(f"/batches/1/{'pause' if number % 2 else 'resume'}")  # nothing is kept
        began = time.perf_counter()
        http.get(path).raise_for_status()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


async def watch(url: str) -> None:
    """Be fifty open pages for ever: told of each change, each asks for its parts."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, headers=INSIDE, timeout=60, limits=limits) as http:

        async def one() -> None:
            async with http.stream("GET", "/events") as events:
                async for line in events.aiter_lines():
                    if line.startswith("data:"):
                        for part in PARTS:
                            await http.get(f"/batches/1?part={part}")

        await asyncio.gather(*(one() for _ in range(PAGES)))


def _open_pages(peers: Peers, rounds: int) -> None:
    """Let a run go on with and without fifty open pages, which share the server's core."""
    alone, watched = [], []
    for _ in range(rounds):
        alone.append(_run(peers, watching=False))
        watched.append(_run(peers, watching=True))
    few, many = (statistics.median(one.rate for one in runs) for runs in (alone, watched))
    print(f"\na run of {JOBS} jobs, {WINDOW} in flight, jobs/s")
    print(f"  alone {few:.0f}, under {PAGES} open pages {many:.0f}: {many / few:.2f}")


def _run(peers: Peers, *, watching: bool) -> Run:
    with tempfile.TemporaryDirectory() as name, Provider(peers) as provider:
        folder = Path(name)
        with contextlib.ExitStack() as stack:
            if watching:
                url = stack.enter_context(served(folder, SERVER_CORE))
                command = pinned([sys.executable, __file__, "watch", url], SERVER_CORE)
                watcher = subprocess.Popen(command, env={**os.environ, **environment()})
                stack.callback(watcher.communicate)
                stack.callback(watcher.kill)
            command = [*ours("ours.py"), "--window", str(WINDOW)]
            return run(command, folder, provider, JOBS, 240.0)


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[2]))
