"""Settle a doubt by a person's word, for the command and the page."""

from datetime import timedelta

from batchsora.composition.session import ask, endpoint
from batchsora.settings import Settings, SettingsError
from jobs.model.clock import Clock
from jobs.model.provider import ProviderError
from jobs.ports.seen import JobRow
from jobs.reconciliation.by_word import look_for, resolve_as, resolve_never_made
from jobs.store import Store


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
    """Settle which generation a job in doubt is, or that none was made.

    Args:
        generation: its id; None: it was never made.
        grace: after which nothing turns up any more.
        force: despite any objection.

    Returns:
        What was done, for people.

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
    """Look for what a doubt could be; return why the look proves nothing, empty if it does.

    Raises:
        NotAllowedError: the job is not in doubt.
    """
    try:
        with endpoint(settings) as place:
            return ask(place, lambda provider: look_for(store, provider, clock, job, grace)).trouble
    except SettingsError:
        return "there is no token to read the account's list with"
    except ProviderError as error:
        return f"the account's list can't be read now ({error})"
