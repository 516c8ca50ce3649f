"""``resolve --never-made`` looks at the list, and asks for --force where that proves nothing."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.listed import Account
from support.shell import Shell

from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import Made, Reply
from jobs.model.clock import SystemClock

RUN = (
    "run", "--budget", "5", "--poll-interval", "0.05", "--rate", "0", "--quiet", "--grace", "0.2",
    "--no-download",
)  # fmt: skip
NEVER_MADE = ("resolve", "r1", "--never-made", "--grace", "0.2")


@dataclass(frozen=True, slots=True)
class OneIsLost(Faults):
    """The answer to one row is lost; its generation was made and charged, or was not."""

    fault: Fault = Fault.DROP

    def of_submission(self, seed: int, prompt: str, turn: int) -> Fault:
        del seed
        return self.fault if "number 1" in prompt and turn == 1 else Fault.NONE


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """Call commands in a folder with a manifest of four rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNBLOB_API_KEY", "never-made")
    with Path("night.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["id", "prompt"], *([f"r{n}", f"a heron, number {n}"] for n in range(4))]
        )
    return Shell(capfd)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Fault], Account]]:
    """Serve an account at the address in the environment, with one lost answer."""
    servers: list[SandboxServer] = []

    def made(fault: Fault) -> Account:
        world = Account(time_scale=2000.0)
        servers.append(SandboxServer(world, faults=OneIsLost(fault=fault)))
        monkeypatch.setenv("BATCHSORA_BASE_URL", servers[-1].__enter__().url)
        return world

    yield made
    for server in servers:
        server.__exit__(None, None, None)


def only(shown: Callable[[str], bool]) -> Callable[[int, Reply], Reply]:
    """Show only generations of some prompts."""

    def listing(_: int, plain: Reply) -> Reply:
        return Reply(plain.status, [one for one in plain.body if shown(one["prompt"])])

    return listing


def first_page(offset: int, plain: Reply) -> Reply:
    """Show no page but the first."""
    return Reply(500, {"detail": "the list is broken"}) if offset else plain


def rewritten(_: int, plain: Reply) -> Reply:
    """Show prompts as the provider's own model has rewritten them."""
    return Reply(
        plain.status, [{**one, "prompt": f"8k, {len(one['prompt'])}"} for one in plain.body]
    )


def unreadable(_: int, __: Reply) -> Reply:
    """Show nothing that is understood."""
    return Reply(500, {"detail": "the list is broken"})


LISTS: dict[str, tuple[Callable[[int, Reply], Reply] | None, str]] = {
    "honest": (None, "could be any of these"),
    "empty": (only(lambda _: False), "is missing"),
    "some are missing": (only(lambda prompt: prompt[-1] in "23"), "is missing"),
    "one page": (first_page, "could not be read back"),
    "rewritten": (rewritten, "in other words"),
    "unreadable": (unreadable, "can't be read now"),
}


@pytest.mark.parametrize("way", LISTS)
def test_a_word_needs_force_where_the_list_proves_nothing(
    call: Shell, make: Callable[[Fault], Account], way: str
) -> None:
    """It was made, and hidden until now: the list is to show what we know before it counts."""
    world = make(Fault.DROP)
    world.listing = only(lambda prompt: "number 1" not in prompt)
    assert call(*RUN, "night.csv").code == 7
    world.listing, words = LISTS[way]
    if way == "one page":  # the doubt's stands on the second
        now = SystemClock().now()
        for n in range(120):
            world.add(Made(f"f{n}", f"filler {n}", "9:16", 10, 0, None, now, 0.1, foreign=True))
    said = call(*NEVER_MADE)
    assert (said.code, words in said.words, "--force" in said.words) == (2, True, True), said.err
    call(*RUN, "night.csv")
    assert max(Counter(one.prompt for one in world.made).values()) == 1
    if way == "empty":
        assert call(*NEVER_MADE, "--force").code == 0


def test_without_a_token_a_word_needs_force(
    call: Shell, make: Callable[[Fault], Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not looked at is no "no"."""
    world = make(Fault.DROP)
    world.listing = only(lambda prompt: "number 1" not in prompt)
    assert call(*RUN, "night.csv").code == 7
    monkeypatch.delenv("RUNBLOB_API_KEY")
    said = call(*NEVER_MADE)
    assert (said.code, "there is no token" in said.words) == (2, True), said.err
    assert call(*NEVER_MADE, "--force").code == 0


@pytest.mark.parametrize("rows", [4, 1])
def test_a_word_counts_where_the_list_shows_all_that_we_know(
    call: Shell, make: Callable[[Fault], Account], rows: int
) -> None:
    """It was never made; also where nothing else was ever bought, so that it shows nothing."""
    world = make(Fault.LOST)
    only_row = ("--first", "1") if rows == 1 else ()
    if rows == 1:
        sheet = Path("night.csv")
        sheet.write_text(re.sub(r"r0.*\n", "", sheet.read_text()))
    assert call(*RUN, "night.csv", *only_row).code == 7
    said = call(*NEVER_MADE)
    assert said.code == 0, said.err
    assert len(world.made) == rows - 1
