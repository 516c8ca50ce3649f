"""Which rows a run may buy, and what of them a person has asked for: for runs, and for plans."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from batchsora.app.picks import Pick
from jobs.states import ASKED_BY_NAME, FOUND, HeldBack
from jobs.store import holding, steering
from jobs.store.holding import Sought


def rows_sought(
    connection: Connection, batch_ids: Sequence[int], pick: Pick, *, named: bool
) -> Sought:
    """Name the rows that a run may buy: what else is queued is neither looked for nor changed.

    Args:
        connection: any.
        batch_ids: whose rows.
        pick: which of them.
        named: a person named the batches.
    """
    tried = () if pick.everything else batch_ids
    picked = {number: pick.rows(steering.rows_of(connection, number)) for number in tried}
    return Sought(batch_ids, named, picked)


def overruled(sought: Sought, *, again: bool) -> tuple[HeldBack, ...]:
    """List the reasons for holding rows back that a run overrules.

    Who names a batch asks for what was left out of it before, or was loaded and never asked for.

    Args:
        sought: what the run may buy.
        again: a person said to buy what exists, too.
    """
    return (ASKED_BY_NAME if sought.named else ()) + (FOUND if again else ())


def ask_for(connection: Connection, sought: Sought, now: datetime, *, again: bool) -> None:
    """Write down with the rows what a person has asked for now, and what was left out."""
    if again:
        holding.overrule(connection, sought, now)
    holding.release(connection, sought, overruled(sought, again=again))
    for batch_id, rows in sought.rows.items():
        holding.pick(connection, batch_id, rows)
