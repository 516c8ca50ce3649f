"""The Python API beyond one request: all but HTTP itself, with time that is given."""

import asyncio
import inspect
import json
import pickle
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchsora import (
    BadTokenError,
    DownloadError,
    GenerationFailedError,
    GenerationInfo,
    ImageError,
    InDoubtError,
    NotFoundError,
    RateLimitedError,
    RunBlobClient,
    RunBlobError,
    ServerError,
    StillRunningError,
    UnreachableError,
)
from batchsora.names import sanitized
from batchsora.providers.runblob.waiting import LONGEST_PAUSE

VIDEO = b"\0\0\0\x18ftypmp42" + bytes(1000)
FILE = "https://8.8.8.8/signed/v%20one.mp4?sig=1"
"""A public address without a name, so that nothing is looked up; the transport is a double."""

Handler = Callable[[httpx.Request], httpx.Response]


class Time:
    """Time that passes when it is slept through, and not otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Script:
    """Answers each request with the next step, and the last one for ever."""

    def __init__(self, *steps: httpx.Response | Exception) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        stream = httpx.ByteStream(step.content)
        return httpx.Response(step.status_code, headers=step.headers, stream=stream)


def answer(status: int = 200, document: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=json.dumps(document).encode(), headers=named)


def seen(status: str, **more: Any) -> httpx.Response:
    return answer(document={"generation_id": "gen-1", "status": status, **more})


def run(
    handler: Handler,
    call: Callable[[RunBlobClient], Awaitable[Any]],
    time: Time | None = None,
) -> Any:
    time = time or Time()

    async def main() -> Any:
        async with RunBlobClient(
            "tok",
            transport=httpx.MockTransport(handler),
            monotonic=time.monotonic,
            sleep=time.sleep,
        ) as client:
            return await call(client)

    return asyncio.run(main())


def test_the_token_and_the_address_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is given wins; the environment is next; an address is the provider's at last."""
    with pytest.raises(ValueError, match="set RUNBLOB_API_KEY"):
        RunBlobClient()
    monkeypatch.setenv("RUNBLOB_API_KEY", " from-environment\n")
    assert RunBlobClient()._token == "from-environment"
    assert RunBlobClient("given")._token == "given"
    with pytest.raises(ValueError, match="empty"):
        RunBlobClient("")
    assert RunBlobClient().base_url == "https://platform.runblob.io"
    monkeypatch.setenv("BATCHSORA_BASE_URL", "http://127.0.0.1:9/")
    assert RunBlobClient().base_url == "http://127.0.0.1:9"
    assert RunBlobClient(base_url="https://api.example").base_url == "https://api.example"


def test_generate_takes_its_arguments_by_place_and_by_name() -> None:
    """As people write them: the prompt, then what differs from an upright video of ten seconds."""
    script = Script(answer(201, {"generation_id": "gen-1", "status": "pending", "price": "0.12"}))
    run(script, lambda client: client.generate("a"))
    run(script, lambda client: client.generate("a", "16:9", 15, "https://x.example/i.png"))
    made = run(script, lambda c: c.generate_from_image("a", "https://x.example/i.png", "16:9", 15))
    assert made.price == Decimal("0.12")
    first, second, third = (json.loads(request.content) for request in script.requests)
    assert first == {"prompt": "a", "orientation": "9:16", "duration": 10}
    assert second == first | {
        "orientation": "16:9",
        "duration": 15,
        "image_url": "https://x.example/i.png",
    }
    assert third == second


@pytest.mark.parametrize("image", [None, "", b""])
def test_from_no_image_nothing_is_bought(image: Any) -> None:
    """A variable that happens to be empty must not buy a video without the image."""
    script = Script(answer(201))
    with pytest.raises(ImageError):
        run(script, lambda client: client.generate_from_image("a", image))
    assert script.requests == []


class Account:
    """A list of generations that grows at the top while it is read."""

    def __init__(self, size: int, growth: int, most: int = 100) -> None:
        self.names = [f"gen-{number}" for number in range(size)]
        self.growth = growth
        self.most = most
        self.reads = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.reads += 1
        assert self.reads < 500
        offset, limit = (int(request.url.params[name]) for name in ("offset", "limit"))
        newest_first = self.names[::-1]
        page = newest_first[offset : offset + min(limit, self.most)]
        self.names += [f"new-{self.reads}-{number}" for number in range(self.growth)]
        return answer(document=[{"generation_id": name} for name in page])


async def every(client: RunBlobClient, page_size: int = 100) -> list[str | None]:
    return [info.generation_id async for info in client.iter_generations(page_size)]


