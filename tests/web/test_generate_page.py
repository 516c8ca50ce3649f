"""One video from a form: checked field by field, bought once, followed to its end."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from support.site import Site, soon

from batchsora.providers.runblob.images import LARGEST

LATE = 60_000
"""Milliseconds: a process of its own is started."""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A JPEG."""
    path = tmp_path / "cat.jpg"
    Image.new("RGB", (320, 200), (200, 120, 40)).save(path)
    return path


def form(http: httpx.Client) -> str:
    """Ask for a form; gives what makes it buy once."""
    found = re.search(r'name="once" value="([^"]+)"', http.get("/generate").text)
    assert found is not None
    return found[1]


def fields(http: httpx.Client, **more: str) -> dict[str, str]:
    """Fill in a form."""
    return {
        "once": form(http),
        "prompt": "a lamp in the fog",
        "orientation": "16:9",
        "duration": "10",
        "budget": "5",
        **more,
    }


def buy(page: Page) -> None:
    """Press the button, and agree to the price."""
    page.get_by_role("button", name="Buy this video").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("Buy this video for $0.12?")
    question.get_by_role("button", name="Buy this video").click()


def test_a_video_is_generated_and_followed(page: Page, site: Site, picture: Path) -> None:
    """From the form through the queue to the player, with a start image."""
    page.goto("/generate")
    page.get_by_label("Prompt").fill("a lighthouse in the fog 👩‍🚀")
    page.get_by_label("Budget of all single videos, USD").fill("5")
    expect(page.locator("#count")).to_have_text("27")
    expect(page.locator("#price")).to_have_text("$0.12 (learned)")
    page.get_by_label("15 s").check()
    expect(page.locator("#price")).to_contain_text("not known yet: up to $1.00")
    expect(page.locator("#generate button.main")).to_have_text("Buy this video")
    page.get_by_label("10 s").check()
    expect(page.locator("#generate button.main")).to_have_text("Buy this video for $0.12")
    page.get_by_label("wide").check()
    page.get_by_label("A picture").set_input_files(picture)
    expect(page.locator("#preview")).to_be_visible()
    buy(page)
    expect(page.locator("h1")).to_contain_text("adhoc-1", timeout=LATE)
    expect(page.locator("h1")).to_contain_text("completed", timeout=LATE)
    expect(page.locator("video")).to_be_visible(timeout=LATE)
    assert site.folder.bought() == ["a lighthouse in the fog 👩‍🚀"]
    (kept,) = (site.web.folder / "uploads").iterdir()
    assert kept.read_bytes() == picture.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_nothing_is_bought_without_a_cap(http: httpx.Client, site: Site) -> None:
    """One is asked for once, and kept: then each further video is under it."""
    answer = http.post("/generate", data=fields(http, budget=""))
    assert answer.status_code == 422
    assert "Set a budget" in answer.text
    assert site.folder.bought() == []
    assert http.post("/generate", data=fields(http)).status_code == 204
    assert soon(lambda: len(site.folder.bought()) == 1)
    again = fields(http, prompt="another lamp", budget="")
    assert http.post("/generate", data=again).status_code == 204
    assert soon(lambda: len(site.folder.bought()) == 2)


def test_an_error_of_the_provider_is_shown(page: Page) -> None:
    """In its words, with what it means for the money."""
    page.goto("/generate")
    page.get_by_label("Prompt").fill("a storm that breaks the policy")
    page.get_by_label("Budget of all single videos, USD").fill("5")
    buy(page)
    expect(page.locator("h1")).to_contain_text("failed", timeout=LATE)
    expect(page.locator(".notice.trouble")).to_contain_text("violates our content policy")


def test_what_could_not_be_bought_says_why(page: Page, site: Site) -> None:
    """The cap stands in the way: nothing was bought, in the words of the command."""
    page.goto("/generate")
    page.get_by_label("Prompt").fill("a lamp")
    page.get_by_label("Budget of all single videos, USD").fill("0.05")
    buy(page)
    expect(page.locator(".notice.trouble")).to_contain_text("It was not bought", timeout=LATE)
    expect(page.locator(".notice.trouble")).to_contain_text("nothing was bought")
    assert site.folder.bought() == []


