"""Cookies that others of this host set: browsers send them to every port, and so to the page."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from playwright.sync_api import Browser, expect
from support.site import Folder, Site, client, serving

PASSWORD = "a-password-of-the-tests"
FOREIGN = [
    'prefs={"theme":"dark"}',  # JSON: many sites under development keep it so
    "consent",  # a cookie without a name
    "=consent",
    "version=2",  # the name of a cookie's attribute
    "path=/",
    "name=J\u00f6rg".encode().decode("latin-1"),
    "a[b]=1",
    "user@host=1",
    'open="',
    ";;",
]


def own(http: httpx.Client) -> str:
    """Write the cookies of a client as a header's value."""
    return "; ".join(f"{name}={value}" for name, value in http.cookies.items())


def status(site: Site, *cookies: str) -> int:
    """Ask for a page with headers of cookies as they are."""
    sent = [(b"Cookie", one.encode("latin-1")) for one in cookies]
    return httpx.get(site.url, headers=sent).status_code


@pytest.mark.parametrize("foreign", FOREIGN)
def test_another_s_cookie_costs_no_session(site: Site, foreign: str) -> None:
    """Before ours or behind it, and whether or not it is written as a cookie should be."""
    with client(site) as http:
        for sent in (f"{foreign}; {own(http)}", f"{own(http)};{foreign}"):
            assert status(site, sent) == 200
        assert status(site, foreign, own(http)) == 200
    assert status(site, foreign) == 401


def test_a_namesake_for_some_paths_costs_no_session(world: Folder) -> None:
    """A browser sends the cookie of the longer path first: the one that is inside counts."""
    with serving(world, PASSWORD) as site, httpx.Client(base_url=site.url) as http:
        token = re.search(r'X-CSRF-Token": "(\w+)"', http.get("/login").text)
        assert token is not None
        name = f"batchsora-{site.url.rpartition(':')[2]}"
        outside = http.cookies[name]
        headers = {"X-CSRF-Token": token[1], "Origin": site.url}
        answer = http.post("/login", data={"password": PASSWORD}, headers=headers)
        key = json.loads(answer.headers["HX-Trigger"])["entered"]["key"]
        for other in ("x", outside):
            sent = f"{name}={other}; {name}-known=x; {own(http)}"
            assert status(site, sent) == 200
            change = {"X-CSRF-Token": key, "Origin": site.url, "Cookie": sent}
            assert httpx.post(f"{site.url}/batches/1/pause", headers=change).status_code == 204
        assert status(site, f"{name}=x; {name}={outside}") == 401


@contextmanager
def other_site(script: str) -> Iterator[str]:
    """Serve a page on another port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = f"<!doctype html><title>other</title><script>{script}</script>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "script",
    [
        """document.cookie = 'prefs={"theme":"dark"}; path=/; max-age=99999'""",
        "document.cookie = 'consent'",
        "for (let n = 0; n < 400; n++) document.cookie = `n${n}=1; path=/`",
    ],
    ids=["json", "nameless", "400-cookies"],
)
def test_whoever_used_another_site_of_this_host_comes_in(
    browser: Browser, site: Site, script: str
) -> None:
    """In a real browser, by the address that works once."""
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    with other_site(script) as other:
        page.goto(other)
    page.goto(site.entrance)
    expect(page.locator("#link")).to_have_attribute("data-state", "live", timeout=20_000)
    context.close()
