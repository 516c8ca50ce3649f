"""Handing jobs to the runner that is alive, and saying truthfully who buys them."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from batchsora.settings import Settings
from jobs.lock import current_runner, is_held, lasting_runner
from jobs.store import Store, handing, holding

CHUNK: Final = 500
"""Jobs that one transaction moves, so that a runner never waits for long."""


def chunks(job_ids: Sequence[int]) -> list[Sequence[int]]:
    """Cut a list of jobs into what one transaction changes."""
    return [job_ids[start : start + CHUNK] for start in range(0, len(job_ids), CHUNK)]


def hand_over(store: Store, settings: Settings, job_ids: Sequence[int]) -> str:
    """Hand jobs, and nothing else of their batches, to the runner that serves, if there is one.

    Args:
        store: for writing.
        settings: of the command.
        job_ids: their numbers; none where the runner serves their batch anyway.

    Returns:
        Who buys them.
    """
    runner = lasting_runner(settings.database)
    held = is_held(settings.database)
    if (
        runner is not None
        and held
        and all(
            store.write(lambda c, chunk=chunk: handing.offer(c, chunk))  # type: ignore[misc]
            for chunk in chunks(job_ids) or [()]
        )
    ):
        return f"the runner takes it up ({runner})"
    runner = current_runner(settings.database) if held else None
    later = "" if runner is None else f" when the runner has ended that works just now ({runner})"
    return f"'batchsora run' goes on from there{later}"


def ask_for(store: Store, job_ids: Sequence[int]) -> bool:
    """Hand jobs to the runner that serves, also those that nobody had asked for.

    They were looked for; what was found is handed over to nobody.

    Returns:
        False when no runner serves any more: the rest stays as it was.
    """

    def work(connection: Connection, chunk: Sequence[int]) -> bool:
        served = handing.offer(connection, chunk)
        if served:
            holding.ask_by_name(connection, chunk)
        return served

    return all(
        store.write(lambda c, chunk=chunk: work(c, chunk))  # type: ignore[misc]
        for chunk in chunks(job_ids)
    )
