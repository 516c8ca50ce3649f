"""A sheet of prompts under ids that count its rows, and what became of it at the provider."""

from collections import Counter
from pathlib import Path

from click.testing import Result

from batchsora.sandbox.world import World
from jobs.model.text import text_key
from support.shell import call

QUICK = ("--rate", "0", "--poll-interval", "0.05", "--retries", "0", "--no-download")


def sheet(name: str, *prompts: str) -> None:
    """Write it, over what it was."""
    rows = "".join(f'r{n},"{prompt}"\n' for n, prompt in enumerate(prompts))
    Path(name).write_text(f"id,prompt\n{rows}", "utf-8")


def run(name: str, *more: str) -> Result:
    """Run it under a cap that is enough."""
    return call("run", name, "--budget", "9", *more, *QUICK)


def bought(world: World) -> Counter[str]:
    """Count what was made, by prompt in whatever spelling."""
    return Counter(text_key(item.prompt) for item in world.made)
