"""Every way in which a connection can break, on real sockets, and what the engine is told of it."""

import asyncio
import gzip
import socket
import ssl
import struct
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from batchsora.providers.runblob.adapter import RunBlobProvider
from batchsora.providers.runblob.client import RunBlobClient
from batchsora.providers.runblob.errors import RunBlobError
from batchsora.providers.runblob.transport import USER_AGENT, Transport
from batchsora.providers.runblob.wire import LARGEST_ANSWER
from jobs.model.provider import (
    Accepted,
    GenerationRequest,
    InDoubt,
    RefusalCause,
    Refused,
    SubmitOutcome,
    UnreachableError,
    Unsent,
)

TOKEN = "tok-very-secret-1234"
REQUEST = GenerationRequest("a red kite over snow", "9:16", 10)
CREATED = b'{"generation_id": "gen-1", "status": "pending", "price": "0.1200"}'
SHORT = 1.0
"""Seconds of patience in tests whose server stays silent."""


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    if not any(line.lower().startswith("content-length") for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Line:
    """One connection as the server sees it, with what it read so far."""

    server: "Server"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes | None:
        """Read one request whole; None when the client hangs up."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.server.noise += getattr(error, "partial", b"")
            return None
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self.server.requests.append(head + await self.reader.readexactly(length))
        return self.server.requests[-1]

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Line], Awaitable[None]]


@dataclass
class Server:
    """A server on loopback whose every connection behaves as the test says."""

    behaviour: Behaviour
    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    noise: bytes = b""

    @property
    def posts(self) -> int:
        """Count the POSTs that arrived."""
        return sum(request.startswith(b"POST") for request in self.requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            await self.behaviour(Line(self, reader, writer))
        except ConnectionError:
            pass  # the client hung up first, as some of these tests want it to
        finally:
            writer.close()


@asynccontextmanager
async def serving(behaviour: Behaviour) -> AsyncIterator[Server]:
    server = Server(behaviour)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


async def submitted(
    client: RunBlobClient, may_send: Callable[[], bool] = lambda: True
) -> SubmitOutcome:
    return await RunBlobProvider(client).submit(REQUEST, "key-1", may_send)


def outcome_against(behaviour: Behaviour, timeout: float = 20) -> tuple[SubmitOutcome, Server]:
    async def main() -> tuple[SubmitOutcome, Server]:
        async with (
            serving(behaviour) as server,
            RunBlobClient(TOKEN, base_url=server.url, timeout=timeout) as client,
        ):
            return await submitted(client), server

    return asyncio.run(main())


def replying(*pieces: bytes) -> Behaviour:
    """Answer one request with these bytes, then hang up."""

    async def behave(line: Line) -> None:
        if await line.request() is not None:
            for piece in pieces:
                await line.send(piece)

    return behave


async def drop(line: Line) -> None:
    await line.request()


async def reset(line: Line) -> None:
    await line.request()
    line.reset()


async def silent(line: Line) -> None:
    await line.request()
    await line.reader.read()


async def trickle(line: Line) -> None:
    """Never be silent for long, and come to a good end after three times the client's patience."""
    await line.request()
    for _ in range(60):
        await line.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        await asyncio.sleep(SHORT / 20)
    await line.send(answer("201 Created", CREATED))


BROKEN_OFF = answer("201 Created", CREATED[:20], f"Content-Length: {len(CREATED)}")
ENDLESS = CREATED + b" " * LARGEST_ANSWER


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(drop, id="dropped"),
        pytest.param(reset, id="reset"),
        pytest.param(replying(b"HTTP/1.1 201 Cre"), id="status cut off"),
        pytest.param(replying(BROKEN_OFF), id="body cut off"),
        pytest.param(replying(b"\x00\xff\r\n\r\n" * 9), id="no HTTP"),
        pytest.param(replying(b"HTTP/1.1 201 OK\r\nContent-Length: x\r\n\r\n"), id="bad length"),
        pytest.param(replying(b"HTTP/1.1 201 OK\r\nA: " + b"b" * 99_999), id="endless header"),
        pytest.param(replying(answer("201 Created", b"<html>")), id="no JSON"),
        pytest.param(replying(answer("201 Created", b"[" * 99_999)), id="nested JSON"),
        pytest.param(
            replying(answer("201 Created", b'{"price": 1e' + b"9" * 30 + b"}")), id="1e99"
        ),
        pytest.param(replying(answer("201 Created", b'{"price": "0.12"}')), id="no id"),
        pytest.param(replying(answer("201 Created", b'{"generation_id": "../x"}')), id="bad id"),
        pytest.param(replying(answer("204 No Content", b"")), id="204"),
        pytest.param(replying(answer("201 OK", ENDLESS)), id="too large"),
        pytest.param(
            replying(answer("201 OK", gzip.compress(ENDLESS), "Content-Encoding: gzip")),
            id="gzip bomb",
        ),
        pytest.param(replying(answer("201 OK", b"?", "Content-Encoding: gzip")), id="bad gzip"),
        pytest.param(replying(answer("408 Timeout", b"{}")), id="408"),
        pytest.param(replying(answer("409 Conflict", b"{}")), id="409"),
        pytest.param(replying(answer("418 Teapot", b"{}")), id="418"),
        pytest.param(replying(answer("500 Error", b"{}")), id="500"),
        pytest.param(replying(answer("503 Busy", b"{}", "Retry-After: 1")), id="503"),
    ],
)
def test_what_breaks_after_the_request_was_read_is_in_doubt(behaviour: Behaviour) -> None:
    """Whatever follows a request that the server read, the POST arrives once and is in doubt."""
    outcome, server = outcome_against(behaviour)
    assert isinstance(outcome, InDoubt)
    assert server.posts == 1
    assert server.connections == 1


