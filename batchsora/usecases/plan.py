"""What a manifest would buy: rows, errors, cost, time; nothing is written and nothing paid.

A plan is a rehearsal: in a copy of the database it loads the manifest, looks at the past and asks
for the rows with the functions of a run, and counts what could then be bought.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from batchsora.composition.databases import scratch_store
from batchsora.composition.interrupts import heeded_between_steps
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.formats.filtered import LeftOut
from batchsora.manifest.read import Manifest
from batchsora.options import RunOptions
from batchsora.presentation.cost import Cost, cost_of
from batchsora.presentation.errors import message
from batchsora.presentation.json_shapes import usd_or_none
from batchsora.presentation.request_words import images_of
from batchsora.providers.registry import ANNOUNCED
from batchsora.usecases.from_options import Pick, pick_of
from batchsora.usecases.load import LoadOptions, check_name, merge, spool_manifest
from batchsora.usecases.manifest_options import Mapped, mapped
from batchsora.usecases.models import lost_answers
from batchsora.usecases.naming import first_names
from jobs.model.clock import SystemClock
from jobs.model.errors import LoadError
from jobs.model.families import Kind
from jobs.model.money import cap_micros, usd_text
from jobs.ports.control import Paid, Terms
from jobs.ports.loading import LoadReport, StagedRow
from jobs.services.rehearsal import Fits, Purse, rehearse
from jobs.store import Store

TYPICAL_SECONDS: Final = 600.0
"""A generation takes 5 to 15 minutes (docs/api.md); the middle is what a plan reckons with."""
SAMPLES: Final = 3
"""Rows that are shown as they will be sent, where nobody picked any."""


@dataclass(slots=True)
class Tally:
    """How many videos of each kind, and how many of them are still to be bought."""

    kinds: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)

    @property
    def jobs(self) -> int:
        """Count all videos."""
        return self.kinds.total()


@dataclass(slots=True)
class Plan:
    """What would run.

    Attributes:
        rows: manifest rows read, valid or not.
        problems: of the rows that can't be bought.
        all: the valid jobs after expansion; ``campaigns``: by campaign; ``picked``: of picked rows.
        already_done: jobs that are completed, or paid for and under way.
        waiting: jobs that a run would neither buy nor has bought, by reason: a
            :class:`jobs.model.states.HeldBack`, ``cancelled``, ``failed``, ``unconfirmed``,
            ``paused``.
        paid_before: what other batches paid for that rows of this batch ask for.
        edited: keys of rows that were edited after they were paid for.
        gone: keys of unpaid rows that left the manifest.
        stops: why a run would load and buy nothing, in its words; None if it would.
        needs: options that a run would need, for invalid rows, misspelt columns or comments; the
            figures are with them.
        prices: of each kind in micros, if known.
        sources: where the price of a kind comes from, if it is not only announced.
        notes: what was done to pictures.
        kept: saved options that count again.
        left_out: lines that are not rows.
        cap: of the batch in micros, kept or from the manifest.
        used: spent or reserved by the batch, in micros.
        fits: what the budgets have room for; None: not known, as a price is not.
        balance: in micros; None if unknown.
        seconds: estimated duration.
        samples: jobs as they will be sent.
        file_names: of the first files, where a pattern names them.
    """

    batch: str
    options: RunOptions
    rows: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mapped: Mapped = field(default_factory=Mapped)
    kept: Sequence[str] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    all: Tally = field(default_factory=Tally)
    campaigns: dict[str, Tally] = field(default_factory=dict)
    picked: Tally | None = None
    already_done: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    paid_before: list[Paid] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    stops: str | None = None
    needs: list[str] = field(default_factory=list)
    prices: dict[str, int] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    cap: int | None = None
    used: int = 0
    fits: Fits | None = None
    campaign_caps: dict[str, int] = field(default_factory=dict)
    balance: int | None = None
    seconds: float = 0.0
    samples: list[StagedRow] = field(default_factory=list)
    file_names: list[str] = field(default_factory=list)

    def cost(self, kinds: Mapping[str, int]) -> Cost:
        """Return the cost of videos by kind, at the known prices."""
        return cost_of(kinds, self.prices)

    @property
    def to_buy(self) -> Mapping[str, int]:
        """Return what a run would buy now, by kind."""
        return (self.picked or self.all).open


def _seconds(options: RunOptions, videos: int) -> float:
    """Estimate how long so many videos take."""
    sending = videos / options.rate if options.rate else 0.0
    return max(sending, -(-videos // options.max_in_flight) * TYPICAL_SECONDS)


_SOURCES: Final = {"set": "set", "configured": "announced"}

MOST_SHOWN: Final = 20
"""Jobs that are shown of those that were picked."""


def make_plan(
    manifest: Manifest,
    options: RunOptions,
    store: Store | None,
    *,
    quiet: bool = True,
) -> Plan:
    """Read a whole manifest, and see what is left of it to buy, by a database if there is one."""
    name, pick = options.name, pick_of(options)
    plan = Plan(batch=name or manifest.name, options=options)
    plan.mapped = mapped(manifest)
    plan.prices = dict(ANNOUNCED)
    plan.cap = None if manifest.budget is None else cap_micros(manifest.budget)
    plan.campaign_caps = {n: cap_micros(usd) for n, usd in manifest.campaign_budgets.items()}
    # nobody is asked for invalid columns and rows: they are told
    loading = LoadOptions(name, skip_invalid=True, allow_unknown=True, quiet=quiet)
    now = SystemClock().now()
    with scratch_store(store) as scratch:
        with heeded_between_steps() as ctrl_c:
            plan.problems = spool_manifest(scratch, manifest, loading, ctrl_c)
            try:
                check_name(scratch, manifest, name)
                whole = not plan.problems
                report, _ = merge(scratch, manifest, loading, Terms(), now, ctrl_c, whole=whole)
            except LoadError as error:
                plan.stops, report = message(error), None
        plan.warnings += [str(warning) for warning in manifest.warnings]
        plan.notes = list(manifest.notes)
        plan.needs += ["--skip-invalid"] if plan.problems else []
        plan.needs += ["--allow-unknown"] if manifest.suspicious_columns else []
        plan.needs += ["--yes"] if manifest.left_out.comments else []
        plan.left_out = manifest.left_out
        plan.notes = [*manifest.left_out.words(), *plan.notes]
        _count_wanted(scratch, plan, pick, report)
        if (pattern := manifest.read_as.get("file_name")) is not None:
            plan.file_names = first_names(pattern, plan.samples, plan.batch)
        if report is not None:
            plan.edited, plan.gone = report.edited, report.cancelled
            _count_open(plan, scratch, report.batch_id, pick, now)
    plan.seconds = _seconds(options, sum(plan.to_buy.values()))
    return plan


def _count_open(
    plan: Plan, scratch: Store, batch_id: int, pick: Pick | None, now: datetime
) -> None:
    """Count what a run would buy: of all rows, then of those picked: others may wait then."""
    paused, purse = _look_at_batch(scratch, plan, batch_id)
    found = rehearse(scratch, batch_id, None, now, purse, paused=paused)
    plan.all.open = found.open
    for campaign, kinds in found.campaigns.items():
        plan.campaigns.setdefault(campaign, Tally()).open = kinds
    if plan.picked is not None:
        found = rehearse(scratch, batch_id, pick, now, purse, paused=paused)
        plan.picked.open = found.open
    plan.already_done, plan.waiting = found.done, found.waiting
    plan.paid_before, plan.fits = found.paid_before, found.fits


def _count_wanted(scratch: Store, plan: Plan, pick: Pick | None, report: LoadReport | None) -> None:
    """Count what the manifest asks for, bought or not, and take samples."""
    staged = scratch.loading
    numbers = staged.staged_rows()
    plan.rows = len({*numbers, *(problem.row or 0 for problem in plan.problems)})
    for found in staged.staged_counts():
        plan.all.kinds[found.kind] += found.jobs
        if found.campaign is not None:
            plan.campaigns.setdefault(found.campaign, Tally()).kinds[found.kind] += found.jobs
    picked: Collection[int] | None = None
    if pick is not None:
        if report is not None:
            numbers = scratch.queries.rows_of(report.batch_id)
        picked = pick(numbers)
        plan.picked = Tally()
        for found in staged.staged_counts(picked):
            plan.picked.kinds[found.kind] += found.jobs
    most = SAMPLES if picked is None else MOST_SHOWN
    plan.samples = staged.staged_first(most, picked)


def _look_at_batch(scratch: Store, plan: Plan, batch_id: int) -> tuple[bool, Purse]:
    """Read prices, and the batch's caps; return whether it is paused, and what may be spent."""
    with scratch.queries.snapshot() as seen:
        for kind, price in seen.prices().items():
            plan.prices[kind] = price.last_micros
            learned = "rehearsed" if plan.options.sandbox else "paid"
            plan.sources[kind] = _SOURCES.get(price.source, learned)
        (status,) = seen.statuses([batch_id])
    plan.batch = status.name
    said = plan.options.budget
    plan.cap = status.money.cap if said is None else cap_micros(said)
    plan.used = status.money.used
    for campaign, budget in status.campaigns.items():
        if budget.cap is not None:
            plan.campaign_caps.setdefault(campaign, budget.cap)
    rooms = {
        name: cap - (status.campaigns[name].used if name in status.campaigns else 0)
        for name, cap in plan.campaign_caps.items()
    }
    room = None if plan.cap is None else plan.cap - plan.used
    return status.paused, Purse(room, rooms, plan.prices)


