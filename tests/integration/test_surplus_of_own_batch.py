"""What a row paid for and does not have is our own past for another row of its batch, too."""

from datetime import timedelta
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.model.retry import Patience
from jobs.ports.selection import Sought
from jobs.store import past, steering


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = Engine(tmp_path, Invariants(caps=False))
    made.announce(s10=120_000)
    return made


def surplus(engine: Engine) -> None:
    """A row has a video, and an older one that it gave up finished as well."""
    engine.provider.takes = 5000.0
    engine.load([spec("r0", "x")])
    engine.run(generation_timeout=600.0)
    job = engine.jobs()["r0"]
    assert (job.state, job.error_kind) == ("failed", "overdue")
    assert engine.store.write(
        lambda c: steering.abandon(c, [job.id], Patience(engine.clock.now(), timedelta(0)))
    )
    engine.provider.takes = 300.0
    assert engine.store.write(lambda c: steering.retry(c, [job.id], now=engine.clock.now()))
    engine.run()
    engine.clock.start += timedelta(seconds=9000)
    engine.run()
    assert len(engine.provider.made) == 2


@pytest.mark.parametrize("batch", ["night", "other"])
def test_twin(engine: Engine, batch: str) -> None:
    surplus(engine)
    rows = [spec("r0", "x"), spec("r1", "x", row=1)]
    engine.load(rows, batch)
    which = 1 if batch == "night" else 2
    engine.store.write(lambda c: past.hold(c, Sought((which,))))
    engine.run((which,))
    assert len(engine.provider.made) == 2
