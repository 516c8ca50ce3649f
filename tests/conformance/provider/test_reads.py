"""Every way a look, a page of the list or a reading of the balance can end."""

from collections.abc import Awaitable, Callable

import pytest
from support.providers import BENCHES, LISTING, Bench, Bought, request_for

from batchsora.providers.runblob.reasons import FIELDS
from batchsora.sandbox.world import World
from jobs.model.clock import SystemClock
from jobs.model.families import EvidenceClass, named_id
from jobs.model.provider import (
    ForbiddenError,
    Generation,
    GenerationPhase,
    ProviderError,
    ThrottledError,
    TokenRefusedError,
    UnknownGenerationError,
    UnreachableError,
    WrongAddressError,
)
from jobs.model.states import FailureKind

Read = Callable[[Bought], Awaitable[object]]
SOON = "stuck=1"
"""Nothing ends while a test looks at it."""


async def the_list(bought: Bought) -> object:
    return await bought.page()


async def the_balance(bought: Bought) -> object:
    return await bought.provider.balance()


async def one_of_ours(bought: Bought) -> object:
    await bought.submit()
    return await bought.provider.generation(bought.ids[0])


SICK = "sick=1,sick-as="
ENDS: dict[str, tuple[Read, str, type[ProviderError]]] = {
    "a look: unknown": (one_of_ours, "sick=1", UnknownGenerationError),
    "a look: 401": (one_of_ours, SICK + "401", TokenRefusedError),
    "a look: 403": (one_of_ours, SICK + "403", ForbiddenError),
    "a look: 429": (one_of_ours, SICK + "429", ThrottledError),
    "a look: 500": (one_of_ours, SICK + "500", UnreachableError),
    "a look: 503": (one_of_ours, SICK + "503", UnreachableError),
    "a look: a page of HTML": (one_of_ours, SICK + "html404", ProviderError),
    "the balance: 401": (the_balance, "balance=401", TokenRefusedError),
    "the balance: 404": (the_balance, "balance=404", WrongAddressError),
    "the balance: 429": (the_balance, "balance=429", ThrottledError),
    "the balance: 503": (the_balance, "balance=503", UnreachableError),
    "an outage: the balance": (the_balance, "outage=0:9999:reads:503", UnreachableError),
}

LISTS: dict[str, tuple[str, type[ProviderError]]] = {
    "401": ("list=401", TokenRefusedError),
    "403": ("list=403", ForbiddenError),
    "404": ("list=404", WrongAddressError),
    "405": ("list=405", WrongAddressError),
    "429": ("list=429", ThrottledError),
    "500": ("list=500", UnreachableError),
    "502": ("list=502", UnreachableError),
    "another shape": ("list=shape", WrongAddressError),
    "a page of HTML": ("list=html", WrongAddressError),
    "an outage": ("outage=0:9999:reads:503", UnreachableError),
}


@pytest.mark.parametrize(("read", "faults", "error"), ENDS.values(), ids=ENDS)
def test_a_read_that_fails_says_how(
    bench: Bench, read: Read, faults: str, error: type[ProviderError]
) -> None:
    """Reads are free: each failure is an error of the contract, never anything else."""
    with pytest.raises(error):
        bench.run(read, faults)


@pytest.mark.parametrize(("faults", "error"), LISTS.values(), ids=LISTS)
def test_a_list_that_fails_says_how(
    listing: Bench, faults: str, error: type[ProviderError]
) -> None:
    """The same for a page."""
    with pytest.raises(error):
        listing.run(the_list, faults)


def test_a_read_without_a_connection_is_unreachable(bench: Bench) -> None:
    """Which is waited for."""
    with pytest.raises(UnreachableError):
        bench.unreachable(the_balance)


def test_a_list_without_a_connection_is_unreachable(listing: Bench) -> None:
    """The same for a page."""
    with pytest.raises(UnreachableError):
        listing.unreachable(the_list)


@pytest.mark.parametrize("name", [name for name in BENCHES if name not in LISTING])
def test_a_list_that_there_is_not_is_never_empty(name: str) -> None:
    """An empty page would say that nothing was made: it is our own mistake to ask."""
    with pytest.raises(ValueError, match="there is no list"):
        BENCHES[name].run(the_list)


def test_an_unknown_id_is_no_end(bench: Bench) -> None:
    """A 404 is told as such: the engine decides, and never by that alone."""

    async def look(bought: Bought) -> object:
        return await bought.provider.generation(named_id(bought.model.family, "0" * 8))

    with pytest.raises(UnknownGenerationError):
        bench.run(look)


def test_a_balance_is_what_is_left(bench: Bench) -> None:
    """In micros, less what was charged."""

    async def before_and_after(bought: Bought) -> tuple[int, int]:
        before = await bought.provider.balance()
        await bought.submit()
        return before, await bought.provider.balance()

    before, after = bench.run(before_and_after, SOON)
    assert before == World().balance
    assert before - after == bench.price


