"""Without a password: an address that works once lets its reader in, and nobody else comes in."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from support.site import Folder, Site, enter, serving

from batchsora.web import entering
from batchsora.web.entering import PREFIX, Opening

HTML = {"Accept": "text/html"}
PASSWORD = "a-password-of-the-tests"
ELSEWHERE = {**HTML, "Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def stranger(site: Site) -> Iterator[httpx.Client]:
    """Somebody who knows the port alone."""
    with httpx.Client(base_url=site.url) as found:
        yield found


def is_inside(http: httpx.Client) -> bool:
    """Check whether this client sees pages."""
    return http.get("/batches/1").status_code == 200


def leads_to(answer: httpx.Response) -> str:
    """Read where a page that goes on leads."""
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', answer.text)
    assert found is not None, answer.text
    return found[1]


def test_an_address_lets_one_browser_in(site: Site, stranger: httpx.Client) -> None:
    """Its answer goes on to the page by itself, with a session; another address is told at once."""
    address = site.entrance
    answer = stranger.get(address, headers=HTML)
    assert (answer.status_code, leads_to(answer)) == (200, "/")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith(f"batchsora-{site.url.rpartition(':')[2]}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert is_inside(stranger)
    assert site.entrance != address
    with httpx.Client(base_url=site.url) as second:
        refused = second.get(address, headers=HTML)
        assert refused.status_code == 403
        assert "no longer works" in refused.text
        assert "terminal" in refused.text
        assert "set-cookie" not in refused.headers
        assert not is_inside(second)
        second.get(site.entrance)
        assert is_inside(second)
    assert is_inside(stranger)


def test_of_many_at_the_same_time_one_comes_in(site: Site) -> None:
    """Whoever else asked with the same ticket is refused."""
    address = site.entrance
    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(lambda _: httpx.get(address).status_code, range(16)))
    assert sorted(said) == [200] + [403] * 15


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Sec-Purpose": "prefetch"}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"X-Moz": "prefetch"}),
        ("GET", {"X-Purpose": "preview"}),
    ],
)
def test_looking_ahead_uses_nothing_up(
    site: Site, stranger: httpx.Client, method: str, headers: dict[str, str]
) -> None:
    """A browser that fetches what its person might open comes in only when it is opened."""
    address = site.entrance
    assert stranger.request(method, address, headers=HTML | headers).status_code == 403
    assert not is_inside(stranger)
    assert stranger.get(address).status_code == 200
    assert is_inside(stranger)


def test_who_is_inside_needs_no_new_address(site: Site, stranger: httpx.Client) -> None:
    """An old one leads to the page, and the session stays."""
    old = site.entrance
    stranger.get(old)
    session, newest = dict(stranger.cookies), site.entrance
    assert leads_to(stranger.get(old)) == "/"
    assert dict(stranger.cookies) == session
    assert site.entrance == newest


def test_inside_without_the_key_the_newest_address_gives_one(
    site: Site, stranger: httpx.Client
) -> None:
    """The connection broke before the key was kept; the session without a key ends."""
    stranger.get(site.entrance, headers=HTML)
    before = dict(stranger.cookies)
    refused = stranger.post("/batches/1/pause", headers={"Origin": site.url})
    assert refused.status_code == 403
    assert "newest address" in refused.text
    enter(stranger, site.entrance)
    assert stranger.post("/batches/1/pause").status_code == 204
    assert httpx.get(f"{site.url}/batches/1", cookies=before).status_code == 401


def test_inside_without_the_key_the_password_gives_one(world: Folder) -> None:
    """As above; but only to a form of our own page."""
    with serving(world, PASSWORD) as site, httpx.Client(base_url=site.url) as http:
        http.get("/login")
        form = {"password": PASSWORD}
        assert http.post("/login", data=form, headers={"Origin": site.url}).status_code == 204
        before = dict(http.cookies)
        assert http.get("/batches/1").status_code == 200
        refused = http.post("/batches/1/pause", headers={"Origin": site.url})
        assert refused.status_code == 403
        assert "open /login" in refused.text
        elsewhere = {"Origin": "http://127.0.0.1:1"}
        assert http.post("/login", data=form, headers=elsewhere).status_code == 403
        again = http.post("/login", data=form, headers={"Origin": site.url})
        key = json.loads(again.headers["HX-Trigger"])["entered"]["key"]
        change = {"Origin": site.url, "X-CSRF-Token": key}
        assert http.post("/batches/1/pause", headers=change).status_code == 204
        assert httpx.get(f"{site.url}/batches/1", cookies=before).status_code == 401


@pytest.mark.parametrize("guess", ["", "x", "x" * 43, "é", "a/b", "%00", "..%2f", "x" * 5000])
def test_guesses_keep_nobody_out(site: Site, stranger: httpx.Client, guess: str) -> None:
    """However many there are: the owner comes in at once, from the same address."""
    for _ in range(15):
        assert stranger.get(f"/enter/{guess}", headers=HTML).status_code == 403
    assert not is_inside(stranger)
    stranger.get(site.entrance)
    assert is_inside(stranger)


def test_a_stranger_is_told_how_to_come_in(stranger: httpx.Client) -> None:
    """A page without a form for people, plain text for programs; no cookie for either."""
    for path in ("/", "/batches/1", "/login", "/logout", "/nothing", "/metrics"):
        page = stranger.get(path, headers=HTML)
        assert page.status_code == 401
        assert "batchsora web" in page.text
        assert "<form" not in page.text
        assert "password" not in page.text.lower()
        assert "X-CSRF" not in page.text
        text = stranger.get(path)
        assert text.status_code == 401
        assert text.headers["content-type"].startswith("text/plain")
        assert "BATCHSORA_WEB_PASSWORD" in text.text
    assert stranger.get("/static/style.css").status_code == 200
    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert not stranger.cookies


def routes_of(app: Starlette) -> list[tuple[str, str]]:
    """List every method and path, with numbers for what stands in braces."""
    found = []
    for route in app.routes:
        assert isinstance(route, Route | Mount)
        if isinstance(route, Route):
            path = re.sub(r"\{[^}]*\}", "1", route.path)
            found += [(method, path) for method in route.methods or ()]
    return found


def test_every_route_is_closed(site: Site, stranger: httpx.Client) -> None:
    """Each that there is, by each method, even with a token that fits a session of no rights."""
    door = site.app.state.door
    session = door.new_session()
    stranger.cookies.set(f"batchsora-{site.url.rpartition(':')[2]}", session)
    stranger.headers["X-CSRF-Token"] = door.csrf_token(session)
    routes = [one for one in routes_of(site.app) if one[1] not in ("/healthz", "/enter/1")]
    assert len(routes) > 40
    for method, path in routes:
        answer = stranger.request(method, path)
        assert answer.status_code == 401, (method, path)
    assert site.folder.bought() == []


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_cookie_alone_changes_nothing(world: Folder, password: str | None) -> None:
    """Browsers send it to every port of the host: whoever listens on another one only reads."""
    with (
        serving(world, password, webhooks={}) as site,
        httpx.Client(base_url=site.url, timeout=60) as owner,
        httpx.Client(base_url=site.url, timeout=60) as thief,
    ):
        if password is None:
            enter(owner, site.entrance)
        else:
            owner.headers["X-CSRF-Token"] = re.findall(
                r'X-CSRF-Token": "(\w+)"', owner.get("/login").text
            )[0]
            said = owner.post("/login", data={"password": password}).headers["HX-Trigger"]
            owner.headers["X-CSRF-Token"] = json.loads(said)["entered"]["key"]
        key = owner.headers["X-CSRF-Token"]
        thief.cookies.update(owner.cookies)
        thief.headers.update(HTML)
        assert "prompts" in thief.get("/").text
        reads = [path for method, path in routes_of(site.app) if method == "GET"]
        for path in (*reads, "/nothing", "/static/nothing", "/batches/1?part=head", "/enter/x"):
            with thief.stream("GET", path) as answer:
                if path != "/events":
                    answer.read()
                    assert key not in answer.text, path
                assert key not in str(answer.headers.raw)
        for path in ("/hooks/nothing", "/batches/1/pause", "/login", "/logout", "/generate"):
            answer = thief.post(path, headers={"Origin": site.url})
            assert answer.status_code in (403, 404), path
            assert "X-CSRF" not in answer.text
            assert key not in answer.text
        assert owner.post("/batches/1/pause").status_code == 204
        assert site.folder.bought() == []


def test_logging_out_ends_the_session(site: Site, stranger: httpx.Client) -> None:
    """Then the page says how to come in again: by the address that was told last."""
    enter(stranger, site.entrance)
    session = dict(stranger.cookies)
    answer = stranger.post("/logout")
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/")
    assert not is_inside(stranger)
    assert httpx.get(site.url, cookies=session).status_code == 401
    stranger.get(site.entrance)
    assert is_inside(stranger)


def test_a_link_on_another_site_costs_no_session(site: Site, stranger: httpx.Client) -> None:
    """A browser sends no cookie then: it is made to ask again by itself, and gets no other one."""
    path = "/batches/1/jobs?state=failed&q=%22%3E"
    answer = stranger.get(path, headers=ELSEWHERE)
    assert answer.status_code == 200
    assert leads_to(answer).replace("&amp;", "&") == path
    assert "set-cookie" not in answer.headers
    assert leads_to(stranger.get("/enter/old", headers=ELSEWHERE)) == "/"
    host = site.url.removeprefix("http://")
    for path in ("//evil.example/", "/\\evil.example/", "///evil.example"):
        request = httpx.Request("GET", site.url, headers={**ELSEWHERE, "Host": host})
        request.url = httpx.URL(site.url).copy_with(raw_path=path.encode())
        assert leads_to(stranger.send(request)) == "/evil.example" + "/" * path.endswith("/")


def test_with_a_password_there_is_no_such_address(world: Folder) -> None:
    """None is told, and none works; a link on another site costs no session there either."""
    with serving(world, PASSWORD) as site:
        assert site.tickets == []
        assert httpx.get(f"{site.url}/enter/", headers=HTML).headers["location"] == "/login"
        assert httpx.get(f"{site.url}/enter/").status_code == 401
        assert "set-cookie" not in httpx.get(site.url, headers=ELSEWHERE).headers


def test_the_file_that_leads_on_is_the_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser's arguments name the file, never the address; it goes when the ticket is used."""
    opened: list[str] = []
    shown: list[str] = []
    monkeypatch.setattr(entering, "open_browser", opened.append)
    new = Opening("http://127.0.0.1:1/", shown.append, tmp_path, browser=True)
    new("first")
    (folder,) = tmp_path.glob(f"{PREFIX}*")
    (page,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert page.stat().st_mode & 0o777 == 0o600
    assert "url=http://127.0.0.1:1/enter/first" in page.read_text()
    assert opened == [page.as_uri()]
    new("second")
    assert shown == ["http://127.0.0.1:1/enter/first", "http://127.0.0.1:1/enter/second"]
    assert len(opened) == 1
    assert not folder.exists()
    new.close()


@pytest.mark.parametrize("fails", ["home", "both"])
def test_without_a_place_for_the_file_the_address_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """The system's own place is the second; where neither can be written, no browser is opened."""
    opened: list[str] = []
    shown: list[str] = []
    monkeypatch.setattr(entering, "open_browser", opened.append)
    place = tmp_path / "temporary"
    if fails == "home":
        place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    new = Opening("http://127.0.0.1:1/", shown.append, tmp_path / "gone", browser=True)
    new("first")
    assert shown == ["http://127.0.0.1:1/enter/first"]
    assert len(opened) == (fails == "home")
    new.close()
    assert list(tmp_path.rglob("*.html")) == []


def test_a_terminal_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    """The next address can't be shown, and whoever has the last one comes in."""

    def gone(_: str) -> None:
        raise BrokenPipeError

    Opening("http://127.0.0.1:1/", gone, tmp_path, browser=False)("first")


@pytest.fixture
def fresh(browser: Browser, site: Site) -> Iterator[Callable[[], Page]]:
    """Make pages of browsers that were never here."""
    contexts = []

    def make() -> Page:
        contexts.append(browser.new_context(base_url=site.url))
        return contexts[-1].new_page()

    yield make
    for context in contexts:
        context.close()


def test_a_browser_comes_in_by_the_address(site: Site, fresh: Callable[[], Page]) -> None:
    """And stays in when it is loaded again; another browser with the same address does not."""
    address, page = site.entrance, fresh()
    page.goto(address)
    page.wait_for_url(f"{site.url}/")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    page.reload()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    assert page.evaluate("document.body.getAttribute('hx-headers')") is None
    page.goto("/batches/1")
    page.get_by_role("button", name="Archive").click()
    expect(page.locator("#said")).to_contain_text("archived")
    page.goto(address)
    page.wait_for_url(f"{site.url}/")
    second = fresh()
    second.goto(address)
    expect(second.get_by_role("heading", name="This address no longer works")).to_be_visible()
    second.goto(site.url)
    expect(second.get_by_role("heading", name="You are not logged in")).to_be_visible()


def test_an_interrupted_entry_is_mended_by_the_next_address(
    site: Site, fresh: Callable[[], Page]
) -> None:
    """The connection breaks between the page that goes on and its script."""
    page = fresh()
    page.route("**/static/enter.js", lambda route: route.abort())
    page.goto(site.entrance)
    page.wait_for_url(f"{site.url}/")
    page.unroute("**/static/enter.js")
    page.goto("/batches/1")
    page.get_by_role("button", name="Archive").click()
    expect(page.locator("#trouble")).to_contain_text("newest address")
    page.goto(site.entrance)
    page.wait_for_url(f"{site.url}/")
    page.goto("/batches/1")
    page.get_by_role("button", name="Archive").click()
    expect(page.locator("#said")).to_contain_text("archived")


def test_an_open_page_says_that_its_session_ended(site: Site, fresh: Callable[[], Page]) -> None:
    """By *Log out* in another tab: it does not try for ever to be told of changes."""
    page = fresh()
    page.goto(site.entrance)
    page.wait_for_url(f"{site.url}/")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    other = page.context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Log out").click()
    for one in (other, page):
        expect(one.get_by_role("heading", name="You are not logged in")).to_be_visible(
            timeout=20_000
        )


@pytest.mark.parametrize("path", ["/", "/enter/used"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_strangers_see_is_for_everybody(
    fresh: Callable[[], Page], path: str, scheme: Literal["light", "dark"]
) -> None:
    """axe-core finds nothing, and a phone never scrolls sideways."""
    page = fresh()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(path)
    expect(page.get_by_role("heading")).to_be_visible()
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_browser_comes_in_by_the_file(
    site: Site, fresh: Callable[[], Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leads on from the disk to the page: the session's cookie is sent."""
    opened: list[str] = []
    monkeypatch.setattr(entering, "open_browser", opened.append)
    Opening(f"{site.url}/", lambda _: None, tmp_path, browser=True)(site.tickets[-1])
    page = fresh()
    page.goto(opened[0])
    page.wait_for_url(f"{site.url}/")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")


def test_a_browser_logs_in_with_the_password(world: Folder, browser: Browser) -> None:
    """A wrong one is told in the form. What it is given then is kept: changes are done."""
    with serving(world, PASSWORD) as site:
        context = browser.new_context(base_url=site.url)
        page = context.new_page()
        page.goto("/")
        expect(page.get_by_role("link", name="Generate")).to_have_count(0)
        page.get_by_label("Password").fill("another one")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#problem")).to_have_text("Wrong password.")
        expect(page.locator("#trouble")).to_have_text("")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{site.url}/")
        page.goto("/batches/1")
        page.get_by_role("button", name="Archive").click()
        expect(page.locator("#said")).to_contain_text("archived")
        context.close()
