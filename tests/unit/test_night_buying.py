"""Whole runs on virtual time: what is bought, at which price, and why a run ends."""

import asyncio
from typing import Any

import pytest
from support.engine import Engine, spec
from support.nights import PRICE, at, counts, load, money, stop

from jobs.model.errors import DatabaseOwnerError
from jobs.model.money import Micros
from jobs.model.provider import (
    Accepted,
    Generation,
    GenerationPhase,
    InDoubt,
    RefusalCause,
    Refused,
    TokenRefusedError,
)
from jobs.model.retry import RetryPolicy
from jobs.model.states import Blocked, FailureKind
from jobs.ports.control import Terms
from jobs.services.run_outcome import Reason
from jobs.services.runner import Owner, Runner

TOKEN = Refused(RefusalCause.TOKEN, "401")


# -- plain nights and budgets


def test_every_row_is_bought_once_and_completed(engine: Engine) -> None:
    """Each is paid once, has its video, and the account is the owner's from then on."""
    load(engine, 15)
    runs: list[Runner] = []
    ending = engine.run(during=runs.append)
    assert ending.reason is Reason.FINISHED
    assert counts(engine) == {"completed": 15}
    assert money(engine) == (15 * PRICE, 0)
    assert len(engine.provider.made) == len({key for _, key in engine.provider.posts}) == 15
    assert len({job.video_url for job in engine.jobs().values()}) == 15
    assert engine.store.account.ownership("http://api.test", "secret").ours is True
    (runner,) = runs
    assert (list(runner.left.served), runner.left.surplus, runner.reappeared) == ([1], 0, 0)
    assert not engine.status().active


def test_an_empty_run_ends_at_once(engine: Engine) -> None:
    load(engine, 0)
    assert engine.run().reason is Reason.FINISHED
    assert engine.provider.posts == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"batch": 3 * PRICE}, Blocked.BATCH_CAP),
        ({"day": 3 * PRICE + 1}, Blocked.DAY_CAP),
        ({"floor": 100_000_000 - 3 * PRICE}, Blocked.BALANCE),
        ({"max_price": PRICE - 1}, Blocked.PRICE),
    ],
)
def test_a_budget_ends_the_run(engine: Engine, said: dict[str, int], why: Blocked) -> None:
    """What fits is bought and finished; the batch says what it waits for."""
    load(engine, 6)
    engine.store.control.set_terms(1, Terms(**said), engine.clock.now())
    ending = engine.run()
    bought = 0 if why is Blocked.PRICE else 3
    assert ending.reason is Reason.BLOCKED
    assert ending.blocked == {1: frozenset({why})}
    assert counts(engine).get("completed", 0) == bought
    assert money(engine) == (bought * PRICE, 0)
    assert (engine.status().waiting_for or "").startswith(why)


def test_a_paused_batch_is_waited_for_and_resumed_in_the_run(engine: Engine) -> None:
    """What is paid for is finished meanwhile; one that was paused before is not waited for."""
    load(engine, 20)
    control = engine.store.control
    seen: list[int] = []

    def during(_: Runner) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(2.5, control.pause, "night")
        loop.call_later(400, lambda: seen.append(len(engine.provider.made)))
        loop.call_later(401, control.resume, "night", lambda *_: None)

    assert engine.run(during=during).reason is Reason.FINISHED
    assert 0 < seen[0] < 20
    assert counts(engine) == {"completed": 20}
    load(engine, 2, "later")
    control.pause("later")
    assert engine.run([2], not_awaited=frozenset({2})).reason is Reason.FINISHED
    assert counts(engine, 2) == {"queued": 2}


def test_an_unknown_price_is_learned_by_one_that_goes_alone(engine: Engine) -> None:
    engine.load([spec(f"r{n}", row=n, duration=20) for n in range(4)])
    engine.provider.prices = {"fake/sora/20": 310_000}
    assert engine.run(rate=0).reason is Reason.FINISHED
    holds = [one.hold_micros for one in engine.attempts()]
    assert holds == [1_000_000, 310_000, 310_000, 310_000]
    assert money(engine) == (4 * 310_000, 0)


# -- retries


@pytest.mark.parametrize(
    ("kind", "tries"), [(FailureKind.SYSTEM, 3), (FailureKind.TIMEOUT, 3), (FailureKind.CONTENT, 1)]
)
def test_only_the_providers_own_failures_are_bought_again(
    engine: Engine, kind: FailureKind, tries: int
) -> None:
    """So often as the policy says; each try is paid for under a key of its own."""
    broken = Generation("", GenerationPhase.FAILED, failure=kind, message="broken")
    engine.provider.ends = {"prompt of n0": [broken] * 9}
    load(engine, 2)
    assert engine.run(retry=RetryPolicy(2)).reason is Reason.FINISHED
    assert counts(engine) == {"completed": 1, "failed": 1}
    attempts = [one for one in engine.attempts() if one.prompt == "prompt of n0"]
    assert [one.state for one in attempts] == ["failed"] * tries
    assert len({one.idempotency_key for one in attempts}) == tries
    assert money(engine) == ((tries + 1) * PRICE, 0)