def test_a_look_shows_what_the_list_shows(listing: Bench) -> None:
    """The same id, prompt, mark and time, which doubts are settled by."""

    async def both(bought: Bought) -> tuple[Generation, Generation]:
        await bought.submit("a red kite")
        return await bought.provider.generation(bought.ids[0]), (await bought.page())[0]

    single, listed = listing.run(both, SOON)
    assert single.id == listed.id
    assert single.created_at == listed.created_at
    shows_times = listing.family.evidence is not EvidenceClass.ORDERED
    assert (single.created_at is not None) is shows_times
    assert single.mark == listed.mark
    for seen in (single, listed):
        assert seen.prompt is not None
        assert seen.prompt.strip() == "a red kite"
        assert seen.phase in (GenerationPhase.PENDING, GenerationPhase.PROCESSING)


def test_a_mark_is_shown_with_its_own_generation_alone(bench: Bench) -> None:
    """Where the family has marks; elsewhere a request stays as it is."""

    async def two(bought: Bought) -> list[tuple[str | None, str | None, bool]]:
        found = []
        for number, secret in enumerate(("one", "another")):
            plain = request_for(bought.model, f"a red kite, number {number}")
            request, mark = bought.provider.marked(plain, secret)
            await bought.submit(request.prompt, parameters=request.parameters)
            seen = await bought.provider.generation(bought.ids[-1])
            found.append((mark, seen.mark, request == plain))
        return found

    found = bench.run(two, SOON)
    if bench.family.evidence is not EvidenceClass.MARKED:
        assert found == [(None, None, True)] * 2
        return
    for mark, seen, _ in found:
        assert mark == seen is not None
    assert found[0] != found[1]


def test_the_list_is_newest_first_and_paged(listing: Bench) -> None:
    """``limit`` and ``offset`` count entries; past the end it is empty."""

    async def pages(bought: Bought) -> tuple[list[str], list[list[str]]]:
        for number in range(5):
            key = f"00000000-0000-4000-8000-00000000000{number}"
            await bought.submit(f"a red kite, number {number}", key=key)
        found = [await bought.page(2, offset) for offset in (0, 2, 4, 6)]
        return bought.ids, [[one.id for one in page] for page in found]

    made, found = listing.run(pages, SOON)
    newest = made[::-1]
    assert found == [newest[:2], newest[2:4], newest[4:], []]


@pytest.mark.parametrize(
    ("word", "phase"),
    [("queued", GenerationPhase.PENDING), ("warming_up_9", GenerationPhase.UNKNOWN)],
)
def test_a_state_is_read_or_told_in_the_providers_own_word(
    bench: Bench, word: str, phase: GenerationPhase
) -> None:
    """What is not understood is unknown, and never an end."""
    faults = f"stuck=1,status-pending={word},status-processing={word}"
    seen = bench.run(one_of_ours, faults)
    assert isinstance(seen, Generation)
    if word == "queued":
        assert seen.phase in (GenerationPhase.PENDING, GenerationPhase.PROCESSING)
        return
    assert (seen.phase, seen.said_state) == (phase, word)


def ended(message: str | None) -> Callable[[Bought], Awaitable[Generation]]:
    """Look at one until it has ended; ``message`` is what it fails with."""

    async def look(bought: Bought) -> Generation:
        bought.world.failures["a red kite"] = [message]
        await bought.submit()
        while True:
            seen = await bought.provider.generation(bought.ids[0])
            if seen.phase in (GenerationPhase.COMPLETED, GenerationPhase.FAILED):
                return seen

    return look


def test_a_completed_one_has_an_address(bench: Bench) -> None:
    """Which is where the file is."""
    seen = bench.run(ended(None))
    assert seen.phase is GenerationPhase.COMPLETED
    assert (seen.video_url or "").startswith("http")
    assert seen.failure is None


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("The prompt violates the content policy", FailureKind.CONTENT),
        ("Internal error while rendering the video", FailureKind.SYSTEM),
        ("Generation timed out", FailureKind.TIMEOUT),
        ("The image contains photorealistic people", FailureKind.IMAGE),
        ("flux capacitor misaligned 9", FailureKind.UNKNOWN),
    ],
)
def test_a_failed_one_says_why(bench: Bench, message: str, kind: FailureKind) -> None:
    """A reason that is not understood is unknown: never bought again by itself.

    Nor is what stands in a field that may say something else: nobody knows what it means.
    """
    seen = bench.run(ended(message))
    if kind in (FailureKind.SYSTEM, FailureKind.TIMEOUT) and not says_reasons(bench):
        kind = FailureKind.UNKNOWN
    assert (seen.phase, seen.failure) == (GenerationPhase.FAILED, kind)
    assert seen.message is not None
    assert message in seen.message


def says_reasons(bench: Bench) -> bool:
    """Return whether answers of a family have a field that is known to hold a reason."""
    now = SystemClock().now()
    world = World()
    world.add_foreign("a red kite", now, bench.model)
    shown = world.view(world.made[0], now, "")
    return any(name.replace("_", "") in FIELDS for name in shown)
