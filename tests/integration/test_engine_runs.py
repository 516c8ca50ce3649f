"""The engine on a real SQLite file, on virtual time, against a scripted provider."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from support.engine import Engine, spec
from support.invariants import Invariants
from support.refused import refused

from jobs.model.errors import DatabaseOwnerError
from jobs.model.money import Micros
from jobs.model.provider import (
    Accepted,
    Generation,
    GenerationPhase,
    GenerationRequest,
    RefusalCause,
    Refused,
    Rejected,
    Throttled,
    TokenRefusedError,
    UnreachableError,
    Unsent,
)
from jobs.model.states import Blocked, FailureKind, Reason
from jobs.services.runner import Owner, Runner
from jobs.store import accounts, holding

Make = Callable[..., Engine]


@pytest.fixture
def make(tmp_path: Path):
    """Make engines whose invariants are checked at every commit."""
    made: list[Engine] = []

    def engine(*, caps: bool = True, **fields: object) -> Engine:
        found = Engine(tmp_path, Invariants(caps=caps), **fields)
        found.announce(s10=120_000, s15=180_000)
        made.append(found)
        return found

    yield engine
    for engine_made in made:
        engine_made.store.close()


def test_looks_find_generations_deep_in_a_busy_account(make: Make) -> None:
    """Hundreds in flight below what another client makes: pages are read where ours stand."""
    engine = make()
    engine.provider.balance_micros = 10**9
    engine.load([spec(f"r{i}", row=i) for i in range(300)])
    foreign = GenerationRequest("another client's", "9:16", 10)

    def during(runner: Runner) -> None:
        del runner
        loop = asyncio.get_running_loop()
        for second in range(1500):
            loop.call_later(second, engine.provider.make, foreign)

    ending = engine.run(during=during, max_in_flight=200, rate=20)
    assert ending.reason is Reason.FINISHED
    assert all(job.state == "completed" for job in engine.jobs().values())
    reads = engine.provider.list_reads + engine.provider.single_reads
    assert engine.provider.single_reads < 60
    assert reads < 300


def failed(kind: FailureKind, message: str = "broken") -> Generation:
    """A generation's end, as the provider shows it."""
    return Generation("", GenerationPhase.FAILED, failure=kind, message=message)


def test_every_row_is_bought_once_and_completed(make: Make) -> None:
    """The plain night: forty rows in, forty videos out, each paid once, with price and URL."""
    engine = make()
    engine.load([spec(f"r{i}", row=i) for i in range(40)])
    assert engine.run().reason is Reason.FINISHED
    jobs = engine.jobs().values()
    assert {job.state for job in jobs} == {"completed"}
    assert len({job.video_url for job in jobs}) == 40
    assert len(engine.provider.made) == 40
    assert engine.budget("batch:1").charged_micros == engine.provider.charged == 40 * 120_000


def test_the_cap_is_never_passed_at_any_commit(make: Make) -> None:
    """$1.00 over 40 rows at 0.12/0.18, 16 in flight: charged + held ≤ 1.00 on every transaction."""
    engine = make()
    engine.provider.prices = {"fake/sora/15": 180_000}
    engine.load([spec(f"r{i}", row=i, duration=15 if i % 3 == 0 else 10) for i in range(40)])
    engine.cap(1_000_000)
    ending = engine.run(rate=0)
    assert ending.reason is Reason.BLOCKED
    assert ending.blocked == {1: frozenset({Blocked.BATCH_CAP})}
    watch = engine.store._writer._observer
    assert watch.commits > 10
    assert 880_000 < watch.highest["batch:1"] <= 1_000_000
    assert engine.provider.charged <= 1_000_000
    assert engine.status().jobs["queued"] > 30
    assert engine.status().waiting_for == "budget of the batch"


def test_a_higher_cap_goes_on_where_the_lower_one_stopped(make: Make) -> None:
    """Resuming buys the rest and nothing again."""
    engine = make()
    engine.load([spec(f"r{i}", row=i) for i in range(10)])
    engine.cap(500_000)
    engine.run()
    assert len(engine.provider.made) == 4
    engine.cap(5_000_000)
    assert engine.run().reason is Reason.FINISHED
    assert len(engine.provider.made) == 10


