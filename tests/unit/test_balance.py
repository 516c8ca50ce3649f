"""What a reading of the balance must show, by a clock that nobody sets."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from support.blank import blank
from support.clock import HandClock

from jobs.database.tables import BUDGET
from jobs.evidence.books import BalanceReading
from jobs.model.ledger import ACCOUNT_KEY
from jobs.model.provider import UnreachableError
from jobs.runtime.balance_monitor import BalanceWitness
from jobs.store import Store


class Purse:
    """An account of five dollars, or one that does not answer."""

    def __init__(self) -> None:
        self.fails = False

    async def balance(self) -> int:
        if self.fails:
            raise UnreachableError("503")
        return 5_000_000


@pytest.fixture
def parts(tmp_path: Path) -> Any:
    blank(tmp_path / "b.db")
    store = Store(tmp_path / "b.db")
    clock, purse = HandClock(), Purse()
    return store, clock, purse, BalanceWitness(store.account, purse, clock)  # type: ignore[arg-type]


def charge(store: Store, micros: int) -> None:
    store.write(
        lambda c: c.execute(
            update(BUDGET).where(BUDGET.c.key == ACCOUNT_KEY).values(charged_micros=micros)
        )
    )


def test_what_was_charged_lately_need_not_be_shown(parts: Any) -> None:
    """Only what was charged by the newest note that is old enough."""
    store, clock, _, witness = parts

    def read() -> BalanceReading | None:
        return asyncio.run(witness.read(late=60))

    assert read() == BalanceReading(5_000_000, 0, None)  # this process began just now
    charge(store, 120_000)
    clock.advance(61)
    assert read() == BalanceReading(5_000_000, 120_000, 0)
    clock.advance(30)
    charge(store, 240_000)
    witness.note()
    clock.advance(40)
    assert read() == BalanceReading(5_000_000, 240_000, 120_000)
    clock.advance(61)
    assert read() == BalanceReading(5_000_000, 240_000, 240_000)


def test_a_wall_clock_that_is_set_changes_nothing(parts: Any, monkeypatch: Any) -> None:
    """A day ahead: what was charged a second ago is as recent as it was."""
    store, clock, _, witness = parts
    clock.advance(61)
    charge(store, 120_000)
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment.replace(year=2030))
    assert asyncio.run(witness.read(late=60)) == BalanceReading(5_000_000, 120_000, 0)


def test_a_balance_that_cant_be_read_is_none(parts: Any) -> None:
    """The second witness is not heard."""
    _, _, purse, witness = parts
    purse.fails = True
    assert asyncio.run(witness.read(late=60)) is None
