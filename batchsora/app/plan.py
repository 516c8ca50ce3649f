"""What a manifest would buy: rows, errors, cost, time; nothing is written and nothing paid."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from batchsora.app.known import Known, Unclear
from batchsora.app.picks import Pick
from batchsora.app.prices import ANNOUNCED
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import Manifest
from batchsora.runblob.kinds import kind_of
from jobs.money import cap_micros, usd_text
from jobs.spec import JobSpec
from jobs.store import Store, accounts, batches, past, views
from jobs.store.past import Paid
from jobs.store.views import Wanted

TYPICAL_SECONDS: Final = 600.0
"""A generation takes 5 to 15 minutes (docs/api.md); the middle is what a plan reckons with."""
SAMPLES: Final = 3
"""Rows that are shown as they will be sent, where nobody picked any."""


@dataclass(slots=True)
class Tally:
    """How many videos of each price kind, and how many of them are still to be bought.

    Attributes:
        paid_before: those that another batch of the database has paid for, and that wait for a
            word; they are not to be bought.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)
    paid_before: int = 0

    def add(self, kind: str, *, done: bool, paid_before: bool = False) -> None:
        """Count a video."""
        self.kinds[kind] += 1
        if paid_before:
            self.paid_before += 1
        elif not done:
            self.open[kind] += 1

    @property
    def jobs(self) -> int:
        """Count all videos."""
        return self.kinds.total()


@dataclass(slots=True)
class Plan:
    """What would run.

    Attributes:
        rows: manifest rows read, valid or not.
        problems: what is wrong with those that can't be bought.
        all: the valid jobs after expansion.
        campaigns: the same by campaign.
        picked: the same of the rows that were picked, where some were.
        paid_before: what other batches paid for already that rows of this one ask for.
        edited: keys of rows that were edited after they were paid for.
        prices: the price of each kind in micros, where it is known.
        paid: the kinds whose price is what was paid last; the others' is announced.
        notes: what was done to pictures.
        cap: of the batch in micros, as it is kept or as the manifest says.
        used: what the batch has spent or holds.
        balance: in micros; None when it was not asked or not told.
        seconds: an estimate of the time that the rest takes.
        samples: jobs as they will be sent.
    """

    batch: str
    pace: "Pace"
    rows: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    all: Tally = field(default_factory=Tally)
    campaigns: dict[str, Tally] = field(default_factory=dict)
    picked: Tally | None = None
    paid_before: list[Paid] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    prices: dict[str, int] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    cap: int | None = None
    used: int = 0
    campaign_caps: dict[str, int] = field(default_factory=dict)
    balance: int | None = None
    seconds: float = 0.0
    samples: list[JobSpec] = field(default_factory=list)

    def cost(self, kinds: Mapping[str, int]) -> int | None:
        """Sum up what jobs cost; None where a price is not known yet."""
        if any(kind not in self.prices for kind in kinds):
            return None
        return sum(self.prices[kind] * count for kind, count in kinds.items())

    @property
    def already_done(self) -> int:
        """Count the jobs that were paid for already."""
        return self.all.jobs - self.all.open.total() - self.all.paid_before

    @property
    def to_buy(self) -> Mapping[str, int]:
        """Give what a run would buy now, by kind."""
        return (self.picked or self.all).open


