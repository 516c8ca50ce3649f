"""A few thousand damaged manifests; ``make fuzz`` reads as many as one has the patience for."""

from pathlib import Path

import pytest

from simulation.readers import fuzz


@pytest.mark.parametrize("seed", range(4))
def test_no_reader_breaks(tmp_path: Path, seed: int) -> None:
    """Each is understood, or refused with words; and both happen."""
    counts = fuzz(seed, tmp_path, 250)
    assert counts["read"] > 20
    assert counts["refused"] > 20
