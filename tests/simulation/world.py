"""The sandbox's world behind the engine's provider, on virtual time, with everything going wrong.

What was sent reaches the provider whether or not its sender lives on: the provider is not a part of
the process that crashes.
"""

import asyncio
import json
import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from support.loop import EPOCH

from batchsora.providers.model import Model
from batchsora.providers.registry import DEFAULT_MODEL, FAMILIES, MODELS, kind_of
from batchsora.providers.runblob import adapter, models
from batchsora.providers.runblob.answers import Answer, Call, error_of
from batchsora.providers.runblob.errors import RunBlobError
from batchsora.sandbox.account import Made
from batchsora.sandbox.answers import Reply, Span, answer
from batchsora.sandbox.dialects import PATHS, as_shown
from batchsora.sandbox.faults import Fault, Faults
from batchsora.sandbox.listing import echoed
from batchsora.sandbox.world import World
from jobs.model.clock import Clock
from jobs.model.families import Family, Kind, Times, family_of, named_id, provider_id
from jobs.model.money import Micros, to_micros
from jobs.model.provider import (
    Accepted,
    Generation,
    GenerationRequest,
    InDoubt,
    Marked,
    ProviderError,
    Rejected,
    SubmitOutcome,
    Throttled,
    ThrottledError,
    UnknownGenerationError,
    UnreachableError,
    Unsent,
    WrongAddressError,
)
from jobs.model.states import FailureKind

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


def outcome_of(reply: Reply) -> SubmitOutcome:
    """Say what a POST came to that made nothing, by the client's own tables."""
    error = _error_of(reply, Call.GENERATE)
    return (
        InDoubt("the connection dropped")
        if error is None
        else adapter.outcome_of(error, with_image=False)
    )


def read_error(word: str, *, single: bool = False) -> ProviderError:
    """Say what a read met that was answered so, by the client's own tables."""
    reply = answer(word)
    if reply.status == 200:
        return WrongAddressError(word)
    error = _error_of(reply, Call.STATUS if single else Call.READ)
    return UnreachableError(word) if error is None else adapter.read_error_of(error)


def _error_of(reply: Reply, call: Call) -> RunBlobError | None:
    """Read an answer as the client does; None where the connection drops instead."""
    if reply.status == 0:
        return None
    body = reply.body if reply.is_page else json.dumps(reply.body)
    said = Answer(reply.status, reply.headers, str(body).encode(), whole=True)
    return error_of(said, call, "", lambda: EPOCH)


def body_of(request: GenerationRequest) -> dict[str, Any]:
    """Write what a POST says, by the model's names."""
    model = MODELS[request.model]
    said = {"prompt": request.prompt, model.field("orientation"): request.orientation}
    if request.duration is not None:
        as_text = "duration" in model.as_text
        said[model.field("duration")] = str(request.duration) if as_text else request.duration
    if model.field("model"):
        said[model.field("model")] = model.name
    return said | dict(request.parameters)


@dataclass
class Letter:
    """A request on its way to the provider."""

    body: dict[str, Any]
    key: str
    fault: Fault
    arrives_at: datetime
    model: Model = DEFAULT_MODEL
    arrived: bool = False
    answer: "asyncio.Future[SubmitOutcome] | None" = None


