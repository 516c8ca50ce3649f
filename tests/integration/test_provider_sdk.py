"""The provider's own package, unchanged, against the sandbox: it must understand each answer.

It is the only public witness of Veo and Kling (docs/api.md). What it can't read is a fault of the
sandbox; where it and our client send different requests, one of them is wrong.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import runblob
from pydantic import BaseModel, ValidationError
from runblob import RunBlob
from runblob.types.kling import (
    KlingO1VideoGenerateParams,
    KlingO3VideoGenerateParams,
    KlingO3VideoModel,
    KlingVideoGenerateParams,
    KlingVideoModel,
)
from runblob.types.veo import VeoGenerateParams, VeoModel
from support import tiny
from support.clock import HandClock
from support.ear import listening

from batchsora.providers.model import Model
from batchsora.providers.runblob.adapter import RunBlobProvider
from batchsora.providers.runblob.catalog import FAMILIES, MODELS
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.sandbox.answers import Reply
from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import LONGEST, World
from jobs.model.families import provider_id
from jobs.model.money import to_usd
from jobs.model.provider import Accepted, GenerationRequest, ImageRef

PROMPT = "Fog over a harbour at first light"
TOKEN = "tok-sdk"
PICTURE = base64.b64encode(tiny.PNG).decode()


@dataclass(frozen=True)
class Calls:
    """What the package calls the requests of one family.

    Attributes:
        part: of its client.
        buy, look_at, wait_for: names of its calls.
        params: what it checks a request by.
        models: that it has; none: a request names no model.
        pages: the name of its call for a list; empty: it knows none.
    """

    part: str
    buy: str
    look_at: str
    wait_for: str
    params: type[BaseModel]
    models: tuple[str, ...] = ()
    pages: str = ""

    def generate(self, client: RunBlob, **fields: Any) -> Awaitable[Any]:
        """Buy."""
        return self._call(client, self.buy)(**fields)

    def look(self, client: RunBlob, generation_id: str) -> Awaitable[Any]:
        """Look once."""
        return self._call(client, self.look_at)(generation_id)

    def wait(self, client: RunBlob, generation_id: str) -> Awaitable[Any]:
        """Look until it has ended."""
        return self._call(client, self.wait_for)(generation_id)

    def page(self, client: RunBlob, **limits: int) -> Awaitable[Sequence[Any]]:
        """Read a page of the list."""
        return self._call(client, self.pages)(**limits)

    def _call(self, client: RunBlob, name: str) -> Callable[..., Awaitable[Any]]:
        found: Callable[..., Awaitable[Any]] = getattr(getattr(client, self.part), name)
        return found


CALLS = {
    "veo": Calls("veo", "generate", "get_status", "wait_for_result",
                 VeoGenerateParams, tuple(VeoModel), "list"),
    "kling": Calls("kling", "generate", "get_status", "wait_for_result",
                   KlingVideoGenerateParams,
                   tuple(name for name in KlingVideoModel if "motion" not in name), "list"),
    "kling-o1": Calls("kling", "generate_o1_video", "get_o1_video_status", "wait_for_o1_video",
                      KlingO1VideoGenerateParams),
    "kling-o3": Calls("kling", "generate_o3_video", "get_o3_video_status", "wait_for_o3_video",
                      KlingO3VideoGenerateParams, tuple(KlingO3VideoModel)),
}  # fmt: skip


OURS = [model for model in MODELS.values() if model.family in CALLS]
every_family = pytest.mark.parametrize("family", CALLS)


@dataclass
class Recording(World):
    """A provider that remembers what it was asked for."""

    bodies: list[Mapping[str, Any]] = field(default_factory=list)

    def generate(self, body: Any, *more: Any, **named: Any) -> Reply:
        """Remember a request, then do as usual."""
        self.bodies.append(body)
        return super().generate(body, *more, **named)


Piece = Callable[[RunBlob], Awaitable[Any]]


def said_by_sdk(
    piece: Piece,
    world: World | None = None,
    faults: str = "",
    clock: HandClock | None = None,
    **options: Any,
) -> Any:
    """Run a piece of a program that uses the package against a sandbox."""

    async def main(url: str) -> Any:
        settings = {"max_retries": 0} | options
        async with RunBlob(api_key=TOKEN, base_url=url, **settings) as client:
            return await piece(client)

    world = world or World(token=TOKEN)
    with SandboxServer(world, faults=Faults.parse(faults), clock=clock) as server:
        return asyncio.run(main(server.url))


def test_it_speaks_of_every_family_but_one() -> None:
    """It has nothing for Sora; another family needs its calls here. Lists are where ours are."""
    assert FAMILIES.keys() == {"sora"} | CALLS.keys()
    assert {name for name, calls in CALLS.items() if calls.pages} == (
        {name for name in CALLS if FAMILIES[name].has_list}
    )


# the way of one generation


@every_family
def test_from_prompt_to_video(family: str) -> None:
    """Each answer on the way is read by its own types, and says what was made."""
    clock = HandClock()
    world = World(token=TOKEN)

    async def way(client: RunBlob) -> list[Any]:
        known = CALLS[family]
        made = await known.generate(client, prompt=PROMPT)
        seen = [made]
        for seconds in (0.0, 200.0, LONGEST):
            clock.advance(seconds)
            seen.append(await known.look(client, made.generation_id))
        return [*seen, await known.wait(client, made.generation_id)]

    made, *looks, waited = said_by_sdk(way, world, clock=clock)
    (item,) = world.made
    assert (made.generation_id, made.status.value) == (item.id, "pending")
    assert float(made.price) == float(to_usd(item.price))
    assert [look.status.value for look in looks] == ["pending", "processing", "completed"]
    assert {(look.generation_id, look.prompt) for look in looks} == {(item.id, PROMPT)}
    assert [look.video_url is not None for look in looks] == [False, False, True]
    assert waited == looks[-1]
    assert waited.is_completed
    assert waited.video_url.endswith(f"/videos/{item.id}.mp4")


@every_family
def test_a_failure_is_read_with_its_reason(family: str) -> None:
    """In the one field that its type has for it."""
    clock = HandClock()

    async def way(client: RunBlob) -> Any:
        known = CALLS[family]
        made = await known.generate(client, prompt=PROMPT)
        clock.advance(LONGEST)
        return await known.wait(client, made.generation_id)

    failed = said_by_sdk(way, World(failures={PROMPT: ["faces in the image"]}), clock=clock)
    assert failed.is_failed
    assert failed.video_url is None
    reason = failed.error["message"] if hasattr(failed, "error") else failed.description
    assert reason == "faces in the image"


@pytest.mark.parametrize("family", [name for name in CALLS if FAMILIES[name].has_list])
def test_a_list_is_read_page_by_page(family: str) -> None:
    """Newest first, each entry as a look shows it."""
    world = World(token=TOKEN)

    async def way(client: RunBlob) -> tuple[list[Any], list[Any]]:
        known = CALLS[family]
        for number in range(5):
            await known.generate(client, prompt=f"{PROMPT}, number {number}")
        pages = [await known.page(client, limit=2, offset=offset) for offset in (0, 2, 4, 6)]
        return pages, [
            await known.look(client, one.generation_id) for page in pages for one in page
        ]

    pages, looks = said_by_sdk(way, world, clock=HandClock())
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [one for page in pages for one in page] == looks
    assert [one.generation_id for one in looks] == [item.id for item in world.made[::-1]]


def test_a_family_is_known_by_its_own_paths_alone() -> None:
    """An id of Veo is unknown to Kling; no list has the other's."""

    async def way(client: RunBlob) -> tuple[Any, list[Any]]:
        made = await client.veo.generate(prompt=PROMPT)
        with pytest.raises(runblob.NotFoundError):
            await client.kling.get_status(made.generation_id)
        return made, await client.kling.list()

    made, listed = said_by_sdk(way)
    assert made.seed >= 0
    assert listed == []


