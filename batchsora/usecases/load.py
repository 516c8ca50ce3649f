"""Load a manifest into the database: read it, refuse or skip invalid rows, keep the caps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from batchsora.composition.interrupts import Interrupts, heeded_between_steps
from batchsora.manifest.errors import ManifestError, RowProblem, rows_text
from batchsora.manifest.heads import book_head
from batchsora.manifest.read import Manifest
from batchsora.providers.registry import kind_of
from batchsora.usecases.naming import name_check
from batchsora.usecases.progress import counted
from jobs.model.errors import LoadError
from jobs.model.ledger import Scope, batch_key
from jobs.model.money import cap_micros, usd_text
from jobs.model.spec import SpecRow
from jobs.model.states import HeldBack
from jobs.ports.control import Terms, TermsKept
from jobs.ports.loading import LoadOrder, LoadReport, OnChange
from jobs.ports.queries import QueryStore
from jobs.store import Store
from jobs.system import quote

ADHOC = "adhoc"
"""The batch of the videos that are generated singly."""


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
    """Rows of a manifest can't be bought; it has every problem of every row."""

    def __init__(self, problems: list[RowProblem]) -> None:
        super().__init__(f"{len(problems)} problem(s) in the manifest")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to load.

    Attributes:
        name: of the batch; None: the manifest's.
        skip_invalid: load the valid rows even if others are not.
        allow_unknown: load even if a column looks like a misspelling.
        ask_gone: load nothing if that would cancel unpaid rows that left the manifest.
        comments: leave out lines that begin with ``#`` or ``//``; else ask about them.
        held_back: why nobody buys the rows of this load yet: a person has not asked for them, or
            has, and they were not looked for yet.
    """

    name: str | None = None
    skip_invalid: bool = False
    allow_unknown: bool = False
    on_change: OnChange = OnChange.STOP
    ask_gone: bool = False
    comments: bool = False
    quiet: bool = False
    held_back: HeldBack = HeldBack.UNASKED


def load_manifest(
    store: Store, manifest: Manifest, options: LoadOptions, caps: Terms, now: datetime
) -> tuple[LoadReport, list[str], list[RowProblem]]:
    """Load a manifest and keep its caps in one transaction: all of it, or nothing.

    The rows are read before it begins, so that nobody waits for a lock meanwhile.

    Returns:
        What was loaded, notes about replaced caps, and the skipped rows.

    Raises:
        InvalidRowsError: rows are wrong, and not to be skipped.
        CommentsError: lines may be comments; ask.
        ManifestError: a column looks misspelt, and that was not allowed.
        RowsGoneError: unpaid rows left the manifest; ask.
        jobs.model.errors.LoadError: the batch is ambiguous, edits need an option, or a cap is for a
            campaign without rows.
    """
    check_columns(manifest, allow_unknown=options.allow_unknown)
    check_name(store, manifest, options.name)  # before rows are read for long
    with heeded_between_steps() as ctrl_c:
        problems = spool_manifest(store, manifest, options, ctrl_c)
        check_columns(manifest, allow_unknown=options.allow_unknown)  # their cells are known now
        if not options.comments:
            check_comments(manifest)
        report, notes = merge(store, manifest, options, caps, now, ctrl_c, whole=not problems)
    return report, notes, problems


def check_name(store: Store, manifest: Manifest, name: str | None) -> None:
    """Raise a LoadError if the batch of a manifest is ambiguous."""
    if ADHOC in (name, name or manifest.name):
        raise LoadError(
            f"the batch {ADHOC!r} belongs to 'batchsora generate'; choose another name with --name"
        )
    with store.queries.snapshot() as seen:
        if (moved := moved_sheet(seen, manifest, name)) is not None:
            raise LoadError(str(moved))
        seen.batch_of(name, manifest.name, manifest.source)


@dataclass(frozen=True, slots=True)
class Moved:
    """The sheet of a batch, and the one that would go into it.

    Attributes:
        before: the sheet that was loaded; it is still there.
        now: the one that is read.
    """

    batch: str
    before: str
    now: str

    def __str__(self) -> str:
        return (
            f"the batch {self.batch!r} was loaded from the sheet {self.before!r} of this workbook, "
            f"and {self.now!r} is read now; use --sheet {quote(self.before)} to continue with it, "
            f"or --sheet {quote(self.now)} and a new name of a batch for {self.now!r}"
        )


def moved_sheet(seen: QueryStore, manifest: Manifest, name: str | None) -> Moved | None:
    """Find the sheet of a manifest's batch, if another one is read and that was not named."""
    said = manifest.read_as
    now = said.get("sheet")
    if now is None or (name is not None and said.get("sheet_said")):
        return None
    if name is None and seen.find_batch(None, manifest.source) is not None:
        return None
    batch = seen.find_batch(name or manifest.name, manifest.source)
    begin = f"{said['path']}#"
    if batch is None or batch.source is None or not batch.source.startswith(begin):
        return None
    before = batch.source.removeprefix(begin)
    if before == now or before not in book_head(manifest.path).sheets:
        return None
    return Moved(batch.name, before, now)


