"""What Linux alone shows of a process."""

from pathlib import Path
from typing import Final

import pytest

in_proc: Final = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="no /proc shows processes here"
)
"""The mark of tests that look at a process from outside."""
