"""A lost answer that the list never shows, and a balance that seems not to have fallen for it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from support.engine import Engine, spec
from support.invariants import Invariants
from support.loop import run_virtual
from support.lost import LOST, PRICE, hide, waits
from support.policies import policy as policy_with

from jobs.database.tables import ACCOUNT
from jobs.model.money import Micros
from jobs.model.provider import (
    FailureKind,
    ForbiddenError,
    Generation,
    GenerationPhase,
    InDoubt,
    Rejected,
    UnreachableError,
)
from jobs.model.provider import GenerationRequest as Request
from jobs.model.retry import Patience
from jobs.reconciliation.by_word import resolve_never_made
from jobs.services.runner import Runner
from jobs.store import steering, takeovers, views

Make = Callable[..., Engine]
DROPPED = InDoubt("the connection dropped")


def failed(kind: FailureKind, message: str = "no") -> Generation:
    return Generation("", GenerationPhase.FAILED, failure=kind, message=message)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an engine at known prices whose fifth answer is lost, though it was made."""

    def engine(
        rows: int = 12, answer: Any = "made", *, agreed: bool = True, **provider: Any
    ) -> Engine:
        made = Engine(tmp_path, Invariants(), **provider)
        made.announce(s10=PRICE)
        if agreed:
            made.agreed()
        made.provider.script = {LOST: [answer]}
        made.load([spec(f"r{n}", row=n) for n in range(rows)])
        return made

    return engine


