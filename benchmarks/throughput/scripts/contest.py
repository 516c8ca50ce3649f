"""What the contestants' scripts share: their options, the body of a request, and the report."""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

KIBIBYTE = 1024


def options(**flags: bool) -> argparse.Namespace:
    """Read the options that each script has.

    Args:
        flags: further ones, by name with underscores; True for one that takes no value.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("url", help="of the provider")
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--window", type=int, required=True)
    parser.add_argument("--poll", type=float, default=0.05)
    for name, bare in flags.items():
        action: dict[str, Any] = {"action": "store_true"} if bare else {}
        parser.add_argument(f"--{name.replace('_', '-')}", **action)
    return parser.parse_args()


def body(number: int) -> dict[str, Any]:
    """Write what is bought."""
    return {"prompt": f"a kite over dune {number}", "orientation": "9:16", "duration": 10}


class Watch:
    """Begins when everything is loaded, before the first request."""

    def __init__(self) -> None:
        self._written = written()
        self._began, self._cpu = time.monotonic(), time.process_time()

    def report(self) -> None:
        """Say when the last completion was known, and what this process took for it.

        ``seconds`` is from the beginning, ``ended`` on the system's monotonic clock, ``cpu``
        seconds of all threads, ``memory`` the peak in bytes, ``written`` bytes to the disk.
        """
        ended = time.monotonic()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE
        cpu = time.process_time() - self._cpu
        report = {
            "seconds": ended - self._began,
            "ended": ended,
            "cpu": cpu,
            "memory": memory,
            "written": written() - self._written,
        }
        print(json.dumps(report), flush=True)


def written() -> int:
    """Count the bytes that this process has given to the disk so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])