def test_a_campaigns_cap_stops_that_campaign_alone(make: Make) -> None:
    """Rows of other campaigns go on, and cheaper kinds that still fit are bought."""
    engine = make()
    engine.provider.prices = {"fake/sora/15": 180_000}
    rows = [spec(f"a{i}", row=i, campaign="a", duration=15) for i in range(5)]
    rows += [spec("a-short", row=5, campaign="a")]
    rows += [spec(f"b{i}", row=10 + i, campaign="b") for i in range(5)]
    engine.load(rows)
    engine.cap(500_000, campaign="a")  # two of 15 s, and one of 10 s
    ending = engine.run()
    assert ending.blocked == {1: frozenset({Blocked.CAMPAIGN_CAP})}
    done = {key for key, job in engine.jobs().items() if job.state == "completed"}
    assert done == {"a0", "a1", "a-short", "b0", "b1", "b2", "b3", "b4"}


def test_the_accounts_floor_is_kept(make: Make) -> None:
    """What the account holds less what is held and charged never falls below the floor."""
    engine = make(balance_micros=1_000_000)
    engine.load([spec(f"r{i}", row=i) for i in range(20)])
    engine.store.write(lambda c: c.exec_driver_sql("UPDATE account SET floor_micros = 400000"))
    ending = engine.run(rate=0)
    assert ending.blocked == {1: frozenset({Blocked.BALANCE})}
    assert engine.provider.charged == 5 * 120_000


def test_the_days_cap_holds_over_batches(make: Make) -> None:
    """Two batches share one day."""
    engine = make()
    engine.load([spec(f"r{i}", row=i) for i in range(5)], batch="one")
    engine.load([spec(f"r{i}", row=i) for i in range(5)], batch="two")
    engine.store.write(
        lambda c: c.exec_driver_sql("INSERT INTO budget VALUES ('day:2026-01-05', 700000, 0, 0, 0)")
    )
    ending = engine.run([1, 2], max_in_flight=3)
    assert Blocked.DAY_CAP in ending.blocked[2]
    assert engine.provider.charged == 5 * 120_000


def test_the_day_is_that_of_the_zone_and_never_moves_backwards(make: Make) -> None:
    """At 20:00 UTC it is tomorrow in Tokyo; a clock set back does not open yesterday's cap."""
    engine = make()
    engine.store.write(lambda c: accounts.set_time_zone(c, "Asia/Tokyo"))
    day = engine.store.write(lambda c: accounts.current_day(c, engine.clock.now()))
    assert day == "2026-01-06"
    engine.store.write(lambda c: accounts.set_cap(c, "day:2026-01-06", 240_000))
    engine.load([spec(f"r{i}", row=i) for i in range(5)])
    assert Blocked.DAY_CAP in engine.run().blocked[1]
    engine.clock.start -= timedelta(days=1)
    assert Blocked.DAY_CAP in engine.run().blocked[1]
    assert len(engine.provider.made) == 2
    engine.clock.start += timedelta(days=2)
    assert Blocked.DAY_CAP in engine.run().blocked[1]  # a new day, and its cap again
    assert len(engine.provider.made) == 4


def test_an_unknown_price_is_learned_by_one_submission_that_goes_alone(make: Make) -> None:
    """Until the first answer tells the price of a kind, nothing else of it leaves."""
    engine = make()
    engine.provider.prices = {"fake/sora/20": 310_000}
    engine.load([spec(f"r{i}", row=i, duration=20) for i in range(6)])
    open_at_once: list[int] = []
    engine.provider.on_post = lambda _: open_at_once.append(
        sum(attempt.state == "open" for attempt in engine.attempts())
    )
    assert engine.run(rate=0).reason is Reason.FINISHED
    assert open_at_once[0] == 1
    holds = [attempt.hold_micros for attempt in engine.attempts()]
    assert holds == [1_000_000] + [310_000] * 5


def test_after_a_doubt_an_unknown_price_stays_unknown(make: Make) -> None:
    """The first one told no price, so the next goes alone too, at the highest hold."""
    engine = make()
    engine.provider.prices = {"fake/sora/20": 310_000}
    engine.provider.script = {"prompt of r0": ["made"]}
    engine.load([spec(f"r{i}", row=i, duration=20) for i in range(4)])
    engine.run(rate=0)
    holds = [attempt.hold_micros for attempt in engine.attempts()]
    assert holds == [1_000_000, 1_000_000, 310_000, 310_000]
    # the doubt was settled from the list, at the price that its kind has by then
    assert engine.budget("batch:1").held_micros == 0
    assert engine.budget("batch:1").charged_micros == 4 * 310_000