@given(
    size=st.integers(0, 40),
    page_size=st.integers(1, 12),
    growth=st.integers(0, 5),
    most=st.integers(1, 12),
)
def test_the_whole_list_has_each_id_once(size: int, page_size: int, growth: int, most: int) -> None:
    """Also while it grows, and when the API gives shorter pages than were asked for."""
    account = Account(size, min(growth, min(page_size, most) - 1), most)
    there = account.names[::-1]
    found = run(account, lambda client: every(client, page_size))
    assert [name for name in found if name in there] == there
    assert len(set(found)) == len(found)


def test_a_list_that_ignores_the_offset_ends() -> None:
    """The same page again and again is not read for ever; entries without an id are left out."""
    script = Script(answer(document=[{"generation_id": "a"}, {"generation_id": "."}, None]))
    assert run(script, every) == ["a"]
    assert len(script.requests) == 3


def test_waiting_looks_at_once_and_tells_each_status() -> None:
    """The callback sees place, percent and end; between two looks lies the interval."""
    script = Script(
        seen("pending", progress_pos_in_queue=2),
        seen("processing", progress_pct=40),
        seen("a new word"),
        seen("completed", video_url="https://x.example/v.mp4"),
    )
    told: list[GenerationInfo] = []
    time = Time()
    found = run(
        script, lambda client: client.wait_for_completion("gen-1", 7, 900, told.append), time
    )
    assert found.video_url == "https://x.example/v.mp4"
    assert [info.progress_pos_in_queue for info in told] == [2, None, None, None]
    assert [info.progress_pct for info in told] == [None, 40, None, None]
    assert [info.status for info in told][2:] == ["a new word", "completed"]
    assert time.slept == [7, 7, 7]


def test_a_callback_may_be_asynchronous_and_may_raise() -> None:
    """It is awaited; its error ends the waiting as it is."""
    told: list[str | None] = []

    async def watch(info: GenerationInfo) -> None:
        await asyncio.sleep(0)
        told.append(info.status)
        if info.status == "processing":
            raise LookupError("enough")

    script = Script(seen("pending"), seen("processing"))
    with pytest.raises(LookupError, match="enough"):
        run(script, lambda client: client.wait_for_completion("gen-1", callback=watch))
    assert told == ["pending", "processing"]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("The image contains photorealistic people", "image"),
        ("The prompt violates the content policy", "content"),
        ("Generation timed out", "timeout"),
        (None, "unknown"),
    ],
)
def test_a_failure_says_why(message: str | None, kind: str) -> None:
    """The provider's words, and whether buying the same again may help."""
    script = Script(seen("failed", error_message=message))
    with pytest.raises(GenerationFailedError, match=message or "does not say why") as caught:
        run(script, lambda client: client.wait_for_completion("gen-1"))
    assert caught.value.kind == kind
    assert caught.value.generation_id == "gen-1"
    assert caught.value.info.error_message == message
    assert not caught.value.retryable
    assert not caught.value.in_doubt


def test_the_end_of_patience_says_that_it_goes_on() -> None:
    """It was paid for, and the text has the call that asks again; the last look is at the end."""
    script = Script(seen("pending", progress_pos_in_queue=4), seen("processing", progress_pct=45))
    time = Time()
    with pytest.raises(StillRunningError) as caught:
        run(script, lambda client: client.wait_for_completion("gen-1", 5, 12), time)
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, RunBlobError)
    assert caught.value.retryable
    assert time.slept == [5, 5, 2]
    assert len(script.requests) == 4
    assert caught.value.info is not None
    assert caught.value.info.progress_pct == 45
    assert str(caught.value) == (
        "the generation gen-1 is not finished after 12 s (last seen: processing, 45 %). It is "
        "still running and was paid for, so don't buy it again: ask for it later with "
        "wait_for_completion('gen-1')"
    )
    with pytest.raises(StillRunningError, match="place 4 in the queue"):
        run(
            Script(seen("pending", progress_pos_in_queue=4)),
            lambda client: client.wait_for_completion("gen-1", timeout=0),
        )


def test_an_api_that_stumbles_is_ridden_out() -> None:
    """429 waits as long as it says, other trouble ever longer; then the interval is back."""
    script = Script(
        answer(429, {}, Retry_After="33"),
        answer(503, {}),
        httpx.ConnectError("refused"),
        answer(429, {}),
        seen("pending"),
        seen("completed"),
    )
    time = Time()
    found = run(script, lambda client: client.wait_for_completion("gen-1"), time)
    assert found.status == "completed"
    assert time.slept == [33, 20, 40, LONGEST_PAUSE, 5]


def test_an_api_that_goes_on_to_stumble_ends_with_the_time() -> None:
    """The last trouble is the cause, and a Retry-After holds to the very end."""
    time = Time()
    script = Script(answer(503, {}))
    with pytest.raises(StillRunningError, match="could not be read") as caught:
        run(script, lambda client: client.wait_for_completion("gen-1", timeout=60), time)
    assert isinstance(caught.value.__cause__, ServerError)
    assert sum(time.slept) == 60
    time, script = Time(), Script(answer(429, {}, Retry_After="100"))
    with pytest.raises(StillRunningError) as caught:
        run(script, lambda client: client.wait_for_completion("gen-1", timeout=60), time)
    assert isinstance(caught.value.__cause__, RateLimitedError)
    assert time.slept == [60]
    assert len(script.requests) == 1


