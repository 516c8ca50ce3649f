"""Runs every benchmark, or those that are named: ``python benchmarks [NAME…] [--OPTION…]``.

Each compares ways in the same run: ratios and counts travel, seconds don't. Options, as
``--rounds=1``, are read by the benchmarks that have them.
"""

import importlib
import sys
from pathlib import Path

NAMES = (
    "start",
    "load",
    "images",
    "reopen",
    "downloads",
    "shape",
    "throughput",
    "web",
    "paid_twice",
)

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    for name in named or NAMES:
        importlib.import_module(name).main()