@dataclass(frozen=True, slots=True)
class Pace:
    """At which pace a plan reckons."""

    max_in_flight: int = 16
    rate: float = 5.0

    def seconds(self, videos: int) -> float:
        """Estimate how long so many videos take."""
        sending = videos / self.rate if self.rate else 0.0
        return max(sending, -(-videos // self.max_in_flight) * TYPICAL_SECONDS)


Rows = Iterable[JobSpec | RowProblem]


def make_plan(
    manifest: Manifest,
    name: str | None,
    store: Store | None,
    pace: Pace,
    pick: Pick | None = None,
    counted: Callable[[Rows], Rows] = iter,
) -> Plan:
    """Read a whole manifest, and see what is left of it to buy.

    Args:
        manifest: an opened one.
        name: of the batch, if the person gave it.
        store: the database, where there is one.
        pace: for the estimate of the time.
        pick: the rows that a run would be tried with.
        counted: shows how many rows were read, as they are.
    """
    plan = Plan(batch=name or manifest.name, pace=pace)
    plan.warnings += [str(warning) for warning in manifest.warnings]
    plan.prices = {price.kind: int(price.micros) for price in ANNOUNCED}
    plan.cap = None if manifest.budget is None else cap_micros(manifest.budget)
    plan.campaign_caps = {n: cap_micros(usd) for n, usd in manifest.campaign_budgets.items()}
    known = Known() if store is None else _known(plan, manifest, name, store)
    valid: list[int] = []
    unclear: list[Unclear] = []
    keys: set[str] = set()
    last = 0
    for row in counted(manifest.rows()):
        if row.row != last:
            plan.rows += 1
            last = row.row or 0
        if isinstance(row, RowProblem):
            plan.problems.append(row)
            continue
        if not valid or valid[-1] != row.row:
            valid.append(row.row)
        kind = kind_of(row.request).key
        keys |= {row.key} if row.key in known.settled else set()
        plan.edited += [row.key] if known.is_edited(row) else []
        if known.unclear(row):
            unclear.append(Unclear(row.key, row.fingerprint, kind, row.campaign))
        else:
            _count(plan, kind, row.campaign, done=known.done(row.key))
        if len(plan.samples) < SAMPLES:
            plan.samples.append(row)
    known.recognise(unclear, keys)
    for one in unclear:
        before = known.before(one)
        plan.paid_before += [] if before is None else [before]
        done = known.done(one.key)
        _count(plan, one.kind, one.campaign, done=done, paid_before=before is not None)
    plan.notes = list(manifest.notes)
    if pick is not None and not pick.everything:
        _add_picked(plan, manifest, pick.rows(sorted(set(valid))), known, counted)
    plan.seconds = pace.seconds(sum(plan.to_buy.values()))
    return plan


def _count(
    plan: Plan, kind: str, campaign: str | None, *, done: bool, paid_before: bool = False
) -> None:
    """Count a video, and in its campaign."""
    tallies = [plan.all]
    if campaign is not None:
        tallies.append(plan.campaigns.setdefault(campaign, Tally()))
    for tally in tallies:
        tally.add(kind, done=done, paid_before=paid_before)


def _add_picked(
    plan: Plan,
    manifest: Manifest,
    rows: frozenset[int],
    known: Known,
    counted: Callable[[Rows], Rows],
) -> None:
    """Read the rows that were picked once more, to count them alone."""
    plan.picked = Tally()
    plan.samples.clear()
    for row in counted(manifest.rows()):
        if isinstance(row, JobSpec) and row.row in rows:
            kind, before = kind_of(row.request).key, row.key in known.found
            plan.picked.add(kind, done=known.done(row.key), paid_before=before)
            if len(plan.samples) < MOST_SHOWN:
                plan.samples.append(row)


MOST_SHOWN: Final = 20
"""Jobs that are shown of those that were picked."""


def _known(plan: Plan, manifest: Manifest, name: str | None, store: Store) -> Known:
    """Find which rows of the manifest were paid for, and what the database knows."""

    def work(connection: Connection) -> Known:
        for kind, price in accounts.known_prices(connection).items():
            plan.prices[kind] = price.last_micros
            plan.paid.add(kind)
        batch = batches.find_batch(connection, name, manifest.source)
        if batch is None:
            return Known(elsewhere=past.paid_elsewhere(connection, None))
        plan.batch = batch.name
        status = views.batch_status(connection, batch)
        plan.cap = status.money.cap if plan.cap is None else plan.cap
        plan.used = status.money.used
        for campaign, budget in status.campaigns.items():
            if budget.cap is not None:
                plan.campaign_caps.setdefault(campaign, budget.cap)
        known = Known(elsewhere=past.paid_elsewhere(connection, batch.id))
        known.read(views.jobs(connection, Wanted(batch=batch.name)))
        return known

    return store.read(work)


def limits(plan: Plan) -> Iterator[str]:
    """Say what would stop a run before its end: the cap, or the balance."""
    cost = plan.cost(plan.to_buy)
    if cost is None:
        return
    if plan.cap is not None and cost > max(0, plan.cap - plan.used):
        room = usd_text(max(0, plan.cap - plan.used))
        yield f"the cap leaves ${room} of the ${usd_text(cost)} that this costs"
    if plan.balance is not None and cost > plan.balance:
        yield "the balance does not cover the cost"


def plan_json(plan: Plan) -> dict[str, Any]:
    """Show a plan for scripts (design.md, *JSON*)."""
    return {
        "batch": plan.batch,
        "rows": plan.rows,
        "jobs": plan.all.jobs,
        "invalid": [problem.as_json() for problem in plan.problems],
        "warnings": plan.warnings,
        "cost": _usd(plan.cost(plan.all.kinds)),
        "cost_by_kind": {
            kind: {
                "jobs": count,
                "price": _usd(plan.prices.get(kind)),
                "price_from": price_source(plan, kind),
                "cost": _usd(plan.cost({kind: count})),
            }
            for kind, count in sorted(plan.all.kinds.items())
        },
        "campaigns": {
            name: {"jobs": tally.jobs, "cost": _usd(plan.cost(tally.kinds))}
            for name, tally in sorted(plan.campaigns.items())
        },
        "already_done": plan.already_done,
        "paid_before": len(plan.paid_before),
        "edited": len(plan.edited),
        "remaining_cost": _usd(plan.cost(plan.all.open)),
        "picked": None
        if plan.picked is None
        else {"jobs": plan.picked.jobs, "remaining_cost": _usd(plan.cost(plan.picked.open))},
        "caps": {
            "batch": _usd(plan.cap),
            "campaigns": {name: usd_text(cap) for name, cap in plan.campaign_caps.items()},
        },
        "balance": _usd(plan.balance),
        "seconds": round(plan.seconds),
        "samples": [_sample_json(job) for job in plan.samples],
    }


def price_source(plan: Plan, kind: str) -> str | None:
    """Say where a price comes from: what was ``paid`` last, or what was ``announced``."""
    if kind not in plan.prices:
        return None
    return "paid" if kind in plan.paid else "announced"


def _sample_json(job: JobSpec) -> dict[str, Any]:
    """Show a job as it will be sent."""
    request = job.request
    return {
        "job": job.key,
        "row": job.row,
        "prompt": request.prompt,
        "orientation": request.orientation,
        "duration": request.duration,
        "image": None if request.image is None else request.image.source,
        "campaign": job.campaign,
    }


def _usd(micros: int | None) -> str | None:
    return None if micros is None else usd_text(micros)