def limits(plan: Plan) -> Iterator[str]:
    """Return what would stop a run early: the budget, or the balance."""
    cost, unpriced = plan.cost(plan.to_buy)  # what is not known yet comes on top
    if plan.cap is not None and cost > max(0, plan.cap - plan.used):
        room = usd_text(max(0, plan.cap - plan.used))
        least = "at least " if unpriced else ""
        yield f"the budget leaves ${room} of the {least}${usd_text(cost)} that this costs"
    if plan.balance is not None and cost > plan.balance:
        yield "the balance does not cover the cost"


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan for scripts (design.md, *JSON*)."""
    return {
        "batch": plan.batch,
        "rows": plan.rows,
        "jobs": plan.all.jobs,
        "invalid": [problem.as_json() for problem in plan.problems],
        "warnings": plan.warnings,
        **plan.mapped.as_json(),
        "said_before": list(plan.kept),
        "left_out": plan.left_out.as_json(),
        "cost": usd_or_none(plan.cost(plan.all.kinds).whole),
        "cost_by_kind": {
            kind: {
                "jobs": count,
                "price": usd_or_none(plan.prices.get(kind)),
                "price_from": price_source(plan, kind),
                "cost": usd_or_none(plan.cost({kind: count}).whole),
            }
            for kind, count in sorted(plan.all.kinds.items())
        },
        "campaigns": {
            name: {"jobs": tally.jobs, "cost": usd_or_none(plan.cost(tally.kinds).whole)}
            for name, tally in sorted(plan.campaigns.items())
        },
        "to_buy": sum(plan.to_buy.values()),
        "already_done": plan.already_done,
        "waiting": dict(sorted(plan.waiting.items())),
        "paid_before": len(plan.paid_before),
        "edited": len(plan.edited),
        "gone": len(plan.gone),
        "stops": plan.stops,
        "needs": plan.needs,
        "lost_answers": lost_answers(plan.to_buy),
        "list_looked_at": False,
        "remaining_cost": usd_or_none(plan.cost(plan.all.open).whole),
        "picked": None
        if plan.picked is None
        else {
            "jobs": plan.picked.jobs,
            "remaining_cost": usd_or_none(plan.cost(plan.picked.open).whole),
        },
        "caps": {
            "batch": usd_or_none(plan.cap),
            "campaigns": {name: usd_text(cap) for name, cap in plan.campaign_caps.items()},
        },
        "fits": None
        if plan.fits is None
        else {
            "jobs": plan.fits.jobs,
            "cost": usd_text(plan.fits.cost),
            "stops_at": None if plan.fits.stops_at is None else plan.fits.stops_at[1],
        },
        "balance": usd_or_none(plan.balance),
        "seconds": round(plan.seconds),
        "file_names": plan.file_names,
        "samples": [_sample_json(job) for job in plan.samples],
    }


def price_source(plan: Plan, kind: str) -> str | None:
    """Return where a price comes from: ``paid`` last, ``rehearsed``, ``set``, or ``announced``."""
    return plan.sources.get(kind, "announced") if kind in plan.prices else None


def _sample_json(job: StagedRow) -> dict[str, Any]:
    """Show a job as it will be sent."""
    return {
        "job": job.key,
        "row": job.row,
        "prompt": job.asked.prompt,
        "model": Kind.parse(job.asked.kind).model,
        "orientation": job.asked.orientation,
        "duration": job.asked.duration,
        "image": None if job.asked.image is None else job.asked.image["source"],
        "images": images_of(job.asked),
        "parameters": dict(job.asked.parameters),
        "campaign": job.campaign,
    }
