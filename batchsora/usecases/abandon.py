"""Give up attempts that will not end: their cost stays spent, and runs still look at them."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from batchsora.composition.exit_codes import Exit
from batchsora.options import RunOptions
from batchsora.presentation.cost import cost_of_jobs
from batchsora.presentation.messages import AFTER_GIVING_UP
from batchsora.usecases.retry_cancel_remove import (
    agree,
    find,
    move_all,
    sort_out,
    tell_refused,
)
from batchsora.usecases.user_interface import UserInterface
from jobs.model.again import Patience, WhyNot
from jobs.model.clock import Clock
from jobs.model.money import usd_text
from jobs.model.states import JobState
from jobs.ports.selection import Wanted
from jobs.store import Store

STILL_SEEN = "runs keep checking it, and take its video if it finishes before it is bought again"


def patience(clock: Clock) -> Patience:
    """Return from when a generation may be given up that no run has given up yet."""
    waits = timedelta(seconds=RunOptions().generation_timeout)
    return Patience(clock.now(), waits, AFTER_GIVING_UP)


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
