"""What people read of the engine's errors: what happened, what it means, what to type next."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any, Final

from jobs.model import errors
from jobs.model.errors import Alteration, DatabaseFaultError, Fault, NotIts, OtherToken

QUOTED: Final = 40
"""Characters of a prompt that are quoted."""

_ANOTHER: Final = "or name another database with --db"
_ADOPT: Final = "--adopt-existing, which finds in the account what was paid for"
_LOCKED: Final = "the database {path} can't be locked for a run ({detail}); "
_STEP: Final = (
    "the database {{path}} can't be {{step}} ({{detail}}); {}, and run it again: nothing of this "
    "step was kept, everything before it is safe"
)
_FAULTS: Final = {
    Fault.MISSING: "there is no database at {path} yet; load a manifest with 'batchsora run', or "
    "name the database with --db",
    Fault.NOT_OURS: "{path} is a SQLite database, but none of batchsora's; name another file with "
    "--db",
    Fault.NO_DATABASE: "{path} can't be read as a database ({detail}); name another file with --db",
    Fault.NOT_OPENED: "{path} can't be opened ({detail}): make the file and its folder readable "
    "and writable (SQLite needs both to read it), or copy it to a folder of yours",
    Fault.NOT_WRITABLE: "the database {path} can't be written ({detail}); choose a folder that you "
    "may write to with --db",
    Fault.LEADS_TO_NONE: "{path} is a link to {detail}, where there is no database yet, so nothing "
    "was made there: a link may have come with a folder that somebody sent. Delete it, or name the "
    "database itself with --db FILE",
    Fault.SECOND_NAME: "the database {path} has a second name (a hard link): two runs, one by each "
    "name, would buy the same rows, so nothing was bought. Delete the other name (find it with "
    "'find . -samefile {path}'), or make this one a file of its own: 'cp {path} copy.db', then "
    "--db copy.db",
    Fault.NETWORK_DRIVE: "the database {path} is on a network drive ({detail}), where two machines "
    "can write at once without seeing each other: rows could be bought twice, so nothing was "
    "bought. Copy it to a local disk and name it with --db, e.g. 'cp {path} ~/{path.name}' and "
    "'--db ~/{path.name}'",
    Fault.FOREIGN_FILE: "{beside} belongs to another account (number {detail}), and what stands in "
    "it would be written into the database, so nothing was read or bought. If it is yours (the "
    "database was given another owner), 'chown' it to the same owner: it may hold what was bought. "
    "Else move it away, and keep databases where nobody else can write",
    Fault.FOREIGN_START: "{path} is an empty file that belongs to another account (number "
    "{detail}), which could change what is bought, so nothing was made there: delete it, or name a "
    "database in a folder of your own with --db FILE",
    Fault.FIELD: "the database {path} was changed by another program: account.{detail} is not "
    "valid, so nothing was bought. Take a copy from before, or begin a new one with --db FILE; "
    "--adopt-existing finds in the account what was paid for",
    Fault.LOCK_FULL: f"{_LOCKED}free some space on its disk",
    Fault.LOCK_LINK: f"{_LOCKED}{{beside}} is a link, which is not followed: see who made it, then "
    "remove it",
    Fault.LOCK_KIND: f"{_LOCKED}{{beside}} is not a regular file: remove it",
    Fault.LOCK_RIGHTS: f"{_LOCKED}make its folder writable, {_ANOTHER}",
    Fault.FULL: _STEP.format("free some space on its disk"),
    Fault.DISK: _STEP.format("look at its disk: the free space, your quota, its health"),
    Fault.RIGHTS: _STEP.format(f"make the file and its folder writable, {_ANOTHER}"),
    Fault.BUSY: _STEP.format("close the program that has it locked"),
    Fault.DAMAGED: _STEP.format(
        "put it aside together with its -wal file, and take the newest copy that you have; or "
        f"begin a new one with --db and {_ADOPT}"
    ),
}
"""What is wrong with the file of a database, what that means, and what to do."""


def message(error: BaseException) -> str:  # noqa: C901, PLR0911, PLR0912 - one case an error
    """Return what people read of an error; of any but the engine's, its own text."""
    match error:
        case DatabaseFaultError():
            said = {"path": error.database, "beside": error.beside}
            return _FAULTS[error.fault].format(detail=error.detail, step=error.step, **said)
        case errors.OtherVersionError(newer=True):
            return (
                f"{error.database} was made by a newer batchsora (version {error.version}, this "
                f"program knows {error.known}); upgrade batchsora, {_ANOTHER}"
            )
        case errors.OtherVersionError():
            return (
                f"{error.database} is of an older version ({error.version}); the next "
                "'batchsora run' upgrades it"
            )
        case errors.AnotherRunnerError():
            return (
                f"another runner works on {error.database} ({error.runner or 'unknown'}); wait "
                "for it, or stop it with Ctrl-C in its terminal: what is loaded there is safe"
            )
        case errors.OtherApiError():
            return (
                f"{error.database} holds the generations of {error.holds}, not of {error.asked}; "
                "name another database with --db, or the right API with --base-url"
            )
        case errors.OtherTokenError():
            return _other_token(error)
        case errors.UnknownTimeZoneError():
            return (
                f"this machine does not know the time zone {error.name} of the daily budget, so "
                "nothing was bought: 'batchsora run --time-zone' takes another one, such as "
                "Europe/Berlin; or install the time zones (the package tzdata)"
            )
        case errors.DatabaseAlteredError():
            return _altered(error)
        case errors.NoSuchBatchError():
            names = ", ".join(map(repr, error.known))
            known = f"there are {names}" if names else "the database has no batch yet"
            return f"there is no batch {error.name!r}; {known}"
        case errors.NoSuchJobError():
            within = "" if error.batch is None else f" in the batch {error.batch!r}"
            return f"there is no job {error.key!r}{within}; 'batchsora jobs' lists them"
        case errors.AmbiguousJobError():
            names = ", ".join(map(repr, error.batches))
            return f"several batches have a job {error.key!r} ({names}); say which with --batch"
        case errors.BatchUnderWayError():
            return (
                f"{error.generations} generation(s) of the batch {error.name!r} are under way or "
                "in doubt, and paid for or held: let 'batchsora run' finish them first"
            )
        case errors.LoadError():
            return _load(error)
        case errors.NotAllowedError():
            return _doubt(error)
    return str(error)


