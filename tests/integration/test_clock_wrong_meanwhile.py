"""Eight purchases were made while our clock was wrong, and the provider's times are of a zone.

The provider tells the times of generations five hours behind its ``Date``. What somebody else makes
after a person's word is then older than that word.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crash.night import TOKEN
from support.shell import call

from batchsora.sandbox import world as worlds
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Reply, World
from jobs.model.clock import SystemClock

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download")
ZONE = timedelta(hours=5)


class RightClock(SystemClock):
    """The provider's clock, which is right all the time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    for name in ("first", "wrong"):
        rows = "".join(f"{n},a {name} lamp {n}\n" for n in range(8))
        Path(f"{name}.csv").write_text(f"id,prompt\n{rows}")
    Path("new.csv").write_text("id,prompt\nk0,a kite\n")
    told = worlds._naive
    monkeypatch.setattr(worlds, "_naive", lambda at: told(None if at is None else at - ZONE))
    return World(time_scale=2000.0)


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    with SandboxServer(world, clock=RightClock()) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


@pytest.mark.parametrize("behind", [0, 10, 72, -72])
def test_what_others_make_after_a_word_is_found(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    del api
    assert call("run", "first.csv", "--budget", "9", *QUICK).exit_code == 0
    with monkeypatch.context() as patch:
        at = timedelta(hours=behind)
        patch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) - at)
        said: Any = call("run", "wrong.csv", "--budget", "9", *QUICK)
        assert said.exit_code == 0, said.output
    world.add_foreign("a kite", datetime.now(UTC) - timedelta(hours=30))
    said = call("run", "new.csv", "--budget", "9", *QUICK)
    assert said.exit_code == 4, said.output
    take: Any = world.generate
    monkeypatch.setattr(
        world, "generate", lambda *_: Reply(402, {"detail": "INSUFFICIENT_CREDITS"})
    )
    assert call("retry", "k0", "--yes").exit_code == 0
    call("run", "new.csv", "--budget", "9", *QUICK)
    monkeypatch.setattr(world, "generate", take)
    with closing(sqlite3.connect("batchsora.db")) as file, file:  # a minute passes
        (word,) = file.execute("SELECT overruled_at FROM job WHERE key = 'k0'").fetchone()
        earlier = datetime.fromisoformat(word) - timedelta(minutes=1)
        file.execute("UPDATE job SET overruled_at = ? WHERE key = 'k0'", (str(earlier),))
    world.add_foreign("a kite", datetime.now(UTC))
    said = call("run", "new.csv", "--budget", "9", *QUICK)
    made = Counter(item.prompt for item in world.made if not item.foreign)
    assert made["a kite"] == 0, (said.exit_code, said.output)
