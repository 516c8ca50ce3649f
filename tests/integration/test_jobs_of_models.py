"""Jobs are chosen by the model that makes them, or by its family."""

from pathlib import Path

import pytest
from support.shell import Shell

MADE_BY = ("", "veo_3_fast", "veo_3_fast_hd", "kling_2.5_turbo", "kling_2.5_turbo_pro", "kling_o1")


@pytest.fixture
def night(call: Shell) -> Shell:
    """Return a shell in a folder with a rehearsed batch of six models."""
    rows = [f"r{n},A kite over the bay {n},{model}" for n, model in enumerate(MADE_BY)]
    Path("night.csv").write_text("\n".join(["id,prompt,model", *rows]) + "\n", encoding="utf-8")
    said = call("run", "night.csv", "--sandbox", "--rate", "0", "--no-download", "--first", "1")
    assert said.code == 0, said.err
    return call


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["sora"], [0]),
        (["veo_3_fast"], [1]),
        (["Veo 3 Fast HD"], [2]),
        (["veo"], [1, 2]),
        (["kling"], [3, 4]),
        (["kling_2.5_turbo"], [3]),
        (["kling-o1"], [5]),
        (["kling_o1", "SORA"], [0, 5]),
        (["kling_3"], None),
        ([""], None),
        (["x" * 5000], None),
    ],
)
def test_jobs_of_a_model(night: Shell, names: list[str], found: list[int] | None) -> None:
    said = night("jobs", "--sandbox", "--json", *(f"--model={name}" for name in names))
    if found is None:
        assert said.code == 2
        assert "'batchsora models' lists all" in said.words
        assert len(said.err) < 1000
    else:
        assert [one["job"] for one in said.json] == [f"r{number}" for number in found]


def test_other_conditions_hold_as_well(night: Shell) -> None:
    said = night("jobs", "--sandbox", "--json", "--model", "veo", "--search", "bay 2")
    assert [one["job"] for one in said.json] == ["r2"]
    assert night("jobs", "--sandbox", "--json", "--model", "veo_3_quality").json == []


def test_a_model_is_cancelled_and_queued_again(night: Shell) -> None:
    """And no other."""
    assert night("cancel", "--sandbox", "--model", "veo", "--yes").code == 0
    cancelled = night("jobs", "--sandbox", "--json", "--status", "cancelled").json
    assert [one["job"] for one in cancelled] == ["r1", "r2"]
    assert night("retry", "--sandbox", "--model", "kling", "--dry-run", "--yes").code == 0
