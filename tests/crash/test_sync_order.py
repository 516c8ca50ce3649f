"""What reached the disk when a POST left: asked of the kernel, and of the files themselves."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from crash.night import Night, compare, manifest

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Reply, World

ROWS = 5
CALLS = "fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg"
CALL = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>(.*)$")
POST = "POST /v1/sora/generate"
KEY = re.compile(r"X-Idempotency-Key: ([0-9a-f-]{36})", re.IGNORECASE)


@pytest.fixture
def strace() -> str:
    """Find strace, and see that it may trace here."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed (a package of that name)")
    tried = subprocess.run(
        [found, "-f", sys.executable, "-c", ""], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()[-200:]}")
    return found


def calls(trace: Path) -> list[tuple[str, str, str]]:
    """Read a trace: the name of each call, the file or socket it was for, and what was written."""
    lines = trace.read_text(errors="replace").splitlines()
    return [(m[1], m[2], m[3]) for m in map(CALL.match, lines) if m]


def test_every_intent_is_synced_before_its_request_leaves(tmp_path: Path, strace: str) -> None:
    """When a POST's first byte leaves, nothing in the log is unsynced, and its key is in there."""
    world = World(time_scale=3000.0)
    trace = tmp_path / "trace"
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        traced = (strace, "-f", "-y", "-s", "9000", "-e", f"trace={CALLS}", "-o", str(trace))
        said = night.run(str(manifest(tmp_path / "night.csv", ROWS)), prefix=traced)
        assert said.returncode == 0, said.stderr
        compare(night, world)
    folder = str(tmp_path.resolve())
    log = f"{folder}/batchsora.db-wal"
    synced: set[str] = set()
    written: list[str] = []
    posted: list[str] = []
    in_the_log = ""
    for name, target, text in calls(trace):
        if name.startswith("pwrite") and target == log:
            written.append(text)
        elif name in ("fsync", "fdatasync"):
            synced.add(target)
            if target == log:
                in_the_log += "".join(written)
                written.clear()
        elif POST in text:
            (key,) = KEY.findall(text)
            assert written == [], "a POST left before the log was synced"
            assert key in in_the_log
            assert folder in synced, "a power cut could take the log's own name"
            posted.append(key)
    assert len(set(posted)) == len(posted) == ROWS


class Snooping(World):
    """A world that looks into the client's files when a request arrives."""

    look: Callable[[], set[str]]

    def generate(self, body: Any, key: str | None, now: datetime, *more: Any) -> Reply:
        """Answer only after looking."""
        self.seen.append((key, key in self.look()))
        return super().generate(body, key, now, *more)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seen: list[tuple[str | None, bool]] = []


def test_another_process_finds_the_intent_when_the_request_arrives(tmp_path: Path) -> None:
    """At each POST, file and log as they are then, opened elsewhere, have that very intent."""
    world = Snooping(time_scale=3000.0)
    with SandboxServer(world) as api:
        night = Night(tmp_path, api.url)
        world.look = lambda: {
            key for (key,) in night.rows("SELECT idempotency_key FROM attempt WHERE state = 'open'")
        }
        said = night.run(str(manifest(tmp_path / "night.csv", ROWS)))
        assert said.returncode == 0, said.stderr
        compare(night, world)
    assert len(world.seen) == ROWS
    assert all(found for _, found in world.seen)
