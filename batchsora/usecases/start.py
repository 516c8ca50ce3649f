"""Start a run: load, keep the caps, ask before spending, run, report the end."""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace

from batchsora.composition.callbacks import callback_url
from batchsora.composition.databases import working_store
from batchsora.composition.exit_codes import Exit, exit_of_run
from batchsora.composition.session import endpoint
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import Manifest
from batchsora.options import RunOptions
from batchsora.presentation import held, messages
from batchsora.presentation.cost import cost_of, micros
from batchsora.presentation.json_shapes import status_json
from batchsora.usecases.bought_already import OnExisting, settle_earlier, tell_of_others
from batchsora.usecases.from_options import load_options, pick_of, run_policy
from batchsora.usecases.kept_reading import as_before, as_kept, kept_line, words_used
from batchsora.usecases.load import (
    CommentsError,
    RowsGoneError,
    is_capped,
    load_manifest,
    set_caps,
)
from batchsora.usecases.manifest_options import Source, fitted_folder, mapped
from batchsora.usecases.moved_database import settle_place
from batchsora.usecases.run import run_batches
from batchsora.usecases.user_interface import Context, UserInterface
from jobs.database.lock import PATIENCE, current_runner
from jobs.model.errors import DatabaseLockedError, NotAllowedError, NotFoundError
from jobs.model.ledger import batch_key
from jobs.model.states import ASKED_BY_NAME, HeldBack, JobState, Reason
from jobs.ports.control import Terms
from jobs.ports.seen import BatchStatus
from jobs.ports.selection import Sought
from jobs.store import Store

LONGEST_WAIT = 7 * 86400.0
"""Seconds for which another runner is waited for."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a person asked ``run`` for; ``source``: the manifest to load, if any."""

    source: Source | None
    options: RunOptions
    caps: Terms


def start(request: StartRequest, context: Context) -> Exit:
    """Run, and return the exit code.

    Raises:
        SettingsError, ManifestError, InvalidRowsError, EngineError: nothing was bought.
    """
    try:
        return _start(request, context)
    except DatabaseLockedError:
        for line in messages.caps_not_changed(request.caps, _name(request)):
            context.ui.say(line)
        raise


def _name(request: StartRequest) -> str:
    """Return the name of the batch that a person means, as far as it is known without its file."""
    options, source = request.options, request.source
    return options.batch or options.name or ("BATCH" if source is None else source.path.stem)


def _start(request: StartRequest, context: Context) -> Exit:
    settings, deps, ui, options = context.settings, context.deps, context.ui, request.options
    base = options.callback_base
    announced_at = None if base is None else callback_url(base, settings)
    opened: tuple[Source, Manifest] | None = None
    if request.source is not None:  # before a database is made or locked
        source = as_before(request.source, settings.database, options.name)
        opened = source, source.opened(fitted_folder(settings.database))
    patient = options.wait_for_runner
    if patient and (runner := current_runner(settings.database)) is not None:
        ui.say(f"waiting for the other run to end ({runner})")
    patience = LONGEST_WAIT if patient else PATIENCE
    consent = options.yes or settings.sandbox
    with (
        endpoint(settings, deps) as place,
        working_store(settings.database, deps.clock, lambda: place.owner, patience) as store,
    ):
        settle_place(store, deps.clock.now(), ui, place.owner, moved=options.moved)
        skipped: list[RowProblem] = []
        if opened is not None:
            manifest = _manifest(store, request, opened, context)
            loaded, skipped = _load(store, manifest, request, context, consent=consent)
        else:
            loaded = _resume(store, request, context)
        batch_ids, paused = _paused(store, loaded, ui)
        if not batch_ids:
            ui.say("nothing left to do" + (" except in paused batches" if paused else ""))
            batches = store.queries.statuses(sorted(loaded))
            code = Exit.STOPPED if paused else _exit_of_left(store, loaded, [])
            _give(store, batches, code, Reason.FINISHED, ui)
            return code
        named = request.source is not None or options.batch is not None
        sought = store.loading.note(batch_ids, named=named, pick=pick_of(options))
        choice = OnExisting(options.on_existing)
        looks = choice is not OnExisting.BUY
        looked_at = deps.clock.now() if looks else None
        if looks:  # else what was found is released once it is agreed that it may be bought
            looked_for = settle_earlier(
                store, place, sought, choice, deps.clock, ui, quiet=deps.quiet
            ).looked_at
        else:
            looked_for = store.queries.wishes(sought)
        if not consent and not _may_spend(store, sought, request, ui):
            return Exit.USAGE
        # not before what exists is known
        store.control.ask_for(sought, deps.clock.now(), again=not looks)
        policy = replace(
            run_policy(options),
            not_awaited=paused,
            looked_at=looked_at,
            looked_for=looked_for,
            callback_url=announced_at,
        )
        result = asyncio.run(run_batches(store, place, options, batch_ids, context, policy))
        code = exit_of_run(
            result.ending,
            result.judged,
            files_wanted=options.folder is not None,
            surplus=result.surplus,
            guests=result.guests,
        )
        tell_of_others(store, batch_ids, ui)
        if code is Exit.DONE:
            code = _exit_of_left(store, batch_ids, skipped)
        for line in messages.ended(result, skipped, options.folder):
            ui.say(line)
        _give(store, result.batches, code, result.ending.reason, ui)
        if settings.sandbox:
            ui.say(messages.rehearsed(settings.database))
        return code


