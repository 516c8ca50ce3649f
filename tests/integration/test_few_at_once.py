"""An account that makes one video at a time: who is asked too often says so to anybody."""

from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants

from jobs.provider import GenerationRequest, SubmitOutcome, Throttled


@pytest.mark.parametrize(("takes", "rate"), [(22.0, 1.0), (22.0, 0.5)])
def test_no_row_fails_where_the_account_makes_one_at_once_and_rows_leave_one_by_one(
    tmp_path: Path, takes: float, rate: float
) -> None:
    """The row that is let forward after an acceptance comes just when the place is taken again."""
    engine = Engine(tmp_path, Invariants())
    engine.announce(s10=120_000)
    engine.agreed()
    engine.provider.takes = takes
    usual = engine.provider.submit

    async def limited(request: GenerationRequest, key: str, may: Any) -> SubmitOutcome:
        now = engine.clock.now()
        made = engine.provider.made
        under_way = any((now - one.created_at).total_seconds() < takes for one in made)
        busy = Throttled(None, "too many concurrent generations")
        return busy if under_way else await usual(request, key, may)

    engine.provider.submit = limited  # type: ignore[method-assign]
    engine.load([spec(f"r{n}", row=n) for n in range(40)])
    engine.run(rate=rate)
    failed = {key: job.error for key, job in engine.jobs().items() if job.state == "failed"}
    assert failed == {}
