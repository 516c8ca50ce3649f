"""Every way a look, a page of the list or a reading of the balance can end."""

from collections.abc import Awaitable, Callable

import pytest
from support.providers import Bench, Bought

from batchsora.sandbox.world import World
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
    return await bought.provider.generations("sora", 10, 0)


async def the_balance(bought: Bought) -> object:
    return await bought.provider.balance()


async def one_of_ours(bought: Bought) -> object:
    await bought.submit()
    return await bought.provider.generation(bought.world.made[0].id)


SICK = "sick=1,sick-as="
ENDS: dict[str, tuple[Read, str, type[ProviderError]]] = {
    "a look: unknown": (one_of_ours, "sick=1", UnknownGenerationError),
    "a look: 401": (one_of_ours, SICK + "401", TokenRefusedError),
    "a look: 403": (one_of_ours, SICK + "403", ForbiddenError),
    "a look: 429": (one_of_ours, SICK + "429", ThrottledError),
    "a look: 500": (one_of_ours, SICK + "500", UnreachableError),
    "a look: 503": (one_of_ours, SICK + "503", UnreachableError),
    "a look: a page of HTML": (one_of_ours, SICK + "html404", ProviderError),
    "the list: 401": (the_list, "list=401", TokenRefusedError),
    "the list: 403": (the_list, "list=403", ForbiddenError),
    "the list: 404": (the_list, "list=404", WrongAddressError),
    "the list: 405": (the_list, "list=405", WrongAddressError),
    "the list: 429": (the_list, "list=429", ThrottledError),
    "the list: 500": (the_list, "list=500", UnreachableError),
    "the list: 502": (the_list, "list=502", UnreachableError),
    "the list: another shape": (the_list, "list=shape", WrongAddressError),
    "the list: a page of HTML": (the_list, "list=html", WrongAddressError),
    "the balance: 401": (the_balance, "balance=401", TokenRefusedError),
    "the balance: 404": (the_balance, "balance=404", WrongAddressError),
    "the balance: 429": (the_balance, "balance=429", ThrottledError),
    "the balance: 503": (the_balance, "balance=503", UnreachableError),
    "an outage: the list": (the_list, "outage=0:9999:reads:503", UnreachableError),
    "an outage: the balance": (the_balance, "outage=0:9999:reads:503", UnreachableError),
}


@pytest.mark.parametrize(("read", "faults", "error"), ENDS.values(), ids=ENDS)
def test_a_read_that_fails_says_how(
    bench: Bench, read: Read, faults: str, error: type[ProviderError]
) -> None:
    """Reads are free: each failure is an error of the contract, never anything else."""
    with pytest.raises(error):
        bench.run(read, faults)


@pytest.mark.parametrize("read", [the_list, the_balance])
def test_a_read_without_a_connection_is_unreachable(bench: Bench, read: Read) -> None:
    """Which is waited for."""
    with pytest.raises(UnreachableError):
        bench.unreachable(read)


def test_an_unknown_id_is_no_end(bench: Bench) -> None:
    """A 404 is told as such: the engine decides, and never by that alone."""

    async def look(bought: Bought) -> object:
        return await bought.provider.generation("0" * 8)

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
    assert before - after == 120_000


def test_a_look_shows_what_the_list_shows(bench: Bench) -> None:
    """The same id, prompt and time, which doubts are settled by."""

    async def both(bought: Bought) -> tuple[Generation, Generation]:
        await bought.submit("a red kite")
        made = bought.world.made[0].id
        return await bought.provider.generation(made), (
            await bought.provider.generations("sora", 10, 0)
        )[0]

    single, listed = bench.run(both, SOON)
    assert single.id == listed.id
    assert single.created_at == listed.created_at is not None
    for seen in (single, listed):
        assert seen.prompt is not None
        assert seen.prompt.strip() == "a red kite"
        assert seen.phase in (GenerationPhase.PENDING, GenerationPhase.PROCESSING)


def test_the_list_is_newest_first_and_paged(bench: Bench) -> None:
    """``limit`` and ``offset`` count entries; past the end it is empty."""

    async def pages(bought: Bought) -> tuple[list[str], list[list[str]]]:
        for number in range(5):
            await bought.submit(f"row {number}", key=f"00000000-0000-4000-8000-00000000000{number}")
        found = [await bought.provider.generations("sora", 2, offset) for offset in (0, 2, 4, 6)]
        return [item.id for item in bought.world.made], [[one.id for one in page] for page in found]

    made, found = bench.run(pages, SOON)
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
        made = bought.world.made[0].id
        while True:
            seen = await bought.provider.generation(made)
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
    """A reason that is not understood is unknown: never bought again by itself."""
    seen = bench.run(ended(message))
    assert (seen.phase, seen.failure) == (GenerationPhase.FAILED, kind)
    assert seen.message is not None