def test_a_price_of_nothing_teaches_nothing(make: Make) -> None:
    """A provider that says 0 once must not make every later hold 0."""
    engine = make()
    engine.provider.prices = {"fake/sora/20": 0}
    engine.load([spec(f"r{i}", row=i, duration=20) for i in range(3)])
    engine.run(rate=0)
    assert [attempt.hold_micros for attempt in engine.attempts()] == [1_000_000] * 3


def test_a_price_above_the_limit_stops_that_kind(make: Make) -> None:
    """The first dear answer is the last one bought; the dear price is written down."""
    engine = make(caps=False)
    engine.provider.prices = {"fake/sora/15": 400_000}
    engine.load([spec(f"r{i}", row=i, duration=15) for i in range(8)])
    engine.max_price(200_000)
    ending = engine.run(max_in_flight=1)
    assert ending.blocked == {1: frozenset({Blocked.PRICE})}
    assert engine.provider.charged == 400_000 == engine.budget("batch:1").charged_micros


def test_a_price_rise_raises_later_holds_at_once(make: Make) -> None:
    """The overshoot of a cap is at most the POSTs open when the price rose."""
    engine = make(caps=False)
    engine.provider.prices = {"fake/sora/10": 200_000}
    engine.load([spec(f"r{i}", row=i) for i in range(10)])
    engine.cap(600_000)
    engine.run(max_in_flight=1)
    assert [attempt.hold_micros for attempt in engine.attempts()] == [120_000, 200_000, 200_000]
    assert engine.provider.charged == 600_000


def test_an_unreadable_price_counts_as_the_highest_known(make: Make) -> None:
    """A 201 without a usable price is accepted all the same, marked as estimated."""
    engine = make()
    engine.provider.script = {"prompt of r0": ["unpriced"]}
    engine.load([spec("r0")])
    assert engine.run().reason is Reason.FINISHED
    (attempt,) = engine.attempts()
    assert (attempt.price_micros, attempt.price_estimated) == (120_000, True)


@pytest.mark.parametrize(
    "outcome", [Throttled(7.0), Unsent("connection refused", unreachable=True)]
)
def test_what_was_not_created_is_sent_again_with_the_same_key(make: Make, outcome: object) -> None:
    """A 429 or a failure to connect costs nothing and no retry: the row is bought once."""
    engine = make()
    engine.provider.script = {"prompt of r0": [outcome]}
    engine.load([spec("r0")])
    assert engine.run().reason is Reason.FINISHED
    keys = {key for _, key in engine.provider.posts}
    assert len(engine.provider.posts) == 2
    assert len(keys) == 1
    assert engine.jobs()["r0"].attempts == 1


def test_a_429_cools_all_submitters_down(make: Make) -> None:
    """After one 429 nobody submits until its Retry-After is over."""
    engine = make()
    engine.provider.script = {"prompt of r0": [Throttled(50.0)]}
    times: list[float] = []
    engine.provider.on_post = lambda _: times.append(engine.clock.monotonic())
    engine.load([spec(f"r{i}", row=i) for i in range(40)])
    engine.run(rate=5, max_in_flight=40)
    burst = [at for at in times if at < 40]
    assert len(burst) <= 8
    assert min(at for at in times if at > burst[-1]) >= 50.0


def test_a_validation_error_fails_the_row_and_costs_nothing(make: Make) -> None:
    """400 and 422 are final: the field's message is kept, the hold released, the rest goes on."""
    engine = make()
    refusal = Rejected(FailureKind.VALIDATION, "duration: must be 10 or 15")
    engine.provider.script = {"prompt of r0": [refusal]}
    engine.load([spec("r0"), spec("r1", row=1)])
    assert engine.run().reason is Reason.FINISHED
    job = engine.jobs()["r0"]
    assert (job.state, job.error_kind, job.error) == ("failed", "validation", refusal.message)
    assert engine.budget("batch:1").charged_micros == 120_000