def spool_manifest(
    store: Store, manifest: Manifest, options: LoadOptions, ctrl_c: Interrupts
) -> list[RowProblem]:
    """Read the rows into the temporary table; return the problems of the others.

    Raises:
        InvalidRowsError, ManifestError: as :func:`load_manifest` does.
    """
    problems: list[RowProblem] = []
    check = name_check(manifest, options.name or manifest.name)

    def rows() -> Iterator[SpecRow]:
        for row in manifest.spec_rows(lambda request: kind_of(request).key):
            ctrl_c.heed()
            if isinstance(row, RowProblem):
                problems.append(row)
            elif check is not None and (taken := check(row)) is not None:
                problems.append(taken)
            else:
                yield row
        if problems and not options.skip_invalid:
            raise InvalidRowsError(problems)
        ctrl_c.heed()

    store.loading.stage(counted("reading", quiet=options.quiet)(rows()))
    return problems


def merge(
    store: Store,
    manifest: Manifest,
    options: LoadOptions,
    caps: Terms,
    now: datetime,
    ctrl_c: Interrupts,
    *,
    whole: bool,
) -> tuple[LoadReport, list[str]]:
    """Load the rows that were read last into their batch, and keep the caps, in one transaction.

    Args:
        ctrl_c: checked before anything is kept.
        whole: no row was left out.

    Raises:
        RowsGoneError, jobs.model.errors.LoadError: as :func:`load_manifest` does.
    """

    def agree(report: LoadReport) -> None:
        ctrl_c.heed()
        if options.ask_gone and report.cancelled:
            raise RowsGoneError(report.cancelled)

    order = LoadOrder(
        options.name,
        manifest.name,
        manifest.source,
        manifest.columns,
        manifest.read_as,
        options.on_change,
        whole=whole,
        held_back=options.held_back,
    )
    terms = _with_caps(caps, manifest)
    report, kept = store.loading.load(order, terms, now, agree)
    return report, terms_notes(terms, kept)


def is_capped(store: Store, manifest: Manifest, name: str | None, caps: Terms) -> bool:
    """Check whether a manifest's batch will have a cap, so that nobody is asked.

    Raises:
        jobs.model.errors.LoadError: it can't be told which batch it is.
    """
    if caps.batch is not None or manifest.budget is not None or "batch" in caps.begin:
        return True
    with store.queries.snapshot() as seen:
        batch = seen.batch_of(name, manifest.name, manifest.source)
        return batch is not None and seen.cap(batch_key(batch.id)) is not None


def check_columns(manifest: Manifest, *, allow_unknown: bool) -> None:
    """Raise a ManifestError for a column that is probably one of ours, before buying."""
    if allow_unknown or not manifest.suspicious_columns:
        return
    suspicious = manifest.suspicious_columns[0]
    for warning in reversed(manifest.warnings):  # what its cells say goes before its name
        if warning.column == suspicious:
            raise ManifestError(warning)


def check_comments(manifest: Manifest) -> None:
    """Raise a CommentsError for lines that may be comments or prompts."""
    rows = manifest.left_out.comments
    if rows:
        raise CommentsError(
            RowProblem(
                str(manifest.path),
                f"{rows_text(rows)} begin with # or //: they may be comments, or prompts",
                "Remove them, or use --yes to leave them out; a prompt must start with another "
                "character.",
                row=rows[0],
            )
        )


def set_caps(store: Store, batch_id: int, terms: Terms, now: datetime) -> list[str]:
    """Keep what a person said may be spent; return what was replaced, for people."""
    return terms_notes(terms, store.control.set_terms(batch_id, terms, now))


def _with_caps(terms: Terms, manifest: Manifest) -> Terms:
    """Add the caps of a manifest: a flag overrides them, and they override what is kept."""
    batch = None if manifest.budget is None else cap_micros(manifest.budget)
    campaigns = {name: cap_micros(usd) for name, usd in manifest.campaign_budgets.items()}
    return replace(
        terms,
        batch=batch if terms.batch is None else terms.batch,
        campaigns={**campaigns, **terms.campaigns},
        begin={
            name: micros for name, micros in terms.begin.items() if name != "batch" or batch is None
        },
    )


_WORDS = {"batch": "budget", "day": "day-budget"}
_REPLACED = {Scope.BATCH: "budget", Scope.DAY: "daily budget"}


def terms_notes(terms: Terms, kept: TermsKept) -> list[str]:
    """Return what was replaced, and which values of the configuration do not apply."""
    notes = []
    for name, micros in kept.passed_over.items():
        option = _WORDS.get(name, name.replace("_", "-"))
        notes.append(
            f"{option}: ${usd_text(micros)} is kept; the ${usd_text(terms.begin[name])} of the "
            f"configuration applies to new batches only (--{option} replaces it)"
        )
    for one in kept.replaced:
        what = _REPLACED.get(one.scope) or f"budget of campaign {one.campaign!r}"
        old = usd_text(one.old)
        notes.append(
            f"{what}: ${old} is removed"
            if one.new is None
            else f"{what}: ${usd_text(one.new)} replaces ${old}"
        )
    if kept.refunds_before is not None:
        notes.append(f"refunds of failures are now {terms.refunds} (before: {kept.refunds_before})")
    return notes
