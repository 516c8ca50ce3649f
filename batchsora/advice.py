"""What a person can do next about a job, or about failures of a kind: one place for everyone.

``show``, ``wait``, ``status``, ``jobs``, ``retry``, the end of a run, exports, the report and the
page take their sentences from here, so that none offers a retry where the same request would fail
again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jobs.model.retry import RETRIED
from jobs.model.states import ASKED_BY_NAME, AttemptState, FailureKind, HeldBack, JobState
from jobs.ports.seen import AttemptRow, JobRow
from jobs.system import quote


class Again(StrEnum):
    """What comes of asking for the same thing once more."""

    MAY_HELP = "may help"
    FAILS = "fails again"  # until the row, its prompt or its picture is changed
    NEEDLESS = "not needed"  # it is under way, done, or paid for and may still finish


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do next.

    Attributes:
        words: a sentence without its full stop, with the command in it.
        command: what to type; None: nothing can be typed before something was changed.
        again: whether a retry may help.
    """

    words: str
    command: str | None = None
    again: Again = Again.NEEDLESS

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class _Remedy:
    """What to do about a job, or about all of a kind: ``{key}`` names it, ``{batch}`` its batch."""

    again: Again
    one: str
    all: str = ""
    command: str | None = None

    def of(self, key: str) -> Advice:
        """Return what to do about one job."""
        command = None if self.command is None else self.command.format(key=key)
        return Advice(self.one.format(key=key), command, self.again)


_PROVIDERS_FAULT: Final = _Remedy(
    Again.MAY_HELP,
    "'batchsora retry {key}' buys it again: it was the provider's fault",
    "'batchsora retry{batch}' buys them again: it was the provider's fault",
    "batchsora retry {key}",
)
_REMEDIES: Final[Mapping[FailureKind, _Remedy]] = {
    FailureKind.VALIDATION: _Remedy(
        Again.FAILS,
        "change its row and run again; unchanged it would be refused again",
        "change their rows and run again; unchanged they would be refused again",
    ),
    FailureKind.IMAGE: _Remedy(
        Again.FAILS,
        "use another picture, undamaged and without realistic people, and run again; this one "
        "would be refused again",
        "use other pictures, undamaged and without realistic people, and run again; these would "
        "be refused again",
    ),
    FailureKind.CONTENT: _Remedy(
        Again.FAILS,
        "reword its prompt, in the manifest to run again or with 'batchsora retry {key} --prompt "
        "TEXT'; unchanged it would be refused again",
        "reword the prompts, in the manifest to run again or each with 'batchsora retry JOB "
        "--prompt TEXT'; unchanged they would be refused again",
        "batchsora retry {key} --prompt TEXT",
    ),
    FailureKind.SYSTEM: _PROVIDERS_FAULT,
    FailureKind.TIMEOUT: _PROVIDERS_FAULT,
    FailureKind.OVERDUE: _Remedy(
        Again.NEEDLESS,
        "it is paid for and may still finish: 'batchsora run' checks it again",
        "they are paid for and may still finish: 'batchsora run' checks them again",
        "batchsora run",
    ),
    FailureKind.NO_FILE: _Remedy(
        Again.NEEDLESS,
        "it is paid for and may still get its file: 'batchsora run' checks it again",
        "they are paid for and may still get their files: 'batchsora run' checks them again",
        "batchsora run",
    ),
    FailureKind.UNKNOWN: _Remedy(
        Again.MAY_HELP,
        "read its message, which batchsora does not understand; 'batchsora retry {key}' buys it "
        "again, and may fail again",
        "read their messages, which batchsora does not understand, with 'batchsora jobs{batch} "
        "--status failed --kind unknown'; 'batchsora retry{batch} --kind unknown' buys them again",
        "batchsora retry {key}",
    ),
}
_WAIT: Final = _Remedy(
    Again.NEEDLESS, "wait for it with 'batchsora wait {key}'", command="batchsora wait {key}"
)
_UNFAILED: Final[Mapping[JobState, _Remedy]] = {
    JobState.SUBMITTING: _Remedy(
        Again.NEEDLESS, "its answer is under way, or 'batchsora run' checks what became of it"
    ),
    JobState.IN_DOUBT: _Remedy(
        Again.NEEDLESS,
        "it is perhaps paid for: 'batchsora run' or 'batchsora reconcile' checks it; "
        "'batchsora resolve {key}' settles it by hand",
        command="batchsora reconcile",
    ),
    JobState.PENDING: _WAIT,
    JobState.PROCESSING: _WAIT,
    JobState.COMPLETED: _Remedy(
        Again.NEEDLESS,
        "'batchsora download {key}' gets the file, at no cost",
        command="batchsora download {key}",
    ),
    JobState.CANCELLED: _Remedy(
        Again.MAY_HELP,
        "'batchsora retry {key}' queues it again",
        command="batchsora retry {key}",
    ),
}
PASSING: Final = tuple(kind for kind in FailureKind if kind in RETRIED)
"""Failures that the same request may get past; a retry without JOB and kind takes only these."""