def test_a_refused_token_stops_the_run_and_loses_nothing(make: Make) -> None:
    """401: nothing more is sent, what is under way is written down, the row stays queued."""
    engine = make()
    engine.provider.script = {"prompt of r3": [Refused(RefusalCause.TOKEN, "Missing credentials")]}
    engine.load([spec(f"r{i}", row=i) for i in range(20)])
    ending = engine.run()
    assert (ending.reason, ending.message) == (Reason.TOKEN, "Missing credentials")
    assert engine.jobs()["r3"].state == "queued"
    assert engine.status().jobs["submitting"] == 0
    assert engine.status().jobs["in_doubt"] == 0
    assert len(engine.provider.made) == engine.status().jobs["pending"]


def test_missing_credits_stop_submitting_but_not_polling(make: Make) -> None:
    """402: nothing more is bought, and everything paid for is polled to its end."""
    engine = make()
    refusal = Refused(RefusalCause.FUNDS, "INSUFFICIENT_CREDITS")
    engine.provider.script = {f"prompt of r{i}": [refusal] for i in range(6, 20)}
    engine.load([spec(f"r{i}", row=i) for i in range(20)])
    ending = engine.run()
    assert ending.reason is Reason.FUNDS
    assert engine.status().jobs["completed"] == len(engine.provider.made) == 6
    assert engine.status().waiting_for == "balance"
    assert engine.status().jobs["queued"] == 14


def test_an_id_that_is_known_already_is_an_alarm_not_an_acceptance(make: Make) -> None:
    """A 201 with another attempt's generation goes in doubt, and charges nothing by itself."""
    engine = make()
    engine.agreed()
    engine.provider.script = {"prompt of r1": [Accepted("gen-0", Micros(120_000))]}
    engine.load([spec("r0"), spec("r1", row=1)])
    engine.run(max_in_flight=2, rate=1)
    wrong, right = [a for a in engine.attempts() if a.prompt == "prompt of r1"]
    assert (wrong.state, wrong.generation_id, wrong.price_micros) == ("void", None, None)
    assert right.intent_at - wrong.doubt_since >= timedelta(seconds=180)
    assert engine.budget("batch:1").charged_micros == engine.provider.charged


def test_the_providers_own_failures_are_bought_again_under_the_cap(make: Make) -> None:
    """``system`` and ``timeout`` are retried with new keys, each retry a new charge."""
    engine = make()
    engine.provider.ends = {
        "prompt of r0": [failed(FailureKind.SYSTEM), failed(FailureKind.TIMEOUT)],
        "prompt of r1": [failed(FailureKind.CONTENT, "no celebrities")],
    }
    engine.load([spec("r0"), spec("r1", row=1)])
    assert engine.run().reason is Reason.FINISHED
    jobs = engine.jobs()
    assert (jobs["r0"].state, jobs["r0"].attempts) == ("completed", 3)
    assert (jobs["r1"].state, jobs["r1"].error) == ("failed", "no celebrities")
    assert len({key for _, key in engine.provider.posts}) == 4
    assert engine.budget("batch:1").charged_micros == 4 * 120_000


def test_retries_end(make: Make) -> None:
    """A row that always fails is bought three times by default, and then stays failed."""
    engine = make()
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM)] * 9}
    engine.load([spec("r0")])
    engine.run()
    assert engine.jobs()["r0"].state == "failed"
    assert len(engine.provider.made) == 3


def test_an_overdue_video_is_looked_at_again_and_never_bought_again(make: Make) -> None:
    """Our patience ends, the generation does not: a later run finds it finished, at no cost."""
    engine = make(takes=400.0)
    engine.load([spec("r0")])
    assert engine.run(generation_timeout=200.0).reason is Reason.FINISHED
    job = engine.jobs()["r0"]
    assert (job.state, job.error_kind) == ("failed", "overdue")
    assert "checks it first" in job.error
    assert engine.attempts()[0].state == "accepted"
    engine.clock.start += timedelta(minutes=10)
    assert engine.run(generation_timeout=200.0).reason is Reason.FINISHED
    assert engine.jobs()["r0"].state == "completed"
    assert len(engine.provider.made) == 1


