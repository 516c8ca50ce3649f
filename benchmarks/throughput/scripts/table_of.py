"""Makes a database of so many jobs, most of them completed: batchsora's own schema, and SQL."""

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path

from contest import body

from batchsora.providers.registry import kind_of
from jobs.database import schema
from jobs.model.provider import GenerationRequest

NOW = "2026-01-05 00:00:00.000000"
PRICE = 120_000

JOBS = """
INSERT INTO job (id, batch_id, key, key_from_content, row, fingerprint, kind, prompt, orientation,
    duration, priority, in_manifest, cells, state, attempt_id, filed_attempt_id, attempts, retries,
    charged_micros, video_url, created_at, submitted_at, completed_at)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :jobs)
SELECT i, 1, 'row-' || i, 0, i, hex(randomblob(16)), :kind, 'a kite over dune ' || i, '9:16',
    10, 0, 1, '{"prompt": "a kite over dune ' || i || '"}',
    iif(i <= :done, 'completed', 'queued'), iif(i <= :done, i, NULL), iif(i <= :done, i, NULL),
    i <= :done, 0, iif(i <= :done, :price, 0),
    iif(i <= :done, 'https://example.com/videos/' || i || '.mp4', NULL), :now,
    iif(i <= :done, :now, NULL), iif(i <= :done, :now, NULL)
FROM n
"""
ATTEMPTS = """
INSERT INTO attempt (id, job_id, state, idempotency_key, kind, prompt, hold_micros, day, intent_at,
    send_before, generation_id, price_micros, price_estimated, accepted_at, ended_at, fingerprint,
    prompt_key, created_at)
SELECT id, id, 'completed', hex(randomblob(16)), kind, prompt, 0, '2026-01-05', :now, :now,
    'old-' || id, :price, 0, :now, :now, fingerprint, prompt, :now
FROM job WHERE state = 'completed'
"""
FILES = """
INSERT INTO artifact (attempt_id, job_id, path, bytes, sha256, tries, fetched_at)
SELECT id, id, 'videos/row-' || id || '.mp4', 1000000, hex(randomblob(32)), 1, :now
FROM job WHERE state = 'completed'
"""
REST = (
    """INSERT INTO batch (id, name, columns, active, paused, created_at)
    VALUES (1, 'big', '["prompt"]', 0, 0, :now)""",
    JOBS,
    ATTEMPTS,
    FILES,
    "INSERT INTO tally SELECT batch_id, state, '', count(*) FROM job GROUP BY batch_id, state",
    """INSERT INTO budget (key, charged_micros, held_micros, refunded_micros)
    SELECT key, :price * :done, 0, 0
    FROM (SELECT 'batch:1' AS key UNION SELECT 'account' UNION SELECT 'day:2026-01-05')
    WHERE true ON CONFLICT DO UPDATE SET charged_micros = excluded.charged_micros""",
    """INSERT INTO price (kind, last_micros, highest_micros, source, seen_at)
    VALUES (:kind, :price, :price, 'learned', :now)""",
)


def make(path: Path, jobs: int, done: int) -> None:
    """Make it, not durably: what breaks off is thrown away."""
    schema.upgrade(path)
    kind = kind_of(GenerationRequest(**body(0))).key
    values = {"jobs": jobs, "done": done, "now": NOW, "price": PRICE, "kind": kind}
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("PRAGMA synchronous = OFF")
        for statement in REST:
            file.execute(statement, values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database", type=Path)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--done", type=int, required=True)
    asked = parser.parse_args()
    make(asked.database, asked.jobs, asked.done)
