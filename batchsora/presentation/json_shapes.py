"""Status and jobs, as JSON for scripts and as text for people."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from batchsora import advice
from batchsora.presentation import held
from batchsora.presentation.cost import money_text
from batchsora.presentation.request_words import images_of, model_text
from batchsora.presentation.terminal_text import state_text
from batchsora.result_columns import RESULT_COLUMNS
from jobs.database.lock import RunnerInfo
from jobs.model.ledger import Budget
from jobs.model.money import usd_text
from jobs.model.states import JobState
from jobs.ports.seen import BatchStatus, DoubtRow, FailureGroup, JobRow


def usd_or_none(micros: int | None) -> str | None:
    """Return an amount in USD as a decimal string; None where it is not known."""
    return None if micros is None else usd_text(micros)


def money_json(budget: Budget) -> dict[str, str | None]:
    """Return a budget's totals as decimal strings in USD; ``refunded`` is a part of ``charged``."""
    return {
        "cap": usd_or_none(budget.cap),
        "charged": usd_or_none(budget.charged),
        "held": usd_or_none(budget.held),
        "refunded": usd_or_none(budget.refunded),
        "free": usd_or_none(budget.free),
    }


def status_json(
    batches: Iterable[BatchStatus], balance: int | None, runner: RunnerInfo | None
) -> dict[str, Any]:
    """Return the progress of batches (design.md, *JSON*)."""
    return {
        "batches": [batch_json(batch, runner) for batch in batches],
        "balance": usd_or_none(balance),
    }


def batch_json(batch: BatchStatus, runner: RunnerInfo | None) -> dict[str, Any]:
    """Return the progress of one batch."""
    return {
        "batch": batch.name,
        "jobs": {"total": batch.total} | batch.jobs,
        "money": money_json(batch.money),
        "campaigns": {name: money_json(budget) for name, budget in batch.campaigns.items()},
        "waiting_for": batch.waiting_for,
        "paused": batch.paused,
        "runner": None if runner is None or not batch.active else str(runner),
        "held_back": {str(reason): count for reason, count in batch.held_back.items()},
        "failed_kinds": batch.failed_kinds,
        "files_missing": batch.files_missing,
        "paid_twice": usd_text(batch.twice),
        "doubts": [_doubt_json(doubt) for doubt in batch.doubts],
    }


def _doubt_json(doubt: DoubtRow) -> dict[str, Any]:
    """Return an unconfirmed submission, and the generations that it may be."""
    return {
        "job": doubt.key,
        "sent_at": iso(doubt.intent_at),
        "doubt_since": iso(doubt.doubt_since),
        "reason": doubt.error,
        "unproven": doubt.unproven,
        "held": usd_text(doubt.hold_micros),
        "candidates": doubt.candidates or [],
    }


def status_text(
    batches: Sequence[BatchStatus], balance: int | None, runner: RunnerInfo | None
) -> str:
    """Return the progress of batches for people, within 80 columns."""
    lines: list[str] = []
    for batch in batches:
        done, total = batch.total - batch.left, batch.total
        lines.append(f"{batch.name}: {done} of {total} done{' (paused)' if batch.paused else ''}")
        counts = [f"{count} {state_text(state)}" for state, count in batch.jobs.items() if count]
        lines.append(f"  jobs      {', '.join(counts) or 'none'}")
        held_back = list(held.short_lines(batch))
        lines += [f"  {'held back' if n == 0 else '':9} {s}" for n, s in enumerate(held_back)]
        if batch.failed_kinds:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(batch.failed_kinds.items()))
            lines.append(f"  failed    {kinds}")
            lines += [
                f"            {kind}: {advice.of_kind(kind, batch.name)}"
                for kind in sorted(batch.failed_kinds)
            ]
        lines.append(f"  money     {money_text(batch.money)}")
        if batch.twice:
            lines.append(f"  twice     {twice_text(batch)}")
        lines += [
            f"  campaign  {name}: {money_text(budget)}" for name, budget in batch.campaigns.items()
        ]
        if batch.files_missing:
            lines.append(f"  files     {batch.files_missing} still to download")
        if batch.waiting_for:
            lines.append(f"  waits for {batch.waiting_for}")
        lines += _doubts_text(batch.doubts)
    lines.append(f"last known balance: {'unknown' if balance is None else '$' + usd_text(balance)}")
    lines.append("no runner" if runner is None else f"runner: {runner}")
    return "\n".join(lines)


