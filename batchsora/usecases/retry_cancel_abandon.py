"""Steering from another terminal: retry, cancel and abandon jobs, beside a run.

Each is a guarded change of the job table; a runner that is alive takes it up within a second.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from batchsora import advice
from batchsora.advice import PASSING, Again
from batchsora.composition.exit_codes import Exit
from batchsora.manifest import values
from batchsora.manifest.errors import CellError
from batchsora.options import RunOptions
from batchsora.presentation import held, messages
from batchsora.presentation.cost import cost_of_jobs
from batchsora.settings import Settings, SettingsError
from batchsora.usecases.hand_over import chunks, hand_over
from batchsora.usecases.user_interface import UserInterface
from jobs.model.clock import Clock
from jobs.model.errors import NotAllowedError
from jobs.model.money import usd_text
from jobs.model.retry import Patience, WhyNot
from jobs.model.states import AttemptState, JobState
from jobs.ports.seen import JobRow
from jobs.ports.selection import Wanted
from jobs.store import Store

CHANGED = "the jobs have changed since they were shown. Nothing was changed; look at them again"

STILL_SEEN = "runs keep checking it, and take its video if it finishes before it is bought again"

_WHY_NOT = {
    WhyNot.QUEUED: "it is queued already",
    WhyNot.SUBMITTING: "it is being submitted now",
    WhyNot.IN_DOUBT: "it is unconfirmed, perhaps paid for; 'batchsora reconcile' checks",
    WhyNot.UNDER_WAY: "it is paid for, and under way",
    WhyNot.YOUNG: "it is paid for, and a run still waits for it",
    WhyNot.UNENDED: "its generation is paid for and may still finish: 'batchsora run' checks it "
    "again; 'batchsora abandon' gives it up",
    WhyNot.ENDED: "its generation has ended",
    WhyNot.COMPLETED: "it is completed",
    WhyNot.CANCELLED: "it is cancelled already",
    WhyNot.GONE: "its row is no longer in the manifest",
}
_STATES = {
    JobState.QUEUED: WhyNot.QUEUED,
    JobState.SUBMITTING: WhyNot.SUBMITTING,
    JobState.IN_DOUBT: WhyNot.IN_DOUBT,
    JobState.PENDING: WhyNot.UNDER_WAY,
    JobState.PROCESSING: WhyNot.UNDER_WAY,
    JobState.COMPLETED: WhyNot.COMPLETED,
    JobState.FAILED: WhyNot.ENDED,
    JobState.CANCELLED: WhyNot.CANCELLED,
}
"""What is said of a job that can't be cancelled."""