def test_many_at_once_are_read() -> None:
    """Its own batches, some at a time."""
    world = World(token=TOKEN)

    async def way(client: RunBlob) -> list[Any]:
        prompts = [f"{PROMPT}, number {number}" for number in range(12)]
        return [
            *await client.veo.generate_batch(prompts),
            *await client.kling.generate_batch(prompts),
        ]

    made = said_by_sdk(way, world)
    assert {one.generation_id for one in made} == {item.id for item in world.made}
    assert len(world.made) == 24


def test_the_balance_falls_by_the_prices_that_it_reads() -> None:
    """The package has no call for it, and asks by its own plain request."""

    async def money(client: RunBlob) -> float:
        return float((await client.request_raw("GET", "/v1/data/balance")).json()["balance"])

    async def way(client: RunBlob) -> tuple[float, list[Any], float]:
        before = await money(client)
        made = [await CALLS[family].generate(client, prompt=PROMPT) for family in CALLS]
        return before, made, await money(client)

    before, made, after = said_by_sdk(way)
    assert before - after == pytest.approx(sum(float(one.price) for one in made))


# errors

ERRORS: Mapping[int, type[Exception]] = {
    400: runblob.APIError,
    401: runblob.AuthenticationError,
    402: runblob.InsufficientCreditsError,
    403: runblob.PermissionDeniedError,
    422: runblob.APIError,
    429: runblob.RateLimitError,
    500: runblob.InternalServerError,
    502: runblob.InternalServerError,
    503: runblob.InternalServerError,
    504: runblob.InternalServerError,
}


