"""Steering from another terminal: retry, cancel and remove, beside a run.

Each is a guarded change of the job table; a runner that is alive takes it up within a second.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from batchsora.app import held, wording
from batchsora.app.exits import Exit
from batchsora.app.start import Teller
from batchsora.manifest import values
from batchsora.manifest.errors import CellError
from batchsora.settings import Settings, SettingsError
from jobs.clock import Clock
from jobs.errors import NotAllowedError
from jobs.lock import lasting_runner
from jobs.money import usd_text
from jobs.states import FailureKind, JobState
from jobs.store import Store, accounts, handing, holding, steering, views
from jobs.store.views import Wanted

CHUNK = 500
"""Jobs that one transaction moves, so that a runner never waits for long."""

PASSING = (FailureKind.SYSTEM, FailureKind.TIMEOUT)
"""Failures that another attempt may get past; the others' requests would fail again."""

CHANGED = "the jobs have changed since they were shown; nothing was changed: look at them again"

_WHY_NOT = {
    JobState.QUEUED: "it is queued already",
    JobState.SUBMITTING: "it is being submitted just now",
    JobState.IN_DOUBT: "it is in doubt whether it was paid for; 'batchsora reconcile' looks",
    JobState.PENDING: "it is paid for, and under way",
    JobState.PROCESSING: "it is paid for, and under way",
    JobState.COMPLETED: "it is completed",
    JobState.CANCELLED: "it is cancelled already",
}
_UNENDED = "its generation is paid for and may still finish: 'batchsora run' looks again"
_LEFT_ALONE = {
    FailureKind.OVERDUE: "are paid for and may still finish; 'batchsora run' looks again",
    FailureKind.NO_FILE: "are paid for and may still get their file; 'batchsora run' asks again",
    FailureKind.UNKNOWN: "are not understood, so left alone; read why with 'batchsora jobs "
    "--status failed --kind unknown', then --kind unknown retries them",
}
"""What is said of failures that were not meant; of the other kinds: they would fail again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A job that a command left as it was."""

    job: str
    batch: str
    reason: str


def retry(
    wanted: Wanted,
    settings: Settings,
    store: Store,
    teller: Teller,
    *,
    prompt: str | None = None,
    dry: bool,
    consent: bool,
    shown: str | None = None,
) -> Exit:
    """Queue failed jobs for another attempt, after saying what that costs.

    Without keys and kinds only those are meant that another attempt may get past. With another
    prompt it is one job, and only a change in its manifest changes that again. A job that is held
    back is bought when it is named.

    Args:
        wanted: which jobs.
        settings: of the command.
        store: for writing.
        teller: speaks to the person.
        prompt: instead of the job's own.
        dry: only say what it would cost.
        consent: the person has agreed already.
        shown: :func:`digest` of the jobs that the person agreed to; others are not bought.

    Raises:
        SettingsError: nothing can be bought by that prompt.
        jobs.errors.NotFoundError: there is no such batch or job.
        NotAllowedError: nobody agreed.
    """
    words = None if prompt is None else _prompt(prompt)
    found, refused = _split(store, wanted, _may_be_retried, JobState.FAILED)
    chosen = [job for job in found if _meant(job, wanted)]
    if shown is not None and shown != digest(job.key for job in chosen):
        raise NotAllowedError(CHANGED)
    for job in chosen:
        if (why := held.words_of(job)) is not None:
            teller.say(f"{job.key} is {why}")
    others = Counter(job.error_kind for job in found if not _meant(job, wanted))
    known = store.read(accounts.known_prices)
    cost = sum(known[job.kind].last_micros for job in chosen if job.kind in known)
    unpriced = sum(job.kind not in known for job in chosen)
    for kind, count in sorted(others.items()):
        would = f"would fail again, so left alone; --kind {kind} retries them"
        teller.say(f"{count} failed by {kind} {_LEFT_ALONE.get(kind, would)}")
    document: dict[str, Any] = {
        "retried": [job.key for job in chosen],
        "refused": [_refused_json(one) for one in refused],
        "cost": usd_text(cost),
        "unpriced": unpriced,
        "dry_run": dry,
    }
    price = wording.cost_text(cost, unpriced)
    if dry or not chosen:
        _tell_refused(refused, teller)
        room = _room(store, chosen)
        text = f"{len(chosen)} job(s) would be bought again for {price}{room}" if chosen else ""
        teller.result(document, lambda: text or "nothing to retry")
        return Exit.USAGE if refused else Exit.DONE
    _agree(f"Buy {len(chosen)} job(s) again for {price}?", teller, consent=consent)
    moved = _in_chunks(store, [job.id for job in chosen], teller, _mover(words))
    refused += [
        _refusal(store, job) for job in chosen if job.id not in moved
    ]  # something else was quicker
    document["retried"] = [job.key for job in chosen if job.id in moved]
    document["refused"] = [_refused_json(one) for one in refused]
    _tell_refused(refused, teller)
    taken = hand_over(store, settings, sorted(moved))
    teller.result(document, lambda: f"{len(moved)} job(s) queued again for {price}; {taken}")
    return Exit.USAGE if refused else Exit.DONE


