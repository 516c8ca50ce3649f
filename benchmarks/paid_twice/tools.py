"""The tools side by side: how each is started, and where its results are afterwards.

All are told the same: the prompts, a time-out of 2 s, and 10 at a time where they can do several.
None is told what its documentation advises against; each resumes with what it has for that.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from peers import Peers

from batchsora import __version__

TIMEOUT = "2"
AT_A_TIME = "10"
TOKEN = "benchmark"  # noqa: S105 - the server takes any
SCRIPTS = Path(__file__).parent / "scripts"

Command = list[str]


@dataclass(frozen=True, slots=True)
class Results:
    """What a tool knows in the end.

    Attributes:
        ids: of generations.
        doubted: the prompts of rows that it says are in doubt.
    """

    ids: frozenset[str]
    doubted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tool:
    """One line of the table.

    Attributes:
        name: with its version, and what differs from its defaults.
        command: the whole batch, from the server's address; the same for a restart.
        results: reads them from the folder in which it ran.
        capped: the same with the wanted cap, when it knows caps.
    """

    name: str
    command: Callable[[str], Command]
    results: Callable[[Path], Results]
    capped: Callable[[str], Command] | None = None

    def start(self, *, cap: bool) -> Callable[[str], Command]:
        """Choose the command, told of the cap or not."""
        return self.capped if cap and self.capped is not None else self.command


def environment(base_url: str, folder: Path) -> Mapping[str, str]:
    """Give a tool's environment: no proxy, nothing of the user's own settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("BATCHSORA_")
    }
    return kept | {
        "RUNBLOB_API_KEY": TOKEN,
        "BATCHSORA_BASE_URL": base_url,
        "PARALLEL_HOME": str(folder),
    }


def _lines(folder: Path) -> Results:
    """Read what the scripts leave."""
    path = folder / "answers.jsonl"
    rows = path.read_text().splitlines() if path.exists() else []
    return Results(frozenset(json.loads(row)["generation_id"] for row in rows))


def _script(peers: Peers, name: str, *options: str) -> Callable[[str], Command]:
    return lambda url: [
        str(peers.python), str(SCRIPTS / name), url, "--timeout", TIMEOUT, *options
    ]  # fmt: skip


def python_peers(peers: Peers, cap: str) -> list[Tool]:
    """List those from PyPI; once more without their retries where they have them."""
    sdk, llm = f"runblob {peers.version('runblob')}", "async-batch-llm"
    many = ("--at-a-time", AT_A_TIME)
    once = ("--max-attempts", "1")
    return [
        Tool(sdk, _script(peers, "sdk.py", *many), _lines),
        Tool("  max_retries=0", _script(peers, "sdk.py", *many, "--max-retries", "0"), _lines),
        Tool(f"batchledger {peers.version('batchledger')}", _script(peers, "ledger.py"), _lines),
        Tool(f"{llm} {peers.version(llm)}", _script(peers, "llm.py", *many), _lines,
             _script(peers, "llm.py", *many, "--cap", cap)),
        Tool("  max_attempts=1", _script(peers, "llm.py", *many, *once), _lines,
             _script(peers, "llm.py", *many, *once, "--cap", cap)),
    ]  # fmt: skip


def gnu_parallel() -> Tool | None:
    """Describe GNU parallel with curl, when both are installed.

    One curl a row, because libcurl sends a POST again by itself when a connection that was used
    before is dropped.
    """
    if shutil.which("parallel") is None or shutil.which("curl") is None:
        return None
    name = f"parallel {_version('parallel', 2)}, curl {_version('curl', 1)}"
    bearer, document = f"'Authorization: Bearer {TOKEN}'", "'Content-Type: application/json'"

    def command(url: str) -> Command:
        return [
            "parallel", "-j", AT_A_TIME, "--joblog", "joblog", "--resume-failed",
            "--results", "answers/{#}/", "--arg-file", "requests.jsonl",
            "curl", "--silent", "--show-error", "--fail", "--max-time", TIMEOUT,
            "--header", bearer, "--header", document, "--data-raw", "{}", f"{url}/v1/sora/generate",
        ]  # fmt: skip

    return Tool(name, command, _files)


def _version(program: str, word: int) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[word]


def _files(folder: Path) -> Results:
    answers = [path.read_text() for path in folder.glob("answers/*/stdout")]
    return Results(frozenset(json.loads(text)["generation_id"] for text in answers if text))


def batchsora(budget: str, cap: str) -> Tool:
    """Describe batchsora; the grace is scaled with everything else."""

    def command(amount: str) -> Callable[[str], Command]:
        return lambda _: [
            sys.executable, "-m", "batchsora", "run", "prompts.csv", "--budget", amount,
            "--max-in-flight", AT_A_TIME, "--rate", "0", "--request-timeout", TIMEOUT,
            "--poll-interval", "0.25", "--grace", "4", "--no-download",
        ]  # fmt: skip

    return Tool(f"batchsora {__version__}", command(budget), _jobs, command(cap))


def _jobs(folder: Path) -> Results:
    listed = subprocess.run(
        [sys.executable, "-m", "batchsora", "jobs", "--json"],
        cwd=folder,
        env=environment("", folder),
        capture_output=True,
        text=True,
        check=True,
    )
    jobs = json.loads(listed.stdout)
    return Results(
        frozenset(job["generation_id"] for job in jobs if job["generation_id"]),
        frozenset(job["prompt"] for job in jobs if job["status"] == "in_doubt"),
    )