def _other_token(error: errors.OtherTokenError) -> str:
    """Return why a token may not use a database."""
    match error.cause:
        case OtherToken.UNSETTLED:
            return (
                f"{error.database} has submissions in doubt that were made with another token, "
                "and nothing by which this one could show that it is of the same account; use the "
                "token from before until they are settled, or another database with --db"
            )
        case OtherToken.STRANGER:
            return (
                f"{error.database} belongs to another account: this token does not know "
                f"generation {error.detail}; use that account's token, or another database with "
                "--db"
            )
        case OtherToken.UNSEEN:
            return (
                "the token is another one than before, and whether it is of the same account "
                f"could not be seen ({error.detail}); try again later"
            )


def _altered(error: errors.DatabaseAlteredError) -> str:
    """Return what another program did to a database."""
    what = {
        Alteration.ADDED: f"it has a {error.known!r} that batchsora did not make",
        Alteration.MISSING: f"its {error.known!r} is missing",
        Alteration.REDEFINED: f"its {error.known!r} is not defined as batchsora does",
    }[error.alteration]
    remedy = "Take"
    if error.alteration is Alteration.ADDED:
        remedy = (
            "If you added it, or a program of yours that copies databases did, "
            f"'{error.remove or 'DROP it'}' in SQLite is all that is needed. Otherwise take"
        )
    return (
        f"the database {error.database} was changed by another program: {what}. What is defined "
        "there would act whenever batchsora writes, so nothing was read or bought. "
        f"{remedy} a copy from before, or begin a new one with --db FILE and {_ADOPT}"
    )