def test_an_overdue_video_that_failed_after_all_is_not_retried_by_itself(make: Make) -> None:
    """Even a ``system`` failure found later stays failed, with the provider's own reason."""
    engine = make(takes=400.0)
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.SYSTEM, "gpu on fire")]}
    engine.load([spec("r0")])
    engine.run(generation_timeout=200.0)
    engine.clock.start += timedelta(minutes=10)
    engine.run(generation_timeout=200.0)
    job = engine.jobs()["r0"]
    assert (job.state, job.error_kind, job.error) == ("failed", "system", "gpu on fire")
    assert len(engine.provider.made) == 1


def test_a_process_that_slept_past_its_intent_sends_nothing(make: Make) -> None:
    """A jump of the clock between intent and request releases the hold; the next one buys."""
    engine = make()
    engine.load([spec("r0")])

    def sleep_once(name: str) -> None:
        if name == "request-leaving" and not engine.provider.posts and not slept:
            slept.append(True)
            engine.clock.skew += timedelta(minutes=5)

    slept: list[bool] = []
    assert engine.run(checkpoint=sleep_once).reason is Reason.FINISHED
    assert len(engine.provider.posts) == 1
    assert engine.jobs()["r0"].attempts == 1


def test_stopping_writes_down_what_is_under_way_and_resumes(make: Make) -> None:
    """Ctrl-C during submissions: no doubt is left, and the next run buys only the rest."""
    engine = make()
    engine.load([spec(f"r{i}", row=i) for i in range(30)])

    def stop_soon(runner: Runner) -> None:
        engine.provider.on_post = lambda _: (
            runner.stop() if len(engine.provider.posts) == 7 else None
        )

    assert engine.run(during=stop_soon).reason is Reason.INTERRUPTED
    status = engine.status()
    assert status.jobs["in_doubt"] == status.jobs["submitting"] == 0
    assert status.jobs["pending"] == len(engine.provider.made) < 12
    assert engine.run().reason is Reason.FINISHED
    assert len(engine.provider.made) == 30


def test_without_a_balance_nothing_is_bought(make: Make) -> None:
    """The balance is checked before the first submission; no answer, no purchase."""
    engine = make()
    engine.provider.balance_errors = [UnreachableError("no route") for _ in range(9)]
    engine.load([spec("r0")])
    assert engine.run().reason is Reason.UNREACHABLE
    assert engine.provider.posts == []
    engine.provider.balance_errors = [TokenRefusedError("Missing credentials")]
    assert engine.run().reason is Reason.TOKEN
    assert engine.provider.posts == []


def test_a_database_of_another_account_is_refused(make: Make) -> None:
    """Another API is refused; another token is taken only when it knows our generations."""
    engine = make()
    engine.load([spec("r0"), spec("r1", row=1)])
    engine.run()
    engine.owner = Owner("http://api.test", "renewed")
    assert engine.run().reason is Reason.FINISHED  # the same account knows gen-0
    engine.owner = Owner("http://other.test", "renewed")
    with refused(DatabaseOwnerError, match="--db"):
        engine.run()
    engine.owner = Owner("http://api.test", "stranger")
    engine.provider.made.clear()
    with refused(DatabaseOwnerError, match="another account"):
        engine.run()


def test_only_the_first_rows_are_bought_when_asked(make: Make) -> None:
    """``--first N`` ends with everything else still queued, and a later run leaves it so."""
    engine = make()
    engine.load([spec(f"r{i}", row=i) for i in range(10)])
    engine.store.write(lambda c: holding.pick(c, 1, range(3)))
    assert engine.run().reason is Reason.FINISHED
    assert engine.run().reason is Reason.FINISHED
    assert sorted(k for k, job in engine.jobs().items() if job.state == "completed") == [
        "r0",
        "r1",
        "r2",
    ]


def test_priority_comes_first_and_retries_come_last(make: Make) -> None:
    """Higher priority goes first, the manifest's order decides among equals."""
    engine = make()
    engine.load([spec(f"r{i}", row=i, priority=i % 2) for i in range(6)])
    engine.run(max_in_flight=1)
    assert [prompt[-2:] for prompt, _ in engine.provider.posts] == [
        "r1", "r3", "r5", "r0", "r2", "r4",
    ]  # fmt: skip
