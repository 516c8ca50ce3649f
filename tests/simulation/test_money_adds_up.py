"""Spent, refunded, reserved and left are the same everywhere, at every commit of some nights."""

import json
import logging
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from batchsora.presentation.cost import money_text
from batchsora.presentation.json_shapes import batch_json, job_json, status_text
from batchsora.presentation.progress_line import of_batches, whole
from batchsora.result_columns import RESULT_COLUMNS
from batchsora.web.answers import environment
from jobs.database.tables import ATTEMPT
from jobs.model.ledger import Budget, Refunds
from jobs.model.money import to_micros, to_usd, usd_text
from jobs.ports.seen import BatchStatus
from jobs.store import browsing, steering, views
from simulation.night import Night
from simulation.process import WatchedStore
from simulation.watch import Watcher
from simulation.world import Account

SEEDS = 12
PARTS = 2
AMOUNT = re.compile(r"\$([0-9.]+) (?:of \$([0-9.]+) )?(spent|refunded|reserved|left)")
PRICE = next(column for column in RESULT_COLUMNS if column.name == "price")
TOLD_PRICES = select(ATTEMPT.c.generation_id, ATTEMPT.c.price_micros).where(
    ATTEMPT.c.price_micros > 0, ~ATTEMPT.c.price_estimated
)
"""What we know that the provider took; a price that no answer told is counted as reserved."""
MONEY = environment().get_template("_macros.html").module


def amounts(text: str) -> dict[str, int]:
    """Read a sum as people read it, in micros."""
    found = {word: to_micros(amount) for amount, _, word in AMOUNT.findall(text)}
    return {"refunded": 0, "reserved": 0} | found


def what_is_true(budget: Budget) -> dict[str, int]:
    """Return the amounts of a budget by their words."""
    left = {} if budget.free is None else {"left": budget.free}
    spent = {"spent": budget.charged, "refunded": budget.refunded, "reserved": budget.held}
    return spent | left


class Surfaces(Watcher):
    """Reads each batch as every surface shows it, at each commit, and compares."""

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.kinds: set[str] = set()

    def __call__(self, connection: Connection) -> None:
        super().__call__(connection)
        for batch in views.find_batches(connection):
            self._agree(connection, views.batch_status(connection, batch))
        book = {made.id: made.price for made in self._account.world.made}
        for generation, price in connection.execute(TOLD_PRICES):
            assert price == book[generation]

    def _agree(self, connection: Connection, status: BatchStatus) -> None:
        money = status.money
        true = what_is_true(money)
        if money.cap is not None and money.room is not None and money.room >= 0:
            left = true["left"]
            assert money.charged - money.refunded + money.held + left == money.cap
        shown = {
            "line": money_text(money),
            "status": status_text([status], None, None).partition("  money ")[2].split("\n")[0],
            "page": MONEY.money(money, lambda _: 0.0),  # type: ignore[attr-defined]
        }
        for surface, text in shown.items():
            plain = re.sub("<[^>]+>", "", text)
            assert amounts(plain) == true, surface
        said = json.loads(json.dumps(batch_json(status, None)["money"]))
        names = {"spent": "charged", "reserved": "held", "left": "free"}
        for word, amount in true.items():
            assert Decimal(said[names.get(word, word)]) == to_usd(amount)
        jobs = [job for job in views.jobs(connection) if job.batch_id == status.id]
        assert sum(job.charged_micros for job in jobs) == money.charged
        assert sum(to_micros(PRICE.of(job) or "0") for job in jobs) == money.charged
        assert sum(to_micros(job_json(job)["held"]) for job in jobs) == money.held
        line = whole(of_batches([status], None))
        cap = "" if money.cap is None else usd_text(money.cap)
        spent = f"${usd_text(money.charged)} {f'of ${cap}' if cap else 'spent'}"
        assert spent in line
        assert amounts(line)["reserved"] == money.held
        for seconds in (60, 3600):
            spent = sum(one.charged for one in browsing.course(connection, status.id, seconds))
            assert spent == money.charged
        self.kinds |= {word for word, amount in true.items() if amount}


class Refunding(Night):
    """A night in which every failed video is refunded."""

    def _load(self) -> None:
        super()._load()
        with WatchedStore(self.path, self.watcher) as store:
            store.write(lambda c: steering.set_refunds(c, 1, Refunds.ALL))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_surface_shows_the_same_sums(part: int, tmp_path: Path) -> None:
    """Of refunded, unconfirmed, adopted, voided and throttled attempts, crashed or edited."""
    kinds: set[str] = set()
    for seed in range(part, SEEDS, PARTS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        night = Refunding(seed, folder)
        night.watcher = watcher = Surfaces(night.account)
        night.account.on_made = watcher.made
        night.play()
        kinds |= watcher.kinds
    assert kinds == {"spent", "refunded", "reserved", "left"}
