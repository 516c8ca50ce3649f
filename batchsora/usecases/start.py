"""Start a run: load, keep the caps, ask before spending, run, report the end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from batchsora.composition.callbacks import callback_url, own_address
from batchsora.composition.databases import working_store
from batchsora.composition.exit_codes import Exit, exit_of_run
from batchsora.composition.session import endpoint
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import Manifest
from batchsora.options import RunOptions
from batchsora.presentation import held, messages, run_end
from batchsora.presentation.cost import cost_of, micros
from batchsora.presentation.json_shapes import status_json
from batchsora.settings import Settings
from batchsora.usecases.bought_already import OnExisting, settle_earlier, tell_of_others
from batchsora.usecases.from_options import check_folder, load_options, pick_of, run_policy
from batchsora.usecases.kept_reading import as_before, as_kept, kept_line, words_used
from batchsora.usecases.load import (
    CommentsError,
    RowsGoneError,
    is_capped,
    load_manifest,
    set_caps,
)
from batchsora.usecases.manifest_options import Source, fitted_folder, mapped
from batchsora.usecases.models import lost_answers
from batchsora.usecases.moved_database import settle_place
from batchsora.usecases.run import run_batches
from batchsora.usecases.user_interface import Context, UserInterface
from jobs.database.lock import PATIENCE, current_runner
from jobs.model.errors import DatabaseLockedError, NotAllowedError, NotFoundError
from jobs.model.money import cap_micros
from jobs.model.states import ASKED_BY_NAME, Blocked, HeldBack, JobState, Reason
from jobs.ports.control import Terms
from jobs.ports.seen import BatchStatus
from jobs.ports.selection import Sought, Wanted
from jobs.services.run_outcome import Ending
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
    callback_of = _callback_of(options.callback_base, settings)
    check_folder(options)
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
            ui.say("nothing else to do" + (" except in paused batches" if paused else ""))
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
        _say_what_is_lost(store, sought, ui)
        if not consent and not _may_spend(store, sought, request, ui, deps.clock.now()):
            return Exit.USAGE
        # not before what exists is known
        store.control.ask_for(sought, deps.clock.now(), again=not looks)
        policy = replace(
            run_policy(options),
            not_awaited=paused,
            looked_at=looked_at,
            looked_for=looked_for,
            callback_of=callback_of,
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
        own = result.ending.blocked.keys() - result.guests  # of the others it has some jobs
        left, free = _left(store, result.ending, own, deps.clock.now())
        for line in run_end.ended(result, skipped, options.folder, left, free):
            ui.say(line)
        _give(store, result.batches, code, result.ending.reason, ui)
        if settings.sandbox:
            ui.say("this was a rehearsal, and cost nothing: 'batchsora status' shows it")
        return code


def _left(
    store: Store, ending: Ending, own: Collection[int], now: datetime
) -> tuple[dict[int, run_end.Left], int | None]:
    """Return what the rest of blocked batches costs, and what the account has for it, in micros."""
    if not ending.blocked:
        return {}, None
    found: dict[int, run_end.Left] = {}
    with store.queries.snapshot() as seen:
        prices, account, batches = micros(seen.prices()), seen.account(), seen.statuses()
        for batch in batches:
            if batch.id not in own:
                continue
            campaigns: dict[str, Counter[str]] = {}
            if Blocked.CAMPAIGN_CAP in ending.blocked[batch.id]:
                for job in seen.jobs(Wanted(batch.name, [JobState.QUEUED])):
                    if job.campaign is not None and job.held_back is None:
                        campaigns.setdefault(job.campaign, Counter())[job.kind] += 1
            found[batch.id] = run_end.Left(
                cost_of(seen.queued_by_kind(batch.id), prices),
                {name: cost_of(kinds, prices) for name, kinds in campaigns.items()},
                seen.today(now).used,
            )
    if account.balance_micros is None:
        return found, None
    reserved = sum(batch.money.held for batch in batches)
    return found, max(0, account.balance_micros - account.floor_micros - reserved)


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


def _may_spend(
    store: Store, sought: Sought, request: StartRequest, ui: UserInterface, now: datetime
) -> bool:
    """Ask for a budget of each batch that has none, before money is spent."""
    open_ended = _without_budget(store, sought, request)
    if not open_ended:
        return True
    if not ui.can_ask():
        ui.say(messages.no_consent(open_ended))
        return False
    said: dict[int, int] = {}
    for batch_id, uncapped in open_ended.items():
        ui.say(messages.no_budget(uncapped))
        budget = ui.amount(messages.BUDGET_OR_STOP)
        if budget is None:
            ui.say("nothing was bought; the rows are loaded")
            return False
        said[batch_id] = cap_micros(budget)
    for batch_id, cap in said.items():
        store.control.set_terms(batch_id, Terms(batch=cap), now)
    return True


def _callback_of(base: str | None, settings: Settings) -> Callable[[int, str], str] | None:
    """Return what names the address for an attempt's callback; None: there is none."""
    return None if base is None else partial(own_address, callback_url(base, settings))


def _say_what_is_lost(store: Store, sought: Sought, ui: UserInterface) -> None:
    """Say of which models a lost answer may wait for a person, before anything is bought."""
    with store.queries.snapshot() as seen:
        kinds = {
            kind
            for batch_id in sought.batch_ids
            for kind in seen.queued_by_kind(batch_id, sought.rows.get(batch_id))
        }
    for models, words in lost_answers(kinds).items():
        ui.say(f"{models}: {words}")


def _without_budget(
    store: Store, sought: Sought, request: StartRequest
) -> dict[int, messages.Uncapped]:
    """Return what would be bought without a budget, by the numbers of the batches."""
    overruled = sought.overruled(again=request.options.on_existing == OnExisting.BUY)
    found: dict[int, messages.Uncapped] = {}
    with store.queries.snapshot() as seen:
        known = micros(seen.prices())
        for batch in seen.statuses(sought.batch_ids):
            counts = seen.queued_by_kind(batch.id, sought.rows.get(batch.id), overruled)
            if counts and batch.money.cap is None:
                jobs, cost = sum(counts.values()), cost_of(counts, known).text
                found[batch.id] = messages.Uncapped(batch.name, jobs, cost, batch.money.used)
    return found


def _give(
    store: Store, batches: list[BatchStatus], code: Exit, reason: Reason, ui: UserInterface
) -> None:
    """Write the result for scripts."""
    balance = store.queries.account().balance_micros
    document = status_json(batches, balance, None) | {"exit": int(code), "ending": str(reason)}
    ui.result(document, lambda: "")