def digest(keys: Iterable[str]) -> str:
    """Name a list of jobs in a few letters, to see whether it is the one that was shown."""
    return blake2b("\0".join(keys).encode(), digest_size=8).hexdigest()


def _prompt(text: str) -> str:
    """Read a prompt as a manifest's is read."""
    try:
        return values.prompt(text)
    except CellError as error:
        raise SettingsError(f"--prompt: {error.problem}. {error.remedy}") from error


def _mover(words: str | None) -> Callable[[Connection, Sequence[int]], list[int]]:
    if words is None:
        return steering.retry
    return lambda c, ids: [number for number in ids if steering.reword(c, number, words)]


def redo(job: Any, settings: Settings, store: Store, teller: Teller) -> bool:
    """Queue a completed job for another attempt, whose cost the caller has told and asked about.

    Returns:
        False when the job is not completed any more, or its row left the manifest.
    """
    if not store.write(lambda c: steering.redo(c, [job.id])):
        return False
    taken = hand_over(store, settings, [job.id])
    teller.say(f"{job.key} is queued again; its first video stays in its history; {taken}")
    return True


def cancel(wanted: Wanted, store: Store, clock: Clock, teller: Teller, *, consent: bool) -> Exit:
    """Take queued jobs out of the queue.

    Raises:
        jobs.errors.NotFoundError: there is no such batch or job.
        NotAllowedError: nobody agreed.
    """
    found, refused = _split(store, wanted, _is_queued, JobState.QUEUED)
    if found:
        _agree(f"Cancel {len(found)} queued job(s)?", teller, consent=consent)
    now = clock.now()
    moved = _in_chunks(
        store, [job.id for job in found], teller, lambda c, ids: steering.cancel(c, ids, now)
    )
    refused += [_refusal(store, job) for job in found if job.id not in moved]
    _tell_refused(refused, teller)
    document = {
        "cancelled": [job.key for job in found if job.id in moved],
        "refused": [_refused_json(one) for one in refused],
    }
    teller.result(document, lambda: f"{len(moved)} job(s) cancelled, unpaid")
    return Exit.USAGE if refused else Exit.DONE


def remove(name: str, store: Store, clock: Clock, teller: Teller, *, consent: bool) -> Exit:
    """Take a batch out of every list; files, charges and what is known of them stay.

    Raises:
        jobs.errors.NotFoundError: there is no such batch.
        NotAllowedError: something of it is under way or in doubt, or nobody agreed.
    """

    def look(connection: Connection) -> views.BatchStatus:
        (batch,) = views.find_batches(connection, name)
        return views.batch_status(connection, batch)

    status = store.read(look)
    unpaid = status.jobs[JobState.QUEUED]
    loses = f" and cancel its {unpaid} queued job(s)" if unpaid else ""
    _agree(f"Remove the batch {name!r}{loses}?", teller, consent=consent)
    now = clock.now()
    cancelled = store.write(lambda c: steering.remove(c, status.id, now))
    teller.result(
        {"batch": name, "cancelled": cancelled},
        lambda: f"{name} is removed; its files are where they were, and what was paid stays known",
    )
    return Exit.DONE


def _may_be_retried(job: Any) -> bool:
    return job.state in (JobState.FAILED, JobState.CANCELLED) or held.reason_of(job) is not None


def _is_queued(job: Any) -> bool:
    return bool(job.state == JobState.QUEUED)


