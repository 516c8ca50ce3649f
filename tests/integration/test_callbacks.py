"""Callbacks: the sandbox makes them as the provider does, and a poller that hears them rests."""

import asyncio
import hashlib
import hmac
import json
import random
from pathlib import Path

import httpx
import pytest
from support.clock import HandClock
from support.ear import listening
from support.engine import Engine, spec

from batchsora.composition.callbacks import callback_path, callback_url
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.settings import SettingsError, read_settings
from jobs.model.provider import GenerationRequest
from jobs.model.states import Reason
from jobs.store import looks

GENERATE = "/v1/sora/generate"
HEADERS = {"Authorization": "Bearer anything"}
SECRET = "a-secret-of-the-tests"


def _generate(url: str, **more: str) -> str:
    body = {"prompt": "a kite", **more}
    reply = httpx.post(url + GENERATE, json=body, headers=HEADERS)
    assert reply.status_code == 201, reply.text
    made: str = reply.json()["generation_id"]
    return made


@pytest.mark.parametrize("secret", [None, SECRET])
def test_the_sandbox_announces_an_end(secret: str | None) -> None:
    """The body is the documented one, and signed where there is a secret."""
    with listening() as ear, SandboxServer(World(time_scale=5000.0), secret=secret) as server:
        made = _generate(server.url, callback_url=ear.url)
        assert ear.enough.wait(20)
        ((headers, body),) = ear.heard
        shown = httpx.get(f"{server.url}/v1/sora/generations/{made}/", headers=HEADERS).json()
    told = json.loads(body)
    assert told == {name: shown[name] for name in told}
    assert list(told) == [
        "generation_id", "status", "prompt", "video_url", "created_at", "completed_at",
    ]  # fmt: skip
    assert told["status"] == "completed"
    signature = headers.get("x-runblob-signature")
    if secret is None:
        assert signature is None
    else:
        assert signature == hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_failure_is_announced_with_its_message() -> None:
    """In place of the address stands what went wrong."""
    world = World(time_scale=5000.0, failures={"a kite": ["the wind dropped"]})
    with listening() as ear, SandboxServer(world) as server:
        _generate(server.url, callback_url=ear.url)
        assert ear.enough.wait(20)
    told = json.loads(ear.heard[0][1])
    assert (told["status"], told["error_message"]) == ("failed", "the wind dropped")
    assert "video_url" not in told


@pytest.mark.parametrize(("refusals", "calls"), [(2, 3), (9, 5)])
def test_a_callback_is_tried_five_times(refusals: int, calls: int) -> None:
    """Thirty seconds between the first two, then ever twice as long; then never again."""
    slept: list[float] = []
    clock = HandClock(slept.append)
    with (
        listening(*[503] * refusals) as ear,
        SandboxServer(World(time_scale=5000.0), clock=clock) as server,
    ):
        _generate(server.url, callback_url=ear.url)
        clock.advance(3600)
        assert ear.enough.wait(20)
    assert len(ear.heard) == calls
    waits = [seconds * 5000 for seconds in slept if seconds * 5000 in (30, 60, 120, 240)]
    assert waits == [30, 60, 120, 240][: calls - 1]


@pytest.mark.parametrize("address", ["https://example.com/told", "https://127.0.0.1.example/told"])
def test_the_sandbox_calls_nobody_elsewhere(address: str) -> None:
    """Such an address is taken, as the provider takes it; the sandbox has no session to call by."""
    with SandboxServer(World(time_scale=1e6)) as server:
        _generate(server.url, callback_url=address)
        callbacks = server._sandbox._callbacks
        assert not callbacks._under_way
        assert callbacks._session is None


def _takes(prompt: str) -> float:
    """Say how many seconds a generation takes: 5 to 15 minutes (docs/api.md)."""
    return random.Random(prompt).uniform(300.0, 900.0)


class Told(Engine):
    """An engine whose provider announces ends.

    Attributes:
        silent: from this generation on nobody announces anything.
        lies: callbacks that come before the end.
    """

    def __init__(self, folder: Path, silent: int = 10_000, lies: tuple[float, ...] = ()) -> None:
        super().__init__(folder, latency=0.0)
        self.silent, self.lies = silent, lies
        self.announce(s10=120_000)
        self.provider.on_post = self._posted

    def _posted(self, request: GenerationRequest) -> None:
        self.provider.takes = takes = _takes(request.prompt)
        if len(self.provider.posts) <= self.silent:
            loop = asyncio.get_running_loop()
            for after in (*self.lies, takes + 1):
                loop.call_later(after, self.tell, request.prompt)

    def tell(self, prompt: str) -> None:
        """Do what the page does with a callback."""
        names = [made.id for made in self.provider.made if made.prompt == prompt]
        self.store.write(lambda c: looks.announce(c, names))

    def looks(self) -> int:
        """Count the requests for looking."""
        return self.provider.single_reads + self.provider.list_reads


