"""Fetching files from real servers that break off, lie, redirect and resume."""

import asyncio
import errno
import gzip
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from batchsora.fetch import Fetched, FetchError, fetch_video
from batchsora.fetch.part import BLOCK, FORCE_EVERY, Part
from batchsora.providers.runblob.transport import Transport
from batchsora.sandbox.mp4 import make_mp4

VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 12_000
LONG = VIDEO * 4
PACKED_PAGE = gzip.compress(b"<html>expired</html>", mtime=0)
OTHER = b"\0\0\0\x18ftypisom" + b"\x07" * 100_000


@dataclass
class Files:
    """A file server that answers each request with what the next step of its script makes of it."""

    steps: list[Callable[[dict[str, str]], bytes]]
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then hang up."""
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (ln.partition(": ") for ln in lines)
            }
            self.asked.append(headers | {"path": lines[0].split()[1]})
            writer.write(self.steps.pop(0)(headers))
            await writer.drain()
        except ConnectionError:
            pass  # the client had seen enough
        finally:
            writer.close()


@asynccontextmanager
async def serving(*steps: Callable[[dict[str, str]], bytes]) -> AsyncIterator[Files]:
    files = Files(list(steps))
    listening = await asyncio.start_server(files.serve, "127.0.0.1", 0)
    files.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v.mp4"
    try:
        yield files
    finally:
        listening.close()


def head(status: str, **headers: object) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def whole(
    video: bytes = VIDEO, etag: str = '"v1"', cut: int | None = None
) -> Callable[[dict[str, str]], bytes]:
    """Answer as file servers do, ranges and all; ``cut`` breaks off after so many bytes."""

    def step(asked: dict[str, str]) -> bytes:
        start = 0
        if "range" in asked and asked.get("if-range", etag) == etag:
            start = int(asked["range"].removeprefix("bytes=").removesuffix("-"))
        rest = video[start:]
        sent = rest if cut is None else rest[:cut]
        if not start:
            return head("200 OK", Content_Length=len(rest), ETag=etag) + sent
        reach = f"bytes {start}-{len(video) - 1}/{len(video)}"
        found = head("206 Partial", Content_Length=len(rest), Content_Range=reach, ETag=etag)
        return found + sent

    return step


def raw(answer: bytes) -> Callable[[dict[str, str]], bytes]:
    return lambda _: answer


async def get(files: Files, target: Path, **options: object) -> Fetched:
    transport = Transport(proxies={})
    async with httpx.AsyncClient(transport=transport, timeout=20) as http:
        return await fetch_video(http, files.url, target, allow_private=True, **options)  # type: ignore[arg-type]


async def begun(target: Path, count: int) -> None:
    """Fetch exactly so many bytes; on a real socket those still in buffers would be lost."""

    class Breaking(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield VIDEO[:count]
            raise httpx.ReadError("reset")

    def handler(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Length": str(len(VIDEO)), "ETag": '"v1"'}
        return httpx.Response(200, headers=headers, stream=Breaking())

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        with pytest.raises(FetchError) as caught:
            await fetch_video(http, "http://127.0.0.1/v", target, allow_private=True)
    assert not caught.value.expired


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole(tmp_path: Path) -> None:
    """It has the name, size and hash that are reported, and nothing else stays behind."""
    seen: list[int] = []

    async def main() -> Fetched:
        async with serving(whole()) as files:
            found = await get(files, tmp_path / "v.mp4", progress=seen.append)
            assert "authorization" not in files.asked[0]
            assert files.asked[0]["user-agent"].startswith("batchsora/")
            return found

    found = asyncio.run(main())
    assert found == Fetched(tmp_path / "v.mp4", len(VIDEO), hashlib.sha256(VIDEO).hexdigest())
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO
    assert left_in(tmp_path) == ["v.mp4"]
    assert seen == sorted(seen)
    assert seen[-1] == len(VIDEO)


def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    """What came before the break is not fetched again, and the hash is that of the whole."""
    target = tmp_path / "v.mp4"

    asyncio.run(begun(target, 1_500_000))
    assert left_in(tmp_path) == ["v.mp4.part", "v.mp4.part.json"]

    async def main() -> tuple[Fetched, Files]:
        async with serving(whole()) as files:
            return await get(files, target), files

    found, files = asyncio.run(main())
    assert files.asked[0]["range"] == "bytes=1500000-"
    assert files.asked[0]["if-range"] == '"v1"'
    assert found.sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert left_in(tmp_path) == ["v.mp4"]


def test_a_server_that_breaks_off_again_and_again_still_gives_the_file(tmp_path: Path) -> None:
    """Every try goes on from what the ones before it left, whatever that is."""
    target = tmp_path / "v.mp4"

    async def main() -> Fetched:
        async with serving(*[whole(cut=1_200_000)] * 2, whole()) as files:
            for _ in range(2):
                with pytest.raises(FetchError):
                    await get(files, target)
                assert not target.exists()
            return await get(files, target)

    assert asyncio.run(main()).sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert left_in(tmp_path) == ["v.mp4"]


def test_an_end_that_comes_too_early_is_no_end(tmp_path: Path) -> None:
    """A body that ends without an error, yet shorter than announced, is not the file."""

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": "200000"}, stream=Short())

    class Short(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield OTHER

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            with pytest.raises(FetchError, match="broke off after"):
                await fetch_video(
                    http, "http://127.0.0.1/v", tmp_path / "v.mp4", allow_private=True
                )

    asyncio.run(main())
    assert not (tmp_path / "v.mp4").exists()


def test_another_version_is_begun_anew(tmp_path: Path) -> None:
    """A server that answers 200 to a resumption has another file now: nothing is mixed."""

    async def main() -> Fetched:
        await begun(tmp_path / "v.mp4", 50_000)
        async with serving(whole(OTHER, etag='"v2"')) as files:
            return await get(files, tmp_path / "v.mp4")

    assert asyncio.run(main()).sha256 == hashlib.sha256(OTHER).hexdigest()
    assert (tmp_path / "v.mp4").read_bytes() == OTHER


@pytest.mark.parametrize(
    "lie",
    [
        head("206 Partial", Content_Range="bytes 0-9/10", Content_Length=10) + b"x" * 10,
        head("206 Partial", Content_Range="nonsense", Content_Length=10) + b"x" * 10,
        head("206 Partial", Content_Length=10) + b"x" * 10,
        head(
            "206 Partial",
            Content_Range="bytes 50000-59999/60000",
            Content_Length=10_000,
            ETag='"v2"',
        )
        + b"x" * 10_000,
    ],
)
def test_a_resumption_that_does_not_fit_is_thrown_away(lie: bytes, tmp_path: Path) -> None:
    """A part of something else never becomes a part of ours; the next try begins anew."""

    async def main() -> Files:
        await begun(tmp_path / "v.mp4", 50_000)
        async with serving(raw(lie), whole()) as files:
            with pytest.raises(FetchError, match="different content"):
                await get(files, tmp_path / "v.mp4")
            await get(files, tmp_path / "v.mp4")
            return files

    assert "range" not in asyncio.run(main()).asked[1]
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO


def test_a_range_that_can_not_be_served_is_begun_anew_at_once(tmp_path: Path) -> None:
    """A 416 costs no try."""
    refusal = raw(head("416 Range Not Satisfiable", Content_Length=0))

    async def main() -> None:
        await begun(tmp_path / "v.mp4", 50_000)
        async with serving(refusal, whole()) as files:
            await get(files, tmp_path / "v.mp4")

    asyncio.run(main())
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO


@pytest.mark.parametrize("damage", ["part", "note", "no note", "short part"])
def test_a_part_without_a_fitting_note_is_not_trusted(damage: str, tmp_path: Path) -> None:
    """After a power loss the part may hold anything: only what its note vouches for counts."""
    part, note = tmp_path / "v.mp4.part", tmp_path / "v.mp4.part.json"

    async def main() -> Files:
        await begun(tmp_path / "v.mp4", 50_000)
        async with serving(whole()) as files:
            match damage:
                case "part":
                    part.write_bytes(bytes(50_000))
                case "note":
                    note.write_text(json.dumps({"size": "many"}))
                case "no note":
                    note.unlink()
                case _:
                    os.truncate(part, 10)
            await get(files, tmp_path / "v.mp4")
            return files

    assert "range" not in asyncio.run(main()).asked[0]
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO
    assert left_in(tmp_path) == ["v.mp4"]


def test_bytes_after_the_noted_ones_are_cut_off(tmp_path: Path) -> None:
    """What a killed process wrote after its last note is fetched again."""

    async def main() -> Files:
        await begun(tmp_path / "v.mp4", 50_000)
        async with serving(whole()) as files:
            with (tmp_path / "v.mp4.part").open("ab") as part:
                part.write(b"torn")
            await get(files, tmp_path / "v.mp4")
            return files

    assert asyncio.run(main()).asked[0]["range"] == "bytes=50000-"
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO


@pytest.mark.parametrize("damage", ["torn", "zeros"])
def test_a_power_cut_leaves_what_was_forced_to_disk(damage: str, tmp_path: Path) -> None:
    """What was written since may be missing or rubbish: the older of the two marks still counts."""
    target = tmp_path / "v.mp4"
    part = tmp_path / "v.mp4.part"
    with Part.opened(target) as begun_part:
        begun_part.restart('"v1"')
        for start in range(0, FORCE_EVERY + 2 * BLOCK, BLOCK):
            begun_part.add(LONG[start : start + BLOCK])
        note = (tmp_path / "v.mp4.part.json").read_bytes()
        assert [size for size, _ in json.loads(note)["marks"]] == [
            FORCE_EVERY,
            FORCE_EVERY + 2 * BLOCK,
        ]
    (tmp_path / "v.mp4.part.json").write_bytes(note)  # as it was before an end in order
    if damage == "torn":
        os.truncate(part, FORCE_EVERY + BLOCK + 1)
    else:
        with part.open("r+b") as file:
            file.seek(FORCE_EVERY + BLOCK)
            file.write(bytes(BLOCK))

    async def main() -> Files:
        async with serving(whole(LONG)) as files:
            await get(files, target)
            return files

    assert asyncio.run(main()).asked[0]["range"] == f"bytes={FORCE_EVERY}-"
    assert target.read_bytes() == LONG
    assert left_in(tmp_path) == ["v.mp4"]


@pytest.mark.parametrize(
    ("answer", "expired"),
    [
        *(
            (head(f"{code} Refused", Content_Length=0), True)
            for code in (400, 401, 402, 403, 404, 405, 406, 409, 410, 416, 418, 423, 451, 499)
        ),
        *(
            (head(f"{code} Later", Content_Length=0), False)
            for code in (408, 425, 429, 500, 502, 503, 504, 520, 530)
        ),
        (head("204 No Content"), True),
        (head("304 Not Modified"), True),
        (head("200 OK", Content_Length=18) + b"<html>expired</html>"[:18], True),
        (head("200 OK", Content_Type="video/mp4") + b"<!doctype html><p>expired", True),
        (head("200 OK", Content_Type="video/mp4") + b'{"detail": "expired"}', True),
        (head("200 OK", Content_Type="video/mp4") + b"<?xml version='1.0'?><Error/>", True),
        (head("200 OK", Content_Length=5) + b"short", True),
        (head("200 OK", Content_Length=0), True),
        (head("200 OK"), True),
        (head("200 OK") + VIDEO, False),
        (head("200 OK", Content_Length=20) + VIDEO[:20], True),
        (head("200 OK", Content_Length=20, Content_Encoding="gzip") + VIDEO[:20], True),
        (head("200 OK", Content_Encoding="gzip") + PACKED_PAGE, True),
        (head("200 OK", Content_Encoding="gzip") + gzip.compress(OTHER, mtime=0)[:-1], False),
        (head("200 OK", Content_Encoding="gzip"), True),
        (head("200 OK", Content_Length=len(OTHER), Content_Encoding="br") + OTHER, True),
        (head("302 Found", Content_Length=0), True),
        (head("302 Found", Content_Length=0, Location="file:///etc/passwd"), True),
        (head("302 Found", Content_Length=0, Location="//"), False),
        (b"no HTTP at all\r\n\r\n", False),
        (b"", False),
    ],
)
def test_what_is_no_video_leaves_nothing(answer: bytes, expired: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a table's column
    """Error pages, empty files and files without an end never get the video's name.

    What may pass by itself is told from what needs another address.
    """

    async def main() -> None:
        async with serving(raw(answer)) as files:
            with pytest.raises(FetchError) as caught:
                await get(files, tmp_path / "v.mp4")
            assert caught.value.expired is expired

    asyncio.run(main())
    assert left_in(tmp_path) == []


def test_a_chunked_file_needs_no_length(tmp_path: Path) -> None:
    """Chunks say themselves where they end; a broken one is no file."""
    chunks = b"%x\r\n%b\r\n" % (len(OTHER), OTHER)
    answer = head("200 OK", Transfer_Encoding="chunked") + chunks

    async def main() -> Fetched:
        async with serving(raw(answer), raw(answer + b"0\r\n\r\n")) as files:
            with pytest.raises(FetchError):
                await get(files, tmp_path / "v.mp4")
            assert not (tmp_path / "v.mp4").exists()
            return await get(files, tmp_path / "v.mp4")

    assert asyncio.run(main()).sha256 == hashlib.sha256(OTHER).hexdigest()


WHOLE = make_mp4("gen-1", "9:16", 10)
PACKED = {"Content_Encoding": "gzip"}
SENT = {
    "gzip": (head("200 OK", **PACKED), gzip.compress(WHOLE)),
    "x-gzip": (head("200 OK", Content_Encoding="X-GZip"), gzip.compress(WHOLE)),
    "two gzips": (
        head("200 OK", ETag='"v1"', **PACKED),
        gzip.compress(WHOLE[:999]) + gzip.compress(WHOLE[999:]),
    ),
    "until closed": (head("200 OK", Connection="close"), WHOLE),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", WHOLE),
    "a part without being asked": (
        head("206 Partial", Content_Range=f"bytes 0-{len(WHOLE) - 1}/{len(WHOLE)}"),
        WHOLE,
    ),
    "a part of an unknown total": (
        head("206 Partial", Content_Range=f"bytes 0-{len(WHOLE) - 1}/*"),
        WHOLE,
    ),
}


@pytest.mark.parametrize("way", SENT)
def test_a_whole_file_is_taken_however_it_is_sent(way: str, tmp_path: Path) -> None:
    """Packed, or without a length; and one byte less of it is no file."""
    start, body = SENT[way]

    async def main() -> Fetched:
        async with serving(raw(start + body[:-1]), raw(start + body)) as files:
            with pytest.raises(FetchError) as caught:
                await get(files, tmp_path / "v.mp4")
            assert not caught.value.expired
            assert not (tmp_path / "v.mp4").exists()
            return await get(files, tmp_path / "v.mp4")

    assert asyncio.run(main()).sha256 == hashlib.sha256(WHOLE).hexdigest()
    assert left_in(tmp_path) == ["v.mp4"]


def test_a_file_that_unpacks_without_end_is_not_kept(tmp_path: Path) -> None:
    """A small answer may hold a disk full of zeros: the limit counts what comes out."""
    bomb = gzip.compress(OTHER + bytes(50_000_000))
    answer = head("200 OK", Content_Length=len(bomb), **PACKED) + bomb
    seen: list[int] = []

    async def main() -> None:
        async with serving(raw(answer)) as files:
            with pytest.raises(FetchError, match="more than 2000000"):
                await get(files, tmp_path / "v.mp4", largest=2_000_000, progress=seen.append)

    asyncio.run(main())
    assert max(seen) <= 2_000_000
    assert left_in(tmp_path) == []


def test_what_came_packed_is_never_resumed(tmp_path: Path) -> None:
    """Ranges would count packed bytes: what broke off begins again, even with the same tag."""
    packed = gzip.compress(VIDEO, 0)
    broken = head("200 OK", Content_Length=len(packed), ETag='"v1"', **PACKED) + packed[:2_000_000]

    async def main() -> Files:
        async with serving(raw(broken), whole()) as files:
            with pytest.raises(FetchError):
                await get(files, tmp_path / "v.mp4")
            assert left_in(tmp_path) == []
            await get(files, tmp_path / "v.mp4")
            return files

    assert "range" not in asyncio.run(main()).asked[1]
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO


def test_a_part_is_not_joined_to_packed_bytes(tmp_path: Path) -> None:
    """A server that packs what it resumes with: thrown away, and begun again."""
    packed = gzip.compress(VIDEO[50_000:])
    reach = f"bytes 50000-{len(VIDEO) - 1}/{len(VIDEO)}"
    answer = head("206 Partial", Content_Range=reach, ETag='"v1"', **PACKED) + packed

    async def main() -> Files:
        await begun(tmp_path / "v.mp4", 50_000)
        async with serving(raw(answer), whole()) as files:
            with pytest.raises(FetchError, match="different content"):
                await get(files, tmp_path / "v.mp4")
            await get(files, tmp_path / "v.mp4")
            return files

    assert "range" not in asyncio.run(main()).asked[1]
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO


@pytest.mark.parametrize("stops", [None, 60_000], ids=["at the end", "too early"])
def test_a_resumption_with_an_unknown_total(stops: int | None, tmp_path: Path) -> None:
    """The file itself shows whether it is whole; until then it is resumed again."""
    video = WHOLE + box_of_zeros(200_000) + b"\0\0\0\x08free"
    kept = len(WHOLE) + 10_000

    def rest(until: int | None) -> Callable[[dict[str, str]], bytes]:
        def step(asked: dict[str, str]) -> bytes:
            start = int(asked["range"].removeprefix("bytes=").removesuffix("-"))
            sent = video[start : None if until is None else start + until]
            reach = f"bytes {start}-{start + len(sent) - 1}/*"
            return head("206 Partial", Content_Range=reach, ETag='"v1"') + sent

        return step

    async def main() -> Fetched:
        with Part.opened(tmp_path / "v.mp4") as part:
            part.restart('"v1"')
            part.add(video[:kept])
        async with serving(rest(stops), rest(None)) as files:
            if stops is not None:
                with pytest.raises(FetchError, match="length is unknown") as caught:
                    await get(files, tmp_path / "v.mp4")
                assert not caught.value.expired
            return await get(files, tmp_path / "v.mp4")

    assert asyncio.run(main()).sha256 == hashlib.sha256(video).hexdigest()


def box_of_zeros(count: int) -> bytes:
    return (8 + count).to_bytes(4) + b"free" + bytes(count)


@pytest.mark.parametrize("known", [True, False], ids=["announced", "unannounced"])
def test_a_file_that_is_too_large_is_not_kept(known: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a table's column
    """The limit holds whether or not the server announces the size."""
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(OTHER), OTHER)
    chunked = raw(head("200 OK", Transfer_Encoding="chunked") + body)

    async def main() -> None:
        async with serving(whole(OTHER) if known else chunked) as files:
            with pytest.raises(FetchError, match="more than 50000"):
                await get(files, tmp_path / "v.mp4", largest=50_000)

    asyncio.run(main())
    assert left_in(tmp_path) == []


def test_redirects_are_followed_but_not_for_ever(tmp_path: Path) -> None:
    """Five redirects lead to the file, also relative ones; one more does not."""
    hop = raw(head("307 Temporary", Content_Length=0, Location="next.mp4"))

    async def main() -> Files:
        async with serving(*[hop] * 5, whole(), *[hop] * 6) as files:
            await get(files, tmp_path / "v.mp4")
            with pytest.raises(FetchError, match="too often"):
                await get(files, tmp_path / "w.mp4")
            return files

    files = asyncio.run(main())
    assert files.asked[5]["path"] == "/next.mp4"
    assert files.steps == []
    assert left_in(tmp_path) == ["v.mp4"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "inner"],  # noqa: S104 - a target, not a bind
)
def test_private_addresses_are_refused(host: str, tmp_path: Path) -> None:
    """A video's address never makes this program read from the machine's own network."""

    async def inner(_: str) -> Sequence[str]:
        return ["93.184.216.34", "192.168.0.7"]

    async def main() -> None:
        sent: list[httpx.Request] = []
        transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(200))
        async with httpx.AsyncClient(transport=transport) as http:
            with pytest.raises(FetchError, match="private"):
                await fetch_video(http, f"http://{host}/v", tmp_path / "v.mp4", resolve=inner)
        assert sent == []

    asyncio.run(main())


def test_every_hop_is_checked(tmp_path: Path) -> None:
    """A public address that redirects into the private network is refused as well."""

    async def public(_: str) -> Sequence[str]:
        return ["93.184.216.34"]

    async def main() -> None:
        sent: list[str] = []

        def handler(request: httpx.Request) -> httpx.Response:
            sent.append(str(request.url))
            return httpx.Response(302, headers={"Location": "http://169.254.169.254/latest"})

        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            with pytest.raises(FetchError, match="private"):
                await fetch_video(http, "https://cdn.example/v", tmp_path / "v.mp4", resolve=public)
        assert sent == ["https://cdn.example/v"]

    asyncio.run(main())


def test_the_same_file_is_not_fetched_twice_at_a_time(tmp_path: Path) -> None:
    """A second process, or task, does not write into the first one's part."""
    under_way, go_on = asyncio.Event(), asyncio.Event()

    class Slow(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            under_way.set()
            await go_on.wait()
            yield OTHER

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Length": str(len(OTHER))}, stream=Slow())

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            target = tmp_path / "v.mp4"
            url = "http://127.0.0.1/v"
            first = asyncio.create_task(fetch_video(http, url, target, allow_private=True))
            await under_way.wait()
            with pytest.raises(FetchError, match="another"):
                await fetch_video(http, url, target, allow_private=True)
            go_on.set()
            await first

    asyncio.run(main())
    assert (tmp_path / "v.mp4").read_bytes() == OTHER
    assert left_in(tmp_path) == ["v.mp4"]


def test_a_cancelled_download_can_be_resumed(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C keeps what has come; the final name stays free."""
    stuck = asyncio.Event()

    class Stuck(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield VIDEO[:2_000_000]
            stuck.set()
            await asyncio.Event().wait()

    def handler(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Length": str(len(VIDEO)), "ETag": '"v1"'}
        return httpx.Response(200, headers=headers, stream=Stuck())

    async def main() -> Files:
        target = tmp_path / "v.mp4"
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            task = asyncio.create_task(
                fetch_video(http, "http://127.0.0.1/v", target, allow_private=True)
            )
            await stuck.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not target.exists()
        async with serving(whole()) as files:
            await get(files, target)
            return files

    assert asyncio.run(main()).asked[0]["range"] == "bytes=2000000-"
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO


def test_a_folder_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    """A disk's error stays an ``OSError``: it is not the server's fault."""

    async def main() -> None:
        async with serving() as files:
            with pytest.raises(OSError, match="No such file") as caught:
                await get(files, tmp_path / "missing" / "v.mp4")
            assert caught.value.errno == errno.ENOENT

    asyncio.run(main())
