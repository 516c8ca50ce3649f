"""One run of one tool, through its kills, and what the server and the tool say afterwards."""

import csv
import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .server import Provider
from .tools import Command, Results, environment

PATIENCE = 240.0
PAUSE = 0.5
"""Seconds until a killed command is started again."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of figures.

    Attributes:
        answered: rows with a generation in the results.
        twice: rows that were charged more than once.
        lost: charges for generations that are in no result, and whose row is not in doubt.
        doubted: rows in doubt.
        charged: by the server, in micros.
        remark: what went wrong with the run itself, or nothing.
    """

    answered: int
    twice: int
    lost: int
    doubted: int
    charged: int
    remark: str


def measure(
    command: Callable[[str], Command],
    results: Callable[[Path], Results],
    prompts: Sequence[str],
    kills: Sequence[int],
) -> Measured:
    """Run a tool to its end.

    Args:
        command: from the server's address; the same at each start.
        results: reads what the tool has in the end from the folder in which it ran.
        prompts: a video for each is wanted.
        kills: at how many charges the tool is killed, and started again.
    """
    with tempfile.TemporaryDirectory() as name, Provider(kills) as provider:
        folder = Path(name)
        _write_inputs(folder, prompts)
        remark = ""
        while not remark:
            before = provider.kills
            remark = _start(command(provider.url), folder, provider)
            if provider.kills == before:
                break
            time.sleep(PAUSE)
        if not remark and provider.kills < len(kills):
            remark = f" ({provider.kills} kills)"
        if not provider.world.made:
            said = (folder / "log").read_text(errors="replace")
            raise RuntimeError(f"nothing was bought: {said[-2000:]}")
        return _compare(provider, results(folder), remark)


def _write_inputs(folder: Path, prompts: Sequence[str]) -> None:
    """Write the prompts as each tool likes them."""
    (folder / "prompts.txt").write_text("".join(f"{prompt}\n" for prompt in prompts))
    requests = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts)
    (folder / "requests.jsonl").write_text(requests)
    with (folder / "prompts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["prompt"], *([prompt] for prompt in prompts)])


def _start(command: Command, folder: Path, provider: Provider) -> str:
    """Run a command to its end or its death; returns a remark when it had to be ended."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(provider.url, folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    provider.client = process.pid
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return " (hung)"
    finally:
        provider.client = None
    return ""


def _compare(provider: Provider, results: Results, remark: str) -> Measured:
    made = provider.world.made
    times = Counter(item.prompt for item in made)
    unknown = [item for item in made if item.id not in results.ids]
    return Measured(
        answered=len({item.prompt for item in made if item.id in results.ids}),
        twice=sum(count > 1 for count in times.values()),
        lost=sum(item.prompt not in results.doubted for item in unknown),
        doubted=len(results.doubted),
        charged=sum(item.price for item in made),
        remark=remark,
    )