@pytest.mark.parametrize("behaviour", [silent, trickle], ids=["silent", "trickling"])
def test_silence_is_in_doubt(behaviour: Behaviour) -> None:
    """A server that never finishes its answer uses up our patience, and leaves a doubt."""
    outcome, server = outcome_against(behaviour, timeout=SHORT)
    assert isinstance(outcome, InDoubt)
    assert server.posts == 1


def test_a_status_that_came_counts_although_its_body_broke_off() -> None:
    """A 402 says that nothing was created, with or without the rest of its explanation."""
    broken = answer("402 Payment Required", b'{"det', "Content-Length: 99")
    outcome, _ = outcome_against(replying(broken))
    assert isinstance(outcome, Refused)
    assert outcome.cause is RefusalCause.FUNDS


def test_an_early_refusal_of_a_large_upload_is_no_acceptance() -> None:
    """A server that answers 413 before it read the image: refused, or in doubt, and sent once."""

    async def behave(line: Line) -> None:
        await line.reader.readuntil(b"\r\n\r\n")
        line.server.requests.append(b"POST")
        await line.send(answer("413 Too Large", b"{}", "Connection: close"))

    async def main() -> tuple[Exception, int]:
        picture = b"\x89PNG\r\n\x1a\n" + bytes(5_000_000)
        async with (
            serving(behave) as server,
            RunBlobClient(TOKEN, base_url=server.url) as client,
        ):
            with pytest.raises(RunBlobError) as caught:
                await client.generate("x", image=picture)
            return caught.value, server.posts

    error, posts = asyncio.run(main())
    assert isinstance(error, RunBlobError)
    assert error.in_doubt or error.status == 413
    assert posts == 1


def test_a_dropped_reused_connection_is_in_doubt_and_nothing_is_sent_again() -> None:
    """Nothing below re-sends a POST whose kept-alive connection drops, as is done with reads."""

    async def behave(line: Line) -> None:
        if await line.request():
            await line.send(answer("200 OK", b'{"balance": "1"}'))
            await line.request()

    async def main() -> tuple[SubmitOutcome, Server]:
        async with (
            serving(behave) as server,
            RunBlobClient(TOKEN, base_url=server.url) as client,
        ):
            await client.get_balance()
            return await submitted(client), server

    outcome, server = asyncio.run(main())
    assert isinstance(outcome, InDoubt)
    assert server.connections == 1
    assert server.posts == 1


