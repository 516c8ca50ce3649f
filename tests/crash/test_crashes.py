"""SIGKILL in a real process against the real sandbox over HTTP, then a resume, then the ledger."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash.campaign import Campaign, check, used_before
from support.stopping import KILLED

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

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


@pytest.fixture
def campaign(tmp_path: Path, sandbox: SandboxServer) -> Campaign:
    """The sample campaign, whose prompts all differ, so that a prompt names its row.

    Its database was bought with before: what never left is bought again by itself.
    """
    used_before(tmp_path)
    return Campaign(tmp_path, sandbox, SAMPLES / "campaign.csv")


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
