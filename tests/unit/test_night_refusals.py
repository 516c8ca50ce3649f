"""Whole runs on virtual time: refusals, throttles and outages, and whose fault they are."""

import asyncio
from datetime import timedelta

import pytest
from support.engine import Engine
from support.nights import PRICE, answers, at, counts, load, money

from jobs.model.provider import (
    About,
    ForbiddenError,
    RefusalCause,
    Refused,
    Rejected,
    Throttled,
    TokenRefusedError,
    UnreachableError,
    Unsent,
)
from jobs.model.states import FailureKind
from jobs.services.run_outcome import Reason
from jobs.services.runner import Runner

TOKEN = Refused(RefusalCause.TOKEN, "401")


def test_a_row_that_is_refused_fails_alone_at_no_cost(engine: Engine) -> None:
    engine.provider.script = {
        "prompt of n1": [Rejected(FailureKind.CONTENT, "nudity", About.ROW)],
        "prompt of n2": [Rejected(FailureKind.IMAGE, "no image", About.UNCLEAR)],
    }
    load(engine, 4)
    assert engine.run().reason is Reason.FINISHED
    assert counts(engine) == {"completed": 2, "failed": 2}
    assert engine.status().failed_kinds == {"content": 1, "image": 1}
    assert money(engine) == (2 * PRICE, 0)


def test_a_refusal_of_everything_is_nobodys_fault(engine: Engine) -> None:
    """The rows that failed for it are put back, and the run ends."""
    told = Rejected(FailureKind.VALIDATION, "something is wrong", About.UNKNOWN)
    sent = answers(engine, *[told] * 50)
    load(engine, 20)
    ending = engine.run()
    assert ending.reason in (Reason.REQUEST, Reason.UNDECIDED)
    assert len(sent) < 10
    assert counts(engine) == {"queued": 20}
    assert money(engine) == (0, 0)


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (TOKEN, Reason.TOKEN),
        (Refused(RefusalCause.ADDRESS, "404"), Reason.ADDRESS),
        (Refused(RefusalCause.ACCOUNT, "suspended"), Reason.ACCOUNT),
        (Refused(RefusalCause.FUNDS, "402"), Reason.FUNDS),
        (Refused(RefusalCause.ACCESS, "403"), Reason.ACCESS),
    ],
)
def test_what_refuses_every_row_ends_the_run(
    engine: Engine, refused: Refused, reason: Reason
) -> None:
    """Nothing more is sent; the rows wait, and the batch says why."""
    sent = answers(engine, *[refused] * 99)
    load(engine, 40)
    ending = engine.run()
    assert (ending.reason, ending.message) == (reason, refused.message)
    assert len(sent) < 20
    assert counts(engine) == {"queued": 40}
    assert money(engine) == (0, 0)


def test_a_403_whose_balance_is_refused_too_is_the_tokens(engine: Engine) -> None:
    answers(engine, *[Refused(RefusalCause.ACCESS, "403")] * 9)
    load(engine, 3)

    def during(_: Runner) -> None:
        errors = [TokenRefusedError("401")] * 9
        asyncio.get_running_loop().call_later(0.6, engine.provider.balance_errors.extend, errors)

    assert engine.run(during=during, rate=1).reason is Reason.TOKEN
    assert money(engine) == (0, 0)


def test_words_about_money_are_checked_by_the_balance(engine: Engine) -> None:
    """It suffices: they may be about that row alone, and the others are bought first."""
    unsure = Refused(RefusalCause.FUNDS, "no credit for this", sure=False)
    engine.provider.script = {"prompt of n1": [unsure] * 99}
    load(engine, 8)
    assert engine.run().reason is Reason.FUNDS
    assert counts(engine) == {"completed": 7, "queued": 1}
    engine.provider.balance_micros = engine.provider.charged  # now there is nothing left
    load(engine, 2, "later")
    answers(engine, *[unsure] * 9)
    assert engine.run([2]).reason in (Reason.FUNDS, Reason.BLOCKED)
    assert counts(engine, 2) == {"queued": 2}


def test_money_is_waited_for_where_a_person_says_so(engine: Engine) -> None:
    """The run goes on when the account was filled up."""
    engine.provider.balance_micros = 2 * PRICE
    load(engine, 4)

    def fill() -> None:
        engine.provider.balance_micros = 100 * PRICE

    assert engine.run(during=at((400, fill)), wait_for_funds=True).reason is Reason.FINISHED
    assert counts(engine) == {"completed": 4}
    assert engine.clock.now() - engine.attempts()[0].intent_at > timedelta(seconds=400)


# -- throttles and outages


def test_a_throttle_makes_all_wait_and_costs_nothing(engine: Engine) -> None:
    """The provider's own number of seconds is kept."""
    answers(engine, Throttled(90.0, "slow down"))
    load(engine, 3)
    assert engine.run(rate=0.5).reason is Reason.FINISHED
    first, second = sorted(one.intent_at for one in engine.attempts())[:2]
    assert second - first >= timedelta(seconds=90)
    assert (counts(engine), len(engine.provider.made)) == ({"completed": 3}, 3)


def test_an_outage_is_waited_out(engine: Engine) -> None:
    """No connection: nothing was made, and each row is sent once more."""
    answers(engine, *[Unsent("no route", unreachable=True)] * 4)
    load(engine, 5)
    assert engine.run().reason is Reason.FINISHED
    assert (counts(engine), len(engine.provider.made)) == ({"completed": 5}, 5)
    assert money(engine) == (5 * PRICE, 0)


def test_an_outage_that_lasts_ends_the_run(engine: Engine) -> None:
    """After the run's patience; it can be taken up again."""
    sent = answers(engine, *[Unsent("no route", unreachable=True)] * 999)
    load(engine, 5)
    ending = engine.run(unreachable_patience=200.0)
    assert ending.reason is Reason.UNREACHABLE
    assert len(sent) < 60
    assert counts(engine) == {"queued": 5}


def test_a_run_that_was_slept_through_sends_nothing_late(engine: Engine) -> None:
    """A request whose time has passed does not leave, and its row is sent anew."""
    answers(engine, Unsent("slept past its intent", unreachable=False))
    load(engine, 2)
    assert engine.run().reason is Reason.FINISHED
    assert len(engine.provider.made) == 2
    assert sorted(one.state for one in engine.attempts()) == [
        "completed",
        "completed",
        "rejected",
    ]


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ([TokenRefusedError("401")], Reason.TOKEN),
        ([UnreachableError("503")] * 999, Reason.UNREACHABLE),
        ([ForbiddenError("403")], Reason.ACCESS),
        ([UnreachableError("503")] * 2, Reason.FINISHED),
    ],
)
def test_nothing_is_bought_before_the_balance_is_read(
    engine: Engine, errors: list[Exception], reason: Reason
) -> None:
    engine.provider.balance_errors = list(errors)
    load(engine, 2)
    posts: list[int] = []
    engine.provider.on_post = lambda _: posts.append(len(engine.provider.balance_errors))
    ending = engine.run(unreachable_patience=300.0)
    assert ending.reason is reason
    assert posts == ([0, 0] if reason is Reason.FINISHED else [])
