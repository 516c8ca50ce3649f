"""Settle unconfirmed attempts outside a run, and compare our books with the provider's."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from batchsora.composition.databases import working_store
from batchsora.composition.ownership import Endpoint, is_known
from batchsora.composition.session import TIMEOUT, ask, endpoint
from batchsora.options import RunOptions
from batchsora.providers.registry import open_provider
from batchsora.settings import Settings, SettingsError
from batchsora.usecases.bought_already import OnExisting, settle_earlier
from batchsora.usecases.from_options import run_policy
from batchsora.usecases.user_interface import Context
from jobs.model.clock import Clock
from jobs.model.money import usd_text
from jobs.model.provider import ProviderError
from jobs.ports.seen import JobRow, PaidTwice
from jobs.ports.selection import Sought
from jobs.reconciliation.audit import Audit, audit
from jobs.reconciliation.by_word import look_for, resolve_as, resolve_never_made
from jobs.services.runner import Runner
from jobs.store import Store

SHOWN = 20


def reconcile(context: Context, *, grace: float, wait: bool, adopt: bool) -> int:
    """Settle what can be settled, and show rows, generations and balance side by side.

    Args:
        grace: seconds to look for a doubt before it counts as never made.
        wait: False looks once, and leaves what needs time for later.
        adopt: take orphans over for queued rows with the same prompt, at no cost.

    Returns:
        How many doubts are left for a person, plus one if something was found to be paid for twice.

    Raises:
        EngineError, ProviderError: nothing was bought.
    """
    settings, deps, ui = context.settings, context.deps, context.ui

    async def look(store: Store, place: Endpoint) -> Audit:
        async with open_provider(place.token, place.base_url, TIMEOUT) as provider:
            policy = replace(run_policy(RunOptions()), grace=grace, poll_interval=min(5.0, grace))
            binds = is_known(store, place.owner)  # a look is no consent to what the database keeps
            parts = (place.owner, policy, deps.clock, deps.chance, deps.checkpoint)
            runner = Runner(store, provider, *parts, binds=binds)
            await runner.settle(wait=wait)
            return await audit(store, provider, deps.clock)

    with (
        endpoint(settings) as place,
        working_store(settings.database, deps.clock, lambda: place.owner, brief=True) as store,
    ):
        queries = store.queries
        before = queries.doubts()
        if before and wait:
            ui.say(
                f"{before} unconfirmed: the search takes up to twice the grace period; Ctrl-C "
                "stops it"
            )
        before_twice = queries.twice_micros()
        found = asyncio.run(look(store, place))
        if adopt:
            batches = [batch.id for batch in queries.batches()]
            settle_earlier(store, place, Sought(batches), OnExisting.ADOPT, deps.clock, ui)
        left = queries.doubts()
        twice = queries.paid_twice() if queries.twice_micros() else []
        document = _document(found, before, left) | {"paid_twice": [_twice_json(o) for o in twice]}
        ui.result(document, lambda: "\n".join([_text(found, before, left), *_lines(twice)]))
        return left + (queries.twice_micros() > before_twice)


def _twice_json(one: PaidTwice) -> dict[str, Any]:
    price = usd_text(one.price_micros)
    return {"batch": one.batch, "job": one.key, "generation_id": one.generation_id, "price": price}


def _lines(twice: Sequence[PaidTwice]) -> list[str]:
    return [
        f"paid twice   {one.key} in {one.batch}: {one.generation_id}, "
        f"${usd_text(one.price_micros)}, turned up after its job was bought again"
        for one in twice
    ]


def _document(found: Audit, before: int, left: int) -> dict[str, Any]:
    return {
        "in_doubt_before": before,
        "in_doubt": left,
        "charged": usd_text(found.charged),
        "held": usd_text(found.held),
        "generations_known": found.known,
        "list_whole": found.whole,
        "orphans": [
            {
                "generation_id": one.id,
                "status": str(one.phase),
                "prompt": one.prompt,
                "created_at": None if one.created_at is None else one.created_at.isoformat(),
            }
            for one in found.orphans
        ],
        "balance": usd_text(found.balance),
        "balance_fell_by": None if found.fell_by is None else usd_text(found.fell_by),
        "difference": None if found.difference is None else usd_text(found.difference),
    }


def _text(found: Audit, before: int, left: int) -> str:
    settled = f", {before - left} settled" if before > left else ""
    lines = [
        f"unconfirmed  {left}{settled}",
        f"ledger       ${usd_text(found.charged)} charged, ${usd_text(found.held)} reserved",
        f"generations  {found.known} of this database in the account's list"
        + ("" if found.whole else "; the list had gaps"),
        f"balance      ${usd_text(found.balance)}",
    ]
    if found.difference is not None and found.fell_by is not None:
        lines.append(
            f"             fell by ${usd_text(found.fell_by)} since this database first read it, "
            f"${usd_text(found.charged_since)} charged since"
        )
        lines.append(f"difference   {_difference(found.difference)}")
    lines.append(f"orphans      {len(found.orphans)} that belong to no row")
    lines += [
        f"             {one.id} {one.phase}: {' '.join((one.prompt or 'no prompt').split())[:60]}"
        for one in found.orphans[:SHOWN]
    ]
    if len(found.orphans) > SHOWN:
        lines.append(f"             … and {len(found.orphans) - SHOWN} more; --json lists all")
    return "\n".join(lines)


def _difference(micros: int) -> str:
    if micros == 0:
        return "none"
    if micros > 0:
        return (
            f"${usd_text(micros)} more was spent than this database knows of: other users, or "
            "orphans"
        )
    return (
        f"${usd_text(-micros)} less was spent than was charged here: estimates, refunds, or a "
        "top-up"
    )


def resolve(
    store: Store,
    settings: Settings,
    clock: Clock,
    job: JobRow,
    generation: str | None,
    *,
    grace: timedelta,
    force: bool,
) -> str:
    """Settle which generation a job in doubt is, or that none was made; return what was done.

    Args:
        generation: its id; None: it was never made.
        grace: after which nothing turns up any more.
        force: despite any objection.

    Raises:
        SettingsError: there is no token, and a generation was named.
        jobs.model.errors.EngineError: the generation can't be read, the job is not in doubt, or
            there is an objection.
    """
    if generation is None:
        trouble = "" if force else _look(store, settings, clock, job, grace)
        resolve_never_made(store, clock, job, grace=grace, force=force, trouble=trouble)
        return f"{job.key} is queued again; its reserved money is released"
    with endpoint(settings) as place:
        ask(
            place,
            lambda provider: resolve_as(store, provider, clock, job, generation, force=force),
        )
    return f"{job.key} is generation {generation}; the next run polls it"


def _look(store: Store, settings: Settings, clock: Clock, job: JobRow, grace: timedelta) -> str:
    """Look for what a doubt could be; return why the look proves nothing, empty if it does."""
    try:
        with endpoint(settings) as place:
            return ask(place, lambda provider: look_for(store, provider, clock, job, grace)).trouble
    except SettingsError:
        return "there is no token to read the account's list with"
    except ProviderError as error:
        return f"the account's list can't be read now ({error})"
