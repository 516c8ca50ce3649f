"""Show the budgets of batches and of the day, and change them, also while a run is active."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batchsora import advice
from batchsora.presentation import held
from batchsora.presentation.cost import Cost, cost_of, micros, money_text
from batchsora.presentation.json_shapes import money_json, usd_or_none
from batchsora.settings import Settings
from batchsora.usecases.load import set_caps
from batchsora.usecases.retry_cancel_abandon import agree
from batchsora.usecases.user_interface import UserInterface
from jobs.database.lock import is_held, lasting_runner
from jobs.model.errors import NotFoundError
from jobs.model.ledger import Budget, Scope
from jobs.model.money import usd_text
from jobs.ports.control import Terms
from jobs.ports.queries import QueryStore
from jobs.ports.seen import BatchRow, BatchStatus
from jobs.store import Store
from jobs.system import quote


@dataclass(frozen=True, slots=True)
class Stand:
    """A batch, how many of its rows a run would still buy, and what they cost."""

    batch: BatchStatus
    rows: int
    cost: Cost

    @property
    def short(self) -> int | None:
        """Return how much the batch's budget lacks for its rows, in micros; None: nothing known."""
        free, cost = self.batch.money.free, self.cost.whole
        return None if free is None or cost is None else max(0, cost - free)


def stand_of(seen: QueryStore, batch: BatchRow, prices: Mapping[str, int]) -> Stand:
    """Return how a batch stands."""
    kinds = seen.queued_by_kind(batch.id)
    return Stand(seen.status(batch), sum(kinds.values()), cost_of(kinds, prices))


def stands(store: Store, name: str | None, now: datetime) -> tuple[list[Stand], Budget]:
    """Return how batches stand, and the budget of the day.

    Raises:
        jobs.model.errors.NotFoundError: there is no such batch.
    """
    with store.queries.snapshot() as seen:
        prices = micros(seen.prices())
        found = [stand_of(seen, batch, prices) for batch in seen.batches(name)]
        return found, seen.today(now)


def show_budgets(name: str | None, store: Store, ui: UserInterface, now: datetime) -> None:
    """Show the budgets of a batch, or of all, and of the day.

    Raises:
        jobs.model.errors.NotFoundError: there is no such batch.
    """
    found, today = stands(store, name, now)
    ui.result(_json(found, today), lambda: "\n".join(_lines(found, today)))


def set_budgets(
    name: str | None,
    said: Terms,
    store: Store,
    settings: Settings,
    ui: UserInterface,
    now: datetime,
    *,
    consent: bool,
) -> None:
    """Change what a batch may spend, and say what that means; an active run follows it at once.

    Args:
        name: of the batch; None: only the day's budget is changed.
        consent: the person has already agreed to remove a budget.

    Raises:
        jobs.model.errors.NotFoundError: there is no such batch.
        jobs.model.errors.LoadError: the batch has no such campaign.
        NotAllowedError: a budget would be removed, and nobody agreed.
    """
    before, today = stands(store, name, now)
    if not before:
        raise NotFoundError("the database has no batch yet: 'batchsora run MANIFEST' loads one")
    lifted = [words for stand in before for words in _lifted(stand, said)]
    if Scope.DAY in said.lifted and today.cap is not None:
        lifted.append(f"the daily budget of all batches (${usd_text(today.cap)})")
    if lifted:
        agree(_question(before, lifted), ui, consent=consent)
    for note in set_caps(store, before[0].batch.id, said, now):
        ui.say(note)
    found, today = stands(store, name, now)
    for stand in found:
        for line in _effect(stand, settings):
            ui.say(line)
    ui.result(_json(found, today), lambda: "\n".join(_lines(found, today)))


def _lifted(stand: Stand, said: Terms) -> Iterator[str]:
    """Yield which budgets of a batch would be removed."""
    if Scope.BATCH in said.lifted and stand.batch.money.cap is not None:
        yield f"the budget of {stand.batch.name!r} (${usd_text(stand.batch.money.cap)})"
    for name, cap in said.campaigns.items():
        campaign = stand.batch.campaigns.get(name)
        if cap is None and campaign is not None and campaign.cap is not None:
            yield f"the budget of campaign {name!r} (${usd_text(campaign.cap)})"


def _question(found: Sequence[Stand], lifted: Sequence[str]) -> str:
    rest = "".join(
        f" {stand.batch.name!r} has {stand.rows} row(s) left to buy, for {stand.cost.text}."
        for stand in found
        if stand.rows
    )
    return f"Remove {' and '.join(lifted)}? It then no longer limits what runs buy.{rest}"


def _effect(stand: Stand, settings: Settings) -> Iterator[str]:
    """Yield what a changed budget means, and who buys the rows that are left."""
    batch, money = stand.batch, stand.batch.money
    if money.cap is not None and money.cap < money.used:
        yield (
            f"${usd_text(money.cap)} is less than the ${usd_text(money.used)} already spent or "
            "reserved: nothing more is bought; what is under way is still finished and downloaded"
        )
    if batch.paused:
        yield advice.paused(batch.name)
    runner = lasting_runner(settings.database) if is_held(settings.database) else None
    if runner is not None and batch.active:
        yield f"the active run follows it from its next purchase on ({runner})"
    elif stand.rows and not batch.paused and money.free != 0:
        asks = ", after asking" if money.cap is None else " within this budget"
        yield f"'batchsora run --batch {quote(batch.name)}' buys the rest{asks}"
    yield from held.lines(batch)


def _lines(found: Sequence[Stand], today: Budget) -> Iterator[str]:
    for stand in found:
        money = stand.batch.money
        yield stand.batch.name
        yield f"  budget    {_usd(money.cap)}"
        yield f"  spent     ${usd_text(money.charged)}"
        if money.refunded:
            yield f"  refunded  ${usd_text(money.refunded)}"
        yield f"  reserved  ${usd_text(money.held)}"
        if money.free is not None:
            yield f"  left      ${usd_text(money.free)}"
        short = f"; ${usd_text(stand.short)} more than is left" if stand.short else ""
        cost = f", for {stand.cost.text}{short}" if stand.rows else ""
        yield f"  to buy    {stand.rows} row(s){cost}"
        for name, one in stand.batch.campaigns.items():
            yield f"  campaign  {name}: {money_text(one)}"
    day = today.key.partition(":")[2]
    yield f"all batches, {day}: {money_text(today)}"


def _usd(cap: int | None) -> str:
    return "none" if cap is None else f"${usd_text(cap)}"


def _json(found: Sequence[Stand], today: Budget) -> dict[str, Any]:
    return {
        "batches": [
            {
                "batch": stand.batch.name,
                **money_json(stand.batch.money),
                "campaigns": {name: money_json(one) for name, one in stand.batch.campaigns.items()},
                "to_buy": stand.rows,
                "to_buy_cost": usd_or_none(stand.cost.whole),
            }
            for stand in found
        ],
        "day": {"date": today.key.partition(":")[2], **money_json(today)},
    }
