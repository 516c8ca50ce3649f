"""One video: a row of the batch ``adhoc``, bought by the same rules as any."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from batchsora.composition.databases import existing_store, working_store
from batchsora.composition.exit_codes import Exit
from batchsora.composition.ownership import Endpoint
from batchsora.composition.session import endpoint
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.images.row_images import Images
from batchsora.manifest.raw import RawRow
from batchsora.manifest.rows.columns import understand
from batchsora.manifest.rows.rows import RowReader
from batchsora.options import RunOptions
from batchsora.presentation import held, messages, run_end
from batchsora.providers.registry import kind_of
from batchsora.settings import SettingsError
from batchsora.usecases.from_options import check_folder
from batchsora.usecases.load import ADHOC, terms_notes
from batchsora.usecases.progress import ENDS
from batchsora.usecases.user_interface import Context, UserInterface
from batchsora.usecases.wait import Done, conclude, finish, is_left, over, serve
from jobs.database.lock import current_runner
from jobs.database.schema import version
from jobs.model.errors import DatabaseLockedError, NotAllowedError, NotFoundError
from jobs.model.ledger import batch_key
from jobs.model.money import usd_text
from jobs.model.spec import JobSpec
from jobs.model.states import HeldBack, JobState, Reason
from jobs.ports.control import Handing, Terms
from jobs.ports.queries import QueryStore
from jobs.ports.seen import JobRow
from jobs.ports.selection import Wanted
from jobs.runtime.run_context import PRICE_CEILING
from jobs.services.run_outcome import Ending
from jobs.store import Store

PATIENT = 60.0
"""Seconds for which a runner that takes nothing up is waited for, without ``--wait``."""

SOON = 5.0
"""Seconds within which a runner buys what it took up, unless it has no slot free."""

OPTIONS = (
    "model", "image", "end_image", "orientation", "duration", "seed", "negative_prompt", "campaign",
    "callback_url",
)  # fmt: skip
"""What may be said beside the prompt, as columns of a manifest and, with dashes, as options; beside
these ``reference_image_1`` … and ``param.NAME``."""


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What a person asked ``generate`` for.

    Attributes:
        options: by :data:`OPTIONS` and the like, as typed; absent ones have the default.
        caps: of the batch ``adhoc``.
        wait: wait for the video; False ends when it is bought.
        again: buy even if the same is under way.
    """

    prompt: str
    options: dict[str, str]
    run: RunOptions
    caps: Terms
    wait: bool
    again: bool = False


def generate(request: GenerateRequest, context: Context) -> tuple[Exit, JobRow]:
    """Buy one video; return the exit code and the job.

    Raises:
        SettingsError: the request is not valid, or there is no token.
        jobs.model.errors.EngineError: nothing was bought.
    """
    spec = read_wish(request.prompt, request.options)
    if not isinstance(spec, JobSpec):
        raise SettingsError("; ".join(map(_problem, spec)))
    check_folder(request.run)
    if context.settings.sandbox:
        request = replace(request, run=replace(request.run, yes=True))
    with endpoint(context.settings) as place:
        bought: tuple[int, Ending] | None = None
        while bought is None:
            bought = _try(spec, request, place, context)
    job_id, ending = bought
    code, (job,) = conclude(ending, [job_id], request.run, context, flat=True)
    return code, job


def _try(
    spec: JobSpec, request: GenerateRequest, place: Endpoint, context: Context
) -> tuple[int, Ending] | None:
    """Buy it, or hand it over; None while the active runner is still making the database."""
    database, clock = context.settings.database, context.deps.clock
    try:
        with working_store(database, clock, lambda: place.owner, brief=True) as store:
            _agree(store, spec, request, context.ui)
            job_id, notes = _add(store, spec, request, clock.now())
            for note in notes:
                context.ui.say(note)
            done = over([job_id]) if request.wait else _bought(job_id)
            ending: Ending | None = None
            try:
                ending = serve(store, [job_id], place, request.run, context, done)
            finally:  # what could not be bought is not left in the queue for a later run
                _give_up(store, job_id, ending, context)
            return job_id, ending
    except DatabaseLockedError:  # after a while: this does not spin
        if version(database) is None:
            return None
        return _hand_over(spec, request, context)


