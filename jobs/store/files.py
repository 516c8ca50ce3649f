"""The files of completed jobs: which are wanted, and which are there."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from ..database.tables import ARTIFACT, ATTEMPT, BATCH, JOB
from ..ports.loading import Place, WantedFile
from ..ports.seen import FileRow
from .prepared import Prepared, as_list, columns_from, one_of

UNFILED_JOB = text("job.state = 'completed' AND job.filed_attempt_id IS NOT job.attempt_id")
IN_BATCH = text("job.batch_id BETWEEN :batch AND :batch")
"""With an equality SQLite would use another index, and read every completed job of the batch."""

_WANTED = (
    select(
        *columns_from(
            JOB,
            WantedFile,
            job_id=JOB.c.id,
            batch=BATCH.c.name,
            generation_id=ATTEMPT.c.generation_id,
            tries=func.coalesce(ARTIFACT.c.tries, 0),
            path=ARTIFACT.c.path,
        )
    )
    .join(ATTEMPT, ATTEMPT.c.id == JOB.c.attempt_id)
    .join(BATCH, BATCH.c.id == JOB.c.batch_id)
    .outerjoin(ARTIFACT, ARTIFACT.c.attempt_id == JOB.c.attempt_id)
    .where(UNFILED_JOB, IN_BATCH, JOB.c.id > bindparam("after"))
    .order_by(JOB.c.batch_id, JOB.c.id)
    .limit(bindparam("most"))
)
_ALL_WANTED = Prepared(_WANTED, WantedFile)
_SOME_WANTED = Prepared(_WANTED.where(JOB.c.key.in_(one_of("keys"))), WantedFile)
_FILE = select(*columns_from(ARTIFACT, FileRow, job_id=JOB.c.id, key=JOB.c.key)).where(
    ARTIFACT.c.sha256.is_not(None)
)
_THERE = Prepared(
    _FILE.join(JOB, JOB.c.attempt_id == ARTIFACT.c.attempt_id).where(
        JOB.c.batch_id.in_(one_of("batches"))
    ),
    FileRow,
)
_FILE_OF = Prepared(
    _FILE.join(JOB, JOB.c.id == ARTIFACT.c.job_id).where(
        ARTIFACT.c.attempt_id == bindparam("attempt")
    ),
    FileRow,
)


def wanted_files(
    connection: Connection,
    batch_ids: Sequence[int],
    limit: int,
    *,
    after: Place = (0, 0),
    keys: Sequence[str] = (),
) -> list[WantedFile]:
    """List completed jobs without a file, a page at a time."""
    found: list[WantedFile] = []
    statement, values = (_SOME_WANTED, {"keys": as_list(keys)}) if keys else (_ALL_WANTED, {})
    for batch in sorted(number for number in batch_ids if number >= after[0]):
        begin = after[1] if batch == after[0] else 0
        most = limit - len(found)
        found += statement.all(connection, batch=batch, after=begin, most=most, **values)
        if len(found) == limit:
            break
    return found


def files_there(connection: Connection, batch_ids: Sequence[int]) -> list[FileRow]:
    """List the fetched files, to check that they exist."""
    return _THERE.all(connection, batches=as_list(batch_ids))


def file_of(connection: Connection, attempt_id: int) -> FileRow | None:
    """Read the file of an attempt, with its job's key; None when it is not here."""
    return _FILE_OF.first(connection, attempt=attempt_id)


def is_of_another(connection: Connection, wanted: WantedFile, path: str) -> bool:
    """Check whether the file of another attempt is at a path: reads all, so only in doubt."""
    other = (ARTIFACT.c.path == path, ARTIFACT.c.attempt_id != wanted.attempt_id)
    there = select(ARTIFACT.c.attempt_id).where(*other, ARTIFACT.c.sha256.is_not(None))
    return connection.execute(there.limit(1)).first() is not None


def plan_file(connection: Connection, wanted: WantedFile, path: str) -> None:
    """Write down where a file will be, so that what a crash leaves there is known as ours."""
    _upsert(connection, wanted, path=path)


def record_file(
    connection: Connection, wanted: WantedFile, path: str, size: int, sha256: str, now: datetime
) -> None:
    """Write down that a file is there, whole."""
    _upsert(
        connection,
        wanted,
        path=path,
        bytes=size,
        sha256=sha256,
        fetched_at=now,
        error=None,
        tries=wanted.tries + 1,
    )
    connection.execute(
        update(JOB)
        .where(JOB.c.id == wanted.job_id, JOB.c.attempt_id == wanted.attempt_id)
        .values(filed_attempt_id=wanted.attempt_id)
    )


def record_file_error(connection: Connection, wanted: WantedFile, error: str) -> None:
    """Write down why a file could not be fetched; its job stays completed."""
    _upsert(connection, wanted, error=error, tries=wanted.tries + 1)


def forget_files(connection: Connection, gone: Iterable[FileRow]) -> None:
    """Make files wanted again that are gone, also for the jobs that share them."""
    for one in gone:
        whose = ARTIFACT.c.attempt_id == one.attempt_id
        lost = {"sha256": None, "error": "the file is no longer where it was put"}
        connection.execute(update(ARTIFACT).where(whose).values(lost))
        owner = connection.execute(select(ARTIFACT.c.job_id).where(whose)).scalar_one()
        # by their numbers: OR with a subquery reads every job
        jobs = (JOB.c.id.in_([owner, one.job_id]), JOB.c.filed_attempt_id == one.attempt_id)
        connection.execute(update(JOB).where(*jobs).values(filed_attempt_id=None))


def _upsert(connection: Connection, wanted: WantedFile, **values: object) -> None:
    done = connection.execute(
        update(ARTIFACT).where(ARTIFACT.c.attempt_id == wanted.attempt_id).values(values)
    )
    if done.rowcount == 0:
        first = {"attempt_id": wanted.attempt_id, "job_id": wanted.job_id, "tries": 0}
        connection.execute(insert(ARTIFACT).values(first | values))