def test_a_connection_that_was_closed_while_idle_costs_no_doubt() -> None:
    """When the server's goodbye has arrived, the POST takes a new connection."""
    gone = asyncio.Event()

    async def behave(line: Line) -> None:
        asked = await line.request()
        if asked and asked.startswith(b"GET"):
            await line.send(answer("200 OK", b'{"balance": "1"}'))
            line.writer.close()
            await line.writer.wait_closed()
            gone.set()
        elif asked:
            await line.send(answer("201 Created", CREATED))

    async def main() -> tuple[SubmitOutcome, Server]:
        async with (
            serving(behave) as server,
            RunBlobClient(TOKEN, base_url=server.url) as client,
        ):
            await client.get_balance()
            await gone.wait()
            for _ in range(10):  # let the client's own loop read the goodbye
                await asyncio.sleep(0)
            return await submitted(client), server

    outcome, server = asyncio.run(main())
    assert outcome == Accepted("gen-1", 120_000)
    assert server.posts == 1


def refused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_refused_connection_is_known_unsent() -> None:
    """Where nobody listens nothing can have been bought."""

    async def main() -> SubmitOutcome:
        url = f"http://127.0.0.1:{refused_port()}"
        async with RunBlobClient(TOKEN, base_url=url) as client:
            return await submitted(client)

    outcome = asyncio.run(main())
    assert isinstance(outcome, Unsent)
    assert outcome.unreachable


class NoNames(AbstractResolver):
    """A resolver that knows nobody."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Find nothing."""
        raise OSError(f"no name {host}:{port} ({family})")

    async def close(self) -> None:
        """Nothing is open."""


def test_an_unknown_name_is_known_unsent() -> None:
    """A name without an address: nothing was sent."""

    async def main() -> SubmitOutcome:
        transport = Transport(resolver=NoNames())
        async with RunBlobClient(TOKEN, base_url="https://api.invalid", transport=transport) as c:
            return await submitted(c)

    outcome = asyncio.run(main())
    assert isinstance(outcome, Unsent)
    assert outcome.unreachable


async def speak_no_tls(line: Line) -> None:
    line.server.noise += await line.reader.read(1)
    await line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def hang_up_in_handshake(line: Line) -> None:
    line.server.noise += await line.reader.read(1)


async def never_shake_hands(line: Line) -> None:
    while data := await line.reader.read(65536):
        line.server.noise += data


@pytest.mark.parametrize(
    ("behaviour", "timeout"),
    [(speak_no_tls, 20.0), (hang_up_in_handshake, 20.0), (never_shake_hands, 2.0)],
)
def test_a_failed_tls_handshake_is_known_unsent(behaviour: Behaviour, timeout: float) -> None:
    """Before TLS stands, not a byte of the request leaves, however the handshake fails."""

    async def main() -> tuple[SubmitOutcome, bytes]:
        async with serving(behaviour) as server:
            url = server.url.replace("http:", "https:")
            async with RunBlobClient(TOKEN, base_url=url, timeout=timeout) as client:
                outcome = await submitted(client)
            return outcome, server.noise

    outcome, noise = asyncio.run(main())
    assert isinstance(outcome, Unsent)
    assert outcome.unreachable
    assert noise[:1] == b"\x16"  # a TLS hello did arrive
    assert b"POST" not in noise


def no_certificates(side: int) -> ssl.SSLContext:
    """Make TLS without certificates: anonymous Diffie-Hellman, so that tests need no key."""
    context = ssl.SSLContext(side)
    if side == ssl.PROTOCOL_TLS_CLIENT:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ADH-AES256-GCM-SHA384:@SECLEVEL=0")
    return context


