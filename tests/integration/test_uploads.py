"""Images on their way to the API: encoded as they are sent, so many bytes at a time."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from support.at_once import run_at_once

from batchsora.providers.runblob.adapter import RunBlobProvider
from batchsora.providers.runblob.body import PIECE, UNDER_WAY, UploadSlots
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.providers.runblob.images import LARGEST
from batchsora.providers.runblob.wire import SLOWEST_UPLOAD
from jobs.model.provider import (
    Accepted,
    GenerationRequest,
    ImageRef,
    InDoubt,
    Rejected,
    SubmitOutcome,
    Unsent,
)

HEAD = b"\x89PNG\r\n\x1a\n"
CREATED = {"generation_id": "gen-1", "status": "pending", "price": "0.1200"}
TIMEOUT = 60.0
MEGABYTE = 1024**2


def picture(path: Path, size: int) -> ImageRef:
    """Write a picture of exactly so many bytes, as a manifest would name it."""
    content = (HEAD + bytes(range(251)) * (size // 251 + 1))[:size]
    path.write_bytes(content)
    return ImageRef(path.name, str(path), hashlib.sha256(content).hexdigest(), size, "image/png")


class Api(httpx.AsyncBaseTransport):
    """Reads requests piece by piece; ``between`` is awaited before each further piece."""

    def __init__(self, between: Callable[[int], Awaitable[None]] | None = None) -> None:
        self._between = between
        self.begun = 0
        self.bodies: list[bytes] = []
        self.lengths: list[int] = []
        self.answer = asyncio.Event()
        self.answer.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self.begun += 1
        body = b""
        pieces = 0
        async for piece in request.stream:
            assert len(piece) <= PIECE
            body += piece
            pieces += 1
            if self._between is not None:
                await self._between(pieces)
        self.bodies.append(body)
        self.lengths.append(int(request.headers["Content-Length"]))
        await self.answer.wait()
        return httpx.Response(201, json=CREATED)


class Discarding(httpx.AsyncBaseTransport):
    """Reads requests and keeps nothing."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for _ in request.stream:
            pass
        return httpx.Response(201, json=CREATED)


async def submit(
    client: RunBlobClient,
    image: ImageRef,
    may_send: Callable[[], bool] = lambda: True,
    patience: float = 10.0,
) -> SubmitOutcome:
    request = GenerationRequest("a kite", "9:16", 10, image)
    return await RunBlobProvider(client, patience).submit(request, "key", may_send)


def sent(api: httpx.AsyncBaseTransport, image: ImageRef) -> SubmitOutcome:
    """Submit on virtual time."""

    async def main() -> SubmitOutcome:
        async with RunBlobClient("tok", transport=api, timeout=TIMEOUT) as client:
            return await submit(client, image)

    return run_at_once(main())


