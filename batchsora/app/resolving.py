"""Settling a doubt by a person's word, as the command and the page do."""

from datetime import timedelta
from typing import Any

from batchsora.app.ask import ask
from batchsora.app.session import endpoint
from batchsora.settings import Settings
from jobs.clock import Clock
from jobs.resolve import resolve_as, resolve_never_made
from jobs.store import Store


def resolve(
    store: Store,
    settings: Settings,
    clock: Clock,
    job: Any,
    generation: str | None,
    *,
    grace: timedelta,
    force: bool,
) -> str:
    """Say which generation a job in doubt is, or that none was made.

    Args:
        store: for writing.
        settings: where the account's generations are looked up.
        clock: time.
        job: as :func:`jobs.store.views.find_job` gives it.
        generation: its id; None says that it was never made.
        grace: after which nothing turns up any more.
        force: whatever stands against it.

    Returns:
        What was done, for people.

    Raises:
        SettingsError: there is no token.
        jobs.errors.EngineError: the job is not in doubt, or something stands against it.
    """
    if generation is None:
        resolve_never_made(store, clock, job, grace=grace, force=force)
        return f"{job.key} is queued again; its hold is released"
    with endpoint(settings) as place:
        ask(
            place,
            lambda provider: resolve_as(store, provider, clock, job, generation, force=force),
        )
    return f"{job.key} is generation {generation}; the next run looks at it"