@dataclass
class Account:
    """The provider and what it thinks, over any number of processes of ours.

    How it answers stands in ``world.manners``, harmless by default and read from text by
    ``Faults.parse("list=lossy:0.2,sick=0.1").manners``: the list's (``listing``: frozen for a time
    or for good, lossy, in another order, capped, short, always an error), prompts altered
    (``echo``, or by the list alone), codes of failures (``failure``), unknown states (``status_*``,
    ``status_share``; any word is shown as an unknown one), generations that never end (``stuck``),
    odd times (``odd_time``, as the adapter reads them), ids in capitals (``upper_ids``), missing
    addresses (``address``), single looks that fail (``sick``, ``sick_as``), outages of POSTs, of
    reads or of everything (``outages``), refusals of every POST after so many acceptances
    (``quota``, ``suspended``, ``html403``, ``throttled``, ``posts``) and of the balance
    (``balance``).

    Attributes:
        now: the true time.
        skew: how far the provider's clock is ahead of the true time.
        lag: seconds by which the list is behind.
        late_by: seconds after which a late request is accepted, at most; within the grace.
        on_made: told of each generation of ours, at the moment of its creation.
        since: when the times of manners, ``refusals`` and ``cut_off`` begin; the start by default.
        refusals: times in which every POST is answered so, and makes nothing:
            ``((Span(60, 300), Refused(RefusalCause.FUNDS, "quota")),)``.
        cut_off: times in which nobody gets a connection.
        twins: prompts of which somebody else makes one whenever we do.
        unheard: prompts of which a request came to nothing without our hearing of it: somebody
            else's beside the next one can't be told from it (docs/promises.md, *Never twice*).
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
    unheard: set[str] = field(default_factory=set)
    posts: int = 0
    letters: list[Letter] = field(default_factory=list)
    tries: dict[str, int] = field(default_factory=dict)
    since: datetime | None = None
    refusals: tuple[tuple[Span, SubmitOutcome], ...] = ()
    cut_off: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        self.world.since = self.since or self.now()

    def age(self) -> float:
        """Say how many seconds the night has lasted."""
        return (self.now() - self.world.since).total_seconds()

    def is_cut_off(self) -> bool:
        """Say whether nobody gets a connection now."""
        return any(span.covers(self.age()) for span in self.cut_off)

    def trouble(self) -> ProviderError | None:
        """Say what every read meets now."""
        if self.is_cut_off():
            return UnreachableError("no connection")
        outage = self.world.manners.outage(self.age(), "reads")
        return None if outage is None else read_error(outage)

    def write_letter(self, request: GenerationRequest, key: str) -> Letter:
        """Decide what becomes of a request, by its prompt and how often it was sent."""
        self.posts += 1
        turn = self.tries[request.prompt] = self.tries.get(request.prompt, 0) + 1
        fault = self.faults.of_submission(self.world.seed, request.prompt, turn)
        delay = self.chance.uniform(0.02, 1.5)
        if fault is Fault.LATE:
            delay = self.chance.uniform(REQUEST_TIMEOUT * 0.8, REQUEST_TIMEOUT + self.late_by)
        arrives_at = self.now() + timedelta(seconds=delay)
        letter = Letter(body_of(request), key, fault, arrives_at, MODELS[request.model])
        self.letters.append(letter)
        return letter

    def receive(self, letter: Letter) -> SubmitOutcome | None:
        """Take a request in at the provider's end; gives the answer, or None for silence."""
        if letter.arrived:
            return None
        letter.arrived = True
        self.letters.remove(letter)
        refused = NOT_MADE.get(letter.fault) or self._refusal()
        if refused is not None:
            self.world.reserve(letter.body, letter.arrives_at, PATHS[letter.model.generate])
            if isinstance(refused, InDoubt):
                self.unheard.add(letter.body["prompt"])
            return refused
        reply = self._make(letter)
        if reply.status != 201:
            return outcome_of(reply)
        if letter.fault in MADE_AND_SPOILT:
            return MADE_AND_SPOILT[letter.fault]
        told = reply.body["price"] if self.chance.random() > 0.03 else None
        price = None if told is None else to_micros(told)
        return Accepted(named_id(letter.model.family, reply.body["generation_id"]), price)

    def _refusal(self) -> SubmitOutcome | None:
        """Say what every POST is answered now; none of them makes anything."""
        outage = self.world.manners.outage(self.age(), "posts")
        if outage is not None:
            return outcome_of(answer(outage))
        return next((o for span, o in self.refusals if span.covers(self.age())), None)

    def _make(self, letter: Letter) -> Reply:
        """Create and charge it, somebody else's of the same prompt beside it where there is one."""
        before = len(self.world.made)
        prompt = letter.body["prompt"]
        first = self.chance.random() < 0.5
        twin = prompt in self.twins - self.unheard
        model = letter.model
        if twin and first:
            self.world.add_foreign(prompt, letter.arrives_at, model)
        path = PATHS[model.generate]
        reply = self.world.generate(letter.body, letter.key, letter.arrives_at, path)
        if twin and not first:
            self.world.add_foreign(prompt, letter.arrives_at, model)
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

    def page(self, family: str, limit: int, offset: int) -> list[Generation]:
        """Show a page of a list, in the list's manners; raises what it meets instead."""
        world, listing = self.world, self.world.manners.listing
        of_family = (one for one in world.made if MODELS[one.model].family == family)
        made = sorted(of_family, key=lambda item: item.created_at)
        shown = listing.pick(made, world.seed, self.now(), world.since, self.lag)
        page = listing.page(shown, limit, offset)
        if isinstance(page, str):
            raise read_error(page)
        return [
            replace(view, prompt=echoed(view.prompt, listing.echo_of(view.id, world.seed)))
            for view in map(self.view, page)
        ]

    def look(self, generation_id: str) -> Generation:
        """Show one generation; raises what a single look meets instead."""
        made = self.world.find(provider_id(generation_id))
        if made is None or MODELS[made.model].family != family_of(generation_id):
            raise UnknownGenerationError(generation_id)
        if self.world.manners.is_sick(self.world.seed, made.id):
            raise read_error(self.world.manners.sick_as, single=True)
        return self.view(made)

    def view(self, made: Made) -> Generation:
        """Show a generation, its prompt echoed the way that this one is, and read it as we do."""
        manners, seed = self.world.manners, self.world.seed
        phase = made.phase(self.now())
        echo = (str.strip, lambda text: unicodedata.normalize("NFD", text), lambda text: f" {text}")
        ended = (self.now() - made.created_at).total_seconds() - made.takes
        address = manners.address.write("http://videos", f"/{made.id}", ended)
        shown = manners.moment(seed, made, made.created_at + self.skew)
        model = MODELS[made.model]
        document = {
            "generation_id": made.id.upper() if manners.upper_ids else made.id,
            "status": manners.state(seed, made.id, phase),
            "prompt": echoed(echo[len(made.prompt) % len(echo)](made.prompt), manners.echo),
            "created_at": None if shown is None else shown.isoformat(),
            "completed_at": None,
            "video_url": address if phase == "completed" else None,
            "progress_pct": 50 if phase == "processing" else None,
            "progress_pos_in_queue": 2 if phase == "pending" else None,
        }
        reason = manners.reason(made.failure if phase == "failed" else None)
        found = models.info(as_shown(document, reason, model, made.seed), "", "http://videos")
        said = found.generation_id
        named = None if said is None else named_id(model.family, said)
        return adapter.generation_of(found, named, model.family)


