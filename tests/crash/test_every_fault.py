"""The sandbox's faults on a batch that is killed in the middle; ``faults.py`` plays more."""

from pathlib import Path

import pytest
from crash.faults import ENDS, TOGETHER, play


@pytest.mark.parametrize("fault", ["lost", "drop", TOGETHER])
def test_nothing_is_paid_twice_or_lost(tmp_path: Path, fault: str) -> None:
    """Two SIGKILLs, and a third of what is sent goes wrong: every row ends, paid once.

    All together others buy too, failures may be given back, and nothing is bought later: then what
    never arrived can't be shown absent, and waits for a person. So does what a kill kept from
    leaving beside lost answers that are found.
    """
    found = play(fault, tmp_path, rows=16, kills=2, rate=0.3, seed=3)
    assert found.good, (found, (tmp_path / "said.log").read_text()[-2000:])
    assert set(found.states) <= {*ENDS, *([] if fault == "lost" else ["in_doubt"])}
    assert found.kills
