"""A scripted provider: what it answers is written in the test, what it was asked is kept."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from batchsora.providers.registry import MODELS, kind_of
from jobs.model.clock import Clock
from jobs.model.families import EvidenceClass, Family, Kind, Times
from jobs.model.money import Micros
from jobs.model.provider import (
    Accepted,
    Generation,
    GenerationPhase,
    GenerationRequest,
    InDoubt,
    Marked,
    SubmitOutcome,
    UnknownGenerationError,
    Unsent,
)


@dataclass
class Made:
    """A generation that the provider created and charged."""

    id: str
    prompt: str
    created_at: datetime
    price: int
    key: str
    end: GenerationPhase = GenerationPhase.COMPLETED
    takes: float = 300.0
    failure: Generation | None = None


SORA_LIST: Final = Family("fake", "sora", EvidenceClass.LISTED)


@dataclass
class ScriptedProvider:
    """Accepts everything at its prices, unless ``script`` has an answer for a prompt.

    ``script[prompt]`` is a list used up one POST at a time: an outcome; ``"made"`` (created, the
    answer lost); ``"late 90"`` (created so many seconds after the connection broke);
    ``"unpriced"``; or None for a plain acceptance.

    The balance shows a charge ``balance_late`` seconds after it was made, never one of ``free``
    generations, and gives back those in ``gives_back`` so many seconds after they were made. It
    falls by ``discount`` less than the prices told.
    """

    clock: Clock
    prices: dict[str, int] = field(default_factory=dict)
    balance_micros: int = 100_000_000
    latency: float = 0.2
    takes: float = 300.0
    script: dict[str, list[SubmitOutcome | str | None]] = field(default_factory=dict)
    ends: dict[str, list[Generation]] = field(default_factory=dict)
    list_limit: int = 100
    posts: list[tuple[str, str]] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    list_reads: int = 0
    single_reads: int = 0
    on_post: Callable[[GenerationRequest], None] | None = None
    balance_errors: list[Exception] = field(default_factory=list)
    clock_ahead: timedelta | None = None
    lag: float = 0.0
    skew: timedelta = timedelta(0)
    list_errors: list[Exception] = field(default_factory=list)
    hides: dict[str, float] = field(default_factory=dict)
    rewrites: dict[str, str] = field(default_factory=dict)
    balance_late: float = 0.0
    gives_back: dict[str, float] = field(default_factory=dict)
    free: set[str] = field(default_factory=set)
    discount: float = 0.0
    families: Mapping[str, Family] = field(default_factory=lambda: {"sora": SORA_LIST})

    def kind(self, request: GenerationRequest) -> Kind:
        return replace(kind_of(request), provider="fake")

    def times(self, kind: str) -> Times:
        return MODELS[Kind.parse(kind).model].times

    def marked(self, request: GenerationRequest, secret: str) -> Marked:
        del secret
        return Marked(request)

    def price(self, request: GenerationRequest) -> int:
        return self.prices.get(self.kind(request).key, 120_000)

    @property
    def charged(self) -> int:
        return sum(made.price for made in self.made)

    async def submit(
        self, request: GenerationRequest, idempotency_key: str, may_send: Callable[[], bool]
    ) -> SubmitOutcome:
        if not may_send():
            return Unsent("slept past its intent", unreachable=False)
        self.posts.append((request.prompt, idempotency_key))
        if self.on_post:
            self.on_post(request)
        await asyncio.sleep(self.latency)
        answers = self.script.get(request.prompt, [])
        answer = answers.pop(0) if answers else None
        if answer is not None and not isinstance(answer, str):
            return answer
        if isinstance(answer, str) and answer.startswith("late "):
            asyncio.get_running_loop().call_later(
                float(answer.split()[1]), self.make, request, idempotency_key
            )
            return InDoubt("no answer in time")
        made, price = self.make(request, idempotency_key), self.price(request)
        if answer == "made":
            return InDoubt("the connection dropped after the request was read")
        if answer == "unpriced":
            return Accepted(made.id, None)
        return Accepted(made.id, Micros(price))

    def make(self, request: GenerationRequest, key: str = "foreign") -> Made:
        """Create and charge a generation; by default as another client of the account would."""
        made = Made(
            id=f"gen-{len(self.made)}",
            prompt=request.prompt,
            created_at=self.clock.now(),
            price=self.price(request),
            key=key,
            takes=self.takes,
        )
        self.made.append(made)
        return made

    def _view(self, made: Made) -> Generation:
        seen = Generation(
            made.id,
            GenerationPhase.PENDING,
            prompt=self.rewrites.get(made.id, made.prompt),
            created_at=made.created_at + self.skew,
        )
        age = self.clock.now() - made.created_at
        if age < timedelta(seconds=made.takes):
            if age < timedelta(seconds=made.takes / 4):
                return replace(seen, queue_position=3)
            percent = int(100 * age.total_seconds() / made.takes)
            return replace(seen, phase=GenerationPhase.PROCESSING, percent=percent)
        ends = self.ends.get(made.prompt)
        if ends:
            tries = [other.id for other in self.made if other.prompt == made.prompt]
            index = tries.index(made.id)
            if index < len(ends):
                return replace(
                    seen,
                    phase=ends[index].phase,
                    failure=ends[index].failure,
                    message=ends[index].message,
                )
        return replace(
            seen, phase=GenerationPhase.COMPLETED, video_url=f"http://videos/{made.id}.mp4"
        )

    async def generation(self, generation_id: str) -> Generation:
        self.single_reads += 1
        await asyncio.sleep(self.latency)
        for made in self.made:
            if made.id == generation_id:
                return self._view(made)
        raise UnknownGenerationError(generation_id)

    async def generations(self, family: str, limit: int, offset: int) -> Sequence[Generation]:
        del family
        self.list_reads += 1
        await asyncio.sleep(self.latency)
        if self.list_errors:
            raise self.list_errors.pop(0)
        newest_first = [made for made in reversed(self.made) if self._shows(made)]
        return [self._view(made) for made in newest_first[offset : offset + limit]]

    def _shows(self, made: Made) -> bool:
        behind = max(self.lag, self.hides.get(made.id, 0.0))
        return made.created_at <= self.clock.now() - timedelta(seconds=behind)

    async def balance(self) -> Micros:
        await asyncio.sleep(self.latency)
        if self.balance_errors:
            raise self.balance_errors.pop(0)
        paid = sum(made.price for made in self.made if self._paid(made))
        return Micros(self.balance_micros - round(paid * (1 - self.discount)))

    def _paid(self, made: Made) -> bool:
        """Check whether the balance shows a charge as of now."""
        age = (self.clock.now() - made.created_at).total_seconds()
        returned = age >= self.gives_back.get(made.id, float("inf"))
        return age >= self.balance_late and made.id not in self.free and not returned
