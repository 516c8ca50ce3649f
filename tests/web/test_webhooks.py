"""Callbacks on the page: hints that are answered at once, whoever sends them and whatever."""

import hashlib
import hmac
import json
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, select, update
from support.shell import started
from support.site import QUICK, Folder, Site, client, serving, soon

from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from batchsora.settings import DEFAULT_BASE_URL
from jobs.database.tables import ATTEMPT, JOB
from jobs.store.looks import ANNOUNCED

SECRET = "a-secret-of-the-tests"
PASSWORD = "a-password-of-the-tests"


@pytest.fixture
def site(world: Folder) -> Iterator[Site]:
    """The pages, with callbacks that need no signature."""
    with serving(world, webhooks={}) as found:
        yield found


def path_of(site: Site) -> str:
    """Read where callbacks are taken."""
    secret = (site.folder.path / ".batchsora" / "webhook").read_text().strip()
    return f"/hooks/{secret}"


def awaiting(site: Site) -> str:
    """Make an attempt of the night one that is awaited still; gives its generation's id."""

    def work(connection: Connection) -> str:
        found = connection.execute(
            select(ATTEMPT.c.id, ATTEMPT.c.generation_id, ATTEMPT.c.job_id)
            .where(ATTEMPT.c.state == "completed")
            .limit(1)
        ).one()
        connection.execute(
            update(ATTEMPT)
            .where(ATTEMPT.c.id == found.id)
            .values(state="accepted", next_look_at=site.web.clock.now().replace(year=2999))
        )
        connection.execute(update(JOB).where(JOB.c.id == found.job_id).values(state="pending"))
        name: str = found.generation_id
        return name

    return site.write(work)


def is_hinted(site: Site, name: str) -> bool:
    """Say whether the next look at a generation is now."""
    query = select(ATTEMPT.c.next_look_at).where(ATTEMPT.c.generation_id == name)
    return bool(site.read(lambda c: c.execute(query).scalar_one()) == ANNOUNCED)


def counted(site: Site, what: str) -> float:
    """Read a counter of callbacks."""
    with client(site) as http:
        text = http.get("/metrics").text
    found = re.search(rf'batchsora_callbacks_total{{what="{what}"}} (\S+)', text)
    assert found is not None
    return float(found[1])


def test_a_callback_brings_the_look_forward(site: Site) -> None:
    """At once, once; a replay, a stranger's id and an end that is known change nothing."""
    name = awaiting(site)
    body = {"generation_id": name, "status": "completed", "video_url": "http://evil.example/x"}
    url = site.url + path_of(site)
    assert httpx.post(url, json=body).status_code == 204
    assert soon(lambda: is_hinted(site, name))
    assert counted(site, "taken") == 1
    for told in (body, {"generation_id": "nobody"}, {"generation_id": "x'OR'1'='1"}):
        reply = httpx.post(url, json=told)
        assert (reply.status_code, reply.content) == (204, b"")
    assert (counted(site, "taken"), counted(site, "needless")) == (1, 3)
    query = select(ATTEMPT.c.state).where(ATTEMPT.c.generation_id == name)
    assert site.read(lambda c: c.execute(query).scalar_one()) == "accepted"
    with closing(sqlite3.connect(site.folder.path / "batchsora.db")) as raw:
        assert not [line for line in raw.iterdump() if "evil" in line]


NONSENSE = (
    b"", b"[]", b"null", b'"x"', b"{}", b'{"generation_id": 5}', b'{"generation_id": ["a"]}',
     b'{"generation_id": ""}', b'{"generation_id": "a b"}', b'{"generation_id": "\\ud800"}',
     b'{"generation_id": "' + b"a" * 201 + b'"}', b"[" * 60_000, b"\xff\xfe", b"{'a': 1}",
     b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
)  # fmt: skip


def test_nonsense_is_refused(site: Site) -> None:
    """With 400, and the page goes on."""
    for body in NONSENSE:
        assert httpx.post(site.url + path_of(site), content=body).status_code == 400, body[:40]
    assert httpx.get(f"{site.url}/healthz").json()["status"] == "ok"
    assert counted(site, "refused") == len(NONSENSE)


def test_a_callback_is_not_large(site: Site) -> None:
    """Beyond 64 KB it is 413, announced or not."""
    url = site.url + path_of(site)
    assert httpx.post(url, content=b" " * 70_000).status_code == 413
    assert httpx.post(url, content=iter([b" " * 40_000] * 2)).status_code == 413


def test_another_path_tells_nothing(site: Site) -> None:
    """All of them are the same 404."""
    secret, name = path_of(site).rpartition("/")[2], awaiting(site)
    for path in ("/hooks/", "/hooks/no", "/hooks/{}/", "/hooks/{}x", "/hooks/é", "/hooks/a/{}"):
        reply = httpx.post(site.url + path.format(secret), json={"generation_id": name})
        assert (reply.status_code, reply.text) == (404, "Not Found\n")
    assert not is_hinted(site, name)