def test_a_server_that_is_not_trusted_is_known_unsent() -> None:
    """A server without a certificate gets nothing from a client that wants one."""

    async def main() -> tuple[SubmitOutcome, list[bytes]]:
        server = Server(replying(answer("201 Created", CREATED)))
        listening = await asyncio.start_server(
            server.serve, "127.0.0.1", 0, ssl=no_certificates(ssl.PROTOCOL_TLS_SERVER)
        )
        port = listening.sockets[0].getsockname()[1]
        async with RunBlobClient(TOKEN, base_url=f"https://127.0.0.1:{port}") as client:
            outcome = await submitted(client)
        listening.close()
        return outcome, server.requests

    outcome, requests = asyncio.run(main())
    assert isinstance(outcome, Unsent)
    assert requests == []


def test_a_request_that_comes_too_late_is_held_back() -> None:
    """``may_send`` is asked once, after the connection stands; at its no, not a byte is written."""
    connected = []
    gone = asyncio.Event()

    async def behave(line: Line) -> None:
        await line.request()
        gone.set()

    async def main() -> tuple[SubmitOutcome, Server]:
        async with (
            serving(behave) as server,
            RunBlobClient(TOKEN, base_url=server.url) as client,
        ):

            def late() -> bool:
                connected.append(server.url)
                return False

            outcome = await submitted(client, late)
            await gone.wait()
            return outcome, server

    outcome, server = asyncio.run(main())
    assert isinstance(outcome, Unsent)
    assert not outcome.unreachable
    assert len(connected) == 1
    assert server.requests == []
    assert server.noise == b""


def test_cancelling_passes_through() -> None:
    """Whoever cancels a submission gets its cancellation, not an outcome."""
    read = asyncio.Event()

    async def behave(line: Line) -> None:
        await line.request()
        read.set()
        await line.reader.read()

    async def main() -> None:
        async with (
            serving(behave) as server,
            RunBlobClient(TOKEN, base_url=server.url) as client,
        ):
            task = asyncio.create_task(submitted(client))
            await read.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())


