"""Who may ask the pages for what: foreign hosts and origins, tokens, sizes, the door."""

import json
import re
import socket
from collections.abc import Iterator

import httpx
import pytest
from support.clock import HandClock
from support.site import Folder, Site, client, serving

from batchsora.web.login import IDLE, Door, network_of

PASSWORD = "a-password-of-the-tests"
CHANGE = "/batches/1/pause"


def cookies(http: httpx.Client) -> str:
    """Write the cookies of a client as a header's value."""
    return "; ".join(f"{name}={value}" for name, value in http.cookies.items())


def raw(site: Site, request: bytes) -> bytes:
    """Send bytes as they are; gives the head of the answer."""
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        return connection.recv(65536).partition(b"\r\n")[0]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]", "a b"])
def test_a_foreign_host_is_refused(site: Site, host: str) -> None:
    """A name that was pointed at this machine from outside sees nothing (DNS rebinding)."""
    head = raw(site, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert head.split()[1] in (b"421", b"400"), head


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("127.0.0.1", b"200"),
        ("localhost", b"421"),
        ("LOCALHOST", b"421"),
        ("localhost.", b"421"),
        ("[::1]", b"421"),
        ("127.0.0.2", b"421"),
    ],
)
def test_the_own_address_is_served(site: Site, name: str, status: bytes) -> None:
    """No other one of this machine: another account may be the one who listens there."""
    port = site.url.rpartition(":")[2]
    head = raw(
        site, f"GET /healthz HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode()
    )
    assert head.split()[1] == status, head


def test_who_asks_for_localhost_is_told_the_address(site: Site) -> None:
    """A person who types it sees what to open."""
    host = site.url.removeprefix("http://").replace("127.0.0.1", "localhost")
    answer = httpx.get(site.entrance, headers={"Host": host})
    assert (answer.status_code, "127.0.0.1, not localhost" in answer.text) == (421, True)
    assert "set-cookie" not in answer.headers
    assert httpx.get(site.entrance).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site", "Origin": None},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": None},
        {"Cookie": ""},
        {"Cookie": "batchsora=" + "x" * 43},
    ],
)
def test_a_change_comes_from_our_own_pages(
    http: httpx.Client, site: Site, headers: dict[str, str | None]
) -> None:
    """Another origin, a missing or foreign token or session changes nothing."""
    sent = {**http.headers, **headers}
    if "Cookie" in headers:
        http.cookies.clear()
    answer = http.build_request("POST", CHANGE)
    answer.headers = httpx.Headers({k: v for k, v in sent.items() if v is not None})
    answer.headers["Host"] = site.url.removeprefix("http://")
    answer.headers["Content-Length"] = "0"
    assert http.send(answer).status_code == 403
    with client(site) as again:
        assert "paused" not in again.get("/batches/1?part=head").text


def test_a_change_of_our_own_is_done(http: httpx.Client) -> None:
    """The counterpart: with all of it in place the change lands."""
    assert http.post(CHANGE).status_code == 204
    assert "paused" in http.get("/batches/1?part=head").text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_every_way_to_change_is_guarded(site: Site, method: str) -> None:
    """Not only POST: whatever is not a read is asked for its token."""
    with httpx.Client(base_url=site.url) as bare:
        assert bare.request(method, CHANGE).status_code == 403


@pytest.mark.parametrize("path", ["/", "/batches/1", "/nothing", "/static/app.js", "/events"])
def test_every_answer_says_what_a_browser_may_do(site: Site, path: str) -> None:
    """No script from elsewhere or inline, no frames, no sniffing; on errors as well."""
    with httpx.stream("GET", f"{site.url}{path}") as answer:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_no_page_has_anything_inline(http: httpx.Client) -> None:
    """What the policy would refuse is not there to begin with."""
    for path in ("/", "/batches/1", "/batches/1/jobs", "/jobs/1", "/jobs/4", "/nothing"):
        text = http.get(path, headers={"Accept": "text/html"}).text
        assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", text), path


def test_a_body_is_as_large_as_its_page_takes(http: httpx.Client) -> None:
    """More is refused: where it is announced before it is read, else as soon as it is too much."""

    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    announced = http.post("/jobs/4/resolve", content=b"x" * (2 * 1024**2), headers=form)
    assert announced.status_code == 413
    streamed = http.post("/jobs/4/resolve", content=endless(), headers=form)
    assert streamed.status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", "x"])
