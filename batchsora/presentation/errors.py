"""What people read of the engine's errors and of a database's upgrade: what to do next, too."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jobs.database.schema import Upgrade
from jobs.model import errors
from jobs.model.errors import Alteration, DatabaseFaultError, Fault, NotIts, OtherToken
from jobs.ports.purchases import Breach, Lost
from jobs.system import quote

MOST: Final = 10  # names that are listed where none is near
LONGEST_NAME: Final = 80  # characters of a name that others are compared with
QUOTED: Final = 40  # characters of a prompt that are quoted
_ANOTHER: Final = "or choose another database with --db"
_ADOPT: Final = "--adopt-existing, which finds in the account what was paid for"
_LOCKED: Final = "the database {path} can't be locked for a run ({detail}); "
_STEP: Final = (
    "the database {{path}} can't be {{step}} ({{detail}}); {}, and run it again: nothing of this "
    "step was saved, everything before it is safe"
)
_FAULTS: Final = {
    Fault.MISSING: "there is no database at {path} yet; load a manifest with 'batchsora run', "
    "look at a rehearsal with --sandbox, or choose the database with --db",
    Fault.NOT_OURS: "{path} is a SQLite database, but not one of batchsora's; choose another file "
    "with --db",
    Fault.NO_DATABASE: "{path} can't be read as a database ({detail}); choose another file with "
    "--db",
    Fault.NOT_OPENED: "{path} can't be opened ({detail}): make the file and its folder readable "
    "and writable (SQLite needs both to read it), or copy it to a folder of yours",
    Fault.NOT_WRITABLE: "the database {path} can't be written ({detail}); use --db with a folder "
    "that you may write to",
    Fault.LEADS_TO_NONE: "{path} is a link to {detail}, where there is no database yet, so "
    "nothing was created there: a link may have come with a folder that somebody sent. Delete it, "
    "or give the database itself with --db FILE",
    Fault.SECOND_NAME: "the database {path} has a second name (a hard link): two runs, one by each "
    "name, would buy the same rows, so nothing was bought. Delete the other name (find it with "
    "'find . -samefile {path}'), or make this one a file of its own: 'cp {path} copy.db', then "
    "--db copy.db",
    Fault.NETWORK_DRIVE: "the database {path} is on a network drive ({detail}), where two machines "
    "can write at once without seeing each other: rows could be bought twice, so nothing was "
    "bought. Copy it to a local disk and name it with --db, e.g. 'cp {path} ~/{path.name}' and "
    "'--db ~/{path.name}'",
    Fault.FOREIGN_FILE: "{beside} belongs to another account (number {detail}), and its content "
    "would be written into the database, so nothing was read or bought. If it is yours (the "
    "database was given another owner), 'chown' it to the same owner: it may hold what was bought. "
    "Else move it away, and keep databases where only you can write",
    Fault.FOREIGN_START: "{path} is an empty file that belongs to another account (number "
    "{detail}), which could change what is bought, so nothing was created there: delete it, or use "
    "--db FILE with a folder of your own",
    Fault.FIELD: "the database {path} was changed by another program: account.{detail} is not "
    "valid, so nothing was bought. Use an earlier copy, or start a new one with --db FILE; "
    "--adopt-existing finds in the account what was paid for",
    Fault.LOCK_FULL: f"{_LOCKED}free some space on its disk",
    Fault.LOCK_LINK: f"{_LOCKED}{{beside}} is a link, which is not followed: check who made it, "
    "then remove it",
    Fault.LOCK_KIND: f"{_LOCKED}{{beside}} is not a regular file: remove it",
    Fault.LOCK_RIGHTS: f"{_LOCKED}make its folder writable, {_ANOTHER}",
    Fault.FULL: _STEP.format("free some space on its disk"),
    Fault.DISK: _STEP.format("check its disk: free space, quota, health"),
    Fault.RIGHTS: _STEP.format(f"make the file and its folder writable, {_ANOTHER}"),
    Fault.BUSY: _STEP.format("close the program that has it locked"),
    Fault.DAMAGED: _STEP.format(
        "move it away together with its -wal file, and use your newest copy; or "
        f"start a new one with --db and {_ADOPT}"
    ),
}
"""What is wrong with the file of a database, what that means, and what to do."""


_TEXTS: Final[Mapping[object, str]] = {
    errors.AnotherRunnerError: "another run is active on {e.database} ({runner}); wait for it, or "
    "stop it with Ctrl-C in its terminal. What is loaded is safe",
    errors.OtherApiError: "{e.database} holds the generations of {e.holds}, not of {e.asked}; use "
    "another database with --db, or the right API with --base-url",
    OtherToken.UNSETTLED: "{e.database} has unconfirmed submissions that were made with another "
    "token, and nothing shows that this token belongs to the same account; use the earlier token "
    "until they are settled, or another database with --db",
    OtherToken.STRANGER: "{e.database} belongs to another account: this token does not know "
    "generation {e.detail}; use that account's token, or another database with --db",
    OtherToken.UNSEEN: "the token has changed, and whether it belongs to the same account could "
    "not be checked ({e.detail}); try again later",
    errors.UnknownTimeZoneError: "this machine does not know the time zone {e.name} of the daily "
    "budget, so nothing was bought: choose another one with 'batchsora run --time-zone', such as "
    "Europe/Berlin; or install the package tzdata",
    errors.NoSuchBatchError: "there is no batch {e.name!r}; {known}",
    errors.NoSuchJobError: "there is no job {e.key!r}{within}; {meant}'batchsora jobs' lists them",
    errors.AmbiguousJobError: "several batches have a job {e.key!r} ({batches}); choose one with "
    "--batch",
    errors.BatchUnderWayError: "{e.generations} generation(s) of the batch {e.name!r} are under "
    "way or unconfirmed, and may be paid for: let 'batchsora run' finish them first",
    errors.BatchUnfinishedError: "{e.jobs} job(s) of the batch {e.name!r} are left, so it was not "
    "archived: let them finish, or cancel them",
    errors.NamesakeError: "the batch {e.name!r} was loaded from {e.source}; choose another name "
    "with --name, or use --name {e.name} if it is the same manifest in a new place",
    errors.MovedRowsError: "{e.rows} paid row(s) were edited, and their videos are now wanted by "
    "unpaid rows ({e.asker} wants the video of {e.holder}: {prompt}), as if rows had moved under "
    "their ids. If so, {follow}: the videos are found, and not bought again. To buy them again, "
    "use --keep-both. Nothing was changed.",
    errors.EditedRowsError: "{e.vanished} paid row(s) are no longer in the manifest (row {e.row}: "
    "{prompt}), and {e.fresh} row(s) are new (row {e.new_row}: {new_prompt}). If these are edits, "
    "use --redo-changed to buy them again; if they are other videos, use --keep-both. An id column "
    "distinguishes edits from new rows. Nothing was changed.",
    errors.NoSuchCampaignError: "--cap {e.name}=…: no row has that campaign; {known}",
    errors.NotInDoubtError: "job {e.key!r} is {e.state}, not unconfirmed: nothing to resolve",
    NotIts.UNKNOWN: "the account has no generation {e.generation_id}; 'batchsora show' and the "
    "provider's own page list what there is",
    errors.NotItsGenerationError: "generation {e.generation_id} was made from another prompt; use "
    "--force if it is this job's anyway",
    errors.TakenGenerationError: "generation {e.generation_id} belongs to job {e.key!r} of "
    "{e.batch!r} already",
    errors.WrongClockError: "this machine's clock says {e.now:%Y-%m-%d %H:%M} UTC, and the "
    "submission of {e.key!r} has been unconfirmed since {e.since:%Y-%m-%d %H:%M}: one of them is "
    "wrong, so it is unknown whether it may still turn up. Check the account's generations, then "
    "use --force",
    errors.TooEarlyError: "the submission of {e.key!r} may still turn up until {e.until:%H:%M:%S} "
    "UTC; check the account's generations then, or use --force and pay twice if it does",
    errors.CandidatesError: "the submission of {e.key!r} could be any of these generations, oldest "
    "first: {candidates}. 'batchsora resolve {key} --generation ID' takes one; --force buys again, "
    "and pays twice if one is its own",
    errors.UnprovenError: "whether {e.key!r} was made is unknown: {e.trouble}. Check the account's "
    "generations on the provider's own page; --force buys again, and pays twice if it was",
}
"""By the error, or by its cause."""


def message(error: BaseException) -> str:  # noqa: PLR0911 - one case an error
    """Return what people read of an error; of others than the engine's, their own text."""
    match error:
        case DatabaseFaultError():
            said = {"path": error.database, "beside": error.beside}
            return _FAULTS[error.fault].format(detail=error.detail, step=error.step, **said)
        case errors.DatabaseVersionError(newer=True):
            return (
                f"{error.database} was made by a newer batchsora (version {error.version}, this "
                f"program knows {error.known}); upgrade batchsora, {_ANOTHER}"
            )
        case errors.DatabaseVersionError():
            return (
                f"{error.database} has an older version ({error.version}); the next "
                "'batchsora run' upgrades it"
            )
        case errors.DatabaseAlteredError():
            return _altered(error)
        case errors.NotInDoubtError(state=""):
            return f"job {error.key!r} is no longer unconfirmed: it was settled meanwhile"
        case errors.NotItsGenerationError(cause=NotIts.UNKNOWN) | errors.OtherTokenError():
            return _TEXTS[error.cause].format(e=error)
    text = _TEXTS.get(type(error))
    return str(error) if text is None else text.format(e=error, **_facts(error))


