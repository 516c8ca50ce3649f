"""What is asked for beside a run that takes nothing up: before it serves, and when it does not."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from crash.night import TOKEN, Night, Running
from support.shell import call
from support.stopping import CTRL_C

from batchsora.sandbox import files
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Reply, World
from batchsora.usecases import generate as generating

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0")
LONG = "a train that takes all night"
NO_CREDIT = Reply(402, {"detail": "INSUFFICIENT_CREDITS"})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider, a row that failed, and a batch of one row that a run is started for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", TOKEN)
    Path("long.csv").write_text(f"id,prompt\nlong,{LONG}\nmore,{LONG} and day\n")
    Path("trial.csv").write_text("id,prompt\nr0,a kite\n")
    return World(time_scale=2000.0, failures={"a kite": ["internal error"]})


def bought(world: World) -> Counter[str]:
    """Count what the provider has made, by prompt, but for the run's own rows."""
    return Counter(item.prompt for item in world.made if not item.prompt.startswith(LONG))


class Moment:
    """A request that the provider answers only when a test has done what it does meanwhile."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer
        self.came = Event()
        self.over = Event()

    def __call__(self, *arguments: Any) -> Any:
        """Answer it, when its time has come."""
        self.came.set()
        assert self.over.wait(60)
        return self._answer(*arguments)


def until_said(running: Running, words: str) -> None:
    """Read what a process says until it says something."""
    assert running.stderr is not None
    while words not in running.stderr.readline():
        assert running.poll() is None


Go = Callable[[], object]
"""Lets the run go on."""


@contextmanager
def looks(world: World, night: Night, patch: pytest.MonkeyPatch) -> Iterator[tuple[Running, Go]]:
    """Have a run that looks for earlier work."""
    moment = Moment(world.page)
    patch.setattr(world, "page", moment)
    with night.start("run", "long.csv", "--budget", "9", *QUICK, "--no-download") as running:
        assert moment.came.wait(60)
        yield running, moment.over.set


@contextmanager
def fetches(world: World, night: Night, patch: pytest.MonkeyPatch) -> Iterator[tuple[Running, Go]]:
    """Have a run that only fetches its last files."""
    del world
    moment = Moment(files.make_mp4)
    patch.setattr(files, "make_mp4", moment)
    with night.start("run", "long.csv", "--first", "1", "--budget", "9", *QUICK) as running:
        assert moment.came.wait(60)
        running.until(lambda: not night.rows("SELECT id FROM batch WHERE active"))
        yield running, moment.over.set


@contextmanager
def stops(world: World, night: Night, patch: pytest.MonkeyPatch) -> Iterator[tuple[Running, Go]]:
    """Have a run that was stopped, and waits for the answer under way."""
    moment = Moment(world.generate)
    patch.setattr(world, "generate", moment)
    with night.start("run", "long.csv", "--budget", "9", *QUICK, "--no-download") as running:
        assert moment.came.wait(60)
        running.send_signal(CTRL_C)
        until_said(running, "stopping")
        yield running, moment.over.set


@contextmanager
def is_refused(
    world: World, night: Night, patch: pytest.MonkeyPatch
) -> Iterator[tuple[Running, Go]]:
    """Have a run that only waits for what is paid for: the account takes no more."""
    take = world.generate

    def refuse(body: Any, *more: Any) -> Reply:
        return take(body, *more) if body["prompt"] == LONG else NO_CREDIT

    def go_on() -> None:
        patch.setattr(world, "generate", take)
        item.takes = 0.1

    words = ("--first", "1", "--budget", "9", "--no-download")
    patch.setattr(world, "generate", refuse)
    with night.start("run", "long.csv", *QUICK, *words) as running:
        (item,) = running.until(lambda: [item for item in world.made if item.prompt == LONG])
        item.takes = 10.0**6
        assert "the active run takes over" in call("retry", "more", "--yes").output
        refused = "SELECT id FROM attempt WHERE state = 'rejected' AND error LIKE 'funds: %'"
        running.until(lambda: night.rows(refused))
        yield running, go_on


@contextmanager
def killed(
    world: World, night: Night, patch: pytest.MonkeyPatch, then: Callable[[], object]
) -> Iterator[Running]:
    """Have a run that is killed as it sends the row of ``generate``; its parent hears nothing."""
    take = world.generate
    words = ("--first", "1", "--budget", "9", *QUICK, "--no-download")
    with night.start("run", "long.csv", *words) as running:
        found = running.until(lambda: [item for item in world.made if item.prompt == LONG])
        found[0].takes = 10.0**6

        def kill(body: Any, *more: Any) -> Reply:
            if body["prompt"] != "a sunset":
                return take(body, *more)
            patch.setattr(world, "generate", take)
            running.kill()
            then()
            return take(body, *more)

        patch.setattr(world, "generate", kill)
        yield running


MOMENTS = (looks, fetches, stops, is_refused)
Begin = Callable[..., AbstractContextManager[tuple[Running, Go]]]


@pytest.mark.parametrize("more", [(), ("--wait",)], ids=["submitted", "waited for"])
@pytest.mark.parametrize("begin", MOMENTS)
def test_generate_waits_for_a_run_that_takes_nothing_up(
    world: World,
    api: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
    begin: Begin,
    more: tuple[str, ...],
) -> None:
    """It buys the video when that run has ended, or has begun to serve: 0 means bought."""
    night = Night(Path.cwd(), api.url)
    assert call("run", "trial.csv", "--yes", *QUICK).exit_code == 3
    with (
        begin(world, night, monkeypatch) as (running, go_on),
        night.start("generate", "a sunset", "--yes", *more, *QUICK[2:4]) as asking,
    ):
        until_said(asking, "takes no new jobs now")
        assert asking.poll() is None
        go_on()
        said = asking.communicate(timeout=60)
        assert asking.returncode == 0, said
        running.communicate(timeout=60)
    assert bought(world) == {"a kite": 1, "a sunset": 1}


@pytest.mark.parametrize("begin", MOMENTS)
def test_what_is_asked_for_beside_a_run_that_takes_nothing_up_is_not_handed_to_it(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    """``generate`` waits so long, and then fails; the others say what buys their rows."""
    night = Night(Path.cwd(), api.url)
    assert call("run", "trial.csv", "--yes", *QUICK).exit_code == 3
    monkeypatch.setattr(generating, "PATIENT", 0.0)
    with begin(world, night, monkeypatch) as (running, go_on):
        done = call("generate", "a sunset", "--yes", *QUICK[2:4])
        assert done.exit_code == 5, done.output
        assert "takes no new jobs now" in done.stderr
        assert "nothing was bought" in done.stderr
        shown = json.loads(call("show", "adhoc-1", "--json").stdout)
        assert shown["status"] == "cancelled"
        for words in (("retry", "r0", "--yes"), ("pause", "trial"), ("resume", "trial")):
            said = call(*words)
            assert said.exit_code == 0
            assert "takes over" not in said.output
            assert ("'batchsora run' buys them" in said.output) == (words[0] != "pause")
        go_on()
        running.communicate(timeout=60)
    assert bought(world) == {"a kite": 1}
    assert call("run", "--budget", "9", *QUICK, "--no-download").exit_code in (0, 4)
    assert bought(world) == {"a kite": 2}


def test_generate_at_any_moment_of_a_run_is_bought_when_it_ends_with_0(
    world: World, api: SandboxServer
) -> None:
    """One after the other, from the run's start to its end and beyond."""
    night = Night(Path.cwd(), api.url)
    asked: list[str] = []
    with night.start("run", "long.csv", "--budget", "9", *QUICK) as running:
        while running.poll() is None:
            prompt = f"lake {len(asked)}"
            if call("generate", prompt, "--yes", *QUICK[2:4]).exit_code == 0:
                asked.append(prompt)
        running.communicate(timeout=60)
    assert asked
    assert bought(world) == dict.fromkeys(asked, 1)


