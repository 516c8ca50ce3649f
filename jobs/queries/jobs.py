"""Jobs: lists of them, one of them, its attempts, and how others failed."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from sqlite3 import Connection
from typing import Final

from ..model.errors import AmbiguousJobError, NoSuchJobError
from ..ports.seen import AttemptRow, FailureGroup, JobRow
from ..ports.selection import EVERYTHING, Filter, Wanted
from .batches import KNOWN, find_batches
from .typed import AT_A_TIME, Select, Where

_JOB = Select(
    JobRow,
    "job",
    {
        "batch": "batch.name",
        "paused": "batch.paused",
        "served": (
            "NOT batch.paused AND (batch.active AND job.held_back IS NULL OR job.handed)"
            " AND (SELECT serving FROM account)"
        ),
        "attempt_state": "attempt.state",
        "generation_id": "attempt.generation_id",
        "attempt_kind": "attempt.kind",
        "percent": "attempt.percent",
        "queue_position": "attempt.queue_position",
        "said_state": "attempt.said_state",
        "hold_micros": "attempt.hold_micros",
        "attempt_price": "attempt.price_micros",
        "attempt_error": "attempt.error",
        "intent_at": "attempt.intent_at",
        "file": "artifact.path",
        "sha256": "artifact.sha256",
        "download_error": "artifact.error",
        "verdict": "review.verdict",
    },
)
_FROM = """
    FROM job
    JOIN batch ON batch.id = job.batch_id
    LEFT JOIN attempt ON attempt.id = job.attempt_id
    LEFT JOIN artifact ON artifact.attempt_id = job.attempt_id
    LEFT JOIN review ON review.attempt_id = job.attempt_id
"""
_NUMBERED = f"{_FROM} WHERE job.id IN (SELECT value FROM json_each(:numbers))"  # noqa: S608 - ours
_ATTEMPT = Select(AttemptRow, "attempt")
_FAILURE = Select(
    FailureGroup,
    "job",
    {
        "jobs": "count(*)",
        "charged_micros": "sum(job.charged_micros)",
        "example": "min(job.key)",
    },
)
_NUMBER: Final = re.compile("#[0-9]{1,18}")
ORDERS: Final[Mapping[str, str]] = {
    # rows that left the manifest come last
    "row": "job.batch_id, job.in_manifest DESC, job.row, job.id",
    "state": "job.state, job.batch_id, job.row, job.id",
    "price": "job.charged_micros DESC, job.id",
    "submitted": "job.submitted_at DESC NULLS LAST, job.id",
    "completed": "job.completed_at DESC NULLS LAST, job.id",
    "attempts": "job.attempts DESC, job.id",
}
"""What jobs can be sorted by; amounts and times from the highest on."""


def _where(connection: Connection, wanted: Wanted) -> Where:
    """Return in SQL which jobs are meant.

    Raises:
        NotFoundError: there is no batch of that name.
    """
    where = Where("batch.removed_at IS NULL")
    if wanted.batch is not None:
        find_batches(connection, wanted.batch)
        where.add("batch.name = :batch", batch=wanted.batch)
    if wanted.states:
        where.one_of("job.state", wanted.states)
    if wanted.keys:
        numbers = [int(key[1:]) for key in wanted.keys if _NUMBER.fullmatch(key)]
        where.add(
            "(job.key IN (SELECT value FROM json_each(:keys))"
            " OR job.id IN (SELECT value FROM json_each(:numbers)))",
            keys=json.dumps(list(wanted.keys)),
            numbers=json.dumps(numbers),
        )
    narrow(where, wanted)
    return where


def narrow(where: Where, which: Wanted | Filter) -> None:
    """Add which jobs are meant by kind of failure, campaign, model and words."""
    for column, values in (("job.error_kind", which.kinds), ("job.campaign", which.campaigns)):
        if values:
            where.one_of(column, values)
    if which.made_by:
        where.add(
            "EXISTS (SELECT 1 FROM json_each(:made_by)"
            " WHERE substr(job.kind, 1, length(value)) = value)",
            made_by=json.dumps(list(which.made_by)),
        )
    where.search(which.search, "job.prompt", "job.key", "job.error")


def each_job(
    connection: Connection, wanted: Wanted = EVERYTHING, order: str = "row"
) -> Iterator[JobRow]:
    """Stream jobs, in one of :data:`ORDERS`; what is not read yet holds its snapshot.

    Raises:
        NotFoundError: there is no batch of that name.
    """
    where = _where(connection, wanted)
    yield from _JOB.each(connection, f"{_FROM} {where} ORDER BY {ORDERS[order]}", where.values)


def failures(connection: Connection, wanted: Wanted) -> list[FailureGroup]:
    """Group failed jobs by kind and words, the most frequent first, each with the first's key.

    Raises:
        NotFoundError: there is no batch of that name.
    """
    where = _where(connection, wanted)
    where.add("job.state = 'failed'")
    rest = f"""
        FROM job JOIN batch ON batch.id = job.batch_id {where}
        GROUP BY job.error_kind, job.error
        ORDER BY count(*) DESC, job.error_kind, job.error
    """
    return _FAILURE.all(connection, rest, where.values)


def find_job(connection: Connection, key: str, batch: str | None = None) -> JobRow:
    """Find one job by its key (or its number as ``#12``), within a batch if named.

    Raises:
        NotFoundError: none, or several batches have that key.
    """
    where = Where()
    # so that an index finds the key
    where.one_of("job.batch_id", [row.id for row in find_batches(connection, batch)])
    there = f"SELECT DISTINCT key FROM job {where} LIMIT {KNOWN}"  # noqa: S608 - ours
    if _NUMBER.fullmatch(key):
        where.add("job.id = :number", number=int(key[1:]))
    else:
        where.add("job.key = :key", key=key)
    found = _JOB.all(connection, f"{_FROM} {where}", where.values)
    if len(found) == 1:
        return found[0]
    if not found:
        known = [row[0] for row in connection.execute(there, where.values)]
        raise NoSuchJobError(key, batch, known)
    raise AmbiguousJobError(key, [row.batch for row in found])


def numbered(connection: Connection, job_ids: Sequence[int]) -> list[JobRow]:
    """Read jobs by their numbers, in that order; removed batches' as well."""
    found: dict[int, JobRow] = {}
    for start in range(0, len(job_ids), AT_A_TIME):
        numbers = json.dumps(list(job_ids[start : start + AT_A_TIME]))
        found |= {job.id: job for job in _JOB.all(connection, _NUMBERED, {"numbers": numbers})}
    return [found[number] for number in job_ids if number in found]


def attempts_of(connection: Connection, job_id: int) -> list[AttemptRow]:
    """List a job's attempts, the first one first."""
    return _ATTEMPT.all(connection, "FROM attempt WHERE job_id = :job ORDER BY id", {"job": job_id})
