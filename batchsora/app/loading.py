"""From a manifest to the job table: read, refuse or leave out what is wrong, load, set the caps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from batchsora.app.interrupts import Interrupts, heeded_between_steps
from batchsora.app.moved_sheets import moved_sheet
from batchsora.app.progress import counted
from batchsora.manifest.errors import ManifestError, RowProblem
from batchsora.manifest.filtered import rows_text
from batchsora.manifest.read import Manifest
from batchsora.runblob.kinds import kind_of
from jobs.errors import LoadError
from jobs.ledger import Refunds, batch_key, campaign_key, day_key
from jobs.money import cap_micros, to_micros, usd_text
from jobs.spec import SpecRow
from jobs.states import HeldBack
from jobs.store import Store, accounts, batches, incoming, loading, steering, views
from jobs.store.loading import LoadReport, OnChange

ADHOC = "adhoc"
"""The batch of the videos that are generated one by one."""


class RowsGoneError(Exception):
    """Unpaid rows are no longer in their manifest, and nobody said yet that they are not wanted.

    Attributes:
        keys: theirs.
    """

    def __init__(self, keys: list[str]) -> None:
        super().__init__(f"{len(keys)} unpaid row(s) are no longer in the manifest")
        self.keys = keys


class CommentsError(ManifestError):
    """Lines of a manifest may be comments, or prompts; nobody said yet that they are no rows."""


class InvalidRowsError(Exception):
    """Rows of a manifest can't be bought as they stand.

    Attributes:
        problems: every problem of every row.
    """

    def __init__(self, problems: list[RowProblem]) -> None:
        super().__init__(f"{len(problems)} problem(s) in the manifest")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps that a person gave; None leaves the kept one.

    Attributes:
        time_zone: whose calendar days the day's cap counts, such as ``Europe/Berlin``.
        refunds: which failed generations the account is known to get its money back for.
        begin: caps of the configuration file, by their name here: they count where nothing is kept.
    """

    batch: Decimal | None = None
    campaigns: dict[str, Decimal] = field(default_factory=dict)
    day: Decimal | None = None
    max_price: Decimal | None = None
    min_balance: Decimal | None = None
    time_zone: str | None = None
    refunds: Refunds | None = None
    begin: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load.

    Attributes:
        name: of the batch; None takes the manifest's.
        skip_invalid: load the valid rows although others are not.
        allow_unknown: load although a column looks like a misspelt one.
        ask_gone: load nothing while unpaid rows would be cancelled that left the manifest.
        comments: leave lines out that begin with ``#`` or ``//``; else they are asked about.
        quiet: show no progress.
        held_back: why nobody buys the rows that this load queues: a person has not asked for
            them, or has, and they were not looked for yet.
    """

    name: str | None = None
    skip_invalid: bool = False
    allow_unknown: bool = False
    on_change: OnChange = OnChange.STOP
    ask_gone: bool = False
    comments: bool = False
    quiet: bool = False
    held_back: HeldBack = HeldBack.UNASKED


def valid_rows(
    manifest: Manifest, problems: list[RowProblem], *, skip_invalid: bool
) -> Iterator[SpecRow]:
    """Stream the rows that can be bought; collect what is wrong with the others.

    Raises:
        InvalidRowsError: at the end, when there are problems and they are not to be skipped.
    """
    for row in manifest.spec_rows(lambda request: kind_of(request).key):
        if isinstance(row, RowProblem):
            problems.append(row)
        else:
            yield row
    if problems and not skip_invalid:
        raise InvalidRowsError(problems)


def load_manifest(
    store: Store, manifest: Manifest, options: LoadOptions, caps: Caps, now: datetime
) -> tuple[LoadReport, list[str], list[RowProblem]]:
    """Load a manifest and keep its caps in one transaction: wholly, or nothing of it.

    The rows are read before it begins, so that nobody waits for a lock meanwhile.

    Returns:
        What was loaded, notes about replaced caps, and the rows that were skipped.

    Raises:
        InvalidRowsError: rows are wrong, and not to be skipped.
        CommentsError: lines may be comments, which is to be asked about.
        ManifestError: a column looks misspelt, and that was not allowed.
        RowsGoneError: unpaid rows left the manifest, which is to be asked about.
        jobs.errors.LoadError: it can't be told which batch it is, edits need a word, or a cap is
            for a campaign that no row has.
    """
    check_columns(manifest, allow_unknown=options.allow_unknown)
    store.read(lambda c: check_name(c, manifest, options.name))  # before rows are read for long
    with heeded_between_steps() as ctrl_c:
        problems = spool_manifest(store, manifest, options, ctrl_c)
        check_columns(manifest, allow_unknown=options.allow_unknown)  # their cells are known now
        if not options.comments:
            check_comments(manifest)
        work = merging(manifest, options, caps, now, whole=not problems, ctrl_c=ctrl_c)
        report, notes = store.write(work)
    return report, notes, problems


def check_name(connection: Connection, manifest: Manifest, name: str | None) -> None:
    """Make sure that it can be told which batch a manifest is.

    Raises:
        jobs.errors.LoadError: it can't.
    """
    if ADHOC in (name, name or manifest.name):
        raise LoadError(
            f"the batch {ADHOC!r} is that of 'batchsora generate'; give this one another name "
            "with --name"
        )
    if (moved := moved_sheet(connection, manifest, name)) is not None:
        raise LoadError(str(moved))
    batches.batch_of(connection, name, manifest.name, manifest.source)


def spool_manifest(
    store: Store, manifest: Manifest, options: LoadOptions, ctrl_c: Interrupts
) -> list[RowProblem]:
    """Read the rows into the temporary table beside a database; returns what is wrong with others.

    Raises:
        InvalidRowsError, ManifestError: as :func:`load_manifest` does.
    """
    problems: list[RowProblem] = []
    read = counted("reading", quiet=options.quiet)

    def spool(connection: Connection) -> None:
        rows = valid_rows(manifest, problems, skip_invalid=options.skip_invalid)
        incoming.fill(connection, ctrl_c.between(read(rows)))

    store.spool(spool)
    return problems


def merging(
    manifest: Manifest,
    options: LoadOptions,
    caps: Caps,
    now: datetime,
    *,
    whole: bool,
    ctrl_c: Interrupts,
) -> Callable[[Connection], tuple[LoadReport, list[str]]]:
    """Make the work that brings the rows that were read last into their batch, and keeps the caps.

    It raises RowsGoneError and jobs.errors.LoadError, as :func:`load_manifest` does.

    Args:
        manifest: whose they are.
        options: how to load.
        caps: that a person gave.
        now: the time.
        whole: no row was left out.
        ctrl_c: is heeded before anything is kept.
    """

    def work(connection: Connection) -> tuple[LoadReport, list[str]]:
        batch_id = batches.open_batch(
            connection,
            options.name,
            manifest.name,
            manifest.source,
            manifest.columns,
            now,
            manifest.read_as,
        )
        report = loading.merge(
            connection,
            batch_id,
            now,
            options.on_change,
            whole=whole,
            held_back=options.held_back,
        )
        ctrl_c.heed()
        if options.ask_gone and report.cancelled:
            raise RowsGoneError(report.cancelled)
        return report, set_caps(connection, batch_id, caps, manifest, now)

    return work


def is_capped(store: Store, manifest: Manifest, name: str | None, caps: Caps) -> bool:
    """Check whether a manifest's batch will have a cap, under which nobody is asked.

    Raises:
        jobs.errors.LoadError: it can't be told which batch it is.
    """
    if caps.batch is not None or manifest.budget is not None or "batch" in caps.begin:
        return True

    def kept(connection: Connection) -> bool:
        batch = batches.batch_of(connection, name, manifest.name, manifest.source)
        return batch is not None and accounts.cap(connection, batch_key(batch.id)) is not None

    return store.read(kept)


def check_columns(manifest: Manifest, *, allow_unknown: bool) -> None:
    """Stop before a misspelt column buys the wrong thing.

    Raises:
        ManifestError: a column is probably meant as one of ours, by its header or its cells.
    """
    if allow_unknown or not manifest.suspicious_columns:
        return
    suspicious = manifest.suspicious_columns[0]
    for warning in reversed(manifest.warnings):  # what its cells say goes before its name
        if warning.column == suspicious:
            raise ManifestError(warning)


def check_comments(manifest: Manifest) -> None:
    """Stop before lines are left out that may be prompts, or the other way round.

    Raises:
        CommentsError: there are some.
    """
    rows = manifest.left_out.comments
    if rows:
        raise CommentsError(
            RowProblem(
                str(manifest.path),
                rows[0],
                None,
                None,
                f"{rows_text(rows)} begin with # or //: they may be comments, or prompts",
                "Remove them; or say --yes to leave them out; or put another sign in front of a "
                "prompt.",
            )
        )


def set_caps(
    connection: Connection, batch_id: int, caps: Caps, manifest: Manifest | None, now: datetime
) -> list[str]:
    """Keep the caps: a flag over the manifest's, the manifest's over what was kept.

    Returns:
        What was replaced, for people.
    """
    if caps.time_zone is not None:  # first: it says which day it is
        accounts.set_time_zone(connection, caps.time_zone)
    caps, notes = _begin_with(connection, batch_id, caps, manifest, now)

    def keep(key: str, what: str, amount: Decimal) -> None:
        new = cap_micros(amount)
        old = accounts.set_cap(connection, key, new)
        if old is not None and old != new:
            notes.append(f"{what}: ${usd_text(new)} replaces ${usd_text(old)}")

    batch = caps.batch
    if batch is None and manifest is not None:
        batch = manifest.budget
    if batch is not None:
        keep(batch_key(batch_id), "budget", batch)
    campaigns = {} if manifest is None else dict(manifest.campaign_budgets)
    _check_campaigns(connection, batch_id, caps.campaigns)
    for name, amount in (campaigns | caps.campaigns).items():
        keep(campaign_key(batch_id, name), f"budget of campaign {name!r}", amount)
    if caps.day is not None:
        keep(day_key(accounts.current_day(connection, now)), "budget of the day", caps.day)
    return notes + _keep_terms(connection, batch_id, caps)


_WORDS = {"batch": "budget", "day": "day-budget"}


def _begin_with(
    connection: Connection, batch_id: int, caps: Caps, manifest: Manifest | None, now: datetime
) -> tuple[Caps, list[str]]:
    """Take the file's caps where neither a flag, nor the manifest, nor an earlier run said any.

    Returns:
        The caps, and notes about what of the file does not count.
    """
    notes: list[str] = []
    counts: dict[str, Any] = {}
    for name, amount in caps.begin.items():
        micros = to_micros(amount) if name == "min_balance" else cap_micros(amount)
        if name == "batch" and manifest is not None and manifest.budget is not None:
            continue
        kept = _kept(connection, batch_id, name, now)
        if kept is None:
            counts[name] = amount
        elif kept != micros:
            option = _WORDS.get(name, name.replace("_", "-"))
            notes.append(
                f"{option}: ${usd_text(kept)} is kept; the ${usd_text(micros)} of the "
                f"configuration would count at the beginning (--{option} replaces it)"
            )
    return replace(caps, **counts), notes


def _kept(connection: Connection, batch_id: int, name: str, now: datetime) -> int | None:
    """Read a cap as an earlier run left it."""
    match name:
        case "batch":
            return accounts.cap(connection, batch_key(batch_id))
        case "day":
            return accounts.cap(connection, day_key(accounts.current_day(connection, now)))
        case "max_price":
            return steering.max_price(connection, batch_id)
    return accounts.read_account(connection).floor_micros or None


def _check_campaigns(
    connection: Connection, batch_id: int, campaigns: Mapping[str, Decimal]
) -> None:
    """Refuse a cap that would cap nothing: a misspelt campaign would spend without end."""
    known = views.campaigns(connection, batch_id) if campaigns else []
    for name in campaigns:
        if name not in known:
            there = ", ".join(map(repr, known[:10])) or "none at all"
            raise LoadError(f"--cap {name}=…: no row has that campaign; there are {there}")


def _keep_terms(connection: Connection, batch_id: int, caps: Caps) -> list[str]:
    """Keep what is no cap, and yet decides what may be spent."""
    notes: list[str] = []
    if caps.max_price is not None:
        steering.set_max_price(connection, batch_id, cap_micros(caps.max_price))
    if caps.min_balance is not None:
        accounts.set_floor(connection, to_micros(caps.min_balance))
    if caps.refunds is not None:
        before = steering.set_refunds(connection, batch_id, caps.refunds)
        if before is not caps.refunds:
            notes.append(f"refunds of failures from now on: {caps.refunds} (was: {before})")
    return notes
