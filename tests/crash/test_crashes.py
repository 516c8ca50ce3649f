"""SIGKILL in a real process against the real sandbox over HTTP, then a resume, then the ledger."""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from support.blank import blank, let_agree, make_own
from support.stopping import KILLED

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.store import Store

DYING = Path(__file__).with_name("dying.py")
SAMPLES = Path(__file__).parents[2] / "sample_manifests"

POINTS = (
    "intent-written",
    "request-leaving",
    "answer-read",
    "outcome-written",
    "look-read",
    "look-written",
    "file-fetched",
    "file-written",
)
"""Every named checkpoint of scheduler, poller and downloader."""


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox whose videos take half a second or less."""
    with SandboxServer(World(time_scale=1500.0)) as server:
        yield server


def used_before(folder: Path) -> None:
    """Lay down a database of our own, in which the balance has agreed with purchases."""
    blank(folder / "batchsora.db")
    with Store(folder / "batchsora.db") as store:
        let_agree(store, datetime.now(UTC))
        make_own(store)


class Campaign:
    """A manifest and a folder, run again and again against one sandbox."""

    def __init__(self, folder: Path, sandbox: SandboxServer, manifest: Path) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.manifest = manifest

    def command(self, *arguments: str, die: tuple[str, int] | None = None) -> Any:
        """Run the command line in a process of its own, to its end or its death."""
        start = [sys.executable, "-m", "batchsora"]
        if die is not None:
            start = [sys.executable, str(DYING), die[0], str(die[1]), "--"]
        return subprocess.run(
            [*start, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "RUNBLOB_API_KEY": "crash-test-token",
                "BATCHSORA_BASE_URL": self.sandbox.url,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, die: tuple[str, int] | None = None) -> Any:
        """Run the campaign with a budget that covers it."""
        return self.command(
            "run", str(self.manifest), "--budget", "20", "--poll-interval", "0.1",
            "--rate", "10", "--grace", "1", die=die,
        )  # fmt: skip

    def run_to_its_end(self) -> Any:
        """Run it, and say of what waits for a person that it was never made, where that is true."""
        after = self.run()
        jobs, made = self.jobs(), self.ledger()["generations"]
        known = {job["generation_id"] for job in jobs}
        lost = {one["prompt"] for one in made if one["generation_id"] not in known}
        for job in jobs:
            if job["status"] == "in_doubt":
                assert job["prompt"] not in lost, f"not found: {job}"
                said = self.command("resolve", job["job"], "--never-made", "--grace", "1")
                assert said.returncode == 0, said.stderr
        return self.run() if after.returncode == 7 else after

    def shown(self, *arguments: str) -> Any:
        """Read what a command that only looks shows to scripts, in this process: it is quicker."""
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(group, [*arguments, "--json"], obj=Cli())
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def jobs(self) -> list[dict[str, Any]]:
        """List the jobs as scripts see them."""
        found: list[dict[str, Any]] = self.shown("jobs")
        return found

    def everything(self) -> dict[str, Any]:
        """Sum everything up as scripts see it."""
        found: dict[str, Any] = self.shown("status")
        return found

    def status(self) -> dict[str, Any]:
        """Sum the batch up as scripts see it."""
        found: dict[str, Any] = self.everything()["batches"][0]
        return found

    def ledger(self) -> dict[str, Any]:
        """Ask the sandbox what it really charged."""
        found: dict[str, Any] = httpx.get(f"{self.sandbox.url}/__ledger").json()
        return found


@pytest.fixture
def campaign(tmp_path: Path, sandbox: SandboxServer) -> Campaign:
    """The sample campaign, whose prompts all differ, so that a prompt names its row.

    Its database was bought with before: what never left is bought again by itself.
    """
    used_before(tmp_path)
    return Campaign(tmp_path, sandbox, SAMPLES / "campaign.csv")


def check(campaign: Campaign) -> Counter[str]:
    """Hold the promises against what the sandbox really did; returns jobs by state."""
    jobs = campaign.jobs()
    charged = Counter(entry["prompt"] for entry in campaign.ledger()["generations"])
    wanted = Counter(job["prompt"] for job in jobs)
    doubted = Counter(job["prompt"] for job in jobs if job["status"] == "in_doubt")
    for prompt, times in charged.items():
        assert times <= wanted[prompt], f"paid twice: {prompt}"
    known = {job["generation_id"] for job in jobs if job["generation_id"]}
    for entry in campaign.ledger()["generations"]:
        lost = entry["generation_id"] not in known and not doubted[entry["prompt"]]
        assert not lost, f"lost: {entry}"
    books = [batch["money"] for batch in campaign.everything()["batches"]]
    spent = [float(money["charged"]) + float(money["held"]) for money in books]
    real = sum(float(entry["price"]) for entry in campaign.ledger()["generations"])
    assert real <= sum(spent) + 1e-9
    for money, much in zip(books, spent, strict=True):
        assert money["cap"] is None or much <= float(money["cap"])
    return Counter(job["status"] for job in jobs)


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point_and_run_again(campaign: Campaign, point: str) -> None:
    """Wherever the process dies: nothing is paid twice, nothing lost, and the next run goes on."""
    killed = campaign.run(die=(point, 2))
    assert killed.returncode == KILLED, (killed.stdout, killed.stderr)
    after = campaign.run_to_its_end()
    assert after.returncode == 0, after.stderr
    assert set(check(campaign)) == {"completed"}
    for job in campaign.jobs():
        if job["status"] == "completed":
            content = Path(job["file"]).read_bytes()
            assert content[4:8] == b"ftyp"


def test_killed_ten_times_in_the_middle_of_buying(campaign: Campaign) -> None:
    """Ten SIGKILLs, each after an intent of that run: every row ends, and none is lost.

    Prices are known: else the next one waits for the first answer of its kind.
    """
    assert campaign.command("run", str(campaign.manifest)).returncode == 2  # loads, buys nothing
    for kind in ("runblob/sora/15", "runblob/sora/15+image"):
        assert campaign.command("prices", "set", kind, "0.18", "--yes").returncode == 0
    deaths = 0
    for turn in range(10):
        point = ("intent-written", "answer-read", "outcome-written")[turn % 3]
        killed = campaign.run(die=(point, 1))
        if killed.returncode != KILLED:
            break  # nothing is left to buy
        deaths += 1
    assert deaths >= 8
    after = campaign.run_to_its_end()
    assert after.returncode == 0, after.stderr
    assert check(campaign) == {"completed": len(campaign.jobs())}


def test_reconcile_settles_doubts_and_buys_nothing(campaign: Campaign) -> None:
    """Killed with answers in hand: reconcile adopts what was made, and sends nothing."""
    assert campaign.run(die=("answer-read", 1)).returncode == KILLED
    jobs = campaign.jobs()
    before = [job["status"] for job in jobs]
    assert "submitting" in before
    made = len(campaign.sandbox.world.made)
    known = sum(job["generation_id"] is not None for job in jobs)
    assert made > known
    unsent = before.count("submitting") - (made - known)  # these wait for a person
    found = campaign.command("reconcile", "--json", "--grace", "1")
    assert found.returncode == (7 if unsent else 0), found.stderr
    books = json.loads(found.stdout)
    assert books["in_doubt_before"] == before.count("submitting")
    assert (books["in_doubt"], books["orphans"]) == (unsent, [])
    assert (books["held"] == "0.00") is not bool(unsent)
    assert float(books["difference"]) <= 0, "an estimate is never too low"
    assert len(campaign.sandbox.world.made) == made
    assert sum(job["generation_id"] is not None for job in campaign.jobs()) == made


def test_a_doubt_is_settled_by_a_persons_word(tmp_path: Path) -> None:
    """Killed with the answer in hand while somebody else makes the same: resolve tells which."""
    world = World(time_scale=1500.0)
    with SandboxServer(world, faults=Faults(twin=1.0)) as sandbox:
        rows = ["id,prompt", *(f"r{n},a heron in reeds {n}" for n in range(4))]
        (tmp_path / "night.csv").write_text("\n".join(rows))
        campaign = Campaign(tmp_path, sandbox, tmp_path / "night.csv")
        assert campaign.run(die=("answer-read", 1)).returncode == KILLED
        assert campaign.run().returncode == 7
        ours = {item.id: item.prompt for item in world.made if not item.foreign}
        prompts = {job["job"]: job["prompt"] for job in campaign.jobs()}
        (doubts,) = [batch["doubts"] for batch in campaign.everything()["batches"]]
        assert any(doubt["candidates"] for doubt in doubts)
        for doubt in doubts:
            candidates = {one["generation_id"] for one in doubt["candidates"]}
            if candidates:
                (made,) = candidates & set(ours)
                assert len(candidates) == 2
                word = ["--generation", made]
            else:  # the kill came before the request left
                assert prompts[doubt["job"]] not in ours.values()
                word = ["--never-made", "--grace", "1"]
            said = campaign.command("resolve", doubt["job"], *word)
            assert said.returncode == 0, said.stderr
        after = campaign.run()
        assert after.returncode == 0, after.stderr
        assert set(check(campaign)) == {"completed"}
        assert campaign.status()["money"]["held"] == "0.00"
