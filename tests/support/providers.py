"""Each provider that the engine's contract is tried against, at the other end the sandbox's world.

A *bench* runs one piece of a test against one family of a provider whose faults are written as the
sandbox's are (docs/sandbox.md): over real HTTP through the adapter, or in the simulation on virtual
time, for the families that it has. Where the two differ, the simulated nights are worth less than
they say.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from simulation.world import Account, Client

from batchsora.providers.model import Model
from batchsora.providers.registry import FAMILIES, MODELS, kind_of
from batchsora.providers.runblob.adapter import RunBlobProvider
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World, guessed
from jobs.model.families import Family, named_id
from jobs.model.money import Micros
from jobs.model.provider import Generation, GenerationRequest, Provider, SubmitOutcome
from support.loop import EPOCH, VirtualClock, run_virtual

T = TypeVar("T")
PROMPT = "a red kite"
LATE = "late=1,late_seconds=60"
"""Created and charged, and answered when nobody waits any more, on either bench."""

TIMEOUTS = {LATE: 2.0}
"""Seconds that a request over real HTTP takes at most, where a test waits for that: by faults."""

LONG = 60.0
"""The same elsewhere: nothing is judged by how fast a machine is."""


def request_for(model: Model, prompt: str = PROMPT) -> GenerationRequest:
    """Ask for a video of a model, with what it takes first."""
    duration = next(iter(model.durations), None)
    return GenerationRequest(prompt, model.orientations[0], duration, model=model.name)


@dataclass
class Bought:
    """A provider on its bench, and what it really did.

    Attributes:
        provider: what the engine is given.
        world: what was made and charged at the other end.
        model: what is bought.
        arrives_within: seconds after which all that was sent has arrived, by the bench's time.
        asked: how often ``may_send`` was asked.
    """

    provider: Provider
    world: World
    model: Model
    arrives_within: float = 0.0
    asked: int = field(default=0)

    async def submit(
        self,
        prompt: str = PROMPT,
        *,
        key: str = "00000000-0000-4000-8000-000000000001",
        may_send: bool = True,
        **more: Any,
    ) -> SubmitOutcome:
        """Send one request with more of its fields; ``may_send`` is counted in ``asked``."""

        def leaving() -> bool:
            self.asked += 1
            return may_send

        request = replace(request_for(self.model, prompt), **more)
        outcome = await self.provider.submit(request, key, leaving)
        await asyncio.sleep(self.arrives_within)
        return outcome

    async def page(self, limit: int = 10, offset: int = 0) -> Sequence[Generation]:
        """Read a page of the family's list."""
        return await self.provider.generations(self.model.family, limit, offset)

    async def under_way(self) -> None:
        """Wait until the first request has left; over HTTP, until the server has made something."""
        # the server is in another thread, which sets no event of this loop
        while not (self.asked and (self.arrives_within or self.made)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    @property
    def ids(self) -> list[str]:
        """Return the names of what exists at the provider, oldest first."""
        return [named_id(self.model.family, item.id) for item in self.world.made]

    @property
    def made(self) -> int:
        """Return how many generations exist at the provider."""
        return len(self.world.made)

    @property
    def charged(self) -> int:
        """Return what they cost in all, in micros."""
        return sum(item.price for item in self.world.made)


Piece = Callable[[Bought], Awaitable[T]]


class Bench(ABC):
    """Runs a piece of a test against one kind of provider, for one model."""

    name: ClassVar[str]
    families: ClassVar[Mapping[str, Family]]
    """What the provider has."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def family(self) -> Family:
        """Return what the provider says of the model's family."""
        return self.families[self.model.family]

    @property
    def price(self) -> Micros:
        """Return what a plain submission costs."""
        return guessed(kind_of(request_for(self.model)))

    @abstractmethod
    def run(self, piece: Piece[T], faults: str = "", world: World | None = None) -> T:
        """Run it; nothing of an earlier one is left.

        Args:
            piece: what to do.
            faults: as docs/sandbox.md has them.
            world: what the provider does beside them.
        """

    @abstractmethod
    def unreachable(self, piece: Piece[T]) -> T:
        """Run it while nobody listens at the provider's address."""


class OverHttp(Bench):
    """RunBlob's adapter and client, and the sandbox's server on loopback."""

    name = "over HTTP"
    families = RunBlobProvider.families

    def run(self, piece: Piece[T], faults: str = "", world: World | None = None) -> T:
        """Run it over real HTTP."""
        world = world or World(time_scale=3000.0)
        with SandboxServer(world, faults=Faults.parse(faults)) as server:
            return self._against(server.url, world, piece, TIMEOUTS.get(faults, LONG))

    def unreachable(self, piece: Piece[T]) -> T:
        """Run it against a port that was closed a moment ago."""
        world = World()
        with SandboxServer(world) as server:
            url = server.url
        return self._against(url, world, piece, LONG)

    def _against(self, url: str, world: World, piece: Piece[T], timeout: float) -> T:
        async def main() -> T:
            async with RunBlobClient("tok-bench", base_url=url, timeout=timeout) as client:
                return await piece(Bought(RunBlobProvider(client), world, self.model))

        return asyncio.run(main())


class Steady(random.Random):
    """Chance that never goes to an extreme: what happens is what a test's faults say."""

    def random(self) -> float:
        """Return the middle."""
        return 0.5


class Simulated(Bench):
    """The provider of the simulated nights, on virtual time."""

    name = "simulated"
    families = Client.families

    def run(self, piece: Piece[T], faults: str = "", world: World | None = None) -> T:
        """Run it on virtual time."""
        return self._with(piece, Faults.parse(faults), world or World(), reachable=True)

    def unreachable(self, piece: Piece[T]) -> T:
        """Run it while nobody gets a connection."""
        return self._with(piece, Faults(), World(), reachable=False)

    def _with(self, piece: Piece[T], faults: Faults, world: World, *, reachable: bool) -> T:
        clock = VirtualClock()
        world.manners = faults.manners
        account = Account(
            world=world,
            faults=faults,
            chance=Steady(1),
            now=clock.now,
            skew=timedelta(0),
            lag=faults.lag,
            late_by=90.0,
            flaky=0.0,
            on_made=lambda _: None,
            since=EPOCH,
        )
        if not reachable:
            account.is_cut_off = lambda: True  # type: ignore[method-assign]
        client: Any = Client(account, clock)
        return run_virtual(piece(Bought(client, world, self.model, arrives_within=120.0)))  # type: ignore[arg-type]


def _benches() -> Iterator[Bench]:
    for family in FAMILIES:
        model = next(one for one in MODELS.values() if one.family == family)
        for kind in (OverHttp, Simulated):
            if family in kind.families:
                yield kind(model)


BENCHES: dict[str, Bench] = {f"{one.name}: {one.model.family}": one for one in _benches()}
LISTING = [name for name, one in BENCHES.items() if one.family.has_list]
"""Those with a list."""
