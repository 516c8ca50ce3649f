"""Every way a POST can end: what it is called, and what it may have made."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.providers import LATE, Bench, Bought, request_for

from batchsora.sandbox.world import World
from jobs.model.families import Kind
from jobs.model.provider import (
    Accepted,
    ImageRef,
    InDoubt,
    RefusalCause,
    Refused,
    Rejected,
    SubmitOutcome,
    Throttled,
    Unsent,
)


@dataclass(frozen=True)
class End:
    """A way in which a POST ends.

    Attributes:
        faults: what goes wrong.
        outcome: what the engine is told.
        made: how many generations it made, and charged.
    """

    faults: str
    outcome: type[SubmitOutcome]
    made: int = 0


ENDS = {
    "a plain acceptance": End("", Accepted, 1),
    "an acceptance without a price": End("price=none", Accepted, 1),
    "the answer is lost": End("drop=1", InDoubt, 1),
    "the request is lost": End("lost=1", InDoubt),
    "a gateway answers in its place": End("error=1", InDoubt, 1),
    "the server breaks": End("broken=1", InDoubt),
    "the answer comes too late": End(LATE, InDoubt, 1),
    "the answer can't be read": End("garbled=1", InDoubt, 1),
    "too many requests": End("throttle=1", Throttled),
    "a quota is used up": End("quota=0", Refused),
    "a quota, with 429": End("quota=0:429", Refused),
    "no credit left": End("no-credit=0", Refused),
    "the account is suspended": End("suspended=0", Refused),
    "access is forbidden": End("html403", Refused),
    "401": End("posts=401", Refused),
    "402": End("posts=402", Refused),
    "403": End("posts=403", Refused),
    "404": End("posts=404", Refused),
    "405": End("posts=405", Refused),
    "413": End("posts=413", Rejected),
    "415": End("posts=415", Rejected),
    "422": End("posts=422", Rejected),
    "429": End("posts=429", Throttled),
    "a teapot": End("posts=418", InDoubt),
    "409": End("posts=409", InDoubt),
    "500": End("posts=500", InDoubt),
    "502": End("posts=502", InDoubt),
    "503": End("posts=503", InDoubt),
    "504": End("posts=504", InDoubt),
    "a page where JSON should be": End("posts=html", InDoubt),
    "an answer of another shape": End("posts=shape", InDoubt),
    "an error told with a 200": End("posts=envelope", InDoubt),
    "it hangs up at once": End("posts=hang-up", InDoubt),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_post_ends_as_the_contract_says(bench: Bench, end: End) -> None:
    """What is told as known not created made nothing; what may have been made is never a "no"."""

    async def once(bought: Bought) -> tuple[SubmitOutcome, int, int]:
        outcome = await bought.submit()
        return outcome, bought.made, bought.charged

    outcome, made, charged = bench.run(once, end.faults)
    assert isinstance(outcome, end.outcome), outcome
    assert made == end.made
    assert charged == end.made * bench.price
    if made:
        assert isinstance(outcome, Accepted | InDoubt)


def test_an_acceptance_names_the_generation_and_its_price(bench: Bench) -> None:
    """In micros, and of the very generation that was made."""

    async def once(bought: Bought) -> tuple[SubmitOutcome, str]:
        return await bought.submit(), bought.ids[0]

    outcome, generation_id = bench.run(once)
    assert outcome == Accepted(generation_id, bench.price)


def test_a_price_that_is_not_told_is_none(bench: Bench) -> None:
    """Never 0, which would guard nothing."""

    async def once(bought: Bought) -> SubmitOutcome:
        return await bought.submit()

    outcome = bench.run(once, "price=none")
    assert isinstance(outcome, Accepted)
    assert outcome.price is None


@pytest.mark.parametrize(
    ("faults", "cause"),
    [
        ("posts=401", RefusalCause.TOKEN),
        ("posts=402", RefusalCause.FUNDS),
        ("no-credit=0", RefusalCause.FUNDS),
        ("posts=403", RefusalCause.ACCESS),
        ("html403", RefusalCause.ACCESS),
        ("posts=404", RefusalCause.ADDRESS),
        ("quota=0", RefusalCause.FUNDS),
        ("suspended=0", RefusalCause.ACCOUNT),
    ],
)
def test_a_refusal_of_everything_says_why(bench: Bench, faults: str, cause: RefusalCause) -> None:
    """A run stops for it, and the person must know what to change."""

    async def once(bought: Bought) -> SubmitOutcome:
        return await bought.submit()

    outcome = bench.run(once, faults)
    assert isinstance(outcome, Refused)
    assert outcome.cause is cause


def test_money_that_does_not_suffice_is_refused_for_funds(bench: Bench) -> None:
    """The provider's own 402, and nothing is made."""

    async def once(bought: Bought) -> tuple[SubmitOutcome, int]:
        return await bought.submit(), bought.made

    outcome, made = bench.run(once, world=World(balance=bench.price - 1))
    assert isinstance(outcome, Refused)
    assert (outcome.cause, made) == (RefusalCause.FUNDS, 0)


