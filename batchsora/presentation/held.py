"""Rows that are held back: why, and what to type."""

from collections.abc import Collection, Iterator
from typing import Final

from jobs.model.states import ASKED_BY_NAME, HeldBack, JobState
from jobs.ports.seen import BatchStatus, JobRow
from jobs.system import quote

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
        yield f"{batch.name}: {count} held back ({WHY[reason]}): {_way_on(reason, batch.name)}"


def short_lines(batch: BatchStatus) -> Iterator[str]:
    """Yield the same without the batch's name, for a narrow screen."""
    for reason, count in batch.held_back.items():
        yield f"{count} {WHY[reason]}"
        yield f"  {_way_on(reason, batch.name)}"


def _way_on(reason: HeldBack, name: str) -> str:
    run = f"batchsora run --batch {quote(name)}"
    if reason in ASKED_BY_NAME:
        return f"'{run}' buys them"
    if reason is HeldBack.NOT_LOOKED:  # nothing was found that could be taken over
        return f"'{run}' checks for them; with --buy-again it buys them unchecked"
    if reason is HeldBack.PAID_BEFORE:  # perhaps nothing is finished yet
        return (
            f"'{run}' with --adopt-existing takes over what is finished, --buy-again buys "
            "them again"
        )
    return f"'{run}' with --adopt-existing or --buy-again"


def paused(name: str) -> str:
    """Return what it means that a batch is paused, and what to type."""
    resume = f"'batchsora resume {quote(name)}'"
    return f"{name} is paused, so nothing of it is bought: {resume} continues it"


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
