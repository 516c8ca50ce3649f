"""Hold bad connections against the page while a logged-in person uses it: ``make siege``.

``python -m web.siege --connections 2000 --seconds 120`` starts the real ``batchsora web`` on a
real port, with a password and the usual limit of 1,024 open files, and keeps so many strangers
connected. Each of them begins again a moment after it was let go. Beside them somebody logs in,
keeps a page open, and asks for pages, over an old connection and over new ones. Exits with 1 when
an answer took longer than ``--limit`` or did not come, or when the open page lost its connection.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
from support.site import QUICK, Folder

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

PASSWORD: Final = "a-password-of-the-siege"
FILES: Final = 1024
"""Files that the server may have open: the usual limit of a shell."""
ROWS: Final = 40
EVERY: Final = 0.25
"""Seconds between two requests of the person."""
PAGES: Final = ("/", "/batches/1", "/batches/1/jobs")
DRIP: Final = 1.0
"""Seconds between two bytes of a slow stranger."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the page is, and what its login form gives to any visitor.

    Attributes:
        cookie: of a session that nobody logged in to.
        csrf: what a form of that session carries.
    """

    host: str
    port: int
    cookie: str
    csrf: str

    def head(self, request: str, *more: str) -> bytes:
        """Write the head of a request."""
        lines = (request, f"Host: {self.host}:{self.port}", *more, "", "")
        return "\r\n".join(lines).encode()


Stranger = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Target], Awaitable[None]]


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a byte a moment until the other side has enough."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRIP):  # wait_for of Python 3.11 may swallow a cancellation
                if not await reader.read(4096):
                    return
        writer.write(b"x")
        await writer.drain()


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: Target) -> None:
    """Connect, and say nothing."""
    await reader.read()


async def half_sent(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target
) -> None:
    """Send a head that never ends."""
    writer.write(target.head("GET / HTTP/1.1")[:-2] + b"X-Slow: ")
    await _drip(reader, writer)


async def slow_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target
) -> None:
    """Announce a form that the login takes, and send a byte a second of it."""
    more = (
        f"Cookie: {target.cookie}", f"X-CSRF-Token: {target.csrf}", "Content-Length: 100000",
        "Content-Type: application/x-www-form-urlencoded",
    )  # fmt: skip
    writer.write(target.head("POST /login HTTP/1.1", *more))
    await _drip(reader, writer)


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    """Ask for the login form, and keep the connection."""
    writer.write(target.head("GET /login HTTP/1.1"))
    while await reader.read(65536):
        pass


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Target) -> None:
    """Send bytes that are no HTTP."""
    writer.write(os.urandom(2000))
    await reader.read()


STRANGERS: Final[tuple[Stranger, ...]] = (silent, half_sent, slow_body, idle, garbage)


async def _strangers(target: Target, count: int, seconds: float, pause: float) -> Counter[str]:
    """Keep so many strangers connected; returns how often each kind connected, or could not."""
    counts: Counter[str] = Counter()
    chance = random.Random(1)

    async def again_and_again(kind: Stranger) -> None:
        await asyncio.sleep(chance.random())
        while True:
            try:
                reader, writer = await asyncio.open_connection(target.host, target.port)
            except OSError:
                counts["refused"] += 1
            else:
                counts[kind.__name__] += 1
                with suppress(OSError):
                    await kind(reader, writer, target)
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
            await asyncio.sleep(pause)

    tasks = [
        asyncio.create_task(again_and_again(STRANGERS[number % len(STRANGERS)]))
        for number in range(count)
    ]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        task.cancel()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(end, asyncio.CancelledError):
            counts[f"broke: {end!r}"] += 1
    return counts


def besiege(target: Target, count: int, seconds: float, pause: float, told: Any) -> None:
    """Be the strangers, in a process of their own; tells how often each kind connected."""
    _allow_files(count + 200)
    told.send(asyncio.run(_strangers(target, count, seconds, pause)))


def _allow_files(wanted: int) -> None:
    """Let this process have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        sys.exit(f"{wanted} open files are needed; the hard limit is {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


@dataclass(slots=True)
class Person:
    """Somebody who is logged in, and what became of each request.

    Attributes:
        took: seconds of each answer.
        over_new: those of them that came over a connection of their own.
        slowest_at: seconds after the begin at which the slowest was asked for.
        failed: what went wrong, each as it happened.
        lost: how often the open page lost its connection.
    """

    url: str
    took: list[float] = field(default_factory=list)
    over_new: list[float] = field(default_factory=list)
    slowest_at: float = 0.0
    failed: list[str] = field(default_factory=list)
    lost: int = 0
    _began: float = field(default_factory=time.perf_counter)
    _done: threading.Event = field(default_factory=threading.Event)

    def use(self, seconds: float) -> None:
        """Log in, keep a page open, and ask for pages one after the other."""
        with httpx.Client(base_url=self.url, timeout=30) as kept:
            self._log_in(kept)
            cookies = (dict(kept.cookies),)
            threading.Thread(target=self._watch, args=cookies, daemon=True).start()
            until, number = time.monotonic() + seconds, 0
            while time.monotonic() < until:
                if number % 2:
                    self._ask(kept, PAGES[number % len(PAGES)])
                else:
                    before = len(self.took)
                    with httpx.Client(
                        base_url=self.url, timeout=30, cookies=dict(kept.cookies)
                    ) as new:
                        self._ask(new, PAGES[number % len(PAGES)])
                    self.over_new.extend(self.took[before:])
                number += 1
                time.sleep(EVERY)
            self._done.set()

    def _log_in(self, kept: httpx.Client) -> None:
        found = re.search(r'X-CSRF-Token": "(\w+)"', kept.get("/login").text)
        if found is None:
            raise RuntimeError("the login form has no token")
        headers = {"X-CSRF-Token": found[1], "Origin": self.url, "HX-Request": "true"}
        kept.post("/login", data={"password": PASSWORD}, headers=headers).raise_for_status()

    def _ask(self, client: httpx.Client, path: str) -> None:
        begin = time.perf_counter()
        try:
            answer = client.get(path, headers={"Accept": "text/html"})
        except httpx.HTTPError as error:
            self.failed.append(f"{path}: {error!r}")
            return
        self.took.append(time.perf_counter() - begin)
        if self.took[-1] == max(self.took):
            self.slowest_at = begin - self._began
        if answer.status_code != httpx.codes.OK or "</html>" not in answer.text:
            self.failed.append(f"{path}: {answer.status_code}")

    def _watch(self, cookies: dict[str, str]) -> None:
        """Keep a page's stream of changes open."""
        with httpx.Client(base_url=self.url, cookies=cookies, timeout=30) as client:
            while not self._done.is_set():
                with suppress(httpx.HTTPError), client.stream("GET", "/events") as answer:
                    for _ in answer.iter_raw():
                        if self._done.is_set():
                            return
                if not self._done.is_set():
                    self.lost += 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has taken so far: seconds of processor time, bytes of memory at most."""

    seconds: float
    memory: int

    @classmethod
    def of(cls, pid: int) -> "Cost":
        """Read it from ``/proc``; zeros where there is none."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return cls(0, 0)
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        ticks = int(stat[11]) + int(stat[12])
        return cls(ticks / os.sysconf("SC_CLK_TCK"), int(peak[1]) * 1024 if peak else 0)


def _prepare(folder: Path) -> None:
    """Make a night of rows, so that pages have something to show."""
    rows = "".join(
        f'r{number},"a lantern no. {number}, slow dolly shot"\n' for number in range(ROWS)
    )
    (folder / "prompts.csv").write_text(f"id,prompt\n{rows}")
    with SandboxServer(World(time_scale=2000.0)) as api:
        code = Folder(folder, api).call("run", "prompts.csv", "--budget", "9", *QUICK)
    if code:
        sys.exit(f"the night before ended with {code}")


@contextmanager
def _page(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, list[Path]]]:
    """Start the page; gives its process, its address, and where its words and its log go."""
    said, log = folder / "said.txt", folder / "log.jsonl"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    words = ("web", "--no-browser", "--port", "0", "--log-file", str(log))
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "batchsora", *words],
            cwd=folder,
            env={**os.environ, "BATCHSORA_WEB_PASSWORD": PASSWORD},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + 60
        while not (found := re.search(r"http://[\d.]+:\d+", said.read_text())):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"the page did not start: {said.read_text()}")
            time.sleep(0.05)
        yield process, found[0], [said, log]
    finally:
        process.terminate()
        process.wait(30)


