"""The sandbox's world behind the engine's provider, on virtual time, with everything going wrong.

What was sent reaches the provider whether or not its sender lives on: the provider is not a part of
the process that crashes.
"""

import asyncio
import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from batchsora.runblob.failures import failure_kind
from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.world import Made, Reply, World
from jobs.clock import Clock
from jobs.money import Micros, to_micros
from jobs.provider import (
    Accepted,
    Generation,
    GenerationPhase,
    GenerationRequest,
    InDoubt,
    Kind,
    RefusalCause,
    Refused,
    SubmitOutcome,
    Throttled,
    ThrottledError,
    UnknownGenerationError,
    UnreachableError,
    Unsent,
)
from jobs.states import FailureKind

REQUEST_TIMEOUT = 6.0
"""Seconds after which the client gives a request up."""


NOT_MADE: dict[Fault, SubmitOutcome] = {
    Fault.LOST: InDoubt("the connection dropped"),
    Fault.BROKEN: InDoubt("500"),
    Fault.THROTTLE: Throttled(1.0),
}
MADE_AND_SPOILT: dict[Fault, SubmitOutcome | None] = {
    Fault.ERROR: InDoubt("502"),
    Fault.GARBLED: InDoubt("a body that can't be read"),
    Fault.DROP: None,
    Fault.LATE: None,
}


@dataclass
class Letter:
    """A request on its way to the provider."""

    body: dict[str, Any]
    key: str
    fault: Fault
    arrives_at: datetime
    arrived: bool = False
    answer: "asyncio.Future[SubmitOutcome] | None" = None


@dataclass
class Account:
    """The provider and what it thinks, over any number of processes of ours.

    Attributes:
        now: the true time.
        skew: how far the provider's clock is ahead of the true time.
        lag: seconds by which the list is behind.
        late_by: seconds after which a late request is accepted, at most; within the grace.
        on_made: told of each generation of ours, at the moment of its creation.
    """

    world: World
    faults: Faults
    chance: random.Random
    now: Callable[[], datetime]
    skew: timedelta
    lag: float
    late_by: float
    flaky: float
    on_made: Callable[[Made], None]
    twins: frozenset[str] = frozenset()
    posts: int = 0
    letters: list[Letter] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)

    def write_letter(self, request: GenerationRequest, key: str) -> Letter:
        """Decide what becomes of a request, by its prompt and how often it was sent."""
        self.posts += 1
        turn = self.tries[request.prompt] = self.tries.get(request.prompt, 0) + 1
        fault = self.faults.of_submission(self.world.seed, request.prompt, turn)
        delay = self.chance.uniform(0.02, 1.5)
        if fault is Fault.LATE:
            delay = self.chance.uniform(REQUEST_TIMEOUT * 0.8, REQUEST_TIMEOUT + self.late_by)
        body = {
            "prompt": request.prompt,
            "orientation": request.orientation,
            "duration": request.duration,
        }
        letter = Letter(body, key, fault, self.now() + timedelta(seconds=delay))
        self.letters.append(letter)
        return letter

    def receive(self, letter: Letter) -> SubmitOutcome | None:
        """Take a request in at the provider's end; gives the answer, or None for silence."""
        if letter.arrived:
            return None
        letter.arrived = True
        self.letters.remove(letter)
        if letter.fault in NOT_MADE:
            return NOT_MADE[letter.fault]
        reply = self._make(letter)
        if reply.status == 402:
            return Refused(RefusalCause.FUNDS, "INSUFFICIENT_CREDITS")
        assert reply.status == 201, reply
        if letter.fault in MADE_AND_SPOILT:
            return MADE_AND_SPOILT[letter.fault]
        priced = self.chance.random() > 0.03
        price = to_micros(reply.body["price"]) if priced else None
        return Accepted(reply.body["generation_id"], price)

    def _make(self, letter: Letter) -> Reply:
        """Create and charge it, somebody else's of the same prompt beside it where there is one."""
        before = len(self.world.made)
        prompt = letter.body["prompt"]
        first = self.chance.random() < 0.5
        if prompt in self.twins and first:
            self.world.add_foreign(prompt, letter.arrives_at)
        reply = self.world.generate(letter.body, letter.key, letter.arrives_at)
        if prompt in self.twins and not first:
            self.world.add_foreign(prompt, letter.arrives_at)
        for made in self.world.made[before:]:
            if not made.foreign:
                self.on_made(made)
        return reply

    def outlive(self) -> None:
        """A process of ours died: what it had sent arrives all the same, or never did leave."""
        for letter in list(self.letters):
            if self.chance.random() < 0.75:
                self.receive(letter)
            else:
                self.letters.remove(letter)

    def page(self, limit: int, offset: int) -> list[Generation]:
        """Show a page of the list, newest first, as far as it has come."""
        shown = self.now() - timedelta(seconds=self.lag)
        known = [made for made in self.world.made if made.created_at <= shown]
        known.sort(key=lambda made: made.created_at, reverse=True)
        return [self.view(made) for made in known[offset : offset + limit]]

    def view(self, made: Made) -> Generation:
        """Show a generation, its prompt echoed the way that this one is."""
        phase = GenerationPhase(made.phase(self.now()))
        echo = (str.strip, lambda text: unicodedata.normalize("NFD", text), lambda text: f" {text}")
        return Generation(
            id=made.id,
            phase=phase,
            prompt=echo[len(made.prompt) % len(echo)](made.prompt),
            created_at=made.created_at + self.skew,
            video_url=f"http://videos/{made.id}" if phase is GenerationPhase.COMPLETED else None,
            percent=50 if phase is GenerationPhase.PROCESSING else None,
            queue_position=2 if phase is GenerationPhase.PENDING else None,
            failure=(failure_kind(made.failure) or FailureKind.SYSTEM)
            if phase is GenerationPhase.FAILED
            else None,
            message=made.failure if phase is GenerationPhase.FAILED else None,
        )


