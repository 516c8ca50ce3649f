"""Rows that are held back: why, and what to type."""

from collections.abc import Collection, Iterator
from typing import Final

from batchsora import advice
from jobs.model.states import HeldBack, JobState
from jobs.ports.seen import BatchStatus, JobRow

WHY: Final = {
    HeldBack.UNASKED: "loaded, but not asked for yet",
    HeldBack.LEFT_OUT: "left out by --first or --sample",
    HeldBack.EXISTS: "in the account already",
    HeldBack.PAID_BEFORE: "paid for before in this database",
    HeldBack.ELSEWHERE: "bought elsewhere meanwhile",
    HeldBack.NOT_LOOKED: "not looked for in the account's list",
}
"""What holds a row back, for people."""


def lines(batch: BatchStatus, reasons: Collection[HeldBack] = tuple(HeldBack)) -> Iterator[str]:
    """Yield what of a batch is held back, why, and what to type."""
    for reason, count in batch.held_back.items():
        if reason not in reasons:
            continue
        what = advice.of_held(reason, batch.name)
        yield f"{batch.name}: {count} held back ({WHY[reason]}): {what}"


def short_lines(batch: BatchStatus) -> Iterator[str]:
    """Yield the same without the batch's name, for a narrow screen."""
    for reason, count in batch.held_back.items():
        yield f"{count} {WHY[reason]}"
        yield f"  {advice.of_held(reason, batch.name)}"


def reason_of(job: JobRow) -> HeldBack | None:
    """Return why a job is held back; None where it is not."""
    if job.held_back is None or job.state != JobState.QUEUED:
        return None
    return HeldBack(job.held_back)


def words_of(job: JobRow) -> str | None:
    """Return why a job is held back, for people; None where it is not."""
    reason = reason_of(job)
    if reason is None:
        return None
    by = f" ({job.held_back_by})" if job.held_back_by else ""
    return f"held back: {WHY[reason]}{by}"