def twice_text(batch: BatchStatus) -> str:
    """Return what a batch paid for twice, and where its jobs are listed."""
    return (
        f"${usd_text(batch.twice)} paid for twice: generations turned up after they had counted "
        "as never made and had been bought again; 'batchsora reconcile' lists them"
    )


SHOWN_DOUBTS = 5


def _doubts_text(doubts: Sequence[DoubtRow]) -> list[str]:
    """Return the doubts that a person must settle, and how."""
    lines: list[str] = []
    contested = [doubt for doubt in doubts if doubt.candidates]
    for doubt in contested[:SHOWN_DOUBTS]:
        lines.append(f"  unconfirmed {doubt.key} could be any of:")
        lines += [f"              {candidate_text(one)}" for one in doubt.candidates or ()]
    if contested:
        lines.append("            'batchsora resolve JOB --generation ID' assigns one")
    open_ones = [doubt for doubt in doubts if doubt.unproven and not doubt.candidates]
    for doubt in open_ones[:SHOWN_DOUBTS]:
        lines.append(f"  unconfirmed  {doubt.key}: {doubt.unproven}")
    if open_ones:
        lines.append("            'batchsora resolve JOB --never-made', if it was never made")
    more = len(doubts) - len(contested[:SHOWN_DOUBTS]) - len(open_ones[:SHOWN_DOUBTS])
    if more:
        lines.append(f"  unconfirmed {more} more: 'batchsora run' checks them")
    return lines


def candidate_text(candidate: Mapping[str, Any]) -> str:
    """Return a generation that a doubt may be: its id, its state, when it was made."""
    made = candidate["created_at"]
    when = "" if made is None else f" {datetime.fromisoformat(made):%m-%d %H:%M:%S} UTC"
    return f"{candidate['generation_id']} {candidate['status']}{when}"


def job_json(job: JobRow) -> dict[str, Any]:
    """Return one job for scripts: what it is, then the columns of its results."""
    results = {column.name: _json_value(column.of(job)) for column in RESULT_COLUMNS}
    return {
        "job": job.key,
        "batch": job.batch,
        "row": job.row,
        "prompt": job.prompt,
        "orientation": job.orientation,
        "duration": job.duration,
        "image": None if job.image is None else job.image["source"],
        "images": images_of(job.asked),
        "parameters": dict(job.parameters),
        "campaign": job.campaign,
        "priority": job.priority,
        "percent": job.percent,
        "queue_position": job.queue_position,
        "said_state": job.said_state,
        "held": usd_text(job.hold_micros or 0)
        if job.attempt_state in ("open", "in_doubt")
        else "0.00",
        "download_error": job.download_error,
        "held_back": held.reason_of(job),
        "held_back_by": job.held_back_by,
        **results,
        "model": results["model"] or model_text(job.kind),
        "price": usd_text(job.charged_micros),  # a sum for scripts: 0.00 where nothing was bought
        "error": job.error or (job.attempt_error if job.state == JobState.IN_DOUBT else None),
    }


def _json_value(value: Any) -> Any:
    return iso(value) if isinstance(value, datetime) else value


def failure_json(failure: FailureGroup) -> dict[str, Any]:
    """Return a group of failures for scripts."""
    return {
        "error_kind": failure.error_kind,
        "error": failure.error,
        "jobs": failure.jobs,
        "charged": usd_text(failure.charged_micros),
        "example": failure.example,
    }


def failures_text(failures: Sequence[FailureGroup]) -> str:
    """Return groups of failures for people: how many, of which kind, in which words."""
    lines = []
    for one in failures:
        spent = f"${usd_text(one.charged_micros)}"
        words = " ".join((one.error or "no reason given").split())
        lines.append(f"{one.jobs:>6} {one.error_kind:10} {spent:>8}  {one.example}: {words}")
    return "\n".join(lines) or "nothing failed"


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def said_words(job: JobRow) -> str:
    """Return the provider's word for an unfinished job's state, if we know no other."""
    if job.said_state is None or job.state not in (JobState.PENDING, JobState.PROCESSING):
        return ""
    return f"the provider says {job.said_state!r}"


def near(file: str) -> str:
    """Return a path relative to the working directory, if it is below."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):  # it lies elsewhere, or this folder is gone
        return file
