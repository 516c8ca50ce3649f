"""Whole runs of each family while answers are lost and the list is odd: nothing is paid twice."""

from collections import Counter
from pathlib import Path

import pytest
from support.shell import Shell
from support.times import little_time

from batchsora.providers.registry import FAMILIES, MODELS
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.families import EvidenceClass, provider_id

QUICK = ("--poll-interval", "0.05", "--rate", "0", "--yes", "--quiet", "--grace", "0.3")
ROWS = 6
SEED = 111
"""With it two answers are lost, with others between: three running would shut the gate."""

FIRST = {one.family: one for one in reversed(MODELS.values())}
FAULTS = [
    "drop=0.4", "garbled=0.4", "drop=0.4,odd-time=none", "drop=0.4,odd-time=year9999",
    "garbled=0.4,upper-ids", "drop=0.4,failure-form=object,fail=0.3",
]  # fmt: skip


MARKED = [name for name in FIRST if FAMILIES[name].evidence is EvidenceClass.MARKED]
CASES = [(name, FAULTS[0]) for name in FIRST if name not in MARKED]
CASES += [(name, faults) for name in MARKED for faults in FAULTS]
"""A run waits half a minute for what its family can't show: once is enough."""


@pytest.mark.parametrize(("family", "faults"), CASES)
def test_a_lost_answer_is_paid_once(
    call: Shell, monkeypatch: pytest.MonkeyPatch, family: str, faults: str
) -> None:
    """It is found where the family can show it, and waits for a person where it can't."""
    model = FIRST[family]
    prompts = [f"a red kite over dune {number}" for number in range(ROWS)]
    lines = [f"{prompt},{model.name}" for prompt in prompts]
    Path("night.csv").write_text("\n".join(["prompt,model", *lines]))
    world = World(seed=SEED, time_scale=2000.0)
    with SandboxServer(world, faults=Faults.parse(faults)) as server, little_time():
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        call("run", "night.csv", *QUICK, "--no-download", "--retries", "0", "--budget", "90")
        jobs = call("jobs", "--json").json
    made = Counter(item.prompt for item in world.made)
    assert max(made.values()) == 1, "paid twice"
    assert len(made) == ROWS
    known = {provider_id(job["generation_id"]) for job in jobs if job["generation_id"]}
    doubted = {job["prompt"] for job in jobs if job["status"] == "in_doubt"}
    for item in world.made:
        assert item.id in known or item.prompt in doubted, "lost"
    if family in MARKED:
        assert not doubted
        assert known == {item.id for item in world.made}
