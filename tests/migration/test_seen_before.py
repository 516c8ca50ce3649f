"""What the balance had shown of a doubt before an upgrade, by a version that kept no word of it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.older import make_0008

from jobs.database import schema
from jobs.model.provider import GenerationRequest as Request
from jobs.model.provider import InDoubt
from jobs.store import Store, accounts

LOST = "prompt of r4"
PRICE = 120_000


def night(folder: Path, *, made: bool) -> Engine:
    """Lose the fifth answer, let a reading show what it cost, if it was made, and end."""
    engine = Engine(folder, Invariants(), clock_ahead=timedelta(0), takes=60.0)
    engine.announce(s10=PRICE)
    engine.agreed()
    engine.provider.script = {LOST: ["made" if made else InDoubt("the connection dropped")]}
    make_one = engine.provider.make

    def make(request: Request, key: str = "foreign") -> Any:
        """Hide it from the list; later ones cost half, until that makes up for it."""
        one = make_one(request, key)
        mine = [m for m in engine.provider.made if m.prompt == LOST]
        if mine == [one]:
            engine.provider.hides[one.id] = 10**9
        elif made and mine and request.prompt in ("prompt of r5", "prompt of r6"):
            one.price = PRICE // 2
        return one

    engine.provider.make = make  # type: ignore[method-assign]
    engine.load([spec(f"r{n}", row=n) for n in range(8)])
    engine.run(
        rate=0.05,
        during=lambda runner: asyncio.get_running_loop().call_later(125, runner.stop),
    )
    assert [a.state for a in engine.attempts()].count("in_doubt") == 1
    return engine


def upgraded(engine: Engine) -> None:
    """Bring its database to 0008, and back by the upgrade."""
    engine.store.close()
    make_0008(engine.path)
    schema.upgrade(engine.path)
    engine.store = Store(engine.path, Invariants(events=False))


def lost(engine: Engine) -> list[str]:
    """Finish the night; returns how the attempts of the lost one stand."""
    engine.clock.start += timedelta(seconds=30)
    engine.run(rate=0.05)
    return [a.state for a in engine.attempts() if a.prompt == LOST]


@pytest.mark.parametrize("upgrade", [False, True])
def test_a_charge_seen_before_an_upgrade_is_never_bought_again(
    tmp_path: Path, *, upgrade: bool
) -> None:
    """The older version read the balance when it had fallen for the lost one alone."""
    engine = night(tmp_path, made=True)
    if upgrade:
        upgraded(engine)
    assert lost(engine) == ["in_doubt"]


def test_what_was_in_doubt_at_an_upgrade_waits_for_a_person(tmp_path: Path) -> None:
    """Nobody knows what readings had shown, so none is bought again by itself."""
    engine = night(tmp_path, made=False)
    upgraded(engine)
    assert lost(engine) == ["in_doubt"]
    why = next(a.unproven for a in engine.attempts() if a.state == "in_doubt")
    assert "at one time it had fallen by more than the known purchases" in why


def test_without_anything_in_doubt_an_upgrade_suspects_nothing(tmp_path: Path) -> None:
    """The nights after it settle by themselves."""
    engine = Engine(tmp_path, Invariants(), clock_ahead=timedelta(0))
    engine.announce(s10=PRICE)
    engine.load([spec("r0")])
    engine.run()
    upgraded(engine)
    assert not engine.store.read(accounts.read_account).exceeded
