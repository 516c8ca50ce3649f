"""What people read of a database: its upgrade, and what became of it under a run."""

from typing import Final

from jobs.database.schema import Upgrade
from jobs.ports.purchases import Breach, Lost

_LOST: Final = {
    Lost.GONE: "was deleted or moved",
    Lost.REPLACED: "was replaced by another file",
    Lost.LINKED: "has a second name (a hard link)",
}


def upgrading(at_work: Upgrade) -> str:
    """Return what an upgrade of a database does, and that it can be left."""
    return (
        f"upgrading the database {at_work.database} ({at_work.size / 1e6:.0f} MB, version "
        f"{at_work.version}): about a minute for a million rows. Nothing is bought meanwhile, and "
        f"a copy of the original is at {at_work.copy}. Ctrl-C leaves it unchanged"
    )


def broken(breach: Breach) -> str:
    """Return what became of a database under a run, where what was bought is written, what to do.

    It is written in a copy where the file itself is gone.
    """
    path, copy = breach.database, breach.copy
    if breach.lost is Lost.TAKEN:
        return (
            f"another run took over {path} during this run (was its .lock file deleted?): "
            "this run submitted nothing more. What it bought is with the other run"
        )
    what = f"the database {path} {_LOST[breach.lost]} during the run"
    if breach.lost is Lost.LINKED:
        return (
            f"{what}: nothing more was submitted, and what was bought is saved in {path}. Delete "
            "the other name (find it with 'find -samefile'), then run again"
        )
    if copy is not None:
        return (
            f"{what}: nothing more was submitted. What this run bought is saved in {copy}: "
            f"continue from there with '--db {copy}', not with {path}, which does not know of it"
        )
    if breach.trouble:
        return (
            f"{what}: nothing more was submitted, and what this run bought could not be saved "
            f"anywhere ({breach.trouble}). Use the newest copy of the database with "
            "--adopt-existing, which finds in the account what was paid for"
        )
    return what
