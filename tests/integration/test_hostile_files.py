"""Servers of files that mean harm, and addresses that lead where no file should come from."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from support.hosts import Host, hosting, reply

from batchsora.fetch import FetchError, fetch_video
from batchsora.fetch.addresses import ADDRESSES, public, system_addresses
from batchsora.providers.runblob.transport import Transport

VIDEO = b"\0\0\0\x18ftypmp42" + b"\x07" * 5000


async def fetched(url: str, folder: Path, **options: Any) -> Path:
    resolver = options.pop("resolver", None)
    transport = Transport(proxies=options.pop("proxies", {}), resolver=resolver)
    async with httpx.AsyncClient(transport=transport, timeout=20) as http:
        return (await fetch_video(http, url, folder / "v.mp4", **options)).path


PRIVATE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.1", "0", "localhost",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fe80::1]", "[fd00::1]", "[fec0::1]", "[ff02::1]", "169.254.169.254",
    "[::ffff:a9fe:a9fe]", "100.64.0.1", "192.168.0.1", "255.255.255.255",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_no_way_to_write_a_private_address_leads_there(host: str, tmp_path: Path) -> None:
    """Decimal, octal, mapped, translated or by name: refused before anything is connected."""

    async def main() -> int:
        async with hosting(reply(VIDEO)) as inside:
            port = inside.url.rpartition(":")[2]
            with pytest.raises(FetchError, match="private"):
                await fetched(f"http://{host}:{port}/v", tmp_path)
            return inside.connections

    assert asyncio.run(main()) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_internet_is_public() -> None:
    """Addresses of real servers pass, also translated for a network without IPv4."""
    for address in ("93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822", "2002:5db8:d822::"):
        assert public(address)


UNREADABLE = [
    "http://[/v", "http://[::1/v", "http://xn--/v", "http://xn--a/v", f"http://{'a' * 64}.x/v",
    "http://a..b/v", "http://.x/v", "http://x:99999/v", "http://x:-1/v", "http://127.0.0.1./v",
    "http:///v", "http:v", "file:///etc/passwd", "ftp://x/v", "data:video/mp4;base64,AAAA",
    "javascript:0", "http://\uff11\uff12\uff17.0.0.1/v", "//", "http://x/" + "v" * 70_000,
]  # fmt: skip


@pytest.mark.parametrize("url", UNREADABLE, ids=lambda url: url[:24])
def test_an_address_that_is_none_is_told_and_breaks_nothing(url: str, tmp_path: Path) -> None:
    """As the video's address and as a redirect: an error of that file, not the end of the run."""

    async def nobody(host: str) -> Sequence[str]:
        # what the system says to a broken name, without asking it for one that might exist
        return () if host == "x" else await system_addresses(host)

    async def main() -> None:
        with pytest.raises(FetchError) as caught:
            await fetched(url, tmp_path, resolve=nobody)
        assert str(caught.value).isprintable()
        if "127" in url or "//x" in url or not url.isascii():
            return  # a redirect may lead to this machine here
        moved = reply(b"", f"Location: {url}", status="302 Found")
        async with hosting(moved) as host:
            with pytest.raises(FetchError):
                await fetched(host.url, tmp_path, allow_private=True)

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


class Rebinding(AbstractResolver):
    """Says, when a connection is made, that every name is this machine's."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        flags = socket.AI_NUMERICHOST
        here = ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=flags
        )
        return [here]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("told", [("93.184.216.34",), ()], ids=["another address", "no address"])
def test_a_name_that_changes_its_mind_is_not_followed(
    told: tuple[str, ...], tmp_path: Path
) -> None:
    """The connection goes to the addresses that were checked, and to none when there were none."""

    async def first(_: str) -> Sequence[str]:
        return told

    async def main() -> int:
        async with hosting(reply(VIDEO)) as inside:
            url = inside.url.replace("127.0.0.1", "cdn.example")
            # the other address is tried, and stopped by the rule that tests stay on this machine
            with pytest.raises((FetchError, RuntimeError), match=r"93\.184|no address"):
                await fetched(url, tmp_path, resolve=first, resolver=Rebinding())
            return inside.connections

    assert asyncio.run(main()) == 0


class Whole(httpx.AsyncByteStream):
    """A video, all at once."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield VIDEO


def test_a_request_names_the_addresses_of_every_hop(tmp_path: Path) -> None:
    """Each redirect is looked up once, and its connection is bound to what was found."""
    bound: list[tuple[str, Any]] = []

    async def look_up(host: str) -> Sequence[str]:
        return {"one.example": ["93.184.216.34"], "two.example": ["2606:4700::1111"]}[host]

    def handler(request: httpx.Request) -> httpx.Response:
        bound.append((request.url.host, request.extensions.get(ADDRESSES)))
        if request.url.host == "one.example":
            return httpx.Response(302, headers={"Location": "http://two.example/v"})
        return httpx.Response(200, headers={"Content-Length": "5012"}, stream=Whole())

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            await fetch_video(http, "http://one.example/", tmp_path / "v.mp4", resolve=look_up)

    asyncio.run(main())
    assert bound == [("one.example", ["93.184.216.34"]), ("two.example", ["2606:4700::1111"])]


