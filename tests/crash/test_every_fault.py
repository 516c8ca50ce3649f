"""The sandbox's faults on a batch that is killed in the middle; ``faults.py`` plays more."""

from pathlib import Path

import pytest
from crash.faults import ENDS, TOGETHER, play


@pytest.mark.parametrize("fault", ["drop", TOGETHER])
def test_nothing_is_paid_twice_lost_or_left_in_doubt(tmp_path: Path, fault: str) -> None:
    """Two SIGKILLs, and a third of what is sent goes wrong: every row ends, paid once."""
    found = play(fault, tmp_path, rows=16, kills=2, rate=0.3, seed=3)
    assert found.good, (found, (tmp_path / "said.log").read_text()[-2000:])
    assert set(found.states) <= set(ENDS)
    assert found.kills