class Client:
    """The engine's provider, in one process of ours.

    Args:
        account: at the other end.
        clock: of the process.
    """

    list_limit = 20
    families: Mapping[str, Family] = {
        name: replace(one, provider="sim") for name, one in FAMILIES.items()
    }

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock

    @property
    def clock_ahead(self) -> timedelta | None:
        return self._account.now() + self._account.skew - self._clock.now()

    def kind(self, request: GenerationRequest) -> Kind:
        return replace(kind_of(request), provider="sim")

    def times(self, kind: str) -> Times:
        return MODELS[Kind.parse(kind).model].times

    def marked(self, request: GenerationRequest, secret: str) -> Marked:
        return adapter.marked(request, secret)

    async def submit(
        self, request: GenerationRequest, idempotency_key: str, may_send: Callable[[], bool]
    ) -> SubmitOutcome:
        if (unknown := adapter.unknown_in(request)) is not None:
            return Rejected(FailureKind.VALIDATION, unknown)
        chance = self._account.chance
        if chance.random() < self._account.flaky / 3 or self._account.is_cut_off():
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
        trouble = self._account.trouble()
        if trouble is not None:
            raise trouble

    async def generation(self, generation_id: str) -> Generation:
        await self._read()
        return self._account.look(generation_id)

    async def generations(self, family: str, limit: int, offset: int) -> Sequence[Generation]:
        if not self.families[family].has_list:
            raise ValueError(f"there is no list of {family}")
        await self._read()
        return self._account.page(family, limit, offset)

    async def balance(self) -> Micros:
        await self._read()
        if self._account.world.manners.balance:
            raise read_error(self._account.world.manners.balance)
        return Micros(self._account.world.money_shown(self._account.now()))