def test_a_length_that_is_none_is_refused(site: Site, length: str) -> None:
    """Whatever stands there, it is no way past the limit."""
    host = site.url.removeprefix("http://")
    head = raw(
        site,
        f"POST {CHANGE} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode(),
    )
    assert head.split()[1] in (b"400", b"403", b"413"), head


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/vendor/../../web_context.py",
        "/batches/1%00",
        "/jobs/99999999999999999999999",
    ],
)
def test_no_path_leads_out(http: httpx.Client, site: Site, path: str) -> None:
    """Static files are those of the package's folder, and numbers are numbers."""
    host = site.url.removeprefix("http://")
    head = raw(
        site,
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies(http)}\r\n"
        "Connection: close\r\n\r\n".encode(),
    )
    assert head.split()[1] in (b"404", b"400"), head


def test_beyond_the_door_nobody_comes_in_without_the_password(world: Folder) -> None:
    """Pages, parts, events and changes are closed; the password opens them, for this session."""
    with serving(world, PASSWORD) as site, httpx.Client(base_url=site.url) as http:
        assert http.get("/batches/1", headers={"Accept": "text/html"}).status_code == 303
        for path in ("/", "/batches/1", "/batches/1/jobs?part", "/jobs/1", "/events"):
            assert http.get(path).status_code == 401, path
        assert log_in(http, "wrong") == 403
        assert http.get("/").status_code == 401
        assert log_in(http) == 204
        assert http.get("/").status_code == 200
        assert http.post("/logout", headers={"HX-Request": "true"}).status_code == 204
        assert http.get("/").status_code == 401
        programs = {"Authorization": f"Bearer {PASSWORD}"}
        assert http.get("/", headers=programs).status_code == 200


def log_in(http: httpx.Client, password: str = PASSWORD) -> int:
    """Type a password as a browser does; gives the answer's status."""
    page = http.get("/login")
    token = re.search(r'X-CSRF-Token": "(\w+)"', page.text)
    assert token is not None
    http.headers.update({"X-CSRF-Token": token[1], "Origin": str(http.base_url).rstrip("/")})
    answer = http.post("/login", data={"password": password})
    if answer.status_code == 204:  # a new session, whose browser gets a key of its own
        http.headers["X-CSRF-Token"] = json.loads(answer.headers["HX-Trigger"])["entered"]["key"]
    return answer.status_code


def test_guessing_takes_for_ever(world: Folder) -> None:
    """After some wrong passwords even the right one has to wait, from the same address."""
    with serving(world, PASSWORD) as site, httpx.Client(base_url=site.url) as http:
        said = [log_in(http, str(n)) for n in range(12)]
        assert said.count(403) <= 11
        assert said[-1] == 429
        assert log_in(http) == 429
        wrong = {"Authorization": f"Bearer {PASSWORD}"}
        assert http.get("/", headers=wrong).status_code == 401


def test_guesses_count_whatever_a_guesser_says_of_itself(world: Folder) -> None:
    """No header names another address; what is remembered is no text of the guesser's own."""
    right = {"Authorization": f"Bearer {PASSWORD}"}
    with serving(world, PASSWORD) as site:
        for number in range(12):
            names = {"X-Forwarded-For": f"10.9.0.{number}" + "x" * number * 1000}
            wrong = {"Authorization": f"Bearer wrong-{number}", **names}
            assert httpx.get(site.url, headers=wrong).status_code == 401
        for names in ({}, {"X-Forwarded-For": "10.8.0.1"}, {"Forwarded": "for=10.8.0.1"}):
            assert httpx.get(site.url, headers=right | names).status_code == 401


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("", "unknown"),
        ("x" * 50_000, "unknown"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("fe80::7%" + "x" * 50_000, "fe80::/64"),
        ("::1", "::1"),
    ],
)
def test_guessers_are_named_by_their_network(address: str, name: str) -> None:
    """In few bytes, whatever stands there."""
    assert network_of(address) == name


@pytest.mark.parametrize("coding", ["utf-8", "latin-1"])
def test_a_program_sends_a_password_that_is_not_ascii(world: Folder, coding: str) -> None:
    """As programs write it: UTF-8, or Latin-1."""
    password = "s\u00fc\u00dfer-geht-es-kaum"
    with serving(world, password) as site:
        sent = {b"Authorization": f"Bearer {password}".encode(coding)}
        assert httpx.get(site.url, headers=sent).status_code == 200


@pytest.mark.parametrize(("said", "is_secure"), [("https", True), ("http", False), (None, False)])
def test_behind_tls_the_session_is_for_tls_alone(
    world: Folder, said: str | None, *, is_secure: bool
) -> None:
    """A server in front says by which scheme the browser asked."""
    with serving(world, PASSWORD) as site:
        headers = {} if said is None else {"X-Forwarded-Proto": said}
        cookie = httpx.get(f"{site.url}/login", headers=headers).headers["set-cookie"]
        assert ("; Secure" in cookie) is is_secure