def _give_up(store: Store, job_id: int, ending: Ending | None, context: Context) -> None:
    """Cancel what could not be bought, so that no later run buys it, and say so."""
    if store.control.cancel([job_id], context.deps.clock.now()):
        if ending is not None:
            batches = store.queries.statuses(list(ending.blocked))
            for line in run_end.reason(ending, batches, 1, command="batchsora generate"):
                context.ui.say(line)
        (job,) = store.queries.numbered([job_id])
        spent = usd_text(job.charged_micros)
        failed = f"${spent} was spent on a video that failed; it is not bought again"
        context.ui.say(failed if job.charged_micros else "nothing was bought")


def _hand_over(spec: JobSpec, request: GenerateRequest, context: Context) -> tuple[int, Ending]:
    """Let the active runner buy it, if there is room, and wait for it if wanted.

    Without ``--wait`` that is until it is bought, or seen to stay with a run that has no free slot.
    When that runner ends before it has bought it, or takes nothing, it is bought here. What can't
    be bought is cancelled.
    """
    database = context.settings.database
    with existing_store(database) as store:
        _agree(store, spec, request, context.ui)
        job_id, notes = _add(store, spec, request, context.deps.clock.now())
    ending: Ending | None = None
    try:
        for note in notes:
            context.ui.say(note)
        done = over([job_id]) if request.wait else _bought(job_id)
        hand = _hander(job_id, request, context)
        enough = None if request.wait else SOON
        ending = finish([job_id], request.run, context, done=done, hand=hand, enough=enough)
        return job_id, ending
    finally:
        with existing_store(database) as store:
            (job,) = store.queries.numbered([job_id])
            if ending is None or ending.reason is not Reason.FINISHED or is_left(job):
                _give_up(store, job_id, ending, context)


def _hander(
    job_id: int, request: GenerateRequest, context: Context
) -> Callable[[Store], Ending | None]:
    """Make a function that hands it to the active runner, if nothing is in its way.

    It returns an ending if there is nothing to wait for. A runner that takes nothing is waited for,
    without ``--wait`` for a while. The job stays unasked, so that nobody buys it when both this
    command and that runner are gone.
    """
    clock, database = context.deps.clock, context.settings.database
    told: set[str] = set()
    until = math.inf if request.wait else clock.monotonic() + PATIENT

    def tell(words: str) -> None:
        if words not in told:
            told.add(words)
            context.ui.say(words)

    def hand(store: Store) -> Ending | None:
        (job,) = store.queries.numbered([job_id])
        if held.reason_of(job) not in (None, HeldBack.UNASKED):
            context.ui.say(f"{job.key} is {held.words_of(job)}")
            return Ending(Reason.FINISHED)
        offered = store.control.offer([job_id], clock.now(), Handing.SINGLE, int(PRICE_CEILING))
        if offered.room.blocked:
            return Ending(Reason.BLOCKED, blocked=offered.room.blocked)
        who = str(current_runner(database) or "just ended")
        if offered.served:
            tell(f"the active run buys it ({who})")
            return None
        idle = f"another run uses {database} and takes no new jobs now ({who})"
        tell(f"{idle}: waiting for it")
        if job.state == JobState.QUEUED and clock.monotonic() >= until:
            raise DatabaseLockedError(
                f"{idle}, so nothing was bought: run this again when it has ended, or use --wait"
            )
        return None

    return hand


def read_wish(prompt: str, options: Mapping[str, str]) -> JobSpec | list[RowProblem]:
    """Read a prompt and its options like a manifest's row; or return all its problems."""
    names = ["prompt", *options]
    reader = RowReader("", names, understand("", names, None), Images(Path(), allow_outside=True))
    cells = [prompt, *(options[name] for name in names[1:])]
    (read, *more) = reader.read(RawRow(1, cells))
    if isinstance(read, JobSpec):
        return read
    return [one for one in (read, *more) if isinstance(one, RowProblem)]


