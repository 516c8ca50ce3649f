"""A row that left its manifest while it was under way, failed, and comes back: who asked for it?"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.provider import Generation, GenerationPhase
from jobs.model.states import FailureKind, HeldBack

BROKEN = Generation("", GenerationPhase.FAILED, failure=FailureKind.SYSTEM, message="render error")


def stop_after(seconds: float) -> Any:
    return lambda runner: asyncio.get_running_loop().call_later(seconds, runner.stop)


@pytest.mark.parametrize("ended", ["before it failed", "when it had failed"])
def test_it_is_bought_by_nobody_who_did_not_ask(tmp_path: Path, ended: str) -> None:
    """No load makes a row free: rows are loaded unasked (money.md, *Consent*)."""
    engine = Engine(tmp_path, Invariants())
    engine.announce(s10=120_000)
    engine.provider.ends = {"x": [BROKEN]}
    engine.load([spec("r0", "x"), spec("q", "other", row=1)])
    engine.run(during=stop_after(50))
    if ended == "before it failed":
        engine.load([spec("q", "other")])
        engine.run()
    else:
        engine.run(during=stop_after(251))
        assert engine.jobs()["r0"].state == "queued"
        engine.load([spec("q", "other")])
    engine.load([spec("r0", "x"), spec("q", "other", row=1)], held_back=HeldBack.UNASKED)
    before = len(engine.provider.posts)
    engine.run()
    assert len(engine.provider.posts) == before


def test_one_that_left_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A row that leaves while it waits for a retry is cancelled; so is one that left before."""
    engine = Engine(tmp_path, Invariants())
    engine.announce(s10=120_000)
    engine.provider.ends = {"x": [BROKEN]}
    engine.load([spec("r0", "x"), spec("q", "other", row=1)])
    engine.run(during=stop_after(50))
    engine.load([spec("q", "other")])
    for _ in range(3):
        engine.run()
        engine.load([spec("q", "other")])
    assert engine.jobs()["r0"].state in ("cancelled", "failed"), engine.status().jobs


def test_it_is_told_once_that_it_is_cancelled(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Invariants())
    engine.announce(s10=120_000)
    engine.provider.ends = {"x": [BROKEN]}
    engine.load([spec("r0", "x"), spec("q", "other", row=1), spec("z", "third", row=2)])
    engine.run(during=stop_after(50))
    engine.load([spec("q", "other"), spec("z", "third", row=1)])
    engine.run()
    report = engine.load([spec("q", "other")])
    assert report.cancelled == ["r0"]
    assert engine.load([spec("q", "other")]).cancelled == []
