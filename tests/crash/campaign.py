"""A campaign that real processes run against the sandbox over HTTP, and what must hold of it."""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner
from support.blank import blank, let_agree, make_own

from batchsora.cli import group
from batchsora.cli.common import Cli
from batchsora.sandbox.server import SandboxServer
from jobs.model.families import provider_id
from jobs.store import Store

DYING = Path(__file__).with_name("dying.py")


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

    def run(self, die: tuple[str, int] | None = None, budget: str = "20") -> Any:
        """Run the campaign with a budget that covers it."""
        return self.command(
            "run", str(self.manifest), "--budget", budget, "--poll-interval", "0.1",
            "--rate", "10", "--grace", "1", die=die,
        )  # fmt: skip

    def run_to_its_end(self) -> Any:
        """Run it, and say of what waits for a person that it was never made, where that is true."""
        after = self.run()
        jobs, made = self.jobs(), self.ledger()["generations"]
        known = {provider_id(job["generation_id"] or "") for job in jobs}
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


def check(campaign: Campaign) -> Counter[str]:
    """Hold the promises against what the sandbox really did; returns jobs by state."""
    jobs = campaign.jobs()
    charged = Counter(entry["prompt"] for entry in campaign.ledger()["generations"])
    wanted = Counter(job["prompt"] for job in jobs)
    unknown = ("in_doubt", "submitting")  # the latter: a run that was killed left it so
    doubted = Counter(job["prompt"] for job in jobs if job["status"] in unknown)
    for prompt, times in charged.items():
        assert times <= wanted[prompt], f"paid twice: {prompt}"
    known = {provider_id(job["generation_id"]) for job in jobs if job["generation_id"]}
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