def test_behind_a_proxy_the_proxy_looks_names_up(tmp_path: Path) -> None:
    """Where names are unknown here, the proxy gets the request, and is found by its own name."""

    async def nobody(_: str) -> Sequence[str]:
        return ()

    async def main() -> Host:
        async with hosting(reply(VIDEO)) as proxy:
            address = proxy.url.replace("127.0.0.1", "proxy.example")
            url = "http://cdn.example/v"
            await fetched(
                url, tmp_path, resolve=nobody, resolver=Rebinding(), proxies={"http": address}
            )
            return proxy

    assert asyncio.run(main()).heads[0].startswith("GET http://cdn.example/v ")
    assert (tmp_path / "v.mp4").read_bytes() == VIDEO


def test_a_redirect_in_a_circle_ends(tmp_path: Path) -> None:
    """An address that redirects to itself is asked six times, then given up."""

    async def main() -> Host:
        async with hosting(reply(b"", "Location: /v", status="302 Found")) as host:
            with pytest.raises(FetchError, match="too often"):
                await fetched(host.url, tmp_path, allow_private=True)
            return host

    assert asyncio.run(main()).connections == 6
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["http://cdn.example/v", "ftp://cdn.example/v", "file:///v"])
def test_a_redirect_never_leaves_the_protected_web(target: str, tmp_path: Path) -> None:
    """From https only https follows: neither an open connection nor another scheme."""
    sent: list[str] = []

    async def look_up(_: str) -> Sequence[str]:
        return ["93.184.216.34"]

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(str(request.url))
        return httpx.Response(302, headers={"Location": target})

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            url = "https://cdn.example/"
            with pytest.raises(FetchError, match=r"https to http|not a web address"):
                await fetch_video(http, url, tmp_path / "v.mp4", resolve=look_up)

    asyncio.run(main())
    assert sent == ["https://cdn.example/"]


def test_a_trickle_ends_and_is_gone_on_from(tmp_path: Path) -> None:
    """A server that is never silent for long uses up the time of a try; what came is kept."""
    size = 2_000_000
    video = VIDEO.ljust(size, b"\x07")

    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"", 'ETag: "v"', length=size) + video[:1_500_000])
        while True:
            writer.write(b"\x07")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def main() -> str:
        async with hosting(trickle) as host:
            with pytest.raises(FetchError, match="did not arrive within"):
                await fetched(host.url, tmp_path, allow_private=True, longest=0.3)
        note = (tmp_path / "v.mp4.part.json").read_text()
        rest = reply(video, 'ETag: "v"')
        async with hosting(rest) as host:
            await fetched(host.url, tmp_path, allow_private=True)
            assert "range: bytes=" in host.heads[0].lower()
        return note

    assert '"version": "\\"v\\""' in asyncio.run(main())
    assert (tmp_path / "v.mp4").read_bytes() == video


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"<!doctype html><title>ftyp</title>" * 9, "Content-Type: video/mp4"),
        reply(b"<html>" * 9, status="206 Partial Content"),
        reply(VIDEO, length=20) + b"HTTP/1.1 200 OK",
        reply(VIDEO, length=len(VIDEO) + 1),
        reply(VIDEO, "Content-Length: 7"),
        reply(VIDEO, length=10**17),
        reply(VIDEO, "Content-Encoding: gzip"),
        b"HTTP/1.1 200 \x1b[2J\r\nX\x1b[2J: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 99_999,
    ],
    ids=["HTML", "a part", "short", "long", "two", "huge", "packed", "escapes", "header"],
)
def test_what_is_not_the_whole_file_is_none(answer: bytes, tmp_path: Path) -> None:
    """Whatever a server says that it sends, only a whole MP4 gets the name."""

    async def main() -> None:
        async with hosting(answer) as host:
            try:
                await fetched(host.url, tmp_path, allow_private=True)
            except FetchError as error:
                said = str(error)
                assert said.isprintable()
                assert not (tmp_path / "v.mp4").exists()
            else:
                # a server that announces twenty bytes has sent its whole file with these
                assert (tmp_path / "v.mp4").read_bytes() == VIDEO[:20]

    asyncio.run(main())


@pytest.mark.parametrize("name", ["../../evil.mp4", "/etc/evil.mp4", "..\\evil.mp4", "a\x1b.mp4"])
def test_a_name_that_the_server_gives_is_not_heeded(name: str, tmp_path: Path) -> None:
    """The file goes where it was meant to, and a person's other secrets stay at home."""
    folder = tmp_path / "in"
    folder.mkdir()
    named = f'Content-Disposition: attachment; filename="{name}"'.replace("\x1b", "%1b")

    async def main() -> Host:
        async with hosting(reply(VIDEO, named, "Set-Cookie: a=b; Path=/")) as host:
            await fetched(host.url, folder, allow_private=True)
            return host

    head = asyncio.run(main()).heads[0].lower()
    assert "authorization" not in head
    assert "cookie" not in head
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "v.mp4"]
