"""Play many nights: ``python tests/simulation/soak.py --seeds 1000 [--first N] [--processes 2]``.

``--seed N`` plays one again, which is how a failure is replayed. Ends with the figures of
docs/promises.md; a failing night prints its seed, and the exit status is 1.
"""

import argparse
import logging
import sys
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tqdm import tqdm

from simulation.night import CLASSES, Outcome, play

FIGURES = ("crashes", "jobs", "attempts", "posts", "commits", "doubts", "adopted", "voided")


def night(seed: int, evidence: str) -> Outcome | str:
    """Play one night; gives what it came to, or how it failed."""
    logging.disable(logging.CRITICAL)
    try:
        return play(seed, CLASSES[evidence])
    except Exception:  # noqa: BLE001 - every failure is a finding, and all are wanted
        again = f"--evidence {evidence} --seed {seed}"
        return f"seed {seed} failed; replay: {again}\n{traceback.format_exc(limit=-2)}"


def main() -> int:
    """Play the nights, and say what they came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--evidence", choices=CLASSES, default="listed")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.seed is not None:
        seeds = range(asked.seed, asked.seed + 1)
    total: Counter[str] = Counter()
    failed = 0
    with ProcessPoolExecutor(asked.processes) as pool:
        for outcome in tqdm(
            pool.map(partial(night, evidence=asked.evidence), seeds, chunksize=4),
            total=len(seeds),
            unit="night",
            disable=None,
        ):
            if isinstance(outcome, str):
                failed += 1
                tqdm.write(outcome)
                continue
            total.update({name: getattr(outcome, name) for name in FIGURES})
            total["in doubt at the end"] += outcome.left_in_doubt
    print(f"nights {len(seeds)}, failed {failed}")
    print(", ".join(f"{name} {total[name]:,}" for name in (*FIGURES, "in doubt at the end")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