@pytest.mark.parametrize(("status", "error"), [(401, BadTokenError), (404, NotFoundError)])
def test_what_does_not_pass_is_not_waited_for(status: int, error: type[RunBlobError]) -> None:
    """A refused token or an unknown id ends the waiting at once."""
    time = Time()
    with pytest.raises(error):
        run(
            Script(answer(status, {})),
            lambda client: client.wait_for_completion("gen-1"),
            time,
        )
    assert time.slept == []


@pytest.mark.parametrize(("interval", "timeout"), [(0, 900), (-1, 900), (5, -1), (5, float("nan"))])
def test_impolite_intervals_are_refused(interval: float, timeout: float) -> None:
    """Before anything is asked."""
    script = Script(seen("pending"))
    with pytest.raises(ValueError, match="poll_interval"):
        run(script, lambda client: client.wait_for_completion("gen-1", interval, timeout))
    assert script.requests == []


class FileServer:
    """The API and a file's server behind one transport."""

    def __init__(self, api: Script, files: Script) -> None:
        self.api = api
        self.files = files

    def __call__(self, request: httpx.Request) -> httpx.Response:
        local = request.url.host == "platform.runblob.io"
        return self.api(request) if local else self.files(request)


def whole() -> httpx.Response:
    return httpx.Response(200, content=VIDEO)


UUID = "3f2b8c1e-0000-4000-8000-0123456789ab"


def of(name: str) -> GenerationInfo:
    """Show a finished generation of this name, as the client does."""
    return GenerationInfo(video_url=FILE).model_copy(update={"generation_id": name})


def test_a_download_keeps_the_token_to_itself(tmp_path: Path) -> None:
    """The API's origin sees it, the file's server does not; the file is named by the id."""
    server = FileServer(Script(seen("completed", video_url=FILE)), Script(whole()))
    told: list[tuple[int, int | None]] = []
    found = run(
        server,
        lambda client: client.download("gen-1", tmp_path, lambda *told_now: told.append(told_now)),
    )
    assert found == tmp_path / "gen-1.mp4"
    assert found.read_bytes() == VIDEO
    assert told[-1] == (len(VIDEO), len(VIDEO))
    assert server.api.requests[0].headers["authorization"] == "Bearer tok"
    (request,) = server.files.requests
    assert "tok" not in str(request.headers)
    assert request.headers["user-agent"].startswith("batchsora/")


@pytest.mark.parametrize(
    ("video", "path", "expected"),
    [
        (FILE, "new/folder/", "new/folder/v_one-*.mp4"),
        (FILE, "new/name.mp4", "new/name.mp4"),
        ("https://8.8.8.8/", "", "video-*.mp4"),
        (GenerationInfo(generation_id="gen-2", video_url=FILE), "", "gen-2.mp4"),
        (GenerationInfo(video_url=FILE), "a.mp4", "a.mp4"),
        (
            of("3f2b8c1e-0000-4000-8000-0123456789ab"),
            "",
            "3f2b8c1e-0000-4000-8000-0123456789ab.mp4",
        ),
        (of("veo:6f9a"), "", "veo_6f9a-*.mp4"),
        (of("kling-o3:6F9A"), "", "kling-o3_6F9A-*.mp4"),
        (of("CON"), "", "video_CON-*.mp4"),
        (of(".hidden"), "", "hidden-*.mp4"),
    ],
)
def test_where_a_download_goes(
    video: str | GenerationInfo, path: str, expected: str, tmp_path: Path
) -> None:
    """A path is the file, or the folder in which it gets a name; the API is not asked in vain."""
    server = FileServer(Script(answer(500)), Script(whole()))
    target = str(tmp_path / path) + ("/" if path.endswith("/") else "")
    found = run(server, lambda client: client.download(video, target))
    assert [found] == list(tmp_path.glob(expected))
    assert server.api.requests == []
    assert sanitized(found.name) == found.name, "Windows would read another file, or none"


def test_a_download_that_stumbles_is_tried_again(tmp_path: Path) -> None:
    """A server's fault and a broken connection pass; so many times, with pauses."""
    files = Script(answer(503), httpx.ReadError("dropped"), answer(429), whole())
    time = Time()
    run(FileServer(Script(answer(500)), files), lambda c: c.download(FILE, tmp_path / "v"), time)
    assert time.slept == [1, 4, 10]
    assert (tmp_path / "v").read_bytes() == VIDEO
    files = Script(answer(503))
    with pytest.raises(DownloadError, match="answered 503") as caught:
        run(FileServer(Script(answer(500)), files), lambda c: c.download(FILE, tmp_path / "w"))
    assert caught.value.retryable
    assert len(files.requests) == 4
    assert sorted(tmp_path.iterdir()) == [tmp_path / "v"]