def _facts(error: BaseException) -> dict[str, str]:  # noqa: PLR0911 - one case an error
    """Return what an error's text needs beside its attributes."""
    match error:
        case errors.AnotherRunnerError():
            return {"runner": error.runner or "unknown"}
        case errors.NoSuchBatchError():
            names = ", ".join(map(repr, error.known[:MOST]))
            more = ", …" if len(error.known) > MOST else ""
            there = f"there are {names}{more}" if names else "the database has no batch yet"
            return {"known": meant(error.name, error.known) or there}
        case errors.NoSuchJobError():
            near = meant(error.key, error.known)
            return {
                "within": "" if error.batch is None else f" in the batch {error.batch!r}",
                "meant": f"{near} " if near else "",
            }
        case errors.AmbiguousJobError():
            return {"batches": ", ".join(map(repr, error.batches))}
        case errors.MovedRowsError():
            later = "load it again when they have finished"
            follow = later if error.under_way else "use --redo-changed"
            return {"prompt": _short(error.prompt), "follow": follow}
        case errors.EditedRowsError():
            return {"prompt": _short(error.prompt), "new_prompt": _short(error.new_prompt)}
        case errors.NoSuchCampaignError():
            names = ", ".join(map(repr, error.known)) or "none at all"
            return {"known": meant(error.name, error.known) or f"there are {names}"}
        case errors.CandidatesError():
            return {"candidates": "; ".join(_candidates(error.candidates)), "key": quote(error.key)}
    return {}


