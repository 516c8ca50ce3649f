"""Some hundred damaged files; ``make fuzz`` reads as many as one has the patience for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FORMATS = 15
FILES = FORMATS * 6
"""Each format as often."""


@pytest.mark.parametrize("seed", range(3))
def test_no_reader_breaks(tmp_path: Path, project: Path, seed: int) -> None:
    """Each is understood, or refused with words, within 300 MB and 10 s; and both happen."""
    command = [sys.executable, "-m", "simulation.readers", f"--seed={seed}", f"--files={FILES}"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(project / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    *lines, last = done.stdout.splitlines()
    assert last == f"seed {seed}: {FILES} files"
    found = [json.loads(line) for line in lines]
    assert len(found) == FORMATS
    assert sum(line.get("read", 0) for line in found) > 10
    assert sum(line.get("refused", 0) for line in found) > 10
    assert all(line["most_mb"] < 300 for line in found)
    assert all(line["longest"] < 10 for line in found)
