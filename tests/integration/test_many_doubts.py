"""Models without a list: after some lost answers nothing more of them is bought."""

from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.provider import SORA_LIST
from support.shell import Shell

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.model.families import EvidenceClass, Family
from jobs.model.states import Blocked, JobState, Reason

BLIND = Family("fake", "kling-o1", EvidenceClass.BLIND)
LOST = {f"prompt of b{n}": ["made"] for n in range(9)}


def night(tmp_path: Path, **script: list[Any]) -> Engine:
    """Nine rows of a model without a list, each of whose answers is lost, and three of Sora."""
    engine = Engine(
        tmp_path,
        families={"sora": SORA_LIST, BLIND.name: BLIND},
        script={name: list(answers) for name, answers in LOST.items()} | script,
    )
    rows = [spec(f"b{n}", row=n, model="kling_o1", duration=5) for n in range(9)]
    rows += [spec(f"s{n}", row=9 + n) for n in range(3)]
    engine.load(rows)
    return engine


def states(engine: Engine, first: str) -> list[str]:
    return [job.state for key, job in engine.jobs().items() if key.startswith(first)]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_it_stops_after_some(tmp_path: Path, most: int) -> None:
    """Others are bought although these wait, and the run says what it waits for."""
    engine = night(tmp_path)
    ending = engine.run(max_in_flight=1, doubts_most=most)
    assert states(engine, "b").count(JobState.IN_DOUBT) == most
    assert states(engine, "b").count(JobState.QUEUED) == 9 - most
    assert states(engine, "s") == [JobState.COMPLETED] * 3
    assert ending.reason is Reason.BLOCKED
    assert ending.blocked == {1: frozenset({Blocked.DOUBTS})}
    assert len(engine.provider.made) == most + 3


def test_what_waits_from_earlier_runs_counts(tmp_path: Path) -> None:
    engine = night(tmp_path)
    engine.run(max_in_flight=1, doubts_most=2)
    engine.run(max_in_flight=1, doubts_most=2)
    assert states(engine, "b").count(JobState.IN_DOUBT) == 2


def test_once_one_is_settled_the_next_is_bought(tmp_path: Path) -> None:
    engine = night(tmp_path)
    engine.run(max_in_flight=1, doubts_most=2)
    doubt = next(job for job in engine.jobs().values() if job.state == JobState.IN_DOUBT)
    engine.provider.script.clear()
    assert engine.store.doubts.void(doubt.attempt_id, "a person looked", engine.clock.now())
    engine.run(max_in_flight=1, doubts_most=2)
    assert states(engine, "b").count(JobState.IN_DOUBT) == 1
    assert states(engine, "b").count(JobState.COMPLETED) == 8


def test_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch, call: Shell) -> None:
    rows = [f"b{n},a harbour at dusk take {n},kling_o1" for n in range(3)]
    Path("night.csv").write_text("\n".join(["id,prompt,model", *rows]))
    world = World(time_scale=2000.0)
    with SandboxServer(world, faults=Faults(drop=1.0)) as server:
        monkeypatch.setenv("BATCHSORA_BASE_URL", server.url)
        said = call(
            "run",
            "night.csv",
            "--yes",
            "--budget",
            "9",
            "--grace",
            "1",
            "--doubts-most",
            "1",
            "--poll-interval",
            "0.05",
        )
    assert said.code == 7
    assert len(world.made) == 1
    assert "blocked by unconfirmed rows that no list can settle" in said.err
    assert "settle them with 'batchsora resolve JOB', or raise --doubts-most" in said.err
    shown = call("status").out
    assert "b0: the provider has no list of this model that could show it" in shown
    assert "'batchsora run' checks them" not in shown