@every_family
@pytest.mark.parametrize("status", ERRORS)
def test_each_refusal_is_its_own_error(family: str, status: int) -> None:
    """Of a purchase; nothing is made by one that the sandbox says made nothing."""
    world = World(token=TOKEN)

    async def way(client: RunBlob) -> Any:
        await CALLS[family].generate(client, prompt=PROMPT)

    with pytest.raises(ERRORS[status]) as told:
        said_by_sdk(way, world, f"posts={status}")
    assert told.value.status_code == status
    assert world.made == []


@every_family
def test_refusals_of_the_sandbox_itself_are_read(family: str) -> None:
    """A wrong token, no money, a wrong field, too many at once, an unknown id."""

    async def buy(client: RunBlob, **more: Any) -> Any:
        return await CALLS[family].generate(client, prompt=PROMPT, **more)

    async def wrong(client: RunBlob) -> Any:
        return await buy(client, callback_url="ftp://example.com/hook")

    async def unknown(client: RunBlob) -> Any:
        return await CALLS[family].look(client, "00000000-0000-4000-8000-000000000000")

    with pytest.raises(runblob.AuthenticationError):
        said_by_sdk(buy, World(token="another"))
    with pytest.raises(runblob.InsufficientCreditsError) as poor:
        said_by_sdk(buy, World(balance=100))
    assert poor.value.body == {"detail": "INSUFFICIENT_CREDITS"}
    with pytest.raises(runblob.APIError) as refused:
        said_by_sdk(wrong)
    assert refused.value.status_code == 422
    assert refused.value.body["detail"][0]["loc"] == ["body", "callback_url"]
    with pytest.raises(runblob.RateLimitError) as throttled:
        said_by_sdk(buy, faults="throttle=1")
    assert throttled.value.retry_after == 1.0
    with pytest.raises(runblob.NotFoundError):
        said_by_sdk(unknown)


@every_family
@pytest.mark.parametrize(
    ("faults", "error", "made"),
    [
        ("drop=1", runblob.APIConnectionError, 1),
        ("lost=1", runblob.APIConnectionError, 0),
        ("error=1", runblob.InternalServerError, 1),
        ("broken=1", runblob.InternalServerError, 0),
        ("late=1,late_seconds=30", runblob.APITimeoutError, 1),
    ],
)
def test_what_is_lost_on_the_way_is_an_error_whatever_was_made(
    family: str, faults: str, error: type[Exception], made: int
) -> None:
    """The same error for what was charged and what was not: why batchsora looks before it pays."""
    world = World(token=TOKEN)

    async def buy(client: RunBlob) -> Any:
        await CALLS[family].generate(client, prompt=PROMPT)

    with pytest.raises(error):
        said_by_sdk(buy, world, faults, timeout=1.0)
    assert len(world.made) == made


# two clients, one request

REQUESTS = [
    pytest.param(model, sorted(roles), id=f"{model.name} {'+'.join(sorted(roles)) or 'text'}")
    for model in OURS
    for roles in [frozenset[str](), *model.together]
]
LIKE_ITS_DEFAULT = {"cfg_scale": 0.5, "keep_original_sound": True}
"""What the package says where nothing was asked for, and we leave out."""


def by_sdk(model: Model, orientation: str, roles: Sequence[str], data: str) -> dict[str, Any]:
    """Write a request with images in the package's words."""
    asked: dict[str, Any] = {"prompt": PROMPT, "aspect_ratio": orientation}
    if model.field("model"):
        asked["model"] = model.name
    if model.durations:
        asked["duration"] = str(model.durations[-1])
    for role in roles:
        rule = model.image_rule(role, roles)
        value = data.partition(",")[2] if rule.bare else data
        asked[rule.file] = [*asked.get(rule.file, []), value] if rule.listed else value
    return asked


