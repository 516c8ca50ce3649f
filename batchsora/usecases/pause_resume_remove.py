"""Pause a batch, resume it after saying what a runner then buys, and remove it."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchsora.composition.exit_codes import Exit
from batchsora.presentation import held
from batchsora.presentation.cost import cost_of_jobs
from batchsora.settings import Settings
from batchsora.usecases.hand_over import hand_over
from batchsora.usecases.retry_cancel_abandon import CHANGED, agree, digest
from batchsora.usecases.user_interface import UserInterface
from jobs.model.clock import Clock
from jobs.model.errors import NotAllowedError
from jobs.model.states import JobState
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow
from jobs.store import Store
from jobs.system import quote


def pause(name: str, store: Store, ui: UserInterface) -> None:
    """Pause a batch: nothing more of it is submitted.

    Raises:
        jobs.model.errors.NotFoundError: there is no such batch.
    """
    changed, status = store.control.pause(name)
    under_way = status.jobs[JobState.PENDING] + status.jobs[JobState.PROCESSING]
    said = f"{name} is paused: nothing more is submitted until 'batchsora resume "
    said += f"{quote(name)}'"
    said += f"; {under_way} paid video(s) are still downloaded" if under_way else ""
    ui.result({"batch": name, "paused": True, "changed": changed}, lambda: said)


@dataclass(frozen=True, slots=True)
class ToResume:
    """What resuming a batch lets a runner buy: its queued jobs that nothing holds back.

    Attributes:
        active: the active runner already serves the whole batch.
        cost: for people.
        held: what is held back, for people.
    """

    active: bool
    jobs: Sequence[int]
    cost: str
    held: Sequence[str]

    @property
    def text(self) -> str:
        """Return how many videos, and their cost."""
        return f"{len(self.jobs)} video(s) left to buy, for {self.cost}"

    @property
    def digest(self) -> str:
        """Return a short digest of the jobs."""
        return digest(map(str, self.jobs))


def to_resume(seen: QueryStore, batch: BatchRow) -> ToResume:
    """Return what resuming a batch lets a runner buy."""
    found = seen.queued(batch.id)
    price = cost_of_jobs(found, seen.prices()).text
    lines = tuple(held.lines(seen.status(batch)))
    return ToResume(batch.active, [job.id for job in found], price, lines)


def resume(
    name: str,
    settings: Settings,
    store: Store,
    ui: UserInterface,
    clock: Clock,
    *,
    shown: str | None = None,
) -> None:
    """Resume a batch: the active runner gets what is queued now.

    What is held back, and what is loaded later, is not included.

    Args:
        shown: digest of the jobs that the person agreed to; others are not handed over.

    Raises:
        jobs.model.errors.NotFoundError: there is no such batch.
        NotAllowedError: these are no longer the jobs that were shown.
    """

    def agree(seen: QueryStore, batch: BatchRow) -> ToResume:
        found = to_resume(seen, batch)
        if shown is not None and shown != found.digest:
            raise NotAllowedError(CHANGED)
        return found

    changed, found = store.control.resume(name, agree)
    taken = hand_over(store, settings, found.jobs, clock.now(), serves_batch=found.active)
    for line in found.held:
        ui.say(line)
    ui.result(
        {"batch": name, "paused": False, "changed": changed, "queued": len(found.jobs)},
        lambda: _resumed(name, f"{found.text}; {taken}" if found.jobs else "", changed=changed),
    )


def _resumed(name: str, left: str, *, changed: bool) -> str:
    now = "is resumed" if changed else "was not paused"
    return f"{name} {now}: {left or '0 video(s) left to buy'}"


def remove(name: str, store: Store, clock: Clock, ui: UserInterface, *, consent: bool) -> Exit:
    """Remove a batch from all lists; its files and the record of its payments stay.

    Raises:
        jobs.model.errors.NotFoundError: there is no such batch.
        NotAllowedError: part of it is under way or in doubt, or nobody agreed.
    """
    with store.queries.snapshot() as seen:
        (batch,) = seen.batches(name)
        status = seen.status(batch)
    unpaid = status.jobs[JobState.QUEUED]
    loses = f" and cancel its {unpaid} queued job(s)" if unpaid else ""
    agree(f"Remove the batch {name!r}{loses}?", ui, consent=consent)
    now = clock.now()
    cancelled = store.control.remove(status.id, now)
    ui.result(
        {"batch": name, "cancelled": cancelled},
        lambda: f"{name} is removed; its files and the record of its payments stay",
    )
    return Exit.DONE
