"""One workbook with rows for Sora, Veo and Kling in one batch under one cap, killed ten times."""

from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from crash.campaign import Campaign, check, used_before
from support.stopping import KILLED

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World

NAMES = ("sora", "veo_3_fast", "veo_3_quality_4k", "kling_2.1", "kling_2.6", "kling_o1", "kling_o3")
FAULTS = "drop=0.05,lost=0.05,error=0.04,broken=0.03,garbled=0.03"
POINTS = ("intent-written", "answer-read", "outcome-written", "request-leaving", "look-written")


def workbook(path: Path, rows: int) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["id", "prompt", "model"])
    for number in range(rows):
        model = NAMES[number % len(NAMES)]
        sheet.append([f"r{number}", f"a harbour at dusk, take {number}", model])
    book.save(path)
    return path


@pytest.mark.parametrize(("budget", "enough"), [("40", True), ("9", False)])
def test_ten_kills_and_a_fifth_of_all_answers_spoilt(
    tmp_path: Path, budget: str, *, enough: bool
) -> None:
    """Nothing twice, nothing over the cap, nothing lost; what no list shows waits for a person."""
    used_before(tmp_path)
    world = World(time_scale=1500.0)
    with SandboxServer(world, faults=Faults.parse(FAULTS)) as sandbox:
        campaign = Campaign(tmp_path, sandbox, workbook(tmp_path / "harbour.xlsx", 49))
        deaths = 0
        for turn in range(10):
            killed = campaign.run(die=(POINTS[turn % len(POINTS)], 2), budget=budget)
            deaths += killed.returncode == KILLED
            check(campaign)
        after = campaign.run(budget=budget)
        states = check(campaign)
    assert deaths >= (8 if enough else 4)
    assert states["completed"] > 20 or not enough
    assert set(states) <= {"completed", "in_doubt", "queued"}
    assert after.returncode == 7, after.stderr
    real = sum(item.price for item in world.made)
    assert real <= float(budget) * 1_000_000
    assert max(Counter(item.prompt for item in world.made).values()) == 1