@pytest.mark.parametrize("status", ["301 Moved", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirected_post_is_in_doubt_and_not_repeated(status: str) -> None:
    """A redirect is not followed: neither the request nor the token goes anywhere else."""

    async def main() -> tuple[SubmitOutcome, Server, Server]:
        async with serving(drop) as elsewhere:
            moved = answer(status, b"", f"Location: {elsewhere.url}/v1/sora/generate")
            async with (
                serving(replying(moved)) as server,
                RunBlobClient(TOKEN, base_url=server.url) as client,
            ):
                return await submitted(client), server, elsewhere

    outcome, server, elsewhere = asyncio.run(main())
    assert isinstance(outcome, InDoubt)
    assert server.posts == 1
    assert elsewhere.connections == 0


def test_the_pool_does_not_throttle() -> None:
    """90 submissions are under way at once: none is answered before all were read."""
    count = 90
    all_here = asyncio.Event()

    async def behave(line: Line) -> None:
        await line.request()
        if len(line.server.requests) == count:
            all_here.set()
        await all_here.wait()
        await line.send(answer("201 Created", CREATED))

    async def main() -> list[SubmitOutcome]:
        async with (
            serving(behave) as server,
            RunBlobClient(TOKEN, base_url=server.url) as client,
        ):
            return await asyncio.gather(*(submitted(client) for _ in range(count)))

    assert asyncio.run(main()) == [Accepted("gen-1", 120_000)] * count


def test_what_goes_over_the_wire() -> None:
    """One POST carries the token, our name, the idempotency key and a length, not chunks."""
    outcome, server = outcome_against(replying(answer("201 Created", CREATED)))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.decode().split("\r\n")]
    assert outcome == Accepted("gen-1", 120_000)
    assert lines[0] == "post /v1/sora/generate http/1.1"
    assert f"authorization: bearer {TOKEN}" in lines
    assert f"user-agent: {USER_AGENT}" in lines
    assert "x-idempotency-key: key-1" in lines
    assert "content-type: application/json" in lines
    assert f"content-length: {len(body)}" in lines
    assert not any("chunked" in line for line in lines)
    assert body == b'{"prompt": "a red kite over snow", "orientation": "9:16", "duration": 10}'


def via_proxy(
    behaviour: Behaviour, base_url: str, user: str = "", no: str = ""
) -> tuple[SubmitOutcome, Server]:
    async def main() -> tuple[SubmitOutcome, Server]:
        async with serving(behaviour) as proxy:
            address = proxy.url.replace("http://", f"http://{user}")
            transport = Transport(proxies={"http": address, "https": address, "no": no})
            async with RunBlobClient(TOKEN, base_url=base_url, transport=transport) as client:
                return await submitted(client), proxy

    return asyncio.run(main())


def test_a_proxy_is_used_and_told_its_own_password() -> None:
    """A plain request goes to the proxy with the whole address and the proxy's credentials."""
    outcome, proxy = via_proxy(
        replying(answer("201 Created", CREATED)), "http://api.invalid", user="me:s%40fe@"
    )
    assert outcome == Accepted("gen-1", 120_000)
    head = proxy.requests[0].partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    assert head[0] == b"post http://api.invalid/v1/sora/generate http/1.1"
    assert b"proxy-authorization: basic bwu6c0bmzq==" in head


def test_a_proxy_that_refuses_a_tunnel_has_sent_nothing() -> None:
    """A refused CONNECT is known unsent, and shows the proxy neither the token nor the prompt."""
    outcome, proxy = via_proxy(
        replying(answer("407 No", b"")), "https://api.invalid", user="me:safe@"
    )
    assert isinstance(outcome, Unsent)
    assert outcome.unreachable
    assert proxy.requests[0].startswith(b"CONNECT api.invalid:443 ")
    assert b"proxy-authorization: basic bwu6c2fmzq==" in proxy.requests[0].lower()
    assert TOKEN.encode() not in proxy.requests[0]


def test_exceptions_to_the_proxy_are_kept() -> None:
    """``NO_PROXY`` sends a request the direct way."""
    url = f"http://127.0.0.1:{refused_port()}"
    outcome, proxy = via_proxy(drop, url, no="example.com,127.0.0.1")
    assert isinstance(outcome, Unsent)
    assert proxy.connections == 0


@pytest.mark.parametrize(
    "behaviour",
    [
        drop,
        replying(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        replying(answer("401 No", f'{{"detail": "bad token {TOKEN}"}}'.encode())),
        replying(answer("500 No", f'{{"detail": "at {TOKEN}"}}'.encode())),
        replying(answer("302 Found", b"", f"Location: https://x.example/{TOKEN}")),
    ],
    ids=["dropped", "no HTTP", "401", "500", "redirect"],
)
def test_the_token_shows_nowhere(behaviour: Behaviour, caplog: pytest.LogCaptureFixture) -> None:
    """No exception of a call, nothing in its chain, no repr and no log line has the token."""
    caplog.set_level(0)

    async def main() -> list[RunBlobError]:
        caught = []
        async with (
            serving(behaviour) as server,
            RunBlobClient(TOKEN, base_url=server.url) as client,
        ):
            assert TOKEN not in repr(client)
            for call in (client.generate("x"), client.get_balance(), client.status("a")):
                with pytest.raises(RunBlobError) as error:
                    await call
                caught.append(error.value)
        return caught

    for error in asyncio.run(main()):
        text = "".join(traceback.format_exception(error))
        link: BaseException | None = error
        while link is not None:
            text += f"{link!r} {link} {link.args!r} {vars(link)!r}"
            link = link.__cause__ or link.__context__
        assert TOKEN not in text
    assert TOKEN not in caplog.text


def test_a_read_without_an_answer_can_be_tried_again() -> None:
    """Reads are free: the engine is told to come back later, whatever broke."""

    async def main() -> None:
        async with (
            serving(drop) as server,
            RunBlobClient(TOKEN, base_url=server.url) as client,
        ):
            with pytest.raises(UnreachableError):
                await RunBlobProvider(client).balance()

    asyncio.run(main())