Rule = Callable[[Sequence[int]], dict[int, WhyNot | None]]
"""From numbers of jobs to why each may not be moved; None: it may."""


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
    ui: UserInterface,
    *,
    prompt: str | None = None,
    dry: bool,
    consent: bool,
    clock: Clock,
    shown: str | None = None,
    give_up: Patience | None = None,
) -> Exit:
    """Queue failed jobs again, after saying what that costs.

    Without keys and kinds only those that another attempt may get past. With another prompt it is
    one job, and only a change in its manifest changes that again. A job that is held back is bought
    if it is named.

    Args:
        prompt: replaces the job's own.
        dry: only say what it would cost.
        consent: the person has already agreed.
        shown: :func:`digest` of the jobs that the person agreed to; others are not bought.
        give_up: give up attempts that will not end first, on these terms (``--abandon``).

    Raises:
        SettingsError: not a valid prompt.
        jobs.model.errors.NotFoundError: there is no such batch or job.
        NotAllowedError: nobody agreed, or these are no longer the jobs that were shown.
    """
    words = None if prompt is None else _prompt(prompt)
    found = find(store, wanted, JobState.FAILED)
    meant = [job for job in found if _meant(job, wanted)]

    def rule(ids: Sequence[int]) -> dict[int, WhyNot | None]:
        return store.queries.may_be_retried(ids, give_up)

    def move(ids: Sequence[int]) -> list[int]:
        if words is None:
            return store.control.retry(ids, give_up, now=clock.now())
        return store.control.reword(ids, words, give_up)

    chosen, refused = sort_out(meant, rule)
    if shown is not None and shown != digest(job.key for job in chosen):
        raise NotAllowedError(CHANGED)
    for job in chosen:
        if (why := held.words_of(job)) is not None:
            ui.say(f"{job.key} is {why}")
    for note in _would_fail_again(chosen) if words is None else ():
        ui.say(note)
    others = Counter(job.error_kind or "" for job in found if not _meant(job, wanted))
    cost = cost_of_jobs(chosen, store.queries.prices())
    for kind, count in sorted(others.items()):
        ui.say(_left_alone(kind, count))
    document: dict[str, Any] = {
        "retried": [job.key for job in chosen],
        "refused": list(map(asdict, refused)),
        "cost": usd_text(cost.micros),
        "unpriced": cost.unpriced,
        "dry_run": dry,
    }
    price = cost.text
    stays = spent_text(chosen)
    again = again_text(chosen)
    if dry or not chosen:
        tell_refused(refused, ui)
        room = _room(store, chosen)
        said = f"{len(chosen)} job(s) would be bought{again} for {price}{stays}{room}"
        ui.result(document, lambda: said if chosen else "nothing to retry")
        return Exit.USAGE if refused else Exit.DONE
    agree(f"Buy {len(chosen)} job(s){again} for {price}{stays}?", ui, consent=consent)
    moved = move_all(chosen, refused, rule, move, ui)
    document["retried"] = [job.key for job in chosen if job.id in moved]
    document["refused"] = list(map(asdict, refused))
    taken = hand_over(store, settings, sorted(moved), clock.now())
    ui.result(document, lambda: f"{len(moved)} job(s) queued again for {price}; {taken}")
    return Exit.USAGE if refused else Exit.DONE


def _would_fail_again(chosen: Sequence[JobRow]) -> list[str]:
    """Return which of the jobs that were asked for would fail again as they are."""
    found = [(job.key, advice.of_job(job)) for job in chosen]
    notes = [f"{key}: {what}" for key, what in found if what and what.again is Again.FAILS]
    return messages.some(notes)


def _left_alone(kind: str, count: int) -> str:
    """Return why failures that nobody named are not bought again, and what to do instead."""
    what = advice.of_kind(kind)
    force = ""
    if what.again is Again.FAILS:
        force = f". To buy them unchanged: 'batchsora retry --kind {kind}'"
    return f"{count} failed by {kind}, not retried: {what}{force}"


def digest(keys: Iterable[str]) -> str:
    """Name a list of jobs in a few letters, to see whether it is the one that was shown."""
    return blake2b("\0".join(keys).encode(), digest_size=8).hexdigest()


def _prompt(text: str) -> str:
    """Read a prompt as a manifest's is read."""
    try:
        return values.prompt(text)
    except CellError as error:
        raise SettingsError(f"--prompt: {error.problem}. {error.remedy}") from error


def redo(job: JobRow, settings: Settings, store: Store, ui: UserInterface, clock: Clock) -> bool:
    """Queue a completed job again, whose cost the caller has shown; False if it has changed."""
    if not store.control.redo([job.id], clock.now()):
        return False
    taken = hand_over(store, settings, [job.id], clock.now())
    ui.say(f"{job.key} is queued again; its first video stays in its history; {taken}")
    return True