def _target(url: str) -> Target:
    """Read what any visitor gets of the login form."""
    answer = httpx.get(f"{url}/login")
    csrf = re.search(r'X-CSRF-Token": "(\w+)"', answer.text)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    host, _, port = url.removeprefix("http://").partition(":")
    return Target(host, int(port), cookie, "" if csrf is None else csrf[1])


def siege(connections: int, seconds: float, pause: float) -> tuple[Person, dict[str, Any]]:
    """Play it; returns how the person fared, and the figures.

    Args:
        connections: of strangers, at the same time.
        seconds: how long.
        pause: seconds after which a stranger who was let go connects again.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        with _page(folder) as (process, url, logs):
            person, before = Person(url), Cost.of(process.pid)
            told, tell = multiprocessing.Pipe(duplex=False)
            attack = partial(besiege, _target(url), connections, seconds, pause, tell)
            strangers = multiprocessing.get_context("spawn").Process(target=attack)
            load = os.getloadavg()[0]
            begin = time.monotonic()
            strangers.start()
            tell.close()  # where they break, the end of the pipe is seen
            person.use(seconds)
            lasted = time.monotonic() - begin
            counts = told.recv()
            strangers.join()
            after = Cost.of(process.pid)
            alive = process.poll() is None
            log = sum(path.stat().st_size for path in logs if path.exists())
    if not alive:
        person.failed.append(f"the server ended with {process.returncode}")
    took = sorted(person.took) or [0.0]
    return person, {
        "strangers": connections,
        "seconds": round(lasted, 1),
        "connected": dict(sorted(counts.items())),
        "requests": len(person.took),
        "failures": len(person.failed),
        "open page lost": person.lost,
        "median ms": round(statistics.median(took) * 1000, 1),
        "p99 ms": round(took[int(len(took) * 0.99)] * 1000, 1),
        "max ms": round(took[-1] * 1000, 1),
        "max ms over a new connection": round(max(person.over_new, default=0.0) * 1000, 1),
        "slowest at s": round(person.slowest_at, 1),
        "load before": round(load, 1),
        "server CPU s": round(after.seconds - before.seconds, 1),
        "server memory MB": round(after.memory / 1024**2, 1),
        "log bytes": log,
    }


def main() -> int:
    """Play it, print the figures, and say whether it held."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--limit", type=float, default=1.0, help="seconds that an answer may take")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two connections")
    asked = parser.parse_args()
    person, figures = siege(asked.connections, asked.seconds, asked.pause)
    print(json.dumps(figures, indent=1))
    for problem in person.failed[:10]:
        print(problem)
    slow = max(person.took, default=asked.limit + 1) > asked.limit
    return 1 if slow or person.failed or person.lost else 0


if __name__ == "__main__":
    sys.exit(main())