def _looks(folder: Path, jobs: int = 120, **options: object) -> tuple[int, float]:
    folder.mkdir()
    engine = Told(folder, **options)  # type: ignore[arg-type]
    try:
        engine.load([spec(f"r{i}", row=i) for i in range(jobs)])
        began = engine.clock.now()
        ending = engine.run(
            max_in_flight=16, callback_of=lambda *_: "https://videos.example/hooks/x"
        )
        assert ending.reason is Reason.FINISHED
        assert {job.state for job in engine.jobs().values()} == {"completed"}
        return engine.looks(), (engine.clock.now() - began).total_seconds()
    finally:
        engine.store.close()


def test_where_ends_are_announced_the_poller_rests(tmp_path: Path) -> None:
    """Fewer looks than without callbacks, and the night is no longer."""
    told, told_seconds = _looks(tmp_path / "told")
    untold, untold_seconds = _looks(tmp_path / "untold", silent=0)
    assert told < untold / 3, (told, untold)
    assert told_seconds < 1.02 * untold_seconds


def test_when_callbacks_stop_the_usual_pace_comes_back(tmp_path: Path) -> None:
    """The first few that nobody announced wait a minute at most, the others as ever."""
    half, half_seconds = _looks(tmp_path / "half", silent=60)
    untold, untold_seconds = _looks(tmp_path / "untold", silent=0)
    told, _ = _looks(tmp_path / "told")
    assert told < half < untold
    assert half > (told + untold) / 2.5
    assert half_seconds < untold_seconds + 60


def test_lies_bring_no_look_before_its_time(tmp_path: Path) -> None:
    """A callback every second for each generation: two looks are an interval apart all the same."""
    engine = Told(tmp_path, lies=tuple(float(second) for second in range(1, 290)))
    try:
        engine.load([spec(f"r{i}", row=i) for i in range(3)])
        seen: dict[str, list[float]] = {}
        single, page = engine.provider.generation, engine.provider.generations

        async def generation(name: str) -> object:
            seen.setdefault(name, []).append(engine.clock.monotonic())
            return await single(name)

        async def generations(family: str, limit: int, offset: int) -> object:
            del family
            for made in engine.provider.made:
                seen.setdefault(made.id, []).append(engine.clock.monotonic())
            return await page("sora", limit, offset)

        engine.provider.generation = generation  # type: ignore[method-assign, assignment]
        engine.provider.generations = generations  # type: ignore[method-assign, assignment]
        assert engine.run(poll_interval=5.0).reason is Reason.FINISHED
        assert len(seen) == 3
        for made in engine.provider.made:
            assert len(seen[made.id]) <= made.takes / 5 + 3
    finally:
        engine.store.close()


def test_only_what_is_awaited_is_brought_forward(tmp_path: Path) -> None:
    """Foreign, finished and already announced generations stay as they are."""
    engine = Told(tmp_path, silent=0)
    try:
        engine.load([spec("r1", row=1)])
        assert engine.run().reason is Reason.FINISHED
        before = engine.attempts()
        for name in ("gen-0", "gen-77", "' OR 1=1 --"):
            assert not engine.store.read(lambda c, name=name: looks.is_awaited(c, name))
            assert engine.store.write(lambda c, name=name: looks.announce(c, [name])) == 0
        assert engine.attempts() == before
    finally:
        engine.store.close()


@pytest.mark.parametrize(
    "base",
    ["", "videos.example", "http://videos.example", "https://", "https://a b", "https://v.example?a",
     "https://v.example/#", "https://u:p@v.example", "ftp://v.example", "https://[::1",
     "http://127.0.0.1:8321", "https://v.example/\nX: y"],
)  # fmt: skip
def test_a_base_that_nobody_can_call_is_refused(base: str, tmp_path: Path) -> None:
    """The provider calls HTTPS addresses; a word of this machine's serves for the sandbox alone."""
    settings = read_settings(database=str(tmp_path / "a.db"))
    with pytest.raises(SettingsError, match="--callback-base"):
        callback_url(base, settings)
    assert not (tmp_path / ".batchsora").exists()


def test_page_and_run_find_the_same_address(tmp_path: Path) -> None:
    """It is made once, for one's own eyes, and its base may have a path."""
    settings = read_settings(database=str(tmp_path / "a.db"))
    path = callback_path(settings.database)
    assert callback_url("https://v.example/page/", settings) == f"https://v.example/page{path}"
    here = read_settings(database=str(tmp_path / "a.db"), base_url="http://127.0.0.1:8765")
    assert callback_url("http://127.0.0.1:8321", here) == f"http://127.0.0.1:8321{path}"
    assert len(path) == len("/hooks/") + 43
    kept = tmp_path / ".batchsora" / "webhook"
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_text("short\n")
    with pytest.raises(SettingsError, match="remove it"):
        callback_path(settings.database)
