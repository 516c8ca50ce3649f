"""Logging in as a person does, and pages that say what went wrong, in words."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect
from support.looks import check_look
from support.site import Folder, Site, serving

from batchsora.web.login import way_back

PASSWORD = "correct horse battery"


@pytest.fixture
def locked(world: Folder) -> Iterator[Site]:
    """The pages with a password."""
    with serving(world, PASSWORD) as found:
        yield found


@pytest.fixture
def stranger(browser: Browser, locked: Site) -> Iterator[Page]:
    """A browser that is not logged in."""
    context = browser.new_context(base_url=locked.url)
    yield context.new_page()
    context.close()


def log_in(page: Page, password: str) -> None:
    """Type a password."""
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_a_wrong_password_says_so_in_words(stranger: Page) -> None:
    """At its field, and nowhere as the source of a page; the right one is tried next."""
    stranger.goto("/batches/1/jobs?state=failed")
    log_in(stranger, "a wrong password")
    expect(stranger.locator("#problem")).to_contain_text("Wrong password")
    expect(stranger.get_by_label("Password")).to_be_focused()
    expect(stranger.locator("#trouble")).to_be_hidden()
    assert "<" not in stranger.locator("body").inner_text()
    log_in(stranger, PASSWORD)
    expect(stranger.get_by_role("heading", name="prompts")).to_be_visible()
    assert stranger.url.endswith("/batches/1/jobs?state=failed")


def test_too_many_wrong_passwords_say_when_to_try_again(stranger: Page) -> None:
    """In words, at the same place."""
    stranger.goto("/login")
    for _ in range(11):
        with stranger.expect_response("**/login*"):
            log_in(stranger, "a wrong password")
    expect(stranger.locator("#problem")).to_contain_text("Too many attempts")
    expect(stranger.locator("#trouble")).to_be_hidden()


HOSTILE = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/login?next=/",
    "/logout",
    "/enter/ticket",
    "/" + "x" * 3000,
    "/bätches",
    "",
)


@pytest.mark.parametrize("asked", HOSTILE)
def test_the_way_back_never_leads_elsewhere(asked: str) -> None:
    """Only a path of ours is opened after logging in."""
    assert way_back(asked) == "/"


@given(st.text(st.sampled_from("/\\\t\n\r .:@?#abc%\u2028"), max_size=12))
def test_any_way_back_is_on_this_host(asked: str) -> None:
    """Whatever is asked for, as browsers read addresses: without tabs and line ends."""
    to = way_back(asked)
    read = to.replace("\\", "/").translate({9: None, 10: None, 13: None}).strip()
    assert read == to
    assert read.startswith("/")
    assert not read.startswith("//")


@pytest.mark.parametrize("asked", ["//evil.example/", "https://evil.example/", "/batches/1?a=b"])
def test_the_form_leads_back_without_scripts_too(locked: Site, asked: str) -> None:
    """A browser's own form: the page that leads on has a path of ours."""
    html = {"Accept": "text/html", "Origin": locked.url}
    with httpx.Client(base_url=locked.url, headers=html) as http:
        form = {"password": PASSWORD, "next": asked}
        shown = http.get("/login", params={"next": asked}).text
        assert "evil" not in shown
        answer = http.post("/login", data=form)
        assert answer.status_code == 200
        to = asked if asked.startswith("/b") else "/"
        assert f'content="0;url={to}"' in answer.text
        assert http.get("/batches/1").status_code == 200


def test_what_is_asked_for_is_named_in_the_way_in(locked: Site) -> None:
    """With its filter; the first page needs no name."""
    html = {"Accept": "text/html"}
    there = httpx.get(f"{locked.url}/batches/1/jobs?state=failed", headers=html)
    assert there.headers["location"] == "/login?next=%2Fbatches%2F1%2Fjobs%3Fstate%3Dfailed"
    assert httpx.get(f"{locked.url}/", headers=html).headers["location"] == "/login"


