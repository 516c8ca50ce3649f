"""Connections that ask for nothing: they are let go, and keep nobody out."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest
from support.site import Folder, Site, client, serving

from batchsora.web import live
from batchsora.web.live import bounded

HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


def wire(site: Site) -> socket.socket:
    """Connect, and wait for nothing longer than a minute."""
    host, port = site.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def is_let_go(connection: socket.socket) -> bool:
    """Wait until the other side ends a connection without an answer."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@contextmanager
def crowd(site: Site, count: int, said: bytes = HALF) -> Iterator[list[socket.socket]]:
    """Open many connections that begin a request, and end none."""
    with ExitStack() as stack:
        found = [stack.enter_context(wire(site)) for _ in range(count)]
        for one in found:
            one.sendall(said)
        yield found


@pytest.mark.parametrize("said", [b"", HALF, b"GET / HTTP/1.1\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(world: Folder, said: bytes) -> None:
    """Nothing, or some of it; also after an answer, on the same connection."""
    with serving(world, http=bounded(head_within=0.3)) as site, wire(site) as connection:
        connection.sendall(said)
        assert is_let_go(connection)


def test_bytes_that_drip_don_t_prolong_it(world: Folder) -> None:
    """One a moment keeps no connection open."""
    with serving(world, http=bounded(head_within=0.5)) as site, wire(site) as connection:
        connection.sendall(HALF)
        connection.settimeout(0.05)
        for _ in range(1000):
            with suppress(TimeoutError):
                assert is_let_go(connection)
                return
            with suppress(OSError):  # it was let go meanwhile: the next look tells
                connection.sendall(b"x")
        raise AssertionError("it is still open")


def test_a_head_after_an_answer_is_not_waited_for_either(world: Folder) -> None:
    """A connection that was kept alive, and begins another request."""
    with serving(world, http=bounded(head_within=0.3)) as site, wire(site) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        connection.sendall(HALF)
        assert is_let_go(connection)


def test_strangers_make_room(world: Folder) -> None:
    """More than there may be: the oldest go, and a person's page answers on its old connection."""
    with (
        serving(world, http=bounded(most=20)) as site,
        client(site) as http,
        wire(site) as kept,
    ):
        cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        head = f"GET /batches/1 HTTP/1.1\r\nHost: {site.url[7:]}\r\nCookie: {cookie}\r\n\r\n"
        request = head.encode()
        kept.sendall(request)
        answer = b""
        while not answer.rstrip().endswith(b"</html>"):
            answer += kept.recv(65536)
        with crowd(site, 60) as strangers:
            assert all(is_let_go(one) for one in strangers[:40])
            assert http.get("/batches/1").status_code == 200
            assert httpx.get(site.url + "/healthz").status_code == 200
            kept.sendall(request)
            assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")


def as_inside(http: httpx.Client, path: str) -> bytes:
    """Write a request of a session's cookie."""
    cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
    host = http.base_url.netloc.decode()
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode()


def test_one_session_keeps_nobody_out(world: Folder) -> None:
    """Whoever gets the cookie fills all places: its oldest go, neither the owner nor others."""
    with (
        serving(world, http=bounded(most=24)) as site,
        client(site) as other,
        client(site) as thief,
        ExitStack() as stack,
    ):
        assert other.get("/batches/1").status_code == 200
        request = as_inside(thief, "/batches/1?part=head")
        for _ in range(40):
            one = stack.enter_context(wire(site))
            one.sendall(request)
            assert one.recv(12) == b"HTTP/1.1 200"
        assert httpx.get(f"{site.url}/healthz").status_code == 200
        assert httpx.get(f"{site.url}/", cookies=dict(thief.cookies)).status_code == 200
        assert other.get("/batches/1").status_code == 200


def test_one_session_takes_not_all_places_of_open_pages(
    world: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest page of the session with the most goes; a page of another session stays."""
    monkeypatch.setattr(live, "MOST_PAGES", 6)
    with (
        serving(world) as site,
        client(site) as other,
        client(site) as thief,
        ExitStack() as stack,
    ):
        pages = [stack.enter_context(wire(site)) for _ in range(9)]
        for page, whose in zip(pages, [other] + [thief] * 8, strict=True):
            page.sendall(as_inside(whose, "/events"))
            assert page.recv(12) == b"HTTP/1.1 200"
            assert is_told(page)
        with other.stream("GET", "/events") as answer:
            assert answer.status_code == 200
            assert next(answer.iter_lines()) == "event: changed"
            assert other.post("/batches/1/pause").status_code == 204
            assert is_told(pages[0])
        for gone in pages[1:4]:
            assert not is_told(gone)


def is_told(page: socket.socket) -> bool:
    """Wait until a page is told of a change, or that no other one comes."""
    seen = b""
    while b"event: changed" not in seen:
        if b"\r\n0\r\n\r\n" in b"\r\n" + seen or not (said := page.recv(4096)):
            return False
        seen += said
    return True


@pytest.mark.parametrize(
    "body",
    [
        "Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nZZ\r\n",
        "Content-Length: 5\r\n\r\n",
    ],
)
@pytest.mark.parametrize("apart", [True, False])
def test_a_bad_body_is_no_fault_of_the_page(
    site: Site, caplog: pytest.LogCaptureFixture, body: str, *, apart: bool
) -> None:
    """A stranger's bytes write no traceback into the log, before an answer and behind it."""
    for path in ("/logout", "/healthz"):
        with wire(site) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: {site.url[7:]}\r\n"
            begin, end, rest = body.partition("\r\n\r\n")
            connection.sendall(f"{head}{begin}{end}{'' if apart else rest}".encode())
            if apart:
                assert connection.recv(65536).startswith(b"HTTP/1.1 40")
                connection.sendall(rest.encode())
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                while connection.recv(65536):
                    pass
    assert httpx.get(f"{site.url}/healthz").status_code == 200
    assert "Traceback" not in caplog.text
    assert "Exception" not in caplog.text


def test_a_form_that_breaks_off_is_no_error_of_the_page(
    world: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger who leaves in the middle of the login's form writes nothing into the log."""
    with serving(world, password="a-password-of-the-tests") as site:
        seen = httpx.get(f"{site.url}/login")
        csrf = re.search(r'X-CSRF-Token": "(\w+)"', seen.text)
        assert csrf is not None
        head = (
            f"POST /login HTTP/1.1\r\nHost: {site.url[7:]}\r\nX-CSRF-Token: {csrf[1]}\r\n"
            f"Cookie: {seen.headers['set-cookie'].partition(';')[0]}\r\nContent-Length: 99\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\npassword="
        )
        for _ in range(3):
            with wire(site) as connection:
                connection.sendall(head.encode())
                connection.shutdown(socket.SHUT_WR)
                connection.recv(65536)
        assert httpx.get(f"{site.url}/healthz").status_code == 200
    assert "Traceback" not in caplog.text
