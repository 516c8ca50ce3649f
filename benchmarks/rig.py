"""What benchmarks of running jobs share: a fast provider on one core, contestants on the other."""

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from peers import Peers

SCRIPTS = Path(__file__).parent / "throughput" / "scripts"
CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE, SERVER_CORE = CORES[0], CORES[-1]
KINDS = ("post", "status", "list", "balance")


def machine() -> str:
    """Describe this machine in a line."""
    shared = "" if CLIENT_CORE != SERVER_CORE else ", THE SERVER ON THE SAME"
    return (
        f"{len(CORES)} cores{shared}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, Linux {platform.release().split('-')[0]}"
    )


def ours(script: str) -> list[str]:
    """Begin the command of a script in batchsora's own environment."""
    return [sys.executable, str(SCRIPTS / script)]


def environment() -> dict[str, str]:
    """Give an environment without proxies and the user's own settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("BATCHSORA_")
    }


class Provider:
    """The provider in a process of its own: a context manager.

    Args:
        peers: whose environment it runs in.
        seconds: from acceptance to completion.

    Attributes:
        url: its address.
    """

    def __init__(self, peers: Peers, seconds: float = 0.5) -> None:
        self._command = [str(peers.python), str(SCRIPTS / "server.py"), "--seconds", str(seconds)]
        self.url = ""

    def __enter__(self) -> Self:
        command = pinned(self._command, SERVER_CORE)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - for the types
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def counts(self) -> dict[str, Any]:
        """Ask for the number of requests by kind, and the time of the ``first`` POST."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.url}/counts") as answer:
            told: dict[str, Any] = json.load(answer)
        return {**dict.fromkeys(KINDS, 0), **told}


@dataclass(frozen=True, slots=True)
class Run:
    """How a contestant's jobs went.

    Attributes:
        jobs: how many.
        seconds: from the first POST to the last completion known.
        cpu: seconds of its process in that time.
        memory: its peak, in bytes.
        written: bytes to the disk in that time.
        requests: by kind, for all jobs.
    """

    jobs: int
    seconds: float
    cpu: float
    memory: int
    written: int
    requests: dict[str, int]

    @property
    def rate(self) -> float:
        """Give the jobs of a second."""
        return self.jobs / self.seconds

    @property
    def requests_per_job(self) -> float:
        """Count the requests for a job."""
        return sum(self.requests.values()) / self.jobs


@dataclass(frozen=True, slots=True)
class Spent:
    """What a command took, from its start to its end.

    Attributes:
        began: when it was started, on the system's monotonic clock.
        seconds: of the clock on the wall.
        cpu: seconds.
        memory: its peak, in bytes.
    """

    began: float
    seconds: float
    cpu: float
    memory: int


class BrokenError(Exception):
    """A contestant did not do its jobs; the text says why."""


def run(command: list[str], folder: Path, provider: Provider, jobs: int, patience: float) -> Run:
    """Run a contestant's script, pinned to a core.

    Args:
        command: begins with the interpreter; gets the provider's address and the jobs.
        folder: an empty one to run in.
        provider: a new one.
        jobs: how many.
        patience: seconds after which it is killed.

    Raises:
        BrokenError: it broke, or did other things than it was asked to.
    """
    command = pinned([*command, provider.url, "--jobs", str(jobs)], CLIENT_CORE)
    with (folder / "log").open("w+") as log:
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=log,
                text=True, timeout=patience, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise BrokenError(f"not done after {patience:.0f} s") from error
        log.seek(0)
        said = log.read().strip().splitlines()
    if done.returncode != 0 or not done.stdout:
        raise BrokenError(said[-1] if said else f"exit {done.returncode}")
    report, counts = json.loads(done.stdout.splitlines()[-1]), provider.counts()
    if counts["post"] != jobs:
        raise BrokenError(f"{counts['post']} generations for {jobs} jobs")
    seconds = report["ended"] - counts["first"]
    requests = {kind: counts[kind] for kind in KINDS}
    return Run(jobs, seconds, report["cpu"], report["memory"], report["written"], requests)


def spend(command: list[str], folder: Path, more: Mapping[str, str] | None = None) -> Spent:
    """Run any command to its end, pinned to the contestants' core.

    Args:
        command: what to run.
        folder: to run in.
        more: further settings of the environment.

    Raises:
        BrokenError: its exit is not 0.
    """
    with tempfile.TemporaryFile("w+") as said:
        began = time.monotonic()
        process = subprocess.Popen(
            pinned(command, CLIENT_CORE), cwd=folder, env=environment() | dict(more or {}),
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            raise BrokenError(f"{' '.join(command)}: {said.read()[-2000:]}")
    return Spent(began, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def options(name: str, **defaults: int | bool) -> argparse.Namespace:
    """Read a benchmark's options from the command line, and leave those of others.

    Args:
        name: of the benchmark.
        defaults: by name; a flag is False.
    """
    parser = argparse.ArgumentParser(prog=name)
    for option, default in defaults.items():
        if default is False:
            parser.add_argument(f"--{option}", action="store_true")
        else:
            parser.add_argument(f"--{option}", type=int, default=default)
    return parser.parse_known_args([word for word in sys.argv[1:] if word.startswith("-")])[0]


def installed() -> Peers:
    """Give the peers' environment, made when it is missing; without it there is no provider."""
    peers = Peers()
    problem = peers.install()
    if problem is not None:
        sys.exit(f"the provider's environment can't be made: {problem}")
    return peers


def pinned(command: list[str], core: int) -> list[str]:
    """Bind a command to a core."""
    return ["taskset", "-c", str(core), *command]
