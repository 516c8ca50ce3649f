"""A machine's clock was ahead during one earlier run, and is right since."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crash.night import TOKEN
from support.shell import call

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.clock import SystemClock


class RightClock(SystemClock):
    """The provider's clock, which is right all the time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    with SandboxServer(world, clock=RightClock()) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield server


QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    Path("old.csv").write_text("id,prompt\no0,an old barn\n")
    Path("since.csv").write_text("id,prompt\n" + "".join(f"s{n},a lamp {n}\n" for n in range(100)))
    Path("new.csv").write_text("id,prompt\nk0,a kite\n")
    return World(time_scale=2000.0)


@pytest.mark.parametrize("how", ["--buy-again", "retry"])
@pytest.mark.parametrize("days", [0, 0.4, 400])
def test_a_row_that_a_person_wants_anew_is_bought(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, *, days: float, how: str
) -> None:
    del api
    ahead = timedelta(days=days)
    with monkeypatch.context() as patch:
        patch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + ahead)
        said: Any = call("run", "old.csv", "--budget", "9", *QUICK)
        assert said.exit_code == 0, said.output
    if days < 1:  # the provider's zone may be off by as much: what was bought since tells
        assert call("run", "since.csv", "--budget", "20", *QUICK).exit_code == 0
    world.add_foreign("a kite", datetime.now(UTC) - timedelta(hours=2))
    said = call("run", "new.csv", "--budget", "9", *QUICK)
    assert said.exit_code == 4, said.output
    if how == "retry":
        said = call("retry", "k0", "--yes")
        assert said.exit_code == 0, said.output
        said = call("run", "new.csv", "--budget", "9", *QUICK)
    else:
        said = call("run", "new.csv", "--budget", "9", "--buy-again", *QUICK)
    made = Counter(item.prompt for item in world.made if not item.foreign)
    assert made["a kite"] == 1, (made, said.exit_code, said.output, call("show", "k0").output)
    assert said.exit_code == 0


@pytest.mark.parametrize("days", [0, 0.4, 400])
def test_what_others_made_before_is_no_news_when_a_row_fails_and_is_bought_again(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, *, days: float
) -> None:
    del api
    with monkeypatch.context() as patch:
        patch.setattr(SystemClock, "now", lambda _: datetime.now(UTC) + timedelta(days=days))
        assert call("run", "old.csv", "--budget", "9", *QUICK).exit_code == 0
    if days < 1:  # the provider's zone may be off by as much: what was bought since tells
        assert call("run", "since.csv", "--budget", "20", *QUICK).exit_code == 0
    world.add_foreign("a kite", datetime.now(UTC) - timedelta(hours=2))
    world.failures = {"a kite": ["internal error"]}
    words = ("--rate", "0", "--poll-interval", "0.05", "--retries", "2", "--no-download")
    said: Any = call("run", "new.csv", "--budget", "9", "--buy-again", *words)
    made = Counter(item.prompt for item in world.made if not item.foreign)
    assert made["a kite"] == 2, (made, said.exit_code, said.output, call("show", "k0").output)