def test_without_webhooks_there_is_no_such_path(world: Folder) -> None:
    """Nor is anything else let through to it under a foreign name."""
    with serving(world) as site:
        headers = {"Host": "videos.example"}
        assert httpx.post(site.url + path_of(site), json={}, headers=headers).status_code == 421
        with client(site) as http:
            assert http.post(path_of(site), json={}).status_code == 404


def test_a_tunnel_reaches_the_callbacks_alone(site: Site) -> None:
    """Under a name that nobody allowed, the pages are closed and callbacks are taken."""
    name = awaiting(site)
    headers = {"Host": "videos.example"}
    for path in ("", "/hooks/x", path_of(site), "//hooks/x", "/hooks/../metrics"):
        assert httpx.get(site.url + path, headers=headers).status_code == 421
    for path in ("/batches/1/pause", "/hooks/../batches/1/pause", "//hooks/x"):
        assert httpx.post(site.url + path, headers=headers).status_code in (404, 421)
    reply = httpx.post(site.url + path_of(site), headers=headers, json={"generation_id": name})
    assert reply.status_code == 204
    assert soon(lambda: is_hinted(site, name))


def test_a_signature_is_checked(world: Folder) -> None:
    """Where a secret is set, a callback without the right one is 401, and changes nothing."""

    def signed(body: bytes) -> str:
        return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()

    with serving(world, webhooks={"secret": SECRET}) as site:
        name, url = awaiting(site), site.url + path_of(site)
        body = json.dumps({"generation_id": name}).encode()
        for forged in (None, "", "0" * 64, "é", signed(body + b" "), signed(body)[:-1]):
            header = [] if forged is None else [(b"X-RunBlob-Signature", forged.encode())]
            assert httpx.post(url, content=body, headers=header).status_code == 401
        assert not is_hinted(site, name)
        right = httpx.post(url, content=body, headers={"X-RunBlob-Signature": signed(body)})
        assert right.status_code == 204
        assert soon(lambda: is_hinted(site, name))


def test_a_flood_is_told_to_come_later(world: Folder) -> None:
    """More than it reads in a second gets 429; the pages are served meanwhile, and others after."""
    with serving(world, webhooks={"rate": 5.0}) as site, client(site) as http:
        url = site.url + path_of(site)
        said = [http.post(url, json={"generation_id": "x"}).status_code for _ in range(200)]
        assert set(said) == {204, 429}
        assert said.count(429) > 100
        assert http.get("/").status_code == 200
        assert soon(lambda: http.post(url, json={"generation_id": "x"}).status_code == 204)


def test_a_slow_sender_is_let_go(world: Folder) -> None:
    """A body that comes byte by byte is 408 and its connection closed, on callbacks and pages."""
    with serving(world, webhooks={"patience": 0.5}, patience=0.5) as site:
        with client(site) as http:
            token = http.headers["X-CSRF-Token"]
            (cookie,) = (f"{name}={value}" for name, value in http.cookies.items())
        for path in (path_of(site), "/generate"):
            with socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2]))) as wire:
                wire.settimeout(20)
                head = (
                    f"POST {path} HTTP/1.1\r\nHost: {site.url[7:]}\r\nContent-Length: 1000\r\n"
                    f"X-CSRF-Token: {token}\r\nCookie: {cookie}\r\n"
                    "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
                )
                wire.sendall(head.encode() + b"{")
                answer = b""
                while chunk := wire.recv(4096):
                    answer += chunk
                assert answer.startswith(b"HTTP/1.1 408 "), answer


def test_a_run_hears_of_its_ends_through_the_page(tmp_path: Path) -> None:
    """With two minutes between looks, a run of seconds ends by callbacks alone."""
    with SandboxServer(World(time_scale=400.0), secret=SECRET) as api:
        folder = Folder(tmp_path, api)
        (tmp_path / "prompts.csv").write_text("id,prompt\na,a kite\nb,an owl\nc,a fox\n")
        with serving(folder, webhooks={"secret": SECRET}) as site:
            began = time.monotonic()
            words = [*QUICK, "--poll-interval", "120", "--callback-base", site.url]
            assert folder.call("run", "prompts.csv", "--budget", "5", "--yes", *words) == 0
            assert time.monotonic() - began < 100
            assert counted(site, "taken") == 3
            sent = site.read(lambda c: c.execute(select(JOB.c.callback_url)).scalars().all())
            assert sent == [None, None, None]
        assert sorted(folder.bought()) == ["a fox", "a kite", "an owl"]


def test_the_command_says_where(tmp_path: Path) -> None:
    """It prints the path; what can be reached from outside needs a password."""
    settings = {"BATCHSORA_BASE_URL": DEFAULT_BASE_URL}
    with started(tmp_path, "--webhooks", "--port", "0", **settings) as process:
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "BATCHSORA_WEB_PASSWORD" in said
    with started(
        tmp_path, "--webhooks", "--port", "0", **settings, BATCHSORA_WEB_PASSWORD=PASSWORD
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
    secret = (tmp_path / ".batchsora" / "webhook").read_text().strip()
    assert lines[1] == f"callbacks are received on /hooks/{secret}\n"
    assert "BATCHSORA_WEBHOOK_SECRET" in lines[3]