def test_who_guesses_keeps_the_owner_not_out(world: Folder) -> None:
    """Behind a proxy all come from one address: a browser that had the password is known again."""
    with (
        serving(world, PASSWORD) as site,
        httpx.Client(base_url=site.url) as owner,
        httpx.Client(base_url=site.url) as guesser,
    ):
        assert log_in(owner) == 204
        assert owner.get("/").status_code == 200
        assert [log_in(guesser, str(n)) for n in range(12)][-1] == 429
        assert owner.get("/").status_code == 200
        assert owner.post("/logout", headers={"HX-Request": "true"}).status_code == 204
        assert log_in(owner, "wrong") == 403
        assert log_in(owner) == 204
        forged = dict.fromkeys(owner.cookies, "x" * 22 + "." + "0" * 64)
        with httpx.Client(base_url=site.url, cookies=forged) as other:
            assert log_in(other) == 429


def test_a_session_is_the_servers_own(world: Folder) -> None:
    """An id that it never made is replaced; who logs in gets a new one, and the old one nothing."""
    with serving(world, PASSWORD) as site, httpx.Client(base_url=site.url) as http:
        name = f"batchsora-{site.url.rpartition(':')[2]}"
        made = httpx.get(f"{site.url}/login", cookies={name: "x" * 43}).cookies[name]
        assert made != "x" * 43
        http.get("/login")
        before = http.cookies[name]
        assert log_in(http) == 204
        inside = http.cookies[name]
        assert inside != before
        for old in (before, "x" * 43, inside[:-1] + ("0" if inside[-1] != "0" else "1")):
            assert httpx.get(site.url, cookies={name: old}).status_code == 401
        assert httpx.get(site.url, cookies={name: inside}).status_code == 200
        with httpx.stream("GET", f"{site.url}/events", cookies={name: inside}) as events:
            lines = events.iter_lines()
            assert next(lines) == "event: changed"
            assert http.post("/logout", headers={"HX-Request": "true"}).status_code == 204
            assert all("event" not in line for line in list(lines)[2:]), "it hears no more"
        assert httpx.get(site.url, cookies={name: inside}).status_code == 401


@pytest.mark.parametrize(
    ("waits", "is_in"),
    [
        ((IDLE - 1,) * 5, True),
        ((IDLE + 1,), False),
        ((IDLE / 2,) * 27, True),
        ((IDLE / 2,) * 29, False),
    ],
)
def test_a_session_ends(waits: tuple[float, ...], *, is_in: bool) -> None:
    """Twelve hours after it was used last, and after a week in any case."""
    clock = HandClock()
    door = Door(PASSWORD, clock)
    session = door.let_in()
    for wait in waits:
        clock.advance(wait)
        seen = door.is_open(session)
    assert seen is is_in


def test_an_open_page_is_no_use_of_a_session() -> None:
    """It asks to be told of changes as long as it is open, whether anybody looks at it or not."""
    clock = HandClock()
    door = Door(None, clock)
    session = door.let_in()
    for _ in range(12):
        assert door.is_open(session, used=False)
        clock.advance(IDLE / 12)
    assert door.is_open(session, used=False)
    clock.advance(1)
    assert not door.is_open(session, used=False)


def test_being_told_of_changes_is_no_use(http: httpx.Client, site: Site) -> None:
    """The same by HTTP: every other request is one."""
    (session,) = http.cookies.values()
    inside = site.app.state.door._inside[session]
    for path, is_use in (("/events", False), ("/batches/1?part=head", True)):
        before = inside.seen
        with http.stream("GET", path) as answer:
            assert answer.status_code == 200
            next(answer.iter_lines())
        assert (inside.seen > before) is is_use


def test_two_gigabytes_are_not_taken(http: httpx.Client, site: Site) -> None:
    """Announced, they are refused unread; unannounced, what goes beyond the limit is dropped."""
    head = (
        f"POST /manifests HTTP/1.1\r\nHost: {site.url[7:]}\r\nOrigin: {site.url}\r\n"
        f"X-CSRF-Token: {http.headers['X-CSRF-Token']}\r\n"
        f"Cookie: {cookies(http)}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n"
    )
    announced = f"{head}Content-Length: {2 * 1024**3}\r\n\r\n"
    assert raw(site, announced.encode()).startswith(b"HTTP/1.1 413 ")
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    begin = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    with socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2]))) as wire:
        wire.settimeout(60)
        wire.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        wire.sendall(f"{len(begin):x}\r\n".encode() + begin + b"\r\n")
        for _ in range(600):
            wire.sendall(piece)
        assert wire.recv(1024).startswith(b"HTTP/1.1 413 ")
        assert not list((site.web.folder / "manifests").glob("*.part"))
    assert http.get("/healthz").status_code == 200