def test_a_mistake_stands_beside_its_field(page: Page, picture: Path) -> None:
    """What was typed stays; the field is marked, and focused."""
    page.goto("/generate")
    page.get_by_label("Prompt").fill("   ")
    page.get_by_label("Budget of all single videos, USD").fill("5")
    page.get_by_label("16:9").check()
    page.get_by_role("button", name="Buy this video").click()
    expect(page.get_by_label("Prompt")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Prompt")).to_be_focused()
    expect(page.get_by_label("16:9")).to_be_checked()
    page.get_by_label("Prompt").fill("a cat")
    page.get_by_label("or its web address").fill("https://example.com/cat.png")
    page.get_by_label("A picture").set_input_files(picture)
    page.get_by_role("button", name="Buy this video").click()
    expect(page.locator("#problem-image_url")).to_contain_text("not both")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("prompt", "x" * 4001, "4000"),
        ("prompt", "", "empty"),
        ("orientation", "1:1", "orientation"),
        ("duration", "12", "duration"),
        ("image", "javascript:alert(1)", "not a valid web address"),
        ("image", "/etc/passwd", "not a valid web address"),
        ("image", "file:///etc/passwd", "not a valid web address"),
        ("budget", "much", "not a valid amount"),
        ("budget", "-1", "not a valid amount"),
        ("campaign", "x" * 300, "campaign"),
    ],
)
def test_nonsense_is_refused_unbought(
    http: httpx.Client, site: Site, name: str, value: str, says: str
) -> None:
    """422, the form again, no process."""
    answer = http.post("/generate", data=fields(http, **{name: value}))
    assert answer.status_code == 422
    assert says in answer.text
    assert site.web.launcher.all() == []


@pytest.mark.parametrize(
    "data", [b"GIF89a" + b"x" * 100, b"<svg onload=alert(1)>", b"\xff\xd8\xff" + b"x" * LARGEST]
)
def test_what_is_no_picture_is_refused(http: httpx.Client, site: Site, data: bytes) -> None:
    """By its content, whatever its name and type say; nothing of it is kept."""
    files = {"picture": ("cat.jpg", io.BytesIO(data), "image/jpeg")}
    answer = http.post("/generate", data=fields(http), files=files)
    assert answer.status_code in (413, 422)
    assert site.web.launcher.all() == []
    uploads = site.web.folder / "uploads"
    assert not uploads.exists() or not list(uploads.iterdir())


def test_a_form_buys_once(http: httpx.Client, site: Site) -> None:
    """A double click, back and reload lead to the same process; an unknown form buys nothing."""
    url = f"{site.url}/generate"
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in http.cookies.items())}
    headers = {**dict(http.headers), **cookie}
    given = fields(http)
    with ThreadPoolExecutor(6) as clicks:
        sent = clicks.map(lambda _: httpx.post(url, data=given, headers=headers), range(6))
        places = {answer.headers["HX-Redirect"] for answer in sent}
    assert len(places) == 1
    (started,) = site.web.launcher.all()
    assert started.process.wait(60) == 0, started.said()
    assert site.folder.bought() == ["a lamp in the fog"]
    assert http.get(places.pop()).headers["location"] == "/jobs/7"
    given["once"] = "unknown"
    assert http.post("/generate", data=given).status_code == 422
    assert len(site.web.launcher.all()) == 1


def test_a_prompt_is_no_option(http: httpx.Client, site: Site) -> None:
    """Whatever it begins with, it is a prompt for the process."""
    assert http.post("/generate", data=fields(http, prompt="--help")).status_code == 204
    (started,) = site.web.launcher.all()
    assert started.process.wait(60) == 0, started.said()
    assert site.folder.bought() == ["--help"]
