"""A cap finer than a micro-dollar is cut off: rounded up it would let a video through."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.shell import Said, Shell

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--no-download")
Call = Callable[..., Said]
HAIR = "0.1199999999"
"""Less than the $0.12 of a video by less than a micro-dollar."""


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Call commands in a folder with manifests of one row."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-caps-93bd")
    Path("night.csv").write_text("id,prompt,campaign\na,a kite,red\n")
    Path("own.yaml").write_text(f"budget: {HAIR}\njobs:\n  - {{id: a, prompt: a kite}}\n")
    return Shell(capfd)


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The provider, at the address in the environment."""
    world = World(time_scale=2000.0)
    with SandboxServer(world) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield world


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "night.csv", "--budget", HAIR),
        ("run", "night.csv", "--budget", "9", "--cap", f"red={HAIR}"),
        ("run", "night.csv", "--budget", "9", "--day-budget", HAIR),
        ("run", "night.csv", "--budget", "9", "--max-price", HAIR),
        ("run", "own.yaml"),
        ("run", "night.csv", "--budget", "9", "--min-balance", "99.8800000001"),
    ],
    ids=" ".join,
)
def test_no_cap_lets_more_through_than_it_says(
    arguments: tuple[str, ...], call: Call, world: World
) -> None:
    """Also the minimum balance, which is rounded up: $100 less $0.12 would be below it."""
    said = call(*arguments, *QUICK)
    assert said.code == 4, said.err
    assert world.made == []


def test_a_budget_of_the_configuration_is_cut_off_too(call: Call, world: World) -> None:
    """The file's budget is a cap like any."""
    Path("batchsora.toml").write_text(f"budget = {HAIR}\n")
    said = call("--config", "batchsora.toml", "run", "night.csv", *QUICK)
    assert said.code == 4, said.err
    assert world.made == []


def test_a_cap_of_exactly_one_video_buys_it(call: Call, world: World) -> None:
    """What is exact stays exact."""
    assert call("run", "night.csv", "--budget", "0.12", "--max-price", "0.12", *QUICK).code == 0
    assert len(world.made) == 1
