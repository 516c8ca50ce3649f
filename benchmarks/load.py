"""Loading rows into the job table, beside a bare ``executemany`` of the same values."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from jobs import schema
from jobs.provider import GenerationRequest
from jobs.spec import JobSpec
from jobs.store import Store, loading

ROWS = 20_000
ROUNDS = 3
NOW = datetime(2026, 1, 5, tzinfo=UTC)

_BARE = (
    "INSERT INTO job (batch_id, key, key_from_content, row, fingerprint, kind, prompt, orientation,"
    " duration, priority, in_manifest, cells, state, attempts, retries, charged_micros, created_at)"
    " VALUES (?, ?, 0, ?, ?, 'k', ?, '9:16', 10, 0, 1, ?, 'queued', 0, 0, 0, '2026-01-05')"
)


def specs() -> list[JobSpec]:
    """Make rows."""
    return [
        JobSpec(f"r{i}", False, i, GenerationRequest(f"a kite over dune {i}", "9:16", 10))
        for i in range(ROWS)
    ]


def timed(work: Callable[[Store, int], None]) -> float:
    """Time work on a new database, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        schema.upgrade(path)
        with Store(path) as store:
            batch = store.write(lambda c: loading.open_batch(c, "b", "b", None, ["prompt"], NOW))
            begun = time.perf_counter()
            work(store, batch)
            return time.perf_counter() - begun


def ours(store: Store, batch: int) -> None:
    """Load as a run does."""
    store.write(lambda c: loading.load(c, batch, specs(), lambda _: "k", NOW))


def bare(store: Store, batch: int) -> None:
    """Insert the same values, unchecked."""
    rows = [
        (batch, s.key, s.row, s.fingerprint, s.request.prompt, json.dumps(dict(s.cells)))
        for s in specs()
    ]
    store.write(lambda c: c.connection.driver_connection.executemany(_BARE, rows) and None)


def main() -> None:
    """Print the medians of interleaved rounds and their ratio."""
    pairs = [(timed(bare), timed(ours)) for _ in range(ROUNDS)]
    plain = statistics.median(a for a, _ in pairs)
    loaded = statistics.median(b for _, b in pairs)
    print(f"load {ROWS} rows: bare {plain:.2f} s, ours {loaded:.2f} s, ratio {plain / loaded:.2f}")