@pytest.mark.parametrize(("model", "roles"), REQUESTS)
def test_both_clients_send_the_same_request(model: Model, roles: Sequence[str]) -> None:
    """Field by field, for each model and each set of images; and both are accepted."""
    orientation, duration = model.orientations[-1], next(iter(model.durations[-1:]), None)
    data = f"data:image/png;base64,{PICTURE}"
    images = {role: ImageRef(data) for role in roles}
    request = GenerationRequest(
        PROMPT, orientation, duration, images.pop("start", None), None, model.name, {}, images
    )
    world = Recording(token=TOKEN)

    async def both(url: str) -> Any:
        async with RunBlob(api_key=TOKEN, base_url=url, max_retries=0) as client:
            asked = by_sdk(model, orientation, roles, data)
            theirs = await CALLS[model.family].generate(client, **asked)
        async with RunBlobClient(TOKEN, base_url=url) as own:
            ours = await RunBlobProvider(own).submit(request, "key", lambda: True)
        return theirs, ours

    with SandboxServer(world) as server:
        theirs, ours = asyncio.run(both(server.url))
    assert isinstance(ours, Accepted), ours
    assert [theirs.generation_id, provider_id(ours.generation_id)] == [m.id for m in world.made]
    said, sent = map(dict, world.bodies)
    for name, value in LIKE_ITS_DEFAULT.items():
        if name not in sent:
            assert said.pop(name, value) == value
    assert sent == said
    assert len({(m.model, m.orientation, m.duration, m.price) for m in world.made}) == 1


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.name)
def test_both_take_the_same_values(model: Model) -> None:
    """The limits of our files are the package's, at their edges and just beyond."""
    params = CALLS[model.family].params

    def takes(**fields: Any) -> bool:
        try:
            params(**{"prompt": "x" * model.shortest_prompt} | fields)
        except ValidationError:
            return False
        return True

    lengths = (model.shortest_prompt - 1, model.shortest_prompt, model.longest_prompt)
    assert [takes(prompt="x" * n) for n in (*lengths, model.longest_prompt + 1)] == [
        False, True, True, False
    ]  # fmt: skip
    for ratio in ("16:9", "9:16", "1:1", "4:3"):
        assert takes(aspect_ratio=ratio) is (ratio in model.orientations)
    for seconds in (5, 10, 15, 20) if model.durations else ():
        assert takes(duration=str(seconds)) is (seconds in model.durations)
    for name, rule in model.parameters.items():
        for edge in (rule.least, rule.most):
            # its shortest text is an empty one, which it then leaves out of the request
            for value in () if edge is None else (edge - 1, edge, edge + 1):
                size = value if rule.type in ("whole", "number") else "x" * int(value)
                assert takes(**{name: size}) is rule.takes(size) or size == "", (name, value)
    listed = [rule.file for rule in model.images.values() if rule.listed]
    if listed:
        most = sum(role.startswith("reference") for role in model.roles)
        assert takes(**{listed[0]: [PICTURE] * most})
        assert not takes(**{listed[0]: [PICTURE] * (most + 1)})


@every_family
def test_both_know_the_same_models(family: str) -> None:
    """But for those that need a reference video (docs/models.md)."""
    ours = [model.name for model in OURS if model.family == family and model.field("model")]
    assert sorted(CALLS[family].models) == sorted(ours)


def test_a_video_as_reference_is_refused_by_name() -> None:
    """The models for motion are not imitated."""

    async def way(client: RunBlob) -> Any:
        await client.kling.generate(prompt=PROMPT, model="kling_3_motion")

    with pytest.raises(runblob.APIError) as told:
        said_by_sdk(way)
    assert told.value.body["detail"][0]["loc"] == ["body", "model"]


# callbacks


@every_family
@pytest.mark.parametrize("failure", [None, "faces in the image"])
def test_a_callback_is_read_and_its_signature_holds(family: str, failure: str | None) -> None:
    """By the package's own reader; its end is told for each family."""
    world = World(time_scale=1e6, failures={PROMPT: [failure]})

    async def buy(url: str, hook: str) -> Any:
        async with RunBlob(api_key=TOKEN, base_url=url, max_retries=0) as client:
            return await CALLS[family].generate(client, prompt=PROMPT, callback_url=hook)

    with listening() as ear, SandboxServer(world, secret="s3") as server:
        made = asyncio.run(buy(server.url, ear.url))
        assert ear.enough.wait(20)
    ((headers, body),) = ear.heard
    assert runblob.verify_webhook_signature(body, headers["x-runblob-signature"], "s3")
    event = runblob.parse_webhook_payload(body)
    assert (event.id, event.prompt) == (made.generation_id, PROMPT)
    assert (event.is_completed, event.is_failed) == (failure is None, failure is not None)
    assert (event.result_url is None) is (failure is not None)