def test_generate_goes_on_by_itself_when_a_run_was_killed_that_still_looks_alive(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of a process is nobody else's before its parent has heard that it is gone."""
    night = Night(Path.cwd(), api.url)
    with (
        killed(world, night, monkeypatch, lambda: None),
        night.start("generate", "a sunset", "--wait", "--yes", *QUICK[2:4]) as asking,
    ):
        said = asking.communicate(timeout=60)
        assert asking.returncode == 0, said
    assert bought(world) == {"a sunset": 1}


def test_what_a_killed_run_was_sending_is_not_called_done(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run took the lock at once, and looks: whether it is paid for is not known yet."""
    night = Night(Path.cwd(), api.url)
    Path("other.csv").write_text(f"id,prompt\nother,{LONG} and year\n")
    moment = Moment(world.page)
    words = ("--budget", "9", "--wait-for-runner", *QUICK, "--no-download")
    with (
        killed(world, night, monkeypatch, lambda: monkeypatch.setattr(world, "page", moment)),
        night.start("run", "other.csv", *words) as other,
    ):
        until_said(other, "waiting for the other run")
        with night.start("generate", "a sunset", "--yes", *QUICK[2:4]) as asking:
            assert moment.came.wait(60)
            said = asking.communicate(timeout=60)
            assert asking.returncode == 7, said
        moment.over.set()


def test_a_retry_is_not_handed_to_a_run_that_was_killed(
    world: World, api: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It left word that it serves, and its process is still listed."""
    night = Night(Path.cwd(), api.url)
    assert call("run", "trial.csv", "--yes", *QUICK).exit_code == 3
    with killed(world, night, monkeypatch, lambda: None):
        with night.start("generate", "a sunset", "--yes", *QUICK[2:4]) as asking:
            until_said(asking, "the active run buys it")
            asking.until(lambda: world.generate.__name__ != "kill")
            asking.kill()
        assert night.rows("SELECT serving FROM account") == [(1,)]
        said = call("retry", "r0", "--yes")
        assert said.exit_code == 0
        assert "takes over" not in said.output
        assert "'batchsora run' buys them" in said.output
