"""Batches: which there are, and how far each is, from counts that are kept."""

from collections.abc import Collection
from sqlite3 import Connection
from typing import Final

from ..model.errors import NoSuchBatchError
from ..model.ledger import Budget, Scope, batch_key, day_key, together, twice_key
from ..model.states import HeldBack, JobState
from ..ports.seen import AccountRow, BatchRow, BatchStatus, DoubtRow, PriceRow
from .typed import Select

UNFINISHED = (
    JobState.QUEUED,
    JobState.SUBMITTING,
    JobState.IN_DOUBT,
    JobState.PENDING,
    JobState.PROCESSING,
)

_BATCH = Select(BatchRow, "batch")
_THERE = "FROM batch WHERE removed_at IS NULL"
_ACCOUNT = Select(AccountRow, "account")
_PRICE = Select(PriceRow, "price")
_BUDGET = Select(
    Budget,
    "budget",
    {
        "cap": "budget.cap_micros",
        "charged": "budget.charged_micros",
        "held": "budget.held_micros",
        "refunded": "budget.refunded_micros",
    },
)
_DOUBT = Select(DoubtRow, "attempt", {"key": "job.key"})
_DOUBTS_OF_BATCH = """
    FROM attempt JOIN job ON job.id = attempt.job_id
    WHERE attempt.state IN ('open', 'in_doubt') AND attempt.state = 'in_doubt'
        AND job.batch_id = :batch
    ORDER BY +attempt.id
"""
"""An order that SQLite sorts: it would read the whole table in it rather than a small index."""
_TALLY = "SELECT state, error_kind, jobs FROM tally WHERE batch_id = :batch AND jobs > 0"
_HANDED = "SELECT id FROM job WHERE handed AND state = :state AND batch_id = :batch LIMIT 1"
_UNFILED = """
    SELECT count(*) FROM job
    WHERE job.state = 'completed' AND job.filed_attempt_id IS NOT job.attempt_id
        AND job.batch_id BETWEEN :batch AND :batch
"""
"""BETWEEN: for an equality SQLite would take another index, and read every completed job."""
# from the index alone: a million rows may be left out
_HELD_BACK = """
    SELECT held_back, count(*) FROM job
    WHERE held_back IS NOT NULL AND batch_id = :batch AND held_back != 'unasked'
    GROUP BY held_back
"""
# a single video stays unasked until its purchase is known
_UNASKED = """
    SELECT count(*) FROM job
    WHERE held_back IS NOT NULL AND state = 'queued' AND batch_id = :batch
        AND held_back = 'unasked'
"""


def account(connection: Connection) -> AccountRow:
    """Read the account's one row."""
    return _ACCOUNT.all(connection, "FROM account", {})[0]


KNOWN: Final = 2_000
"""Names that an error about a missing one knows, so that the nearest can be suggested."""


def find_batches(connection: Connection, name: str | None = None) -> list[BatchRow]:
    """List the batches in the order of their loading, or the one of that name.

    Raises:
        NotFoundError: there is none of that name.
    """
    if name is None:
        return _BATCH.all(connection, f"{_THERE} ORDER BY id", {})
    found = _BATCH.all(connection, f"{_THERE} AND name = :name", {"name": name})
    if not found:
        rows = connection.execute(f"SELECT name {_THERE} ORDER BY id LIMIT :most", {"most": KNOWN})
        raise NoSuchBatchError(name, [row[0] for row in rows])
    return found


def batch_status(connection: Connection, batch: BatchRow) -> BatchStatus:
    """Sum a batch up."""
    jobs = dict.fromkeys(map(str, JobState), 0)
    kinds: dict[str, int] = {}
    of_batch = {"batch": batch.id}
    for state, kind, count in connection.execute(_TALLY, of_batch):
        jobs[state] += count
        if kind:
            kinds[kind] = count
    found = _budgets_of(connection, batch.id)
    own = found.pop(batch_key(batch.id), Budget(batch_key(batch.id), None, 0, 0))
    twice = found.pop(twice_key(batch.id), None)
    prefix = _campaigns(batch.id)
    return BatchStatus(
        id=batch.id,
        name=batch.name,
        source=batch.source,
        paused=batch.paused,
        active=batch.active or _works_on(connection, batch.id),
        waiting_for=batch.waiting_for,
        jobs=jobs,
        failed_kinds=kinds,
        files_missing=files_missing(connection, batch.id),
        money=own,
        created_at=batch.created_at,
        archived_at=batch.archived_at,
        campaigns={key.removeprefix(prefix): one for key, one in sorted(found.items())},
        doubts=_DOUBT.all(connection, _DOUBTS_OF_BATCH, of_batch) if jobs["in_doubt"] else (),
        held_back=held_back(connection, batch.id) if jobs["queued"] else {},
        twice=0 if twice is None else twice.charged,
    )


def statuses(connection: Connection, among: Collection[int] | None = None) -> list[BatchStatus]:
    """Sum all batches up, or some."""
    return [
        batch_status(connection, batch)
        for batch in find_batches(connection)
        if among is None or batch.id in among
    ]


def budgets(connection: Connection) -> list[Budget]:
    """List every budget, for whoever checks or shows them."""
    return _BUDGET.all(connection, "FROM budget", {})


def spent_on(connection: Connection, first: str, last: str) -> Budget:
    """Add up the budgets of some days, given as ISO dates."""
    values = {"first": day_key(first), "last": day_key(last)}
    days = "FROM budget WHERE key BETWEEN :first AND :last"
    return together(_BUDGET.all(connection, days, values))


def _campaigns(batch_id: int) -> str:
    return f"{Scope.CAMPAIGN}:{batch_id}:"


def _budgets_of(connection: Connection, batch_id: int) -> dict[str, Budget]:
    """Read a batch's budget, those of its campaigns, and what it paid for twice, by their keys."""
    begin = _campaigns(batch_id)
    values = {
        "own": batch_key(batch_id),
        "twice": twice_key(batch_id),
        "begin": begin,
        "end": f"{begin[:-1]};",
    }
    # a range, not a prefix: what LIKE compares without case has no index
    rest = "FROM budget WHERE key IN (:own, :twice) OR (key >= :begin AND key < :end)"
    return {one.key: one for one in _BUDGET.all(connection, rest, values)}


def _works_on(connection: Connection, batch_id: int) -> bool:
    """Check whether an unfinished job of a batch is in the hands of the runner that is alive."""
    return any(
        connection.execute(_HANDED, {"state": state, "batch": batch_id}).fetchone() is not None
        for state in UNFINISHED
    )


def files_missing(connection: Connection, batch_id: int) -> int:
    """Count the completed jobs of a batch without a file."""
    return int(connection.execute(_UNFILED, {"batch": batch_id}).fetchone()[0])


def held_back(connection: Connection, batch_id: int) -> dict[HeldBack, int]:
    """Count the queued jobs of a batch that no runner buys, by the reason."""
    of_batch = {"batch": batch_id}
    found = {HeldBack(reason): count for reason, count in connection.execute(_HELD_BACK, of_batch)}
    unasked = int(connection.execute(_UNASKED, of_batch).fetchone()[0])
    return found | ({HeldBack.UNASKED: unasked} if unasked else {})


def prices(connection: Connection) -> dict[str, PriceRow]:
    """Read what is known of each kind's price, by kind in its order."""
    return {one.kind: one for one in _PRICE.all(connection, "FROM price ORDER BY kind", {})}
