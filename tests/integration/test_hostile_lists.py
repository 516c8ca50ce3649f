"""Prompts in the account's list that would stop whoever compares them: over HTTP."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.hostile_texts import hostile_texts
from support.listed import Account
from support.shell import Shell
from support.times import little_time
from support.voids import LOST, OneIsLost

from batchsora.providers.runblob.models import LONGEST_PROMPT, info
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Reply

RUN = (
    "run", "night.csv", "--budget", "5", "--poll-interval", "0.05", "--rate", "0", "--quiet",
    "--grace", "0.2", "--no-download",
)  # fmt: skip
HOSTILE = hostile_texts(1_000_000)


def among(prompt: str) -> Callable[[int, Reply], Reply]:
    """Let the list show somebody else's generation with a prompt, first of all."""

    def listing(offset: int, plain: Reply) -> Reply:
        if offset or not plain.body:
            return plain
        theirs = plain.body[0] | {"generation_id": "gen-theirs", "prompt": prompt}
        return Reply(plain.status, [theirs, *plain.body])

    return listing


@pytest.mark.parametrize("prompt", HOSTILE.values(), ids=HOSTILE)
def test_a_run_settles_its_doubt_beside_it(
    call: Shell, monkeypatch: pytest.MonkeyPatch, prompt: str
) -> None:
    """Somebody wrote it on the same account: what is lost is found, and nothing bought again."""
    with Path("night.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [[f"r{n}", f"a heron, number {n}"] for n in range(3)]
        csv.writer(file).writerows([["id", "prompt"], *rows])
    world = Account(time_scale=2000.0)
    world.listing = among(prompt)
    with SandboxServer(world, faults=OneIsLost()) as server, little_time():
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        said = call(*RUN)
    assert said.code == 0, said.err
    assert Counter(one.prompt for one in world.made)[LOST] == 1


def test_what_is_longer_than_any_of_ours_is_cut() -> None:
    """A prompt of ours that is escaped and shown twice over is shorter."""
    assert info({"prompt": "a" * 8_000_000}).prompt == "a" * LONGEST_PROMPT
    assert info({"prompt": "&#x27;" * 4_000}).prompt == "&#x27;" * 4_000
