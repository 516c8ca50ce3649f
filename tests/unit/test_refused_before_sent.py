"""Nothing breaks after it was paid: a call is refused before its POST, or its result works."""

import asyncio
import base64
import contextlib
import copy
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import tiny

from batchsora import (
    GenerationInfo,
    ImageError,
    RunBlobClient,
    SyncRunBlobClient,
    ValidationError,
)

ID = "gen-7"
DATA_URI = f"data:image/png;base64,{base64.b64encode(tiny.PNG).decode()}"

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.lists(st.integers(), max_size=2),
    st.builds(object),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
arguments = st.fixed_dictionaries(
    {"prompt": st.just("a kite") | st.text() | anything},
    optional={
        "orientation": st.sampled_from(["9:16", "16:9", "1:1"]) | anything,
        "duration": st.sampled_from([10, 15, 10.0, "10", True, 11]) | anything,
        "image": st.sampled_from([tiny.PNG, DATA_URI, Path("none.png"), "http://x"]) | anything,
        "image_url": st.sampled_from(["https://x.example/a.png", "a.png", ""]) | anything,
        "image_base64": st.sampled_from([DATA_URI, "data:,x", "%%"]) | anything,
        "callback_url": st.sampled_from(["https://x.example/", "http://x.example/"]) | anything,
        "idempotency_key": st.sampled_from(["k-1", "a b", "\n"]) | anything,
        "seconds": st.just(10),
    },
)


class Api:
    """Counts what was bought; its answers have more fields than anybody knows."""

    def __init__(self, more: dict[str, Any] | None = None) -> None:
        self.more = more or {}
        self.bought: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        seen = {**self.more, "generation_id": ID}
        if request.method == "POST":
            self.bought.append(json.loads(request.content))
            return httpx.Response(201, json={**seen, "price": "0.12"})
        url = "https://x.example/v.mp4"
        return httpx.Response(200, json={**seen, "status": "completed", "video_url": url})


def run(api: Api, call: Callable[[RunBlobClient], Any]) -> Any:
    async def no_time(seconds: float) -> None:
        del seconds

    async def main() -> Any:
        async with RunBlobClient(
            "tok", transport=httpx.MockTransport(api), sleep=no_time
        ) as client:
            return await call(client)

    return asyncio.run(main())


@given(arguments)
def test_a_call_is_refused_before_its_post_or_was_meant(given: dict[str, Any]) -> None:
    """Whatever the arguments are; a refusal is one of the client's errors, or Python's own."""
    api = Api()
    refusals = TypeError if "seconds" in given else ValidationError
    try:
        made = run(api, lambda client: client.generate(**given))
    except refusals:
        assert api.bought == []
        return
    (document,) = api.bought
    assert document["duration"] in (10, 15)
    assert type(document["duration"]) is int
    assert made["generation_id"] == ID
    assert ID in str(made)


@given(st.dictionaries(st.text(max_size=12), json_values, max_size=4))
def test_a_result_is_printed_indexed_and_waited_for(more: dict[str, Any]) -> None:
    """Whatever else the API says."""
    api = Api(more)
    made = run(api, lambda client: client.generate("a kite"))
    video = run(api, lambda client: client.wait_for_completion(made["generation_id"]))
    assert f"{video:>40}".strip() == str(video) == video["video_url"] == "https://x.example/v.mp4"
    for result in (made, video):
        f"{result} {result!r}".encode()
        assert dict(result) == dict(result.items()) == {n: result[n] for n in result.keys()}  # noqa: SIM118 - its keys, which iterating does not give
        assert "generation_id" in result
        assert result.get("no such field", 5) == 5
        assert copy.copy(result) == pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own


def test_a_result_stands_for_its_id() -> None:
    """Whoever passes all of it meant the generation."""
    api = Api()
    made = run(api, lambda client: client.generate("a kite"))
    for call in ("wait_for_completion", "status", "get_status"):
        video = run(api, lambda client, call=call: getattr(client, call)(made))
        again = run(api, lambda client, call=call, given=video: getattr(client, call)(given))
        assert again == video
        assert video["generation_id"] == ID
    with pytest.raises(ValueError, match="not an id of a generation: 'None'"):
        run(api, lambda client: client.status(None))
    with pytest.raises(ValueError, match="not an id of a generation"):
        run(api, lambda client: client.wait_for_completion(GenerationInfo()))


def test_what_is_not_finished_prints_as_what_is_known() -> None:
    """There is no address yet; nor does an early one count."""
    text = str(GenerationInfo(generation_id=ID, status="pending", progress_pos_in_queue=3))
    assert "pending" in text
    assert "3" in text
    early = GenerationInfo(generation_id=ID, status="processing", video_url="https://x.example/v")
    assert "processing" in str(early)


