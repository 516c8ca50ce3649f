"""What a program gets of a batch: how a run ended, and each row with its result."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from batchsora.composition.exit_codes import Exit
from batchsora.presentation.json_shapes import job_json
from jobs.ports.seen import JobRow


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended.

    Attributes:
        exit: the command line's exit code: 0 all done, 3 some failed, 4 stopped by money, 7 in
            doubt, 130 interrupted (docs/design.md).
        status: of the batch, as in ``status --json``.
        notes: what a person would have been told.
    """

    exit: int
    status: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Check that every row has its video."""
        return self.exit == Exit.DONE


@dataclass(frozen=True, slots=True)
class JobResult:
    """One wanted video, and what became of it.

    Attributes:
        status: ``queued submitting in_doubt pending processing completed failed cancelled``.
        price: in USD, what its attempts were charged.
        file: the downloaded video.
        error_kind: ``validation image content system timeout overdue unknown no-file``, if it
            failed.
        cells: the manifest's row as written.
    """

    key: str
    row: int
    status: str
    prompt: str
    generation_id: str | None
    price: Decimal
    video_url: str | None
    file: Path | None
    error_kind: str | None
    error: str | None
    attempts: int
    cells: dict[str, str]
    _json: dict[str, Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return one flat record: the manifest's own columns, then those of ``jobs --json``."""
        return {**self.cells, **self._json}


def job_result(job: JobRow) -> JobResult:
    """Make a result of a job with its last attempt and file."""
    return JobResult(
        key=job.key,
        row=job.row,
        status=job.state,
        prompt=job.prompt,
        generation_id=job.generation_id,
        price=Decimal(job.charged_micros) / 1_000_000,
        video_url=job.video_url,
        file=Path(job.file) if job.file and job.sha256 else None,
        error_kind=job.error_kind,
        error=job.error,
        attempts=job.attempts,
        cells=dict(job.cells),
        _json=job_json(job),
    )