def cancel(wanted: Wanted, store: Store, clock: Clock, ui: UserInterface, *, consent: bool) -> Exit:
    """Cancel queued jobs; raise a NotFoundError or NotAllowedError if nothing was changed."""
    named = find(store, wanted, JobState.QUEUED)
    found = [job for job in named if job.state == JobState.QUEUED]
    refused = [_not_queued(job) for job in named if job.state != JobState.QUEUED]
    if found:
        agree(f"Cancel {len(found)} queued job(s)?", ui, consent=consent)
    now = clock.now()
    moved = in_chunks([job.id for job in found], ui, lambda ids: store.control.cancel(ids, now))
    left = [job.id for job in found if job.id not in moved]
    refused += [_not_queued(job) for job in store.queries.numbered(left)]
    tell_refused(refused, ui)
    document = {
        "cancelled": [job.key for job in found if job.id in moved],
        "refused": list(map(asdict, refused)),
    }
    ui.result(document, lambda: f"{len(moved)} job(s) cancelled; nothing was paid for them")
    return Exit.USAGE if refused else Exit.DONE


def find(store: Store, wanted: Wanted, unnamed: JobState) -> list[JobRow]:
    """Find the named jobs, or else those in one state; raise a NotFoundError if one is missing."""
    if not wanted.keys:
        return store.queries.jobs(replace(wanted, states=[unnamed]))
    with store.queries.snapshot() as seen:
        return [seen.job(key, wanted.batch) for key in wanted.keys]


def sort_out(found: Sequence[JobRow], rule: Rule) -> tuple[list[JobRow], list[Refused]]:
    """Return the jobs that the rule lets move, and the others with the reason."""
    reasons: dict[int, WhyNot | None] = {}
    for chunk in chunks([job.id for job in found]):
        reasons |= rule(chunk)
    free: list[JobRow] = []
    refused: list[Refused] = []
    for job in found:
        reason = reasons.get(job.id, WhyNot.GONE)
        if reason is None:
            free.append(job)
        else:
            refused.append(Refused(job.key, job.batch, _why_not(job, reason)))
    return free, refused


def _why_not(job: JobRow, reason: WhyNot) -> str:
    """Return why a job is left as it is; where a retry is the way on, what to expect of it."""
    what = advice.of_job(job) if reason is WhyNot.ENDED else None
    return _WHY_NOT[reason] if what is None else f"{_WHY_NOT[reason]}; {what}"


def move_all(
    chosen: Sequence[JobRow],
    refused: list[Refused],
    rule: Rule,
    move: Callable[[Sequence[int]], list[int]],
    ui: UserInterface,
) -> set[int]:
    """Move jobs; return which were moved, add the others to ``refused`` and show these."""
    moved = in_chunks([job.id for job in chosen], ui, move)
    left = [job for job in chosen if job.id not in moved]  # something else was quicker
    refused += sort_out(left, rule)[1]
    tell_refused(refused, ui)
    return moved


def spent_text(chosen: Sequence[JobRow]) -> str:
    """Return what stays spent for attempts that may still finish."""
    unended = [job for job in chosen if job.attempt_state == AttemptState.ACCEPTED]
    spent = sum(job.attempt_price or 0 for job in unended)
    if not unended:
        return ""
    return f"; ${usd_text(spent)} for {len(unended)} that may still finish stays spent"


def again_text(chosen: Sequence[JobRow]) -> str:
    """Return whether jobs are bought again, or how many of them."""
    paid = sum(job.charged_micros > 0 for job in chosen)
    if paid == len(chosen):
        return " again"
    return f" ({paid} of them again)" if paid else ""


def _meant(job: JobRow, wanted: Wanted) -> bool:
    """Check whether a failure is meant that the person did not name."""
    return bool(wanted.keys or wanted.kinds) or job.error_kind in PASSING


def _not_queued(job: JobRow) -> Refused:
    return Refused(job.key, job.batch, _WHY_NOT[_STATES[JobState(job.state)]])


def tell_refused(refused: Sequence[Refused], ui: UserInterface) -> None:
    """Report which jobs were not changed, and why."""
    for one in refused[: messages.SHOWN]:
        ui.say(f"{one.job} was not changed: {one.reason}")
    if len(refused) > messages.SHOWN:
        ui.say(f"and {len(refused) - messages.SHOWN} more; --json lists all")