def _split(
    store: Store, wanted: Wanted, fits: Callable[[Any], bool], unnamed: JobState
) -> tuple[list[Any], list[Refused]]:
    """Find the jobs that are meant, and those that were named and don't fit.

    Where none are named, all in one state are meant.
    """
    if not wanted.keys:
        return store.read(lambda c: list(views.jobs(c, replace(wanted, states=[unnamed])))), []

    def named(connection: Connection) -> list[Any]:
        return [views.find_job(connection, key, wanted.batch) for key in wanted.keys]

    found = store.read(named)
    return [job for job in found if fits(job)], [_reason(job) for job in found if not fits(job)]


def _meant(job: Any, wanted: Wanted) -> bool:
    """Say whether a failure is meant that the person did not name."""
    return bool(wanted.keys or wanted.kinds) or job.error_kind in PASSING


def _reason(job: Any) -> Refused:
    if job.state in (JobState.FAILED, JobState.CANCELLED) and not job.in_manifest:
        reason = "its row is no longer in the manifest"
    else:
        reason = _WHY_NOT.get(job.state, _UNENDED)
    return Refused(job.key, job.batch, reason)


def _refusal(store: Store, job: Any) -> Refused:
    """Say why a job did not move after all."""
    return _reason(store.read(lambda c: views.find_job(c, f"#{job.id}")))


def _refused_json(refused: Refused) -> dict[str, str]:
    return {"job": refused.job, "batch": refused.batch, "reason": refused.reason}


def _tell_refused(refused: Sequence[Refused], teller: Teller) -> None:
    for one in refused[: wording.SHOWN]:
        teller.say(f"{one.job} stays as it is: {one.reason}")
    if len(refused) > wording.SHOWN:
        teller.say(f"and {len(refused) - wording.SHOWN} more; --json lists all")


def _agree(question: str, teller: Teller, *, consent: bool) -> None:
    """Ask before something is changed.

    Raises:
        NotAllowedError: the person said no, or nobody can be asked.
    """
    if consent:
        return
    if not teller.can_ask():
        raise NotAllowedError(f"{question} Nobody is here to ask: say --yes. Nothing was changed")
    if not teller.confirm(question):
        raise NotAllowedError("nothing was changed")


def _room(store: Store, jobs: Sequence[Any]) -> str:
    """Say what the caps of the batches leave."""
    names = {job.batch for job in jobs}

    def work(connection: Connection) -> list[str]:
        rooms = []
        for batch in views.find_batches(connection):
            if batch.name in names:
                money = views.batch_status(connection, batch).money
                if money.cap is not None:
                    rooms.append(f"${usd_text(max(0, money.cap - money.used))} in {batch.name}")
        return rooms

    rooms = store.read(work)
    return f"; the caps leave {', '.join(rooms)}" if rooms else ""


def _in_chunks(
    store: Store,
    ids: Sequence[int],
    teller: Teller,
    move: Callable[[Connection, Sequence[int]], list[int]],
) -> set[int]:
    moved: set[int] = set()
    try:
        for chunk in chunks(ids):
            moved.update(store.write(lambda c, chunk=chunk: move(c, chunk)))  # type: ignore[misc]
    except KeyboardInterrupt:
        teller.say(f"stopped when {len(moved)} of {len(ids)} jobs had been moved; those stay so")
        raise
    return moved


def hand_over(store: Store, settings: Settings, job_ids: Sequence[int]) -> str:
    """Hand jobs, and nothing else of their batches, to the runner that is alive, if there is one.

    Returns:
        Who buys them.
    """
    runner = lasting_runner(settings.database)
    if runner is None:
        return "'batchsora run' goes on from there"
    for chunk in chunks(job_ids):
        store.write(lambda c, chunk=chunk: handing.hand_over(c, chunk))  # type: ignore[misc]
    return f"the runner takes it up ({runner})"


def ask_for(store: Store, job_ids: Sequence[int]) -> None:
    """Hand jobs to the runner that is alive, also those that were held back."""

    def work(connection: Connection, chunk: Sequence[int]) -> None:
        holding.ask_for(connection, chunk)
        handing.hand_over(connection, chunk)

    for chunk in chunks(job_ids):
        store.write(lambda c, chunk=chunk: work(c, chunk))  # type: ignore[misc]


def chunks(job_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut a list of jobs into what one transaction changes."""
    for start in range(0, len(job_ids), CHUNK):
        yield job_ids[start : start + CHUNK]
