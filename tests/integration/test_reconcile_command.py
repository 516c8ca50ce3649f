"""``batchsora reconcile`` in this process, against the sandbox over HTTP."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

QUICK = ("--rate", "0", "--poll-interval", "0.1", "--no-download", "--grace", "0.5")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider whose videos take half a second, and a folder with a manifest of three rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "reconcile-test")
    rows = [f"r{n},a heron in reeds {n}" for n in range(3)]
    (tmp_path / "night.csv").write_text("\n".join(["id,prompt", *rows]))
    return World(time_scale=2000.0)


def call(api: SandboxServer, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        group, ["--base-url", api.url, *arguments], obj=Cli(), standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout


def test_the_books_agree_after_a_quiet_night(world: World) -> None:
    """Three rows, three generations, and the balance fell by what was charged."""
    with SandboxServer(world) as api:
        assert call(api, "run", "night.csv", "--budget", "1", *QUICK)[0] == 0
        code, out = call(api, "reconcile", "--json")
        found = json.loads(out)
        assert code == 0
        assert (found["charged"], found["balance_fell_by"]) == ("0.36", "0.36")
        assert (found["generations_known"], found["orphans"]) == (3, [])
        assert (found["difference"], found["list_whole"]) == ("0.00", True)
        assert "difference   none" in call(api, "reconcile")[1]


def test_orphans_are_listed_and_taken_over_on_demand(world: World) -> None:
    """Somebody else made two videos meanwhile; one has the prompt of a row not bought yet."""
    with SandboxServer(world, faults=Faults(foreign=1.0)) as api:
        assert call(api, "run", "night.csv", "--budget", "1", "--first", "1", *QUICK)[0] in (0, 4)
        prompt = "a heron in reeds 2"
        world.add_foreign(prompt, world.made[0].created_at)
        found = json.loads(call(api, "reconcile", "--json")[1])
        assert prompt in {one["prompt"] for one in found["orphans"]}
        assert found["difference"] == "0.24"
        call(api, "reconcile", "--adopt")
        jobs = {job["job"]: job for job in json.loads(call(api, "jobs", "--json")[1])}
        assert jobs["r2"]["status"] == "pending"
        assert jobs["r2"]["price"] == "0.00"
        assert prompt not in call(api, "reconcile")[1]