def test_the_balance_shows_a_purchase_late(make: Make) -> None:
    """The newest is not in it yet, the lost one is: together it looks right."""
    engine = make(balance_late=100)
    hide(engine)
    engine.run(rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("after", [300.0, 400.0, 700.0])
def test_a_failure_is_given_back_late(make: Make, after: float) -> None:
    """Not given back at first, it is when the lost one was charged."""
    engine = make(takes=20.0)
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    engine.provider.gives_back = {"gen-0": after}
    hide(engine)
    engine.run(rate=0.01)
    assert waits(engine)


def test_failures_of_one_kind_alone_are_given_back(make: Make) -> None:
    """Content is not, the provider's own failure is: what was learned of one says nothing."""
    engine = make(takes=20.0)
    engine.provider.ends = {
        "prompt of r0": [failed(FailureKind.CONTENT)],
        "prompt of r6": [failed(FailureKind.UNKNOWN)],
    }
    engine.provider.gives_back = {"gen-6": 20.0}
    hide(engine)
    engine.run(rate=0.01)
    assert waits(engine)


def test_a_failure_that_nobody_has_looked_at_yet_is_given_back(make: Make) -> None:
    """What has not ended as far as we know may have failed, and be paid back already."""
    engine = make(takes=10_000.0)
    engine.provider.gives_back = {"gen-7": 200.0}
    hide(engine)
    engine.provider.hides["gen-7"] = 10**9
    engine.run(rate=0.01, generation_timeout=3000.0)
    assert waits(engine)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_others_make_is_paid_by_somebody_else(make: Make, count: int) -> None:
    """The list shows the whole team's work, and our balance pays for ours alone."""
    engine = make()
    hide(engine)

    def also(request: Request) -> None:
        if request.prompt == "prompt of r6":
            for number in range(count):
                other = engine.provider.make(Request(f"a colleague's {number}", "9:16", 10))
                engine.provider.free.add(other.id)

    engine.provider.on_post = also
    engine.run(rate=0.05)
    assert waits(engine)


def test_the_list_rewrites_the_lost_prompt_alone(make: Make) -> None:
    """It counts as somebody else's, which would explain why the balance fell."""
    engine = make()
    engine.provider.rewrites = {"gen-4": "Cinematic, wide: an egret stands among tall grasses"}
    engine.run(rate=0.05)
    assert waits(engine)


def test_a_failure_of_somebody_else_is_given_back(make: Make) -> None:
    """It was bought before the run, and fails while the lost one is charged."""
    engine = make()
    other = engine.provider.make(Request("a colleague's", "9:16", 10))
    engine.provider.ends = {other.prompt: [failed(FailureKind.CONTENT)]}
    engine.provider.gives_back = {other.id: 150.0}
    engine.provider.hides = {"gen-5": 10**9}
    engine.run(rate=0.05)
    assert waits(engine)


def test_a_failure_of_somebody_else_that_the_list_no_longer_reaches(make: Make) -> None:
    """Seen under way when the run before looked; given back while the lost one is charged."""
    engine = make(rows=0, list_limit=20, takes=30.0)
    other = engine.provider.make(Request("a colleague's", "9:16", 10))
    other.takes = 10**7
    hide(engine)

    def fails(request: Request) -> None:
        if request.prompt == LOST:
            other.takes = (engine.clock.now() - other.created_at).total_seconds() + 50
            engine.provider.gives_back = {other.id: other.takes}

    engine.provider.on_post = fails
    engine.provider.ends = {other.prompt: [failed(FailureKind.SYSTEM)]}
    early = [spec(f"e{n}", row=n) for n in range(40)]
    engine.load([*early, *(spec(f"r{n}", row=n + 40) for n in range(12))])
    engine.run(rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("dear", [200_000, 240_000])
def test_a_dearer_one_of_somebody_else_is_given_back(make: Make, dear: int) -> None:
    """Its price was never met: it covers itself and the lost one."""
    engine = make()
    hide(engine)
    engine.provider.prices["fake/sora/15"] = dear
    other = engine.provider.make(Request("a colleague's", "9:16", 15))
    engine.provider.ends = {other.prompt: [failed(FailureKind.SYSTEM)]}
    engine.provider.gives_back = {other.id: 150.0}
    engine.run(rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("rate", [0.155, 0.16, 0.165, 0.17, 0.21])
def test_money_is_paid_in_while_purchases_are_not_shown_yet(make: Make, rate: float) -> None:
    """$5 more, and about as much that may be late: no sum of both is a "no"."""
    engine = make(rows=120, takes=60.0)
    hide(engine)
    balance = engine.provider.balance

    async def topped_up() -> Micros:
        more = 5_000_000 if engine.clock.monotonic() > 100 else 0
        return Micros(await balance() + more)

    engine.provider.balance = topped_up  # type: ignore[method-assign]
    engine.run(rate=rate, max_in_flight=300)
    assert waits(engine)


def test_one_that_was_given_up_is_given_back(make: Make) -> None:
    """Stuck, abandoned by a person, bought again; its price comes back in a later night."""
    engine = make(rows=3, takes=60.0)
    hide(engine)
    make_one = engine.provider.make

    def stuck(request: Request, key: str = "foreign") -> Any:
        made = make_one(request, key)
        made.takes = 10**7 if made.id == "gen-0" else made.takes
        return made

    engine.provider.make = stuck  # type: ignore[method-assign]
    engine.run(generation_timeout=600.0)
    engine.clock.start += timedelta(minutes=31)
    patience = Patience(engine.clock.now(), timedelta(minutes=30))
    job = engine.jobs()["r0"].id
    assert engine.store.write(lambda c: steering.retry(c, [job], patience))
    engine.run()
    engine.load([spec(f"r{n}", row=n) for n in range(4, 12)], batch="later")
    age = (engine.clock.now() - engine.provider.made[0].created_at).total_seconds()
    engine.provider.gives_back = {"gen-0": age + 120.0}
    engine.run([2], rate=0.05)
    assert waits(engine)


def test_one_that_was_taken_over_is_given_back(make: Make) -> None:
    """It cost us nothing in our books, and the account something."""
    engine = make(takes=20.0)
    engine.load([spec("x")], batch="x")
    engine.run([2])
    other = engine.provider.make(Request("prompt of r11", "9:16", 10))  # by an earlier database
    other.takes = 10**6
    engine.clock.start += timedelta(minutes=10)
    engine.load([spec("y")], batch="y")
    engine.run([3])
    engine.clock.start += timedelta(minutes=10)
    hide(engine)
    engine.provider.ends = {other.prompt: [failed(FailureKind.CONTENT)]}
    other.takes = (engine.clock.now() - other.created_at).total_seconds() + 150
    engine.provider.gives_back = {other.id: other.takes}
    seen = Generation(
        other.id, GenerationPhase.PENDING, prompt=other.prompt, created_at=other.created_at
    )
    job = engine.jobs()["r11"].id
    assert engine.store.write(lambda c: takeovers.take_over(c, job, seen, engine.clock.now()))
    engine.run(rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize(
    ("made_late", "balance_late"), [(90, 120), (60, 150), (150, 150), (120, 170), (0, 170)]
)
def test_it_is_made_late_and_the_balance_is_late(
    make: Make, made_late: int, balance_late: int
) -> None:
    """Each within the grace, one after the other."""
    engine = make(rows=6, answer=f"late {made_late}", balance_late=float(balance_late), takes=60.0)
    hide(engine)
    engine.run(rate=5.0)
    assert waits(engine)


@pytest.mark.parametrize("kind", [FailureKind.UNKNOWN, FailureKind.CONTENT])
def test_a_failure_like_one_that_was_not_given_back_is(make: Make, kind: FailureKind) -> None:
    """A day is no proof: a kind is many things."""
    engine = make(rows=4, takes=20.0)
    engine.provider.ends = {"prompt of r0": [failed(kind)], "prompt of r6": [failed(kind)]}
    engine.run()
    engine.clock.start += timedelta(hours=26)
    hide(engine)
    engine.load([spec(f"r{n}", row=n) for n in range(4, 12)], batch="later")
    engine.provider.gives_back = {"gen-6": 20.0}
    engine.run([2], rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize(
    ("adopted", "price"),
    [(1, 240_000), (2, 180_000), (3, 150_000), (4, 144_000), (5, 140_000)],
)
def test_the_price_rises_after_some_were_adopted(make: Make, adopted: int, price: int) -> None:
    """Their price is a guess; at today's it would explain the lost one."""
    engine = make(rows=16, takes=60.0)
    for number in range(adopted):
        engine.provider.script[f"prompt of r{5 + number}"] = ["made"]
    hide(engine)

    def rises(request: Request) -> None:
        if request.prompt == f"prompt of r{5 + adopted}":
            engine.provider.prices[engine.provider.kind(request).key] = price

    engine.provider.on_post = rises
    engine.run(rate=0.02)
    assert waits(engine)


@pytest.mark.parametrize("low", [50_000, 20_000])
def test_a_discount_at_the_moment_of_the_lost_one(make: Make, low: int) -> None:
    """It is charged far less than was believed."""
    engine = make()
    hide(engine)

    def sale(request: Request) -> None:
        price = low if request.prompt == LOST else PRICE
        engine.provider.prices[engine.provider.kind(request).key] = price

    engine.provider.on_post = sale
    engine.run(rate=0.05)
    assert waits(engine)


def test_a_clock_that_was_hours_ahead_when_the_balance_was_quiet(make: Make) -> None:
    """What failed since is older than that reading, as far as the clock says."""
    engine = make(rows=4, takes=20.0)
    engine.clock.skew = timedelta(hours=30)
    engine.run()
    engine.clock.skew = timedelta(0)
    engine.clock.start += timedelta(minutes=10)
    for made in engine.provider.made:  # the provider's clock was right all the time
        made.created_at -= timedelta(hours=30)
    hide(engine)
    engine.provider.ends = {"prompt of r6": [failed(FailureKind.CONTENT)]}
    engine.load([spec(f"r{n}", row=n) for n in range(4, 12)], batch="later")
    engine.provider.gives_back["gen-6"] = 20.0
    engine.run([2], rate=0.05)
    assert waits(engine)


def test_a_stranger_of_before_that_no_page_of_this_run_reaches(make: Make) -> None:
    """150 rows of ours lie between; it fails and is given back in the next run."""
    engine = make(rows=0, list_limit=20, takes=30.0)
    other = engine.provider.make(Request("a colleague's", "9:16", 10))
    other.takes = 10**7
    engine.load([spec(f"e{n}", row=n) for n in range(150)], batch="early")
    engine.run([2], rate=0.5)
    engine.clock.start += timedelta(minutes=40)
    hide(engine)
    engine.load([spec(f"r{n}", row=n) for n in range(12)], batch="later")
    other.takes = (engine.clock.now() - other.created_at).total_seconds() + 150
    engine.provider.ends = {other.prompt: [failed(FailureKind.SYSTEM)]}
    engine.provider.gives_back = {other.id: other.takes}
    engine.run([3], rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("ahead", [30.0, 60.0, 120.0])
def test_one_is_given_back_a_moment_before_its_state_says_failed(make: Make, ahead: float) -> None:
    """The list shows it under way, and its price is back already."""
    engine = make(takes=600.0)
    engine.provider.ends = {"prompt of r7": [failed(FailureKind.SYSTEM)]}
    engine.provider.gives_back = {"gen-7": 600.0 - ahead}
    hide(engine)
    engine.run(rate=0.05, grace=20)
    assert waits(engine)


@pytest.mark.parametrize(("discount", "rows"), [(0.1, 10), (0.125, 8), (0.05, 20)])
def test_a_discount_that_no_answer_tells(make: Make, discount: float, rows: int) -> None:
    """As many purchases as it takes to make up for the lost one."""
    engine = make(rows=rows, agreed=False, discount=discount)
    hide(engine)
    engine.run(rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("before", [1, 2])
def test_a_discount_so_small_that_few_purchases_do_not_show_it(make: Make, before: int) -> None:
    """Within the rounding of the night before, and twenty of them make up for the lost one."""
    engine = make(rows=before, agreed=False, discount=0.05)
    engine.run()
    engine.clock.start += timedelta(hours=20)
    hide(engine)
    engine.load([spec(f"r{n}", row=n) for n in range(4, 24)], batch="later")
    engine.run([2], rate=0.05, balance_interval=10_000)
    assert waits(engine)


def test_a_price_that_rose_since_says_nothing_of_the_lost_one(make: Make) -> None:
    """A discount hides the old price among purchases that would have shown the new one."""
    engine = make(rows=2, agreed=False, clock_ahead=timedelta(0), discount=0.04)
    engine.run()
    hide(engine)

    def rise(request: Request) -> None:
        if request.prompt == "prompt of r6":
            engine.provider.prices[engine.provider.kind(request).key] = 300_000

    engine.provider.on_post = rise
    engine.load([spec(f"r{n}", row=n) for n in range(4, 16)], batch="later")
    engine.run([2], rate=0.05, balance_interval=10_000)
    assert waits(engine)


def charge_also(engine: Engine, prompt: str, given_back: float) -> None:
    """Refuse a row, charge it all the same, and give that back so many seconds later."""

    def also(request: Request) -> None:
        if request.prompt == prompt:
            fee = engine.provider.make(Request("a fee", "9:16", 10))
            engine.provider.hides[fee.id] = 10**9
            engine.provider.gives_back[fee.id] = given_back

    engine.provider.script[prompt] = [Rejected(FailureKind.CONTENT, "no")]
    engine.provider.on_post = also


def give_back_later(engine: Engine, number: int) -> None:
    """Load a night in which the balance agrees anew, before it gives that back and one is lost."""
    hide(engine)
    early = [spec(f"e{n}", row=n) for n in range(6)]
    engine.load([*early, *(spec(f"r{n}", row=n + 2) for n in range(4, 12))], batch="later")
    made = engine.provider.made[number]
    age = (engine.clock.now() - made.created_at).total_seconds()
    engine.provider.gives_back = {made.id: age + 200.0}


@pytest.mark.parametrize("hours", [1, 20])
def test_a_refused_one_was_charged_and_is_given_back(make: Make, hours: int) -> None:
    """The balance fell by more than is known, and that comes back while the lost one is charged."""
    engine = make(rows=4, clock_ahead=timedelta(0))
    charge_also(engine, "prompt of r2", 10**9)
    engine.run()
    engine.clock.start += timedelta(hours=hours)
    give_back_later(engine, 2)
    engine.run([2], rate=0.05)
    assert waits(engine)


def test_a_refused_one_was_charged_before_the_first_quiet_reading(make: Make) -> None:
    """The upgrade forgets the reading of before, so nobody sees that the balance fell for it."""
    engine = make(rows=4, agreed=False, clock_ahead=timedelta(0))
    charge_also(engine, "prompt of r2", 10**9)
    engine.run()
    names = ("balance_micros", "charged_micros", "at", "theirs", "attempt", "mishaps")
    forgotten = {f"quiet_{name}": None for name in names} | {"unsteady_at": None}
    engine.store.write(lambda c: c.execute(update(ACCOUNT).values(**forgotten, agreed_micros=0)))
    engine.clock.start += timedelta(hours=1)
    give_back_later(engine, 2)
    engine.run([2], rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("found_after", [240.0, 60.0])
def test_one_that_was_refused_comes_back_as_the_next_is_charged(
    make: Make, found_after: float
) -> None:
    """In one step of the second night, so that it looks right; the third gives that one back.

    A step of less than three minutes, too.
    """
    engine = make(rows=4, clock_ahead=timedelta(0))
    charge_also(engine, "prompt of r2", 10**9)
    engine.run()
    (fee,) = (made for made in engine.provider.made if made.prompt == "a fee")
    engine.clock.start += timedelta(hours=20)
    back = {fee.id: (engine.clock.now() - fee.created_at).total_seconds() + 5.0}
    engine.provider.gives_back = dict(back)
    charge_also(engine, "prompt of s3", 10**9)
    engine.provider.gives_back |= back
    engine.provider.script["prompt of s1"] = ["made"]
    hidden = f"gen-{len(engine.provider.made) + 1}"
    engine.provider.hides = {hidden: found_after}  # adopted in the end
    engine.load([spec(f"s{n}", row=n) for n in range(6)], batch="second")
    engine.run([2], rate=0.5)
    fees = [n for n, made in enumerate(engine.provider.made) if made.prompt == "a fee"]
    engine.clock.start += timedelta(hours=10)
    give_back_later(engine, fees[1])
    engine.provider.gives_back |= back
    engine.run([3], rate=0.05)
    assert waits(engine)


def test_a_refused_one_that_is_charged_makes_up_for_a_discount(make: Make) -> None:
    """Both together look as if the balance had agreed; the next night the lost one does."""
    engine = make(rows=4, agreed=False, discount=0.1)
    engine.load([spec(f"e{n}", row=n) for n in range(10)], batch="early")
    charge_also(engine, "prompt of e3", 10**9)
    engine.run([2])
    engine.clock.start += timedelta(hours=20)
    hide(engine)
    engine.load([spec(f"r{n}", row=n) for n in range(4, 14)], batch="later")
    engine.run([3], rate=0.05, balance_interval=10_000)
    assert waits(engine)


@pytest.mark.parametrize(
    ("failed_by", "bought_by"),
    [(timedelta(hours=-26), timedelta(0)), (timedelta(0), timedelta(hours=30))],
)
def test_a_failure_that_is_old_by_a_wrong_clock_alone(
    make: Make, failed_by: timedelta, bought_by: timedelta
) -> None:
    """It was an hour ago; our clock was behind when it was written down, or is ahead now."""
    engine = make(rows=4, takes=20.0)
    engine.provider.ends = {"prompt of r2": [failed(FailureKind.CONTENT)]}
    engine.clock.skew, engine.provider.clock_ahead = failed_by, -failed_by
    engine.run()
    engine.clock.skew, engine.provider.clock_ahead = bought_by, -bought_by
    engine.clock.start += timedelta(hours=1)
    for made in engine.provider.made:
        made.created_at += bought_by - failed_by  # the provider's clock was right all the time
    age = (engine.clock.now() - engine.provider.made[2].created_at).total_seconds()
    engine.provider.gives_back = {"gen-2": age + 150.0}
    hide(engine)
    engine.load([spec(f"r{n}", row=n) for n in range(4, 12)], batch="later")
    engine.run([2], rate=0.05)
    assert waits(engine)


def test_one_that_is_found_was_never_charged(make: Make) -> None:
    """Another one of the same outage was, and the list hides it: both together look right."""
    engine = make()
    hide(engine)
    engine.provider.script["prompt of r3"] = ["made"]
    make_one = engine.provider.make

    def free(request: Request, key: str = "foreign") -> Any:
        made = make_one(request, key)
        engine.provider.free |= {made.id} if request.prompt == "prompt of r3" else set()
        return made

    engine.provider.make = free  # type: ignore[method-assign]
    engine.run(rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize(("found", "again"), [("prompt of r2", True), ("prompt of r6", False)])
def test_beside_one_that_is_found_what_was_never_made_is_bought_again(
    make: Make, found: str, *, again: bool
) -> None:
    """Where the balance fell for that before the other was sent; else it may be either's charge."""
    engine = make(answer=DROPPED)
    engine.provider.script[found] = ["made"]
    engine.provider.hides = {f"gen-{2 if again else 5}": 200.0}
    engine.run(rate=0.05)
    assert bought_again(engine) is again
    assert [a.seen_charged for a in engine.attempts() if a.prompt == found] == [again]


def cheaper(engine: Engine, off: float, duration: int) -> None:
    """Charge less than is told for one kind of video, from now on."""
    make_one = engine.provider.make

    def discounted(request: Request, key: str = "foreign") -> Any:
        made = make_one(request, key)
        if request.duration == duration:
            made.price = round(made.price * (1 - off))
        return made

    engine.provider.make = discounted  # type: ignore[method-assign]


@pytest.mark.parametrize("off", [0.1, 0.5])
@pytest.mark.parametrize("duration", [10, 15])
def test_a_discount_that_begins_after_the_balance_has_agreed(
    make: Make, off: float, duration: int
) -> None:
    """On all videos, or on one kind: what was charged for the lost one had been seen before."""
    engine = make(rows=2, clock_ahead=timedelta(0))
    engine.announce(s15=PRICE)
    engine.run()
    cheaper(engine, off, duration)
    hide(engine)
    later = [spec(f"r{n}", row=n, duration=duration) for n in range(4, 4 + round(1 / off))]
    engine.load(later, batch="later")
    engine.run([2], rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("error", [UnreachableError("no"), ForbiddenError("no")])
def test_the_reading_after_a_doubt_fails_once(make: Make, error: Exception) -> None:
    """It is made up for before more is bought: else a discount hides what the doubt cost."""
    engine = make(rows=2, clock_ahead=timedelta(0))
    engine.run()
    cheaper(engine, 0.5, 10)
    hide(engine)

    def fail(request: Request) -> None:
        if request.prompt == LOST:
            engine.provider.balance_errors = [error]

    engine.provider.on_post = fail
    engine.load([spec(f"r{n}", row=n) for n in range(4, 6)], batch="later")
    engine.run([2], rate=0.05)
    assert waits(engine)


@pytest.mark.parametrize("days_behind", [2, 40])
def test_the_providers_date_is_behind_when_a_failure_is_seen(make: Make, days_behind: int) -> None:
    """One machine of theirs answered with it; an hour later a day seems to have passed."""
    engine = make(rows=4, takes=20.0)
    engine.provider.ends = {"prompt of r2": [failed(FailureKind.CONTENT)]}
    engine.provider.clock_ahead = timedelta(days=-days_behind)
    engine.run()
    engine.provider.clock_ahead = timedelta(0)
    engine.clock.start += timedelta(hours=1)
    age = (engine.clock.now() - engine.provider.made[2].created_at).total_seconds()
    engine.provider.gives_back = {"gen-2": age + 150.0}
    hide(engine)
    engine.load([spec(f"r{n}", row=n) for n in range(4, 12)], batch="later")
    engine.run([2], rate=0.05)
    assert waits(engine)


def resolve(engine: Engine, key: str) -> None:
    """Say that it was never made."""
    job = engine.store.read(lambda c: views.find_job(c, key))
    resolve_never_made(engine.store, engine.clock, job, grace=timedelta(0), force=True)


@pytest.mark.parametrize("days", [1, 20])
def test_what_a_person_called_never_made_is_given_back(make: Make, days: int) -> None:
    """It was made, and its price comes back while another one is charged."""
    engine = make(rows=4, agreed=False, clock_ahead=timedelta(0))
    hide(engine)
    engine.provider.script["prompt of r3"] = ["made"]
    make_one = engine.provider.make

    def hidden(request: Request, key: str = "foreign") -> Any:
        made = make_one(request, key)
        if request.prompt == "prompt of r3":
            engine.provider.hides.setdefault("gen-3", 10**9)
        return made

    engine.provider.make = hidden  # type: ignore[method-assign]
    engine.run()
    resolve(engine, "r3")
    engine.run()
    engine.clock.start += timedelta(days=days, hours=2)
    engine.run()
    give_back_later(engine, 3)
    engine.run([2], rate=0.05)
    assert waits(engine)


def test_a_database_that_has_not_seen_the_balance_agree_voids_nothing(make: Make) -> None:
    """All at once in its first night: a person says what became of it."""
    engine = make(agreed=False, answer=DROPPED)
    engine.run()
    assert engine.jobs()["r4"].state == "in_doubt"


@pytest.mark.parametrize(("hours", "ahead"), [(26, timedelta(0)), (48, timedelta(0)), (48, None)])
def test_a_failure_counts_until_the_provider_says_that_a_day_has_passed(
    make: Make, hours: int, ahead: timedelta | None
) -> None:
    """Then it stands in nobody's way; where no answer has a ``Date`` nobody knows."""
    engine = make(rows=4, takes=20.0, clock_ahead=ahead)
    engine.provider.ends = {"prompt of r0": [failed(FailureKind.CONTENT)]}
    engine.run()
    engine.clock.start += timedelta(hours=hours)
    engine.provider.script = {LOST: [DROPPED]}
    engine.load([spec(f"r{n}", row=n) for n in range(4, 12)], batch="later")
    engine.run([2], rate=0.05)
    assert bought_again(engine) is (ahead is not None)


@pytest.mark.parametrize(("days", "again"), [(29, False), (32, True)])
def test_a_persons_word_counts_for_a_month(make: Make, days: int, *, again: bool) -> None:
    """Where another video of its night failed: that may be given back for it, until then."""
    engine = make(rows=4, agreed=False, clock_ahead=timedelta(0), takes=20.0)
    engine.provider.ends = {"prompt of r2": [failed(FailureKind.CONTENT)]}
    engine.provider.script = {"prompt of r1": [DROPPED]}
    engine.run()
    resolve(engine, "r1")
    engine.run()
    engine.clock.start += timedelta(days=days)
    engine.load([spec(f"n{n}", LOST if n == 6 else None, row=n) for n in range(9)], batch="later")
    engine.provider.script = {LOST: [DROPPED]}
    engine.run([2], rate=0.05)
    states = [a.state for a in engine.attempts() if a.prompt == LOST]
    assert states == (["void", "completed"] if again else ["in_doubt"])


def test_words_of_nights_in_a_row_after_a_failure_count_for_a_month_too(make: Make) -> None:
    """Each of them counts for 30 days, and none makes the balance unsteady for ever."""
    engine = make(rows=4, agreed=False, clock_ahead=timedelta(0), takes=20.0)
    engine.provider.ends = {"prompt of r2": [failed(FailureKind.CONTENT)]}
    engine.provider.script = {"prompt of r1": [DROPPED], "prompt of s1": [DROPPED]}
    engine.run()
    resolve(engine, "r1")
    engine.clock.start += timedelta(days=1)
    engine.load([spec(f"s{n}", row=n) for n in range(4)], batch="second")
    engine.run([2])
    resolve(engine, "s1")
    engine.clock.start += timedelta(days=32)
    engine.load([spec(f"n{n}", LOST if n == 6 else None, row=n) for n in range(9)], batch="later")
    engine.provider.script = {LOST: [DROPPED]}
    engine.run([3], rate=0.05)
    assert bought_again(engine)


@pytest.mark.parametrize("made", [False, True])
def test_a_persons_word_that_the_balance_agrees_with_counts_no_longer(
    make: Make, *, made: bool
) -> None:
    """One clean night later; not where it was charged after all."""
    engine = make(rows=4, agreed=False, clock_ahead=timedelta(0))
    engine.provider.script = {"prompt of r1": ["made" if made else DROPPED]}
    engine.provider.hides = {"gen-1": 10**9} if made else {}
    engine.run(generation_timeout=3000.0)
    resolve(engine, "r1")
    engine.clock.start += timedelta(days=2)
    engine.run()
    engine.clock.start += timedelta(days=2)
    engine.load([spec(f"n{n}", LOST if n == 6 else None, row=n) for n in range(9)], batch="later")
    engine.provider.script = {LOST: [DROPPED]}
    engine.run([2], rate=0.05)
    states = [a.state for a in engine.attempts() if a.prompt == LOST]
    assert states == (["in_doubt"] if made else ["void", "completed"])


@pytest.mark.parametrize("late", [0, 120, 170])
def test_a_word_that_a_reading_right_after_it_agrees_with(make: Make, late: int) -> None:
    """It is made after that, charged, and given back days later, when another one is lost."""
    engine = make(rows=3, clock_ahead=timedelta(0), takes=20.0)
    said, lost = "prompt of r1", "prompt of n6"
    engine.provider.script = {said: [f"late {late}" if late else "made"], lost: ["made"]}
    make_one = engine.provider.make

    def hidden(request: Request, key: str = "foreign") -> Any:
        made = make_one(request, key)
        tries = [m.prompt for m in engine.provider.made].count(request.prompt)
        if request.prompt in (lost, said) and tries == 1:
            engine.provider.hides[made.id] = 10**9
        return made

    engine.provider.make = hidden  # type: ignore[method-assign]

    def runner() -> Runner:
        policy = policy_with(rate=0.005)
        parts = (engine.store, engine.provider, engine.owner, policy, engine.clock)
        return Runner(*parts, engine.chance)

    async def main() -> None:
        killed = asyncio.create_task(runner().run((1,)))
        await asyncio.sleep(210)  # r0 at 0, r1 at 200
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        resolve(engine, "r1")
        await runner().run((1,))

    run_virtual(main())
    engine.clock.start = engine.clock.now() - engine.clock.skew
    engine.clock._last = 0.0
    for _ in range(2):  # quiet: what it fell by is odd, and that is soon a day ago
        engine.clock.start += timedelta(days=2)
        engine.run()
    engine.clock.start += timedelta(minutes=10)
    engine.load([spec(f"n{n}", row=n) for n in range(9)], batch="later")
    first = next(made for made in engine.provider.made if made.prompt == said)
    age = (engine.clock.now() - first.created_at).total_seconds()
    engine.provider.gives_back = {first.id: age + 119.0}  # before the lost one is charged
    engine.run([2], rate=0.05)
    assert [prompt for prompt, _ in engine.provider.posts].count(lost) == 1


@pytest.mark.parametrize(("days", "again"), [(28, False), (32, True)])
def test_one_that_never_ends_counts_for_a_month(make: Make, days: int, *, again: bool) -> None:
    """It stays unfinished for ever, and is given back after so long no more."""
    engine = make(rows=4, clock_ahead=timedelta(0), takes=60.0)

    def stick(request: Request) -> None:
        engine.provider.takes = 10.0**10 if request.prompt == "prompt of r1" else 60.0

    engine.provider.on_post = stick
    engine.run(generation_timeout=900.0)
    engine.clock.start += timedelta(days=days)
    engine.load([spec(f"e{n}", row=n) for n in range(8)], batch="early")
    engine.run([2])
    engine.provider.script = {LOST: [DROPPED]}
    engine.load([spec(f"r{n}", row=n) for n in range(4, 12)], batch="later")
    engine.run([3], rate=0.05)
    assert bought_again(engine) is again
    why = next(a.unproven for a in engine.attempts() if a.prompt == LOST)
    assert again or "a video that has not ended may be refunded" in why


NEVER_MADE = {"answer": DROPPED}


def bought_again(engine: Engine) -> bool:
    """Check that what was never made was shown so, and every row ended."""
    states = [a.state for a in engine.attempts() if a.prompt == LOST]
    return states == ["void", "completed"]


def test_what_was_never_made_is_bought_again_once_the_rest_has_ended(make: Make) -> None:
    """While others go on the balance can't tell; the run waits for that, however long it takes."""
    engine = make(**NEVER_MADE, takes=1200.0)
    engine.run(rate=0.05, grace=60)
    assert bought_again(engine)


def test_a_balance_that_is_late_is_waited_for(make: Make) -> None:
    """Within the grace after the last purchase."""
    engine = make(**NEVER_MADE, balance_late=100)
    engine.run(rate=0.05)
    assert bought_again(engine)


@pytest.mark.parametrize("given_back", [True, False])
def test_a_failure_of_the_last_day_leaves_it_to_a_person(
    make: Make,
    given_back: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Whether it is given back, and when, nobody can know; of the night before it is over."""
    engine = make(**NEVER_MADE, takes=20.0)
    engine.provider.ends = {"prompt of r6": [failed(FailureKind.CONTENT)]}
    engine.provider.gives_back = {"gen-5": 20.0} if given_back else {}
    engine.run(rate=0.05)
    (attempt,) = [a for a in engine.attempts() if a.prompt == LOST]
    assert attempt.state == "in_doubt"
    assert "balance" in attempt.unproven


def test_reconcile_ends_although_nobody_looks_at_what_has_not_ended(make: Make) -> None:
    """What failed after the run was killed is looked at by the next run alone."""
    engine = make(rows=6, **NEVER_MADE, takes=100.0)
    engine.provider.ends = {"prompt of r2": [failed(FailureKind.CONTENT)]}

    def runner(**policy: Any) -> Runner:
        terms = policy_with(**policy)
        parts = (engine.store, engine.provider, engine.owner, terms, engine.clock, engine.chance)
        return Runner(*parts)

    async def main() -> None:
        killed = asyncio.create_task(runner(rate=0.2).run((1,)))
        await asyncio.sleep(60)
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        await asyncio.sleep(300)
        await asyncio.wait_for(runner().settle(wait=True), 3600)

    run_virtual(main())
    (attempt,) = [a for a in engine.attempts() if a.prompt == LOST]
    assert attempt.state == "in_doubt"


@pytest.mark.parametrize("slots", [1, 2])
def test_doubts_that_were_left_take_no_slot_of_another_batch(make: Make, slots: int) -> None:
    """As many as there are slots: the next night buys all the same."""
    engine = make(rows=6, takes=60.0)
    hide(engine)
    engine.run(max_in_flight=1)
    engine.load([spec(f"r{n}", row=n) for n in range(6, 9)], batch="later")
    engine.run([2], max_in_flight=slots)
    assert [engine.jobs()[f"r{n}"].state for n in (6, 7, 8)] == ["completed"] * 3
    assert waits(engine)