class Client:
    """The engine's provider, in one process of ours.

    Args:
        account: at the other end.
        clock: of the process.
    """

    list_limit = 20

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock

    @property
    def clock_ahead(self) -> timedelta | None:
        return self._account.now() + self._account.skew - self._clock.now()

    def kind(self, request: GenerationRequest) -> Kind:
        return Kind("sim", "sora", request.duration, request.image is not None)

    async def submit(
        self, request: GenerationRequest, idempotency_key: str, may_send: Callable[[], bool]
    ) -> SubmitOutcome:
        chance = self._account.chance
        if chance.random() < self._account.flaky / 3:
            return Unsent("no connection", unreachable=True)
        if not may_send():
            return Unsent("slept past its intent", unreachable=False)
        letter = self._account.write_letter(request, idempotency_key)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[SubmitOutcome] = loop.create_future()

        def arrive() -> None:
            outcome = self._account.receive(letter)
            if outcome is not None and not answer.done():
                answer.set_result(outcome)

        delay = (letter.arrives_at - self._account.now()).total_seconds()
        loop.call_later(max(delay, 0.0), arrive)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                outcome = await answer
                await asyncio.sleep(chance.uniform(0.0, 0.5))
                return outcome
        except TimeoutError:
            return InDoubt("no answer in time")

    async def _read(self) -> None:
        chance = self._account.chance
        await asyncio.sleep(chance.uniform(0.02, 0.6))
        if chance.random() < self._account.flaky:
            if chance.random() < 0.3:
                raise ThrottledError("429", chance.choice([None, 1.0]))
            raise UnreachableError("503")

    async def generation(self, generation_id: str) -> Generation:
        await self._read()
        made = self._account.world.find(generation_id)
        if made is None:
            raise UnknownGenerationError(generation_id)
        return self._account.view(made)

    async def generations(self, limit: int, offset: int) -> Sequence[Generation]:
        await self._read()
        return self._account.page(limit, offset)

    async def balance(self) -> Micros:
        await self._read()
        return Micros(self._account.world.money_left(self._account.now()))