def _load(error: errors.LoadError) -> str:
    """Return why a manifest can't be loaded."""
    match error:
        case errors.NamesakeError():
            return (
                f"the batch {error.name!r} was loaded from {error.source}; give this one a name "
                f"of its own with --name, or say --name {error.name} if it is the same manifest "
                "in a new place"
            )
        case errors.MovedRowsError():
            follow = "say --redo-changed"
            if error.under_way:
                follow = "load it again when they have finished"
            return (
                f"{error.rows} row(s) that were paid for ask for another video now, and rows that "
                f"were not ask for theirs (what {error.holder} has, {error.asker} asks for: "
                f"{_short(error.prompt)}), as if rows had moved under their ids. If so, {follow}: "
                "the videos are found then, and not bought again. If they shall be bought again, "
                "say --keep-both. Nothing was changed."
            )
        case errors.EditedRowsError():
            return (
                f"{error.vanished} row(s) that were paid for are no longer in the manifest (row "
                f"{error.row}: {_short(error.prompt)}), and {error.fresh} new row(s) came (row "
                f"{error.new_row}: {_short(error.new_prompt)}). If these are edits and the videos "
                "shall be bought again, say --redo-changed; if they are other videos, say "
                "--keep-both. An id column keeps edits apart from new rows. Nothing was changed."
            )
        case errors.NoSuchCampaignError():
            there = ", ".join(map(repr, error.known)) or "none at all"
            return f"--cap {error.name}=…: no row has that campaign; there are {there}"
    return str(error)


def _doubt(error: errors.NotAllowedError) -> str:  # noqa: PLR0911 - one case an error
    """Return why an attempt in doubt can't be settled as a person says."""
    match error:
        case errors.NotInDoubtError(state=""):
            return f"job {error.key!r} is no longer in doubt: it was settled meanwhile"
        case errors.NotInDoubtError():
            return f"job {error.key!r} is {error.state}, not in doubt: nothing to resolve"
        case errors.NotItsGenerationError(cause=NotIts.UNKNOWN):
            return (
                f"the account has no generation {error.generation_id}; 'batchsora show' and the "
                "provider's own page list what there is"
            )
        case errors.NotItsGenerationError():
            return (
                f"generation {error.generation_id} was made from another prompt; say --force if "
                "it is this job's all the same"
            )
        case errors.TakenGenerationError():
            return (
                f"generation {error.generation_id} belongs to job {error.key!r} of "
                f"{error.batch!r} already"
            )
        case errors.WrongClockError():
            return (
                f"this machine's clock says {error.now:%Y-%m-%d %H:%M} UTC, and the submission of "
                f"{error.key!r} went in doubt at {error.since:%Y-%m-%d %H:%M}: one of both is "
                "wrong, so nobody can tell whether it may still turn up. Look at the account's "
                "generations, then say --force"
            )
        case errors.TooEarlyError():
            return (
                f"the submission of {error.key!r} may still turn up until "
                f"{error.until:%H:%M:%S} UTC; look at the account's generations then, or say "
                "--force to pay again if it does"
            )
        case errors.CandidatesError():
            return (
                f"the submission of {error.key!r} could be any of these generations, oldest "
                f"first: {'; '.join(_candidates(error.candidates))}. 'batchsora resolve "
                f"{quote(error.key)} --generation ID' takes one; --force pays again although one "
                "may be its own"
            )
        case errors.UnprovenError():
            return (
                f"whether {error.key!r} was made can't be seen: {error.trouble}. Look at the "
                "account's generations on the provider's own page, then say --force to pay again "
                "if it was"
            )
    return str(error)


def _candidates(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name generations, oldest first, with their states and times."""
    in_order = sorted(
        found,
        key=lambda one: (one["created_at"] is None, one["created_at"] or "", one["generation_id"]),
    )
    return [
        f"{one['generation_id']}, {one['status']}, {one['created_at'] or 'time unknown'}"
        for one in in_order
    ]


def _short(text: str) -> str:
    """Quote the beginning of a prompt."""
    return repr(text if len(text) <= QUOTED else text[: QUOTED - 1] + "…")