def test_an_unknown_field_suggests_one() -> None:
    """A misspelt name says which was meant."""
    info = GenerationInfo(generation_id=ID)
    with pytest.raises(KeyError, match="did you mean 'progress_pct'"):
        info["progres_pct"]
    with pytest.raises(KeyError, match="there are completed_at, created_at"):
        info["zzz"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"prompt": " \n"}, "prompt: is empty"),
        ({"prompt": "x" * 4001}, "prompt: has 4001 characters, more than 4000"),
        ({"prompt": "a\x00b"}, "prompt: has control characters"),
        ({"prompt": "a\ud800b"}, "prompt: has control characters"),
        ({"prompt": b"a kite"}, "prompt: must be text, not bytes"),
        ({"duration": "10"}, "duration: must be 10 or 15 as a number, not str"),
        ({"duration": float("nan")}, "duration: must be 10 or 15"),
        ({"orientation": "portrait"}, "orientation: must be '9:16' or '16:9'"),
        ({"callback_url": "http://x.example"}, "callback_url: must be an https:// address"),
        ({"idempotency_key": "a b"}, "idempotency_key: must be 1 to 255 plain"),
    ],
)
def test_each_refusal_names_its_argument(given: dict[str, Any], says: str) -> None:
    """In the details as well, as the API's own refusals do; and says that nothing was sent."""
    api = Api()
    with pytest.raises(ValidationError, match="nothing was sent") as caught:
        run(api, lambda client: client.generate(**{"prompt": "a kite", **given}))
    (line,) = caught.value.details
    assert line.startswith(says)
    assert api.bought == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"image_base64": "not base64!"}, "image_base64: is damaged"),
        ({"image_base64": "data:image/png;base64,AAA"}, "image_base64: is damaged"),
        ({"image_base64": "data:image/png,abc"}, "image_base64: is damaged"),
        ({"image_base64": base64.b64encode(b"GIF89a").decode()}, "not a JPEG, PNG or WEBP"),
        ({"image_base64": base64.b64encode(bytes(11 * 1024**2))}, "larger than 10 MB"),
        ({"image": "data:text/html;base64,PGI+"}, "not a JPEG, PNG or WEBP"),
        ({"image": 5}, "must be a path, bytes, a web address or a data URI, not int"),
        ({"image": "http://"}, "must be an http"),
        ({"image_url": "boat.png"}, "a file or its bytes are passed as image="),
        (
            {"image_url": "https://x.example/a.png", "image": b"x"},
            "only one of image and image_url",
        ),
    ],
)
def test_an_image_that_can_not_be_sent_is_refused(given: dict[str, Any], says: str) -> None:
    """By its content, however it was given."""
    api = Api()
    for buy in ("generate", "generate_from_image"):
        with pytest.raises(ImageError, match=says):
            run(api, lambda client, buy=buy: getattr(client, buy)("a kite", **given))
    assert api.bought == []


def test_images_are_sent_under_the_names_of_the_api() -> None:
    """By address as it is; by content as one data URI, whatever they were."""
    api = Api()
    url = "https://x.example/a.png"
    for image in (
        {"image": url},
        {"image_url": url},
        {"image": DATA_URI},
        {"image_base64": DATA_URI},
        {"image_base64": DATA_URI.partition(",")[2].encode()},
        {"image": bytearray(tiny.PNG)},
    ):
        run(api, lambda client, image=image: client.generate_from_image("a kite", **image))
    assert [one.get("image_url") for one in api.bought] == [url, url, *[None] * 4]
    assert [one.get("image_base64") for one in api.bought] == [None, None, *[DATA_URI] * 4]


@contextlib.contextmanager
def noted(notes: list[Any]) -> Iterator[None]:
    """Collect the notes of an error."""
    try:
        yield
    except Exception as error:
        notes.extend(error.__notes__)
        raise


@given(anything, anything, anything)
def test_an_error_of_the_waiting_has_the_id(interval: Any, timeout: Any, callback: Any) -> None:
    """What was paid for is found again, whatever the waiting was asked for."""
    given = {"poll_interval": interval, "timeout": timeout, "callback": callback}
    ended: list[Any] = []
    with contextlib.suppress(TypeError, ValueError), noted(ended):
        ended.append(run(Api(), lambda client: client.wait_for_completion(ID, **given)))
    (text,) = map(repr, ended)
    assert ID in text


@pytest.mark.parametrize("client", ["asynchronous", "blocking"])
def test_a_callback_that_raises_does_not_lose_the_id(client: str) -> None:
    """The error is the callback's own, once, with a note that says how to ask again."""

    def watch(info: GenerationInfo) -> None:
        raise LookupError(info["status"])

    def wait() -> None:
        if client == "asynchronous":
            run(Api(), lambda c: c.wait_for_completion(ID, callback=watch))
        else:
            with SyncRunBlobClient("tok", transport=httpx.MockTransport(Api())) as c:
                c.wait_for_completion(ID, callback=watch)

    with pytest.raises(LookupError, match="completed") as caught:
        wait()
    (note,) = caught.value.__notes__
    assert ID in note
    assert "don't buy it again" in note