def test_who_was_logged_out_is_told_in_words(stranger: Page) -> None:
    """Neither a question nor a change shows the way in as source, or within the page."""
    stranger.goto("/batches/1")
    log_in(stranger, PASSWORD)
    expect(stranger.locator("#link")).to_have_attribute("data-state", "live")
    stranger.route("**/events", lambda route: route.abort())
    stranger.context.clear_cookies()
    stranger.get_by_role("button", name="Remove").click()
    box = stranger.locator("#trouble")
    expect(box).to_contain_text("log in again")
    assert "<" not in box.inner_text()
    expect(stranger.get_by_label("Password")).to_have_count(0)
    box.get_by_role("button", name="Dismiss").click()
    expect(box).to_be_hidden()
    expect(box).to_have_text("")


@pytest.mark.parametrize(
    ("status", "kind", "body", "words"),
    [
        (502, "text/html", "<html><h1>Bad gateway</h1></html>", "The server failed at this"),
        (500, "text/plain", "<!doctype html><p>", "The server failed at this"),
        (413, "text/html", "<html>", "larger than the page accepts"),
        (429, "text/html", "", "Too many attempts"),
        (409, "text/plain", "nothing to retry", "nothing to retry"),
        (200, "text/html", "<!doctype html><title>x</title>", "another page"),
    ],
)
def test_an_error_box_never_shows_html(
    stranger: Page, status: int, kind: str, body: str, words: str
) -> None:
    """Whatever a proxy or the server says; the box is closed by a button and by Escape."""
    page = stranger
    page.route(
        "**/batches/1/remove*",
        lambda route: route.fulfill(status=status, content_type=kind, body=body),
    )
    page.goto("/batches/1")
    log_in(page, PASSWORD)
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Remove").click()
    box = page.locator("#trouble")
    expect(box).to_contain_text(words)
    assert "<" not in box.inner_text()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()


def test_errors_are_pages_with_a_remedy(page: Page) -> None:
    """What is not there, and what fails: in words, with a way on."""
    page.goto("/nothing")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    expect(page.locator("main")).to_contain_text("mistyped, or what it named was removed")
    page.goto("/jobs/999")
    expect(page.locator("main")).to_contain_text("No such job; its batch may have been removed.")
    page.get_by_role("link", name="All batches").click()
    expect(page.get_by_role("heading", name="Batches")).to_be_visible()


def test_a_fault_of_the_page_is_said_in_words(
    http: httpx.Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a traceback, and with the headers of every answer."""

    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(site.web, "runner", broken)
    html = {"Accept": "text/html", "HX-Request": ""}
    answer = http.get("/", headers=html)
    assert answer.status_code == 500
    assert "Something went wrong in batchsora" in answer.text
    assert "Runs are not affected" in answer.text
    assert "secret" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert http.get("/").text.startswith("Something went wrong in batchsora. Runs")


def test_too_much_is_refused_on_a_page(http: httpx.Client) -> None:
    """A browser's own form that is too large gets a page, with its remedy."""
    html = {"Accept": "text/html", "HX-Request": ""}
    answer = http.post("/batches/1/pause", content=b"x" * 2_000_000, headers=html)
    assert answer.status_code == 413
    assert "<h1>This is too large</h1>" in answer.text
    assert "Nothing was changed" in answer.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_doors_are_whole_and_in_nobodys_way(
    browser: Browser, locked: Site, width: int, scheme: str
) -> None:
    """The form, a wrong password, and what a stranger is shown who is not there yet."""
    context = browser.new_context(
        base_url=locked.url,
        viewport={"width": width, "height": 780},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto("/batches/1")
    check_look(page)
    log_in(page, "a wrong password")
    expect(page.locator("#problem")).to_be_visible()
    check_look(page)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_closed_page_is_whole(browser: Browser, site: Site, width: int, scheme: str) -> None:
    """Without a password, and with an address that was used before."""
    context = browser.new_context(
        base_url=site.url,
        viewport={"width": width, "height": 780},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto("/batches/1")
    expect(page.get_by_role("heading", name="You are not logged in")).to_be_visible()
    check_look(page)
    page.goto("/enter/old")
    expect(page.get_by_role("heading", name="no longer works")).to_be_visible()
    check_look(page)
    context.close()
