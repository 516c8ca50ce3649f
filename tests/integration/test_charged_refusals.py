"""Refusals whose rows stay queued, and that were charged all the same: money.md, *Absence* 3."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from support.engine import Engine, spec
from support.invariants import Invariants
from support.lost import LOST, PRICE, hide, waits

from jobs.database.tables import ACCOUNT
from jobs.model.provider import GenerationRequest as Request
from jobs.model.provider import RefusalCause, Refused, SubmitOutcome, Throttled, Unsent

ANSWERS = [
    Refused(RefusalCause.FUNDS, "payment required"),
    Refused(RefusalCause.ACCOUNT, "the quota is used up"),
]
IDS = ["funds", "account"]


def engine_of(folder: Path, rows: int = 4, **provider: Any) -> Engine:
    made = Engine(folder, Invariants(), **provider)
    made.announce(s10=PRICE)
    made.provider.script = {LOST: ["made"]}
    made.load([spec(f"r{n}", row=n) for n in range(rows)])
    return made


def charge_also(engine: Engine, prompt: str, answer: SubmitOutcome) -> None:
    """Refuse a row once, and charge it all the same."""
    engine.provider.script[prompt] = [answer]
    charged: list[str] = []

    def also(request: Request) -> None:
        if request.prompt == prompt and not charged:
            charged.append(prompt)
            fee = engine.provider.make(Request("a fee", "9:16", 10))
            engine.provider.hides[fee.id] = 10**9

    engine.provider.on_post = also


@pytest.mark.parametrize("answer", ANSWERS, ids=IDS)
def test_one_that_stays_queued_and_is_charged_makes_up_for_a_discount(
    tmp_path: Path, answer: SubmitOutcome
) -> None:
    """Both together look as if the balance had agreed; the next night the lost one does."""
    engine = engine_of(tmp_path, discount=0.1)
    # nine are accepted, and a tenth of their price is what the refused one costs
    engine.load([spec(f"e{n}", row=n) for n in range(10)], batch="early")
    charge_also(engine, "prompt of e9", answer)
    engine.run([2])
    engine.clock.start += timedelta(hours=20)
    hide(engine)
    later = [spec(f"s{n}", row=n) for n in range(9)]
    engine.load([*later, spec("r4", row=9)], batch="later")
    engine.run([3], rate=0.05, balance_interval=10_000)
    assert [made.prompt for made in engine.provider.made].count(LOST) == 1, "paid twice"
    assert waits(engine)


@pytest.mark.parametrize("answer", ANSWERS, ids=IDS)
def test_one_that_stays_queued_was_charged_before_the_first_quiet_reading(
    tmp_path: Path, answer: SubmitOutcome
) -> None:
    """The upgrade forgets the reading of before; it is given back just as the lost one is charged.

    In between the balance agreed, so that nothing looks odd.
    """
    engine = engine_of(tmp_path, clock_ahead=timedelta(0))
    charge_also(engine, "prompt of r3", answer)
    engine.run()
    fee = next(made for made in engine.provider.made if made.prompt == "a fee")
    names = ("balance_micros", "charged_micros", "at", "theirs", "attempt", "mishaps")
    forgotten = {f"quiet_{name}": None for name in names} | {"unsteady_at": None}
    engine.store.write(lambda c: c.execute(update(ACCOUNT).values(**forgotten, agreed_micros=0)))
    engine.clock.start += timedelta(hours=1)
    hide(engine)

    def give_back(request: Request) -> None:
        if request.prompt == LOST and fee.id not in engine.provider.gives_back:
            age = (engine.clock.now() - fee.created_at).total_seconds()
            engine.provider.gives_back[fee.id] = age

    engine.provider.on_post = give_back
    early = [spec(f"e{n}", row=n) for n in range(6)]
    engine.load([*early, *(spec(f"r{n}", row=n + 2) for n in range(4, 12))], batch="later")
    engine.run([2], rate=0.05)
    assert [made.prompt for made in engine.provider.made].count(LOST) == 1, "paid twice"
    assert waits(engine)


@pytest.mark.parametrize(
    ("answer", "agrees"),
    [
        (ANSWERS[0], False),
        (ANSWERS[1], False),
        (Throttled(None, "too many requests"), True),
        (Unsent("no connection", unreachable=False), True),
    ],
    ids=[*IDS, "throttled", "unsent"],
)
def test_only_what_was_refused_begins_the_agreement_anew(
    tmp_path: Path, answer: SubmitOutcome, *, agrees: bool
) -> None:
    """A 429 does not, nor what was not sent: else a busy account would never agree."""
    engine = engine_of(tmp_path)
    engine.provider.script = {"prompt of r3": [answer]}
    engine.run()
    engine.clock.start += timedelta(hours=1)
    engine.load([spec("last")], batch="later")
    engine.run([2])
    (agreed,) = engine.rows(select(ACCOUNT.c.agreed_micros))
    assert (agreed.agreed_micros > 3 * PRICE) is agrees, agreed