@pytest.mark.parametrize(
    "size", [12, 13, 14, PIECE // 4 * 3 - 1, PIECE // 4 * 3, PIECE // 4 * 3 + 1, 3 * PIECE + 2]
)
def test_pieces_join_to_the_whole(size: int, tmp_path: Path) -> None:
    """Wherever a picture is cut, the JSON is whole, has its announced length, and the picture."""
    image = picture(tmp_path / "a.png", size)
    api = Api()
    assert isinstance(sent(api, image), Accepted)
    assert api.lengths == [len(api.bodies[0])]
    encoded = json.loads(api.bodies[0])["image_base64"].removeprefix("data:image/png;base64,")
    assert base64.b64decode(encoded, validate=True) == (tmp_path / "a.png").read_bytes()


def test_a_large_picture_is_never_in_memory_whole(tmp_path: Path) -> None:
    """Of ten megabytes a few hundred kilobytes are held at a time."""
    image = picture(tmp_path / "a.png", LARGEST)
    sent(Discarding(), picture(tmp_path / "small.png", 50))
    tracemalloc.start()
    try:
        assert isinstance(sent(Discarding(), image), Accepted)
        assert tracemalloc.get_traced_memory()[1] < 3 * MEGABYTE
    finally:
        tracemalloc.stop()


def damaging(work: Callable[[], object]) -> Callable[[int], Awaitable[None]]:
    async def between(pieces: int) -> None:
        if pieces == 3:
            work()

    return between


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")


@pytest.mark.parametrize("harm", [overwrite, lambda path: os.truncate(path, 400_000)])
def test_a_picture_that_changes_while_it_is_sent_is_never_sent_whole(
    harm: Callable[[Path], None], tmp_path: Path
) -> None:
    """Some of it has left, so it is in doubt; no server ever has all of another picture."""
    path = tmp_path / "a.png"
    image = picture(path, MEGABYTE)
    api = Api(damaging(lambda: harm(path)))
    outcome = sent(api, image)
    assert isinstance(outcome, InDoubt)
    assert "while it was sent" in outcome.reason
    assert api.begun == 1
    assert api.bodies == []


def test_over_a_real_connection_as_well(tmp_path: Path) -> None:
    """The server that reads to the end of the connection has less than was announced."""
    image = picture(tmp_path / "a.png", LARGEST)
    heard: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        overwrite(tmp_path / "a.png")
        announced = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        received = 0
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(PIECE):
                received += len(data)
        heard.extend((announced, received))
        writer.close()

    async def main() -> SubmitOutcome:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with RunBlobClient("tok", base_url=url) as client:
            outcome = await submit(client, image)
            await settle(lambda: bool(heard))
        server.close()
        return outcome

    outcome = asyncio.run(main())
    assert isinstance(outcome, InDoubt)
    assert "changed while it was sent" in outcome.reason
    announced, received = heard
    assert received < announced


@pytest.mark.posix  # it deletes a file that is open
@pytest.mark.parametrize("replaced", [False, True])
def test_a_picture_that_vanishes_while_it_is_sent_was_opened_before(
    replaced: bool,  # noqa: FBT001 - a table's column
    tmp_path: Path,
) -> None:
    """What is put under its name, as editors do, or takes the name away, changes nothing."""
    path = tmp_path / "a.png"
    image = picture(path, MEGABYTE)
    content = path.read_bytes()

    def harm() -> None:
        path.unlink()
        if replaced:
            picture(path, 500_000)

    api = Api(damaging(harm))
    assert isinstance(sent(api, image), Accepted)
    encoded = json.loads(api.bodies[0])["image_base64"].partition(",")[2]
    assert base64.b64decode(encoded) == content


def test_a_picture_that_changed_before_is_rejected_unsent(tmp_path: Path) -> None:
    """It is hashed whole before the first byte leaves; only its last byte differs."""
    image = picture(tmp_path / "a.png", MEGABYTE)
    overwrite(tmp_path / "a.png")
    api = Api()
    outcome = sent(api, image)
    assert isinstance(outcome, Rejected)
    assert "has changed" in outcome.message
    assert api.begun == 0


def test_so_many_bytes_are_under_way_at_a_time(tmp_path: Path) -> None:
    """The others wait, and follow as soon as one is written, though it is not answered yet."""
    image = picture(tmp_path / "a.png", 8 * MEGABYTE)
    fit = UNDER_WAY // (8 * MEGABYTE * 4 // 3)
    gate = asyncio.Event()

    async def between(pieces: int) -> None:
        del pieces
        await gate.wait()

    async def main() -> None:
        api = Api(between)
        api.answer.clear()
        async with RunBlobClient("tok", transport=api, timeout=TIMEOUT) as client:
            tasks = [asyncio.create_task(submit(client, image)) for _ in range(2 * fit)]
            await settle(lambda: api.begun == fit)
            gate.set()
            await settle(lambda: len(api.bodies) == 2 * fit)
            assert not any(task.done() for task in tasks)
            api.answer.set()
            assert await asyncio.gather(*tasks) == [Accepted("gen-1", 120_000)] * (2 * fit)

    asyncio.run(main())


async def settle(so: Callable[[], bool]) -> None:
    """Let everybody come as far as they come, threads included; then it must be so."""
    for _ in range(20_000):
        if so():
            break
        await asyncio.sleep(0.001)
    for _ in range(50):
        await asyncio.sleep(0)
    assert so()


def test_who_finds_no_room_in_time_sends_nothing(tmp_path: Path) -> None:
    """Its intent lapses: it is released unasked, without a connection, and is no outage."""
    image = picture(tmp_path / "a.png", 9 * MEGABYTE)
    fit = UNDER_WAY // (9 * MEGABYTE * 4 // 3)
    gate = asyncio.Event()
    asked: list[int] = []

    async def between(pieces: int) -> None:
        del pieces
        await gate.wait()

    def may_send() -> bool:
        asked.append(1)
        return True

    async def main() -> None:
        api = Api(between)
        async with RunBlobClient("tok", transport=api, timeout=TIMEOUT) as client:
            first = [asyncio.create_task(submit(client, image, may_send)) for _ in range(fit)]
            await settle(lambda: api.begun == fit)
            late = await submit(client, image, may_send, patience=0.01)
            assert isinstance(late, Unsent)
            assert not late.unreachable
            assert (api.begun, len(asked)) == (fit, fit)
            gate.set()
            await asyncio.gather(*first)
            assert isinstance(await submit(client, image, may_send), Accepted)

    asyncio.run(main())


def test_an_upload_may_be_slow_as_long_as_it_goes_on(tmp_path: Path) -> None:
    """A connection that takes a piece now and then is waited for, longer than any fixed time."""
    size = 2 * MEGABYTE
    image = picture(tmp_path / "a.png", size)
    passed: list[float] = []

    async def slow(pieces: int) -> None:
        del pieces
        await asyncio.sleep(TIMEOUT - 1)
        passed.append(TIMEOUT - 1)

    assert isinstance(sent(Api(slow), image), Accepted)
    assert sum(passed) > 2 * (TIMEOUT + size / SLOWEST_UPLOAD)


def test_an_upload_that_stands_still_is_given_up_in_doubt(tmp_path: Path) -> None:
    """Some of it has left: nobody knows."""
    image = picture(tmp_path / "a.png", MEGABYTE)

    async def stuck(pieces: int) -> None:
        if pieces == 5:
            await asyncio.Event().wait()

    assert isinstance(sent(Api(stuck), image), InDoubt)


def test_an_answer_that_never_comes_is_given_up_as_well(tmp_path: Path) -> None:
    """All is written, and then there is silence."""
    image = picture(tmp_path / "a.png", MEGABYTE)
    api = Api()
    api.answer.clear()
    assert isinstance(sent(api, image), InDoubt)
    assert len(api.bodies) == 1


class Visitor:
    """Takes a slot, and keeps it until told to leave."""

    def __init__(self, slots: UploadSlots, size: int, inside: list[int]) -> None:
        self.go = asyncio.Event()
        self.task = asyncio.create_task(self._visit(slots, size, inside))

    async def _visit(self, slots: UploadSlots, size: int, inside: list[int]) -> None:
        async with slots.slot(size) as slot:
            inside.append(size)
            await self.go.wait()
            inside.remove(size)
            slot.leave()


async def calm() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_room_is_given_in_turn() -> None:
    """A large one is not overtaken for ever by small ones, and one larger than all goes alone."""

    async def main() -> None:
        slots, inside = UploadSlots(10), list[int]()
        first, large, small = (Visitor(slots, size, inside) for size in (6, 99, 1))
        await calm()
        assert inside == [6]
        first.go.set()
        await calm()
        assert inside == [99]
        large.go.set()
        await calm()
        assert inside == [1]
        small.go.set()
        await asyncio.gather(first.task, large.task, small.task)

    asyncio.run(main())


def test_who_gives_up_waiting_holds_nothing() -> None:
    """Whoever stood behind goes in as soon as there is room for it."""

    async def main() -> None:
        slots, inside = UploadSlots(10), list[int]()
        first = Visitor(slots, 6, inside)
        large, small = Visitor(slots, 10, inside), Visitor(slots, 4, inside)
        await calm()
        assert inside == [6]
        large.task.cancel()
        await calm()
        assert inside == [6, 4]
        first.go.set()
        small.go.set()
        await asyncio.gather(first.task, small.task)

    asyncio.run(main())


def test_who_is_cancelled_when_its_turn_comes_gives_the_room_back() -> None:
    """The room was given in the same moment, before it could take note."""

    async def main() -> None:
        slots = UploadSlots(10)
        async with slots.slot(10) as slot:
            waiting = asyncio.create_task(slots.enter(10))
            await calm()
            slot.leave()
            waiting.cancel()
            await calm()
        assert waiting.cancelled()
        async with asyncio.timeout(0), slots.slot(10):
            pass

    asyncio.run(main())