def of_kind(kind: str, batch: str | None = None) -> Advice:
    """Return what to do about failures of a kind, in one batch or in all.

    Raises:
        ValueError: there is no such kind.
    """
    remedy = _REMEDIES[FailureKind(kind)]
    named = "" if batch is None else f" --batch {quote(batch)}"
    return Advice(remedy.all.format(batch=named), None, remedy.again)


def of_failures(kinds: Mapping[str, int], batch: str | None = None) -> Iterator[str]:
    """Yield a line for each kind of failure: how many, and what to do."""
    for kind, count in sorted(kinds.items()):
        yield f"{count} failed by {kind}: {of_kind(kind, batch)}"


def of_job(
    job: JobRow, attempts: Sequence[AttemptRow] = (), *, batch: bool = False
) -> Advice | None:
    """Return what to do next about a job; None when nothing is left to do.

    Args:
        attempts: all of the job's, if known: one may have turned up late.
        batch: name the job's batch, too: others may have a job of the same name.
    """
    key = quote(job.key) + (f" --batch {quote(job.batch)}" if batch else "")
    match JobState(job.state):
        case JobState.QUEUED:
            return _queued(job, key)
        case JobState.FAILED:
            return _failed(job, attempts, key)
        case JobState.COMPLETED if job.sha256:
            return None
        case state:
            return _UNFAILED[state].of(key)


def _failed(job: JobRow, attempts: Sequence[AttemptRow], key: str) -> Advice:
    """Return what to do about a failed job, whose paid attempt may still finish."""
    late = [a for a in attempts if a.state == AttemptState.ABANDONED and a.is_surplus]
    if late:
        return Advice(
            f"'batchsora run' checks generation {late[-1].generation_id} again: it is paid for, "
            "and may become the video",
            "batchsora run",
        )
    if job.attempt_state == AttemptState.ABANDONED:
        return Advice(
            f"'batchsora retry {key}' buys it again; until then runs check whether it finished",
            f"batchsora retry {key}",
            Again.MAY_HELP,
        )
    if job.is_unended:
        return Advice(
            "'batchsora run' checks it again: it is paid for, and may still finish; "
            f"'batchsora abandon {key}' gives it up",
            "batchsora run",
        )
    return _REMEDIES[FailureKind(job.error_kind or FailureKind.UNKNOWN)].of(key)


def _queued(job: JobRow, key: str) -> Advice:
    if job.served:
        return Advice("the active run buys it")
    if job.paused:
        return Advice(paused(job.batch), f"batchsora resume {quote(job.batch)}")
    if job.held_back is None:
        return Advice("'batchsora run' buys it", "batchsora run")
    retry = f"batchsora retry {key}"
    if job.held_back in ASKED_BY_NAME:
        return Advice(f"'{retry}' buys it", retry, Again.MAY_HELP)
    run = f"batchsora run --batch {quote(job.batch)}"
    if job.held_back == HeldBack.NOT_LOOKED:
        return Advice(f"'{run}' checks for it; '{retry}' buys it unchecked", run)
    take = f"{run} --adopt-existing"
    return Advice(f"'{take}' takes it over once it is finished; '{retry}' buys it again", take)


def of_held(reason: HeldBack, batch: str) -> str:
    """Return what to do about rows of a batch that are held back."""
    run = f"batchsora run --batch {quote(batch)}"
    if reason in ASKED_BY_NAME:
        return f"'{run}' buys them"
    if reason is HeldBack.NOT_LOOKED:  # nothing was found that could be taken over
        return f"'{run}' checks for them; with --buy-again it buys them unchecked"
    # perhaps nothing is finished yet
    return f"'{run}' with --adopt-existing takes over what is finished, --buy-again buys them again"


def paused(batch: str) -> str:
    """Return what it means that a batch is paused, and what to type."""
    resume = f"'batchsora resume {quote(batch)}'"
    return f"{batch} is paused, so nothing of it is bought: {resume} continues it"