def meant(name: str, known: Sequence[str]) -> str:
    """Ask whether the nearest of some names was meant; empty if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - for a mistake alone

    names = {one.casefold(): one for one in reversed(known)}
    near = get_close_matches(name.casefold()[:LONGEST_NAME], names, 1)
    return f"did you mean {names[near[0]]!r}?" if near else ""


def _altered(error: errors.DatabaseAlteredError) -> str:
    """Return what another program did to a database."""
    what = {
        Alteration.ADDED: f"it has a {error.known!r} that batchsora did not make",
        Alteration.MISSING: f"its {error.known!r} is missing",
        Alteration.REDEFINED: f"its {error.known!r} differs from batchsora's definition",
    }[error.alteration]
    remedy = "Use"
    if error.alteration is Alteration.ADDED:
        remedy = (
            "If you or your backup program added it, "
            f"'{error.remove or 'DROP it'}' in SQLite is enough. Otherwise use"
        )
    return (
        f"the database {error.database} was changed by another program: {what}. It "
        "could change what is bought, so nothing was read or bought. "
        f"{remedy} an earlier copy, or start a new one with --db FILE and {_ADOPT}"
    )


def _candidates(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return generations, oldest first, with their states and times."""
    in_order = sorted(
        found,
        key=lambda one: (one["created_at"] is None, one["created_at"] or "", one["generation_id"]),
    )
    return [
        f"{one['generation_id']}, {one['status']}, {one['created_at'] or 'time unknown'}"
        for one in in_order
    ]


def _short(text: str) -> str:
    """Return the beginning of a prompt, quoted."""
    return repr(text if len(text) <= QUOTED else text[: QUOTED - 1] + "…")


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
    """Return what became of a database under a run, where its purchases are saved, and what to do.

    They are saved in a copy where the file itself is gone.
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
