"""The look before buying is told pages without entries where the account has more, over HTTP."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.listed import Account
from support.shell import Shell

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Made, Reply
from jobs.model.clock import SystemClock

RUN = ("run", "--budget", "5", "--poll-interval", "0.05", "--rate", "0", "--quiet")


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """Call commands in a folder with a manifest, with a token in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "tok-empty")
    with Path("night.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["id", "prompt"], *([f"r{n}", f"a heron in reeds {n}"] for n in range(6))]
        )
    return Shell(capfd)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A provider whose videos take half a second, at the address in the environment."""
    made = Account(time_scale=2000.0)
    with SandboxServer(made) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        yield made


def most_bought(world: Account) -> int:
    return max(Counter(made.prompt for made in world.made).values())


def test_a_first_page_that_is_empty_once_is_no_empty_account(call: Shell, world: Account) -> None:
    """The database is lost, and the first answer of the list shows nothing: a second one does."""
    assert call(*RUN, "night.csv").code == 0
    world.asked = 0

    def once(_: int, plain: Reply) -> Reply:
        return Reply(200, []) if world.asked == 1 else plain

    world.listing = once
    said = call("--db", "lost.db", *RUN, "night.csv")
    assert (said.code, most_bought(world)) == (4, 1), said.err


def test_a_page_of_which_all_was_deleted_ends_no_list(call: Shell, world: Account) -> None:
    """The API cuts its page first, and leaves out of it what was deleted: one has no entries."""
    assert call(*RUN, "night.csv").code == 0
    now = SystemClock().now()
    for n in range(150):
        world.add(Made(f"f{n}", f"filler {n}", "9:16", 10, 0, None, now, 0.1, foreign=True))
    deleted = {f"f{n}" for n in range(10, 140)}

    def left_out(_: int, plain: Reply) -> Reply:
        return Reply(200, [one for one in plain.body if one["generation_id"] not in deleted])

    world.listing = left_out
    said = call("--db", "lost.db", *RUN, "night.csv")
    assert (said.code, most_bought(world)) == (4, 1), said.err