def test_a_429_says_how_long_to_wait(bench: Bench) -> None:
    """As the provider asks."""

    async def once(bought: Bought) -> SubmitOutcome:
        return await bought.submit()

    outcome = bench.run(once, "throttle=1")
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after == pytest.approx(1.0, abs=0.1)


def test_nothing_leaves_after_a_no_at_the_last_moment(bench: Bench) -> None:
    """``may_send`` is asked once, just before the request is written."""

    async def once(bought: Bought) -> tuple[SubmitOutcome, int, int]:
        outcome = await bought.submit(may_send=False)
        await bought.provider.balance()  # the client stays usable
        return outcome, bought.made, bought.asked

    outcome, made, asked = bench.run(once)
    assert outcome == Unsent(outcome.reason, unreachable=False)  # type: ignore[union-attr]
    assert (made, asked) == (0, 1)


def test_without_a_connection_nothing_was_made(bench: Bench) -> None:
    """It is known, so the row may be sent again."""

    async def once(bought: Bought) -> tuple[SubmitOutcome, int]:
        return await bought.submit(), bought.made

    outcome, made = bench.unreachable(once)
    assert isinstance(outcome, Unsent)
    assert outcome.unreachable
    assert made == 0


@pytest.mark.parametrize("faults", ["drop=1", "error=1", "garbled=1", LATE, "broken=1", "lost=1"])
def test_one_call_is_one_request(bench: Bench, faults: str) -> None:
    """No layer below repeats it: two calls make two generations at most."""

    async def twice(bought: Bought) -> tuple[list[SubmitOutcome], int]:
        keys = [f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2)]
        return [await bought.submit(key=key) for key in keys], bought.made

    outcomes, made = bench.run(twice, faults)
    assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
    assert made in (0, 2)


def test_a_cancelled_submission_passes_through(bench: Bench) -> None:
    """Whoever cancels puts the attempt in doubt: what was sent may arrive all the same."""

    async def cancelled(bought: Bought) -> None:
        sending = asyncio.ensure_future(bought.submit())
        await bought.under_way()
        sending.cancel()
        await sending

    with pytest.raises(asyncio.CancelledError):
        bench.run(cancelled, LATE)


@pytest.mark.parametrize(
    ("more", "named"), [({"model": "veo_9"}, "veo_9"), ({"parameters": {"flux": 7}}, "flux")]
)
def test_what_a_provider_does_not_know_is_never_left_out(
    bench: Bench, more: dict[str, Any], named: str
) -> None:
    """A video of another model, or without its seed, would be paid for and not what was asked."""

    async def sent(bought: Bought) -> tuple[SubmitOutcome, int, int]:
        return await bought.submit(**more), bought.asked, bought.made

    outcome, asked, made = bench.run(sent)
    assert isinstance(outcome, Rejected)
    assert named in outcome.message
    assert (asked, made) == (0, 0)


def test_the_kind_names_what_the_price_depends_on(bench: Bench) -> None:
    """Provider, family, model, seconds and image: each has a kind of its own, and its own price."""

    async def kinds(bought: Bought) -> list[str]:
        plain = request_for(bought.model)
        durations = bought.model.durations or (None,)
        images = (None, ImageRef("data:image/png;base64,"))
        return [
            bought.provider.kind(replace(plain, duration=seconds, image=image)).key
            for seconds in durations
            for image in images
        ]

    found = bench.run(kinds)
    assert len(set(found)) == len(found) == 2 * max(1, len(bench.model.durations))
    for key in found:
        kind = Kind.parse(key)
        assert kind.key == key
        assert (kind.provider, kind.family, kind.model) == (
            bench.family.provider, bench.family.name, bench.model.name
        )  # fmt: skip


def test_another_duration_is_made_and_charged(bench: Bench) -> None:
    """What a request asks for is what is made, where its model leaves a choice."""

    async def each(bought: Bought) -> list[SubmitOutcome]:
        return [
            await bought.submit(duration=seconds) for seconds in bought.model.durations or (None,)
        ]

    async def made(bought: Bought) -> tuple[list[SubmitOutcome], list[int | None], int]:
        outcomes = await each(bought)
        return outcomes, [item.duration for item in bought.world.made], bought.charged

    outcomes, durations, charged = bench.run(made)
    assert tuple(durations) == (bench.model.durations or (None,))
    prices = [outcome.price for outcome in outcomes if isinstance(outcome, Accepted)]
    assert len(prices) == len(outcomes)
    assert sum(price for price in prices if price is not None) == charged