def _manifest(
    store: Store, request: StartRequest, opened: tuple[Source, Manifest], context: Context
) -> Manifest:
    """Return the manifest to load, and say what its columns mean.

    It is opened again if the database knows more now: it was of an older version, or the manifest
    was loaded meanwhile.
    """
    source, manifest = opened
    now = source if request.source is None else as_kept(request.source, store, request.options.name)
    if now != source:
        manifest = now.opened(fitted_folder(context.settings.database))
    context.ui.say(f"columns   {mapped(manifest)}")
    if words := words_used(now, manifest):
        context.ui.say(kept_line(words))
    return manifest


def _load(
    store: Store, manifest: Manifest, request: StartRequest, context: Context, *, consent: bool
) -> tuple[list[int], list[RowProblem]]:
    """Load a manifest; if a person can answer, ask about what has to be asked."""
    ui, caps, yes = context.ui, request.caps, request.options.yes
    options = replace(
        load_options(request.options, quiet=context.deps.quiet),
        ask_gone=ui.can_ask() and not yes,
        comments=yes,
    )
    if pick_of(request.options) is not None:
        options = replace(options, held_back=HeldBack.LEFT_OUT)
    elif consent or is_capped(store, manifest, options.name, caps):
        options = replace(options, held_back=HeldBack.NOT_LOOKED)
    now = context.deps.clock.now()
    while True:
        try:
            report, notes, skipped = load_manifest(store, manifest, options, caps, now)
            break
        except CommentsError as lines:
            asks = options.ask_gone and not options.comments
            if not asks or not ui.confirm(f"{lines.problem.problem}. Leave them out?"):
                raise
            options = replace(options, comments=True)
        except RowsGoneError as gone:
            if not ui.confirm(messages.gone(gone.keys)):
                raise NotAllowedError(
                    "nothing was loaded or bought; put the rows back, or use --yes"
                ) from gone
            options = replace(options, ask_gone=False, comments=True)
    warned = messages.some([f"warning: {one}" for one in manifest.warnings])
    for line in (
        *warned,
        *manifest.left_out.words(),
        *messages.some(manifest.notes),
        *messages.loaded(manifest.path.name, report, skipped),
        *notes,
    ):
        ui.say(line)
    return [report.batch_id], skipped


def _resume(store: Store, request: StartRequest, context: Context) -> list[int]:
    with store.queries.snapshot() as seen:
        found = seen.batches(request.options.batch)
        if not found:
            raise NotFoundError("the database has no batch yet: 'batchsora run MANIFEST' loads one")
        batch_ids = [batch.id for batch in found]
        if request.options.batch is None:
            stand = seen.statuses()
            batch_ids = [
                batch.id
                for batch in stand
                if _unfinished(batch, request) or seen.any_unended(batch.id)
            ]
            for batch in stand:
                if batch.id not in batch_ids:  # of the others the end of the run says it
                    for line in held.lines(batch):
                        context.ui.say(line)
    for batch_id in batch_ids:
        for note in set_caps(store, batch_id, request.caps, context.deps.clock.now()):
            context.ui.say(note)
    return batch_ids


def _paused(
    store: Store, batch_ids: list[int], ui: UserInterface
) -> tuple[list[int], frozenset[int]]:
    """Leave out paused batches without paid jobs; return what is served, and what is paused."""
    found = [batch for batch in store.queries.statuses(batch_ids) if batch.paused]
    for batch in found:
        ui.say(f"{batch.name} is paused: 'batchsora resume {batch.name}' continues it")
    paused = frozenset(batch.id for batch in found)
    idle = {batch.id for batch in found if batch.left == batch.jobs[JobState.QUEUED]}
    return [batch_id for batch_id in batch_ids if batch_id not in idle], paused


def _unfinished(batch: BatchStatus, request: StartRequest) -> bool:
    files = request.options.folder is not None and batch.files_missing > 0
    unasked = sum(batch.held_back.get(reason, 0) for reason in ASKED_BY_NAME)
    return bool(batch.left - unasked or files)


def _exit_of_left(store: Store, batch_ids: list[int], skipped: list[RowProblem]) -> Exit:
    """Return the exit code for what a finished run has left: what it found is for a person."""
    if any(map(store.queries.found_and_asked, batch_ids)):
        return Exit.STOPPED
    return Exit.FAILED if skipped else Exit.DONE


def _may_spend(store: Store, sought: Sought, request: StartRequest, ui: UserInterface) -> bool:
    """Ask before money is spent, unless a cap already allows it."""
    jobs, cost, capped = _to_be_spent(store, sought, request)
    if not jobs or capped:
        return True
    if not ui.can_ask():
        ui.say(messages.no_consent(jobs, cost))
        return False
    if ui.confirm(messages.question(jobs, cost)):
        return True
    ui.say("nothing was bought; the rows are loaded")
    return False


def _to_be_spent(store: Store, sought: Sought, request: StartRequest) -> tuple[int, str, bool]:
    """Return how many jobs would be bought, their cost, and whether all batches have a cap."""
    overruled = sought.overruled(again=request.options.on_existing == OnExisting.BUY)
    kinds: Counter[str] = Counter()
    capped = True
    with store.queries.snapshot() as seen:
        known = micros(seen.prices())
        for batch in seen.batches():
            if batch.id not in sought.batch_ids:
                continue
            counts = seen.queued_by_kind(batch.id, sought.rows.get(batch.id), overruled)
            kinds.update(counts)
            if counts and seen.cap(batch_key(batch.id)) is None:
                capped = False
    return kinds.total(), cost_of(kinds, known).text, capped


def _give(
    store: Store, batches: list[BatchStatus], code: Exit, reason: Reason, ui: UserInterface
) -> None:
    """Write the result for scripts."""
    balance = store.queries.account().balance_micros
    document = status_json(batches, balance, None) | {"exit": int(code), "ending": str(reason)}
    ui.result(document, lambda: "")
