"""Runs every benchmark, or those that are named: ``python benchmarks [NAME…]``.

Each compares ways in the same run: ratios and counts travel, seconds don't.
"""

import importlib
import sys
from pathlib import Path

NAMES = ("load", "paid_twice")

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    for name in sys.argv[1:] or NAMES:
        importlib.import_module(name).main()
