"""What a manifest would buy: rows, errors, cost, time; nothing is written and nothing paid."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from batchsora.app.prices import ANNOUNCED
from batchsora.manifest.errors import RowProblem
from batchsora.manifest.read import Manifest
from batchsora.runblob.kinds import kind_of
from jobs.money import to_micros, usd_text
from jobs.spec import JobSpec
from jobs.states import JobState
from jobs.store import Store, accounts, loading, views
from jobs.store.views import Wanted

TYPICAL_SECONDS = 600.0
"""A generation takes 5 to 15 minutes (docs/api.md); the middle is what a plan reckons with."""


@dataclass(slots=True)
class Plan:
    """What would run.

    Attributes:
        rows: manifest rows read, valid or not.
        jobs: valid jobs after expansion.
        problems: what is wrong with the others.
        kinds: jobs by price kind.
        open_kinds: the jobs among them that are still to be bought.
        prices: the price of each kind in micros, where it is known.
        already_done: jobs that were paid for already.
        balance: in micros; None when it was not asked or not told.
        seconds: an estimate of the time that the rest takes.
    """

    batch: str
    rows: int = 0
    jobs: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    open_kinds: Counter[str] = field(default_factory=Counter)
    campaigns: Counter[str] = field(default_factory=Counter)
    prices: dict[str, int] = field(default_factory=dict)
    already_done: int = 0
    cap: int | None = None
    campaign_caps: dict[str, int] = field(default_factory=dict)
    balance: int | None = None
    seconds: float = 0.0
    samples: list[JobSpec] = field(default_factory=list)

    def cost(self, kinds: Mapping[str, int]) -> int | None:
        """Sum up what jobs cost; None where a price is not known yet."""
        if any(kind not in self.prices for kind in kinds):
            return None
        return sum(self.prices[kind] * count for kind, count in kinds.items())


@dataclass(frozen=True, slots=True)
class Pace:
    """At which pace a plan reckons."""

    max_in_flight: int = 16
    rate: float = 5.0


def make_plan(manifest: Manifest, name: str | None, store: Store | None, pace: Pace) -> Plan:
    """Read a whole manifest, and see what is left of it to buy.

    Args:
        manifest: an opened one.
        name: of the batch, if the person gave it.
        store: the database, where there is one.
        pace: for the estimate of the time.
    """
    plan = Plan(batch=name or manifest.name)
    plan.warnings += [str(warning) for warning in manifest.warnings]
    plan.prices = {price.kind: int(price.micros) for price in ANNOUNCED}
    plan.cap = None if manifest.budget is None else to_micros(manifest.budget)
    plan.campaign_caps = {n: to_micros(usd) for n, usd in manifest.campaign_budgets.items()}
    known = {} if store is None else _known(plan, manifest, name, store)
    rows: set[int] = set()
    for row in manifest.rows():
        rows.add(row.row or 0)
        if isinstance(row, RowProblem):
            plan.problems.append(row)
            continue
        kind = kind_of(row.request).key
        plan.jobs += 1
        plan.kinds[kind] += 1
        if row.campaign is not None:
            plan.campaigns[row.campaign] += 1
        if len(plan.samples) < SAMPLES:
            plan.samples.append(row)
        if known.get(row.key):
            plan.already_done += 1
        else:
            plan.open_kinds[kind] += 1
    plan.rows = len(rows)
    left = sum(plan.open_kinds.values())
    sending = left / pace.rate if pace.rate else 0.0
    rounds = -(-left // pace.max_in_flight)
    plan.seconds = max(sending, rounds * TYPICAL_SECONDS)
    return plan


SAMPLES = 3


def _known(plan: Plan, manifest: Manifest, name: str | None, store: Store) -> dict[str, bool]:
    """Find which rows of the manifest's batch were paid for, and what the database knows."""

    def work(connection: Connection) -> dict[str, bool]:
        for kind, price in accounts.known_prices(connection).items():
            plan.prices[kind] = price.last_micros
        batch = loading.find_batch(connection, name, str(manifest.path.resolve()))
        if batch is None:
            return {}
        plan.batch = batch.name
        status = views.batch_status(connection, batch)
        plan.cap = status.money.cap if plan.cap is None else plan.cap
        return {
            job.key: job.state not in (JobState.QUEUED, JobState.CANCELLED)
            for job in views.jobs(connection, Wanted(batch=batch.name))
        }

    return store.read(work)


def plan_json(plan: Plan) -> dict[str, Any]:
    """Show a plan for scripts (design.md, *JSON*)."""
    cost, remaining = plan.cost(plan.kinds), plan.cost(plan.open_kinds)
    return {
        "batch": plan.batch,
        "rows": plan.rows,
        "jobs": plan.jobs,
        "invalid": [problem.as_json() for problem in plan.problems],
        "warnings": plan.warnings,
        "cost": None if cost is None else usd_text(cost),
        "cost_by_kind": {
            kind: {
                "jobs": count,
                "price": usd_text(plan.prices[kind]) if kind in plan.prices else None,
                "cost": usd_text(plan.prices[kind] * count) if kind in plan.prices else None,
            }
            for kind, count in sorted(plan.kinds.items())
        },
        "already_done": plan.already_done,
        "remaining_cost": None if remaining is None else usd_text(remaining),
        "caps": {
            "batch": None if plan.cap is None else usd_text(plan.cap),
            "campaigns": {name: usd_text(cap) for name, cap in plan.campaign_caps.items()},
        },
        "balance": None if plan.balance is None else usd_text(plan.balance),
        "seconds": round(plan.seconds),
    }


def kind_text(kind: str) -> str:
    """Name a price kind for people: ``15 s, with image``."""
    duration, _, image = kind.rpartition("/")[2].partition("+")
    return f"{duration} s{', with image' if image else ''}"


def plan_text(plan: Plan) -> str:
    """Show a plan for people, within 80 columns."""
    lines = [
        f"{plan.batch}: {plan.rows} rows, {plan.jobs} videos"
        + (f", {len(plan.problems)} problem(s)" if plan.problems else "")
    ]
    for kind, count in sorted(plan.kinds.items()):
        price = plan.prices.get(kind)
        what = (
            "price not known yet: the first one, bought alone, tells it"
            if price is None
            else f"at ${usd_text(price)} = ${usd_text(price * count)}"
        )
        lines.append(f"  {count:>6} x {kind_text(kind)}  {what}")
    for name, count in sorted(plan.campaigns.items()):
        cap = plan.campaign_caps.get(name)
        lines.append(f"  campaign {name}: {count}" + (f", cap ${usd_text(cap)}" if cap else ""))
    cost, remaining = plan.cost(plan.kinds), plan.cost(plan.open_kinds)
    lines.append(f"cost      {'not known yet' if cost is None else '$' + usd_text(cost)}")
    if plan.already_done:
        rest = "an unknown amount" if remaining is None else f"${usd_text(remaining)}"
        lines.append(f"done      {plan.already_done} already paid for; the rest costs {rest}")
    lines.append(f"cap       {'none' if plan.cap is None else '$' + usd_text(plan.cap)}")
    lines.append(
        f"balance   {'not known' if plan.balance is None else '$' + usd_text(plan.balance)}"
    )
    lines.append(f"time      about {_time_text(plan.seconds)}")
    for sample in plan.samples:
        prompt = " ".join(sample.request.prompt.split())
        lines.append(f"  {sample.key}: {prompt[:50]}{'…' if len(prompt) > 50 else ''}")  # noqa: PLR2004 - fits 80 columns
    return "\n".join(lines)


def _time_text(seconds: float) -> str:
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