# -- ends of runs


def test_a_stopped_run_leaves_nothing_unknown(engine: Engine) -> None:
    """What was sent has its answer; the next run finishes it and buys the rest, once each."""
    load(engine, 16)
    assert engine.run(during=stop(3)).reason is Reason.INTERRUPTED
    counted = counts(engine)
    assert set(counted) == {"pending", "queued"}
    assert money(engine) == (counted["pending"] * PRICE, 0)
    assert engine.run().reason is Reason.FINISHED
    assert (counts(engine), len(engine.provider.made)) == ({"completed": 16}, 16)


def test_a_run_whose_table_another_one_takes_ends_without_a_word_more(engine: Engine) -> None:
    """It buys nothing from then on, and leaves what is served to the other."""
    load(engine, 40)
    took: list[int] = []

    def take() -> None:
        engine.store.purchases.take_over("other", engine.clock.now())
        engine.store.purchases.serve([1], engine.clock.now())
        took.append(len(engine.provider.posts))

    ending = engine.run(during=at((4.5, take)), rate=2)
    assert ending.reason is Reason.DATABASE
    assert len(engine.provider.posts) <= took[0] + 2
    assert engine.status().active


def test_a_run_that_only_looks_buys_nothing(engine: Engine) -> None:
    load(engine, 10)
    engine.run(during=stop(2), rate=2)
    bought = len(engine.provider.posts)
    assert engine.run(buys=False).reason is Reason.FINISHED
    assert len(engine.provider.posts) == bought
    assert counts(engine) == {"completed": bought, "queued": 10 - bought}


def test_a_cancelled_run_puts_in_doubt_what_it_sends(engine: Engine) -> None:
    """The next one sees in the list that it never arrived, and buys it."""
    load(engine, 2, "before")
    engine.run()
    load(engine, 8)
    engine.provider.latency = 2.0
    tasks: list[asyncio.Task[Any]] = []

    def during(_: Runner) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        asyncio.get_running_loop().call_later(3, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        engine.run([2], during=during, rate=1)
    engine.clock.start = engine.clock.now()
    engine.clock._last = 0.0
    doubts = counts(engine, 2)["in_doubt"]
    assert money(engine, 2) == (0, doubts * PRICE)
    assert 0 < doubts < 8
    engine.provider.latency = 0.2
    assert engine.run([2]).reason is Reason.FINISHED
    assert counts(engine, 2) == {"completed": 8}
    assert money(engine, 2) == (8 * PRICE, 0)


# -- whose table it is


def test_another_api_or_account_is_refused_before_anything_is_sent(engine: Engine) -> None:
    """A renewed token of the same account knows our generations, singly or in the list."""
    load(engine, 3)
    engine.run()
    sent = len(engine.provider.posts)
    engine.owner = Owner("http://else.test", "secret")
    with pytest.raises(DatabaseOwnerError):
        engine.run()
    engine.owner = Owner("http://api.test", "renewed")
    load(engine, 4)
    made, engine.provider.made = engine.provider.made, []
    with pytest.raises(DatabaseOwnerError):  # an account that knows none of them
        engine.run()
    engine.provider.made = made
    assert len(engine.provider.posts) == sent
    assert engine.run().reason is Reason.FINISHED
    assert engine.store.account.ownership("http://api.test", "renewed").ours is True


def test_a_doubt_alone_shows_no_other_token_whose_it_is(engine: Engine) -> None:
    engine.provider.script = {"prompt of n0": [InDoubt("no answer")]}
    load(engine, 1)
    engine.run(during=stop(1))
    engine.owner = Owner("http://api.test", "renewed")
    with pytest.raises(DatabaseOwnerError):
        engine.run()
    engine.owner = Owner("http://api.test", "secret")
    engine.provider.list_errors = [TokenRefusedError("401")] * 9
    assert engine.run(during=stop(9)).reason in (
        Reason.TOKEN,
        Reason.INTERRUPTED,
    )


def test_an_id_that_is_known_already_is_no_second_acceptance(engine: Engine) -> None:
    """Two rows are never charged for one generation."""
    engine.provider.script = {
        "prompt of n0": [Accepted("gen-same", Micros(PRICE))],
        "prompt of n1": [Accepted("gen-same", Micros(PRICE))],
    }
    load(engine, 2)
    engine.run(generation_timeout=600, grace=30)
    owners = [one for one in engine.attempts() if one.generation_id == "gen-same"]
    assert len(owners) == 1
