"""The sandbox's faults on a batch that is killed in the middle; ``faults.py`` plays more."""

from pathlib import Path

import pytest
from crash.faults import ENDS, TOGETHER, play


@pytest.mark.parametrize("fault", ["lost", "drop", TOGETHER])
def test_nothing_is_paid_twice_or_lost(tmp_path: Path, fault: str) -> None:
    """Two SIGKILLs, and a third of what is sent goes wrong: nothing is paid twice.

    What never arrived can't be shown absent beside what a kill cut off and the list shows, beside
    lost answers that are found, or while others buy: it waits for a person.
    """
    found = play(fault, tmp_path, rows=16, kills=2, rate=0.3, seed=3)
    assert found.good, (found, (tmp_path / "said.log").read_text()[-2000:])
    assert set(found.states) <= {*ENDS, "in_doubt"}
    assert found.kills


def test_what_never_arrives_is_bought_again_by_itself(tmp_path: Path) -> None:
    """Without a kill beside it every row ends, paid once."""
    found = play("lost", tmp_path, rows=16, kills=0, rate=0.3, seed=3)
    assert found.good, (found, (tmp_path / "said.log").read_text()[-2000:])
    assert found.states == {"completed": 16}