@pytest.mark.parametrize(
    ("video", "file", "says"),
    [
        (FILE, httpx.Response(200, content=b"<html>not what you think</html>"), "not an MP4"),
        (FILE, answer(404), "answered 404"),
        ("http://127.0.0.1/v.mp4", whole(), "private network"),
        ("https://[::1]/v.mp4", whole(), "private network"),
    ],
)
def test_a_download_that_can_not_succeed_is_not_tried_again(
    video: str, file: httpx.Response, says: str, tmp_path: Path
) -> None:
    """No video, no file, or an address inside the network: told at once, and nothing is left."""
    time = Time()
    server = FileServer(Script(answer(500)), Script(file))
    with pytest.raises(DownloadError, match=says):
        run(server, lambda client: client.download(video, tmp_path), time)
    assert time.slept == []
    assert list(tmp_path.iterdir()) == []


def test_a_private_address_can_be_allowed(tmp_path: Path) -> None:
    """By the caller; then it is fetched like any other."""
    server = FileServer(Script(answer(500)), Script(whole()))
    url = "http://10.0.0.1/v.mp4"
    found = run(server, lambda client: client.download(url, tmp_path, allow_private=True))
    assert found == tmp_path / "v.mp4"


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://127.0.0.1:8765", True),
        ("http://[::1]:8765", True),
        ("http://10.1.2.3", True),
        ("http://localhost:1", True),
        ("http://api.localhost", True),
        ("https://8.8.8.8", False),
        ("https://localhost.example", False),
    ],
)
def test_an_api_inside_the_network_has_its_files_there(
    base_url: str, *, local: bool, tmp_path: Path
) -> None:
    """As the sandbox has; an API on the Internet can't lead into the network."""

    async def main() -> Path:
        transport = httpx.MockTransport(Script(whole()))
        async with RunBlobClient("tok", base_url=base_url, transport=transport) as client:
            return await client.download("http://127.0.0.1/v.mp4", tmp_path)

    if local:
        assert asyncio.run(main()).exists()
    else:
        with pytest.raises(DownloadError, match="private"):
            asyncio.run(main())


def test_an_expired_address_is_renewed_once(tmp_path: Path) -> None:
    """The API is asked for a fresh one when a known generation's has expired."""
    old = GenerationInfo(generation_id="gen-1", status="completed", video_url=FILE)
    api = Script(seen("completed", video_url="https://8.8.8.8/fresh.mp4"))
    files = Script(answer(403), whole())
    time = Time()
    run(FileServer(api, files), lambda client: client.download(old, tmp_path), time)
    assert [request.url.path for request in files.requests][1:] == ["/fresh.mp4"]
    assert time.slept == []
    with pytest.raises(DownloadError, match="answered 403"):
        run(FileServer(api, Script(answer(403))), lambda client: client.download(old, tmp_path))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("pending", StillRunningError),
        ("failed", GenerationFailedError),
        ("completed", DownloadError),
    ],
)
def test_what_has_no_video_is_not_downloaded(
    status: str, error: type[RunBlobError], tmp_path: Path
) -> None:
    """The error says whether to wait for it; no folder is made."""
    with pytest.raises(error):
        run(Script(seen(status)), lambda client: client.download("gen-1", tmp_path / "a" / "b"))
    with pytest.raises(DownloadError, match="neither an address nor an id"):
        run(Script(seen(status)), lambda c: c.download(GenerationInfo(), tmp_path / "a" / "b"))
    assert list(tmp_path.iterdir()) == []


def test_models_keep_what_nobody_knows_yet() -> None:
    """A field that the API adds tomorrow can be read today."""
    info = run(Script(seen("pending", seed=7)), lambda client: client.status("gen-1"))
    assert info.model_extra == {"seed": 7}
    assert info.seed == 7


ERRORS = [
    GenerationFailedError(GenerationInfo(generation_id="a", error_message="timed out")),
    StillRunningError("a", GenerationInfo(generation_id="a", status="pending"), 900),
    StillRunningError("a", None),
    InDoubtError("who knows", status=502, details=["line"]),
    RateLimitedError("later", retry_after=3.0),
    UnreachableError("nowhere"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_travel_between_processes(error: RunBlobError) -> None:
    """A pool of processes gives back the very error, with all that it says."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_every_public_method_is_documented() -> None:
    """``help(RunBlobClient)`` is a manual."""
    for name, member in inspect.getmembers(RunBlobClient):
        assert name.startswith("_") or inspect.getdoc(member), name
