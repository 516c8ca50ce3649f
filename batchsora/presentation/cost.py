"""What jobs cost, as far as prices are known, and how the sums of a budget are told."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jobs.model.ledger import Budget
from jobs.model.money import usd_text
from jobs.ports.seen import JobRow, PriceRow, QueuedJob


class Cost(NamedTuple):
    """What some jobs cost."""

    micros: int  # of those whose price is known, in micros
    unpriced: int  # number of jobs whose price is unknown

    @property
    def whole(self) -> int | None:
        """Return what all of them cost, in micros; None where a price is unknown."""
        return None if self.unpriced else self.micros

    @property
    def text(self) -> str:
        """Return the cost for people."""
        known = f"about ${usd_text(self.micros)}"
        if not self.unpriced:
            return known
        learned = "a price learned from the first video"
        return f"{known}, and {self.unpriced} at {learned}" if self.micros else learned


def cost_of(kinds: Mapping[str, int], prices: Mapping[str, int]) -> Cost:
    """Return what jobs cost, from their number by kind and the known prices in micros."""
    known = {kind: count for kind, count in kinds.items() if kind in prices}
    return Cost(
        sum(prices[kind] * count for kind, count in known.items()),
        sum(kinds.values()) - sum(known.values()),
    )


def cost_of_jobs(jobs: Iterable[JobRow | QueuedJob], known: Mapping[str, PriceRow]) -> Cost:
    """Return what jobs cost by the prices of :meth:`jobs.ports.queries.QueryStore.prices`."""
    return cost_of(Counter(job.kind for job in jobs), micros(known))


def micros(known: Mapping[str, PriceRow]) -> dict[str, int]:
    """Return the price of each kind, in micros, as it was seen last."""
    return {kind: row.last_micros for kind, row in known.items()}


def money_text(budget: Budget) -> str:
    """Return what of a budget is spent, refunded, reserved and left, in the words of all surfaces.

    The amounts add up: spent, less refunded, plus reserved, plus left, is the budget.
    """
    return f"${usd_text(budget.charged)} {beside_spent(budget)}"


def beside_spent(budget: Budget) -> str:
    """Return what stands behind the amount that is spent in :func:`money_text`."""
    of_cap = "" if budget.cap is None else f"of ${usd_text(budget.cap)} "
    parts = [
        f"{of_cap}spent",
        *([f"${usd_text(budget.refunded)} refunded"] if budget.refunded else []),
        *([f"${usd_text(budget.held)} reserved"] if budget.held else []),
        "no budget" if budget.free is None else f"${usd_text(budget.free)} left",
    ]
    return ", ".join(parts)
