"""What tests of looks before buying share: a slow provider, others who buy, and the look itself."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from jobs.model.provider import FailureKind, Generation, GenerationPhase, GenerationRequest
from jobs.ports.selection import Sought
from jobs.reconciliation.adoption import EarlierWork, find_earlier
from jobs.store import handing, steering

from .engine import Engine
from .invariants import Invariants
from .loop import run_virtual

PRICE = 120_000


def slow_engine(folder: Path) -> Engine:
    """Make an engine at known prices, whose generations take ten minutes."""
    made = Engine(folder, Invariants(), takes=600.0)
    made.announce(s10=PRICE, s15=PRICE)
    return made


def failed(kind: FailureKind) -> Generation:
    """Make a generation's failure."""
    return Generation("", GenerationPhase.FAILED, failure=kind, message="internal error")


def others(engine: Engine, prompt: str) -> Any:
    """Let somebody else buy a prompt."""
    return engine.provider.make(GenerationRequest(prompt, "9:16", 10))


def posts(engine: Engine, prompt: str) -> int:
    """Count how often a prompt was sent."""
    return [sent for sent, _ in engine.provider.posts].count(prompt)


def looked(engine: Engine, batches: list[int]) -> EarlierWork:
    """Look for the rows of batches, and hold back what is found."""
    sought = Sought(batches)
    work = run_virtual(find_earlier(engine.store, engine.provider, engine.clock, sought))
    engine.store.adoption.hold_back(work)
    return work


def reword(engine: Engine, job: int, prompt: str) -> None:
    """Give a row another prompt, and hand it to the run that goes on."""

    def write(connection: Connection) -> None:
        assert steering.reword(connection, job, prompt)
        assert handing.offer(connection, [job])

    engine.store.write(write)