def _problem(problem: RowProblem) -> str:
    column = problem.column or "prompt"
    name = "PROMPT" if column == "prompt" else _flag(column)
    found = "" if problem.found is None else f" (found {problem.found!r})"
    return f"{name}: {problem.problem}{found}. {problem.remedy}"


def _flag(column: str) -> str:
    """Return the option that gives a column."""
    if column.startswith("reference_image"):
        return "--reference-image"
    kind, sign, name = column.partition(".")
    return f"--param {name}" if sign else f"--{kind.replace('_', '-')}"


def _agree(store: Store, spec: JobSpec, request: GenerateRequest, ui: UserInterface) -> None:
    """Ask before money is spent, unless a budget already allows it."""
    price, capped = _to_be_spent(store, spec, request)
    if request.run.yes or capped:
        return
    if not ui.can_ask():
        raise NotAllowedError(messages.no_consent_for_one())
    if not ui.confirm(messages.question_for_one(price)):
        raise NotAllowedError("nothing was bought")


def _to_be_spent(store: Store, spec: JobSpec, request: GenerateRequest) -> tuple[int | None, bool]:
    """Return the price in micros, None if unknown, and whether a budget covers it."""
    capped = request.caps.batch is not None or "batch" in request.caps.begin
    with store.queries.snapshot() as seen:
        found = seen.prices().get(kind_of(spec.request).key)
        with suppress(NotFoundError):  # before the first single video there is no such batch
            _check_free(seen, spec, request)
            (batch,) = seen.batches(ADHOC)
            capped = capped or seen.cap(batch_key(batch.id)) is not None
    return None if found is None else found.last_micros, capped


def _check_free(seen: QueryStore, spec: JobSpec, request: GenerateRequest) -> None:
    """Check that the batch takes this video; raise a NotFoundError if there is no batch yet."""
    if seen.batches(ADHOC)[0].paused:
        raise NotAllowedError(
            f"the batch {ADHOC!r} is paused, so nothing was bought. Use 'batchsora resume "
            f"{ADHOC}', then run this again"
        )
    unended = Wanted(ADHOC, states=[*(one for one in JobState if one not in ENDS), JobState.FAILED])
    asked = () if request.again else seen.jobs(unended)
    for job in (one for one in asked if one.request_key == spec.request_key):
        if job.state not in ENDS:
            raise NotAllowedError(
                f"the same video is under way already, as {job.key} ({job.state}): "
                f"'batchsora wait {job.key}' waits for it, and --again buys another one"
            )
        if job.is_unended:
            raise NotAllowedError(
                f"the same video was paid for, as {job.key} ({job.error_kind}), and may still "
                f"finish: 'batchsora run' checks it again, 'batchsora abandon {job.key}' gives "
                "it up, "
                "and --again buys another one"
            )


def _add(
    store: Store, spec: JobSpec, request: GenerateRequest, now: datetime
) -> tuple[int, list[str]]:
    """Add the row to its batch, and keep the caps; return its number, and notes about the caps."""

    def make(number: int) -> tuple[JobSpec, str]:
        key = f"{ADHOC}-{number}"
        row = replace(
            spec, key=key, key_from_content=False, row=number, cells={"id": key, **spec.cells}
        )
        return row, kind_of(spec.request).key

    def check(seen: QueryStore) -> None:
        _check_free(seen, spec, request)

    columns = ["id", "prompt", *dict.fromkeys([*OPTIONS, *request.options])]
    job_id, kept = store.loading.add(ADHOC, columns, check, make, request.caps, now)
    return job_id, terms_notes(request.caps, kept)


def _bought(job_id: int) -> Done:
    def done(seen: QueryStore) -> bool:
        state = seen.job(f"#{job_id}").state
        return state in (*ENDS, JobState.PENDING, JobState.PROCESSING)

    return done