def agree(question: str, ui: UserInterface, *, consent: bool) -> None:
    """Ask before something is changed; raise a NotAllowedError unless the person agrees."""
    if consent:
        return
    if not ui.can_ask():
        raise NotAllowedError(
            f"{question} No terminal to confirm on; use --yes. Nothing was changed"
        )
    if not ui.confirm(question):
        raise NotAllowedError("nothing was changed")


def _room(store: Store, jobs: Sequence[JobRow]) -> str:
    """Return what the budgets leave, and which batches are paused."""
    names = {job.batch for job in jobs}
    rooms, paused = [], []
    with store.queries.snapshot() as seen:
        batches = [seen.status(batch) for batch in seen.batches() if batch.name in names]
    for batch in batches:
        if batch.money.free is not None:
            rooms.append(f"${usd_text(batch.money.free)} in {batch.name}")
        if batch.paused:
            paused.append(advice.paused(batch.name))
    left = [f"the budgets leave {', '.join(rooms)}"] if rooms else []
    return "".join(f"; {words}" for words in [*left, *messages.some(paused)])


def in_chunks(
    ids: Sequence[int], ui: UserInterface, move: Callable[[Sequence[int]], list[int]]
) -> set[int]:
    """Move jobs, some in each transaction; return those that were moved, and say so if stopped.

    Raises:
        KeyboardInterrupt: stopped; what was moved stays moved.
    """
    moved: set[int] = set()
    try:
        for chunk in chunks(ids):
            moved.update(move(chunk))
    except KeyboardInterrupt:
        ui.say(f"stopped after {len(moved)} of {len(ids)} jobs were changed; those stay changed")
        raise
    return moved


def patience(clock: Clock) -> Patience:
    """Return from when a generation may be given up that no run has given up yet."""
    waits = timedelta(seconds=RunOptions().generation_timeout)
    return Patience(clock.now(), waits, messages.AFTER_GIVING_UP)


def abandon(
    wanted: Wanted, store: Store, clock: Clock, ui: UserInterface, *, dry: bool, consent: bool
) -> Exit:
    """Give up the attempts of the named jobs, after saying what that costs.

    Args:
        dry: only say what would be given up.
        consent: the person has already agreed.

    Raises:
        jobs.model.errors.NotFoundError: there is no such batch or job.
        NotAllowedError: nobody agreed.
    """
    terms = patience(clock)

    def rule(ids: Sequence[int]) -> dict[int, WhyNot | None]:
        return store.queries.may_be_given_up(ids, terms)

    chosen, refused = sort_out(find(store, wanted, JobState.FAILED), rule)
    spent = sum(job.attempt_price or 0 for job in chosen)
    price = cost_of_jobs(chosen, store.queries.prices()).text
    document: dict[str, Any] = {
        "abandoned": [job.key for job in chosen],
        "refused": list(map(asdict, refused)),
        "spent": usd_text(spent),
        "dry_run": dry,
    }
    costs = f"${usd_text(spent)} stays spent; {STILL_SEEN}; buying again costs {price}"
    if dry or not chosen:
        tell_refused(refused, ui)
        text = f"{len(chosen)} attempt(s) would be given up: {costs}" if chosen else ""
        ui.result(document, lambda: text or "nothing to give up")
        return Exit.USAGE if refused else Exit.DONE
    agree(f"Give up {len(chosen)} attempt(s)? {costs}.", ui, consent=consent)
    moved = move_all(chosen, refused, rule, lambda some: store.control.give_up(some, terms), ui)
    document["abandoned"] = [job.key for job in chosen if job.id in moved]
    document["refused"] = list(map(asdict, refused))
    said = f"{len(moved)} attempt(s) given up: {costs}, with 'batchsora retry'"
    ui.result(document, lambda: said)
    return Exit.USAGE if refused else Exit.DONE
