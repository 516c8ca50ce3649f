"""How every page looks: on a desk and on a phone, light and dark, with jobs in every state.

One run is killed half way, so that something is done, failed, unconfirmed, under way and queued.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from support.looks import check_look, run_together
from support.site import Folder, Site, serving, soon

from batchsora.sandbox.faults import Faults
from batchsora.sandbox.server import SandboxServer
from batchsora.sandbox.world import World
from jobs.store import views

FAILS = {"a storm breaks the policy": ["violates our content policy"] * 9}
ROWS = 24
PAGES = (
    "/",
    "/batches/1",
    "/batches/1/jobs",
    "/batches/1/jobs?state=failed",
    "/jobs/1",
    "/jobs/2",
    "/jobs/doubt",
    "/batches/1/gallery",
    "/batches/1/gallery#player",
    "/batches/1/contact-sheet",
    "/generate",
    "/manifests/new",
    "/jobs/999",
    "/nothing",
)
WIDTHS = {1280: 900, 390: 844, 360: 780}
STATES = ("completed", "failed", "in_doubt", "queued")
UNDER_WAY = ("pending", "processing")


def write_manifest(folder: Path) -> None:
    """Write rows with pictures of both shapes, campaigns and columns of the person's own."""
    Image.new("RGB", (640, 360), (200, 120, 60)).save(folder / "wide.png")
    Image.new("RGB", (360, 640), (60, 120, 200)).save(folder / "tall.png")
    lines = ["id,prompt,campaign,orientation,image,Channel,Owner"]
    for number in range(ROWS):
        wide = number % 4 > 1
        prompt = f"a lighthouse in the fog number {number}, slow dolly shot, golden hour"
        if number == 1:
            prompt = next(iter(FAILS))
        picture = ("wide.png" if wide else "tall.png") if number % 5 == 0 else ""
        where = "16:9,wide.png" if wide and picture else f"{'16:9' if wide else '9:16'},{picture}"
        lines.append(
            f'lighthouse-{number},"{prompt}",{("autumn", "winter")[number % 2]},{where},'
            f"Instagram {number},Ada"
        )
    (folder / "prompts.csv").write_text("\n".join(lines) + "\n")


def counts(folder: Folder) -> dict[str, int]:
    """Count the jobs by state."""
    code, said = folder.typed("status", "--json")
    batches = json.loads(said)["batches"] if code == 0 and said else []
    return batches[0]["jobs"] if batches else {}


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages over a run that was killed half way."""
    path = tmp_path_factory.mktemp("half")
    write_manifest(path)
    world = World(time_scale=150.0, failures=dict(FAILS))
    with SandboxServer(world, faults=Faults.parse("lost=0.2,lag=600")) as api:
        folder = Folder(path, api)
        with pytest.MonkeyPatch.context() as patch:
            folder.enter(patch)
            run = subprocess.Popen(
                [sys.executable, "-m", "batchsora", "run", "prompts.csv", "--budget", "2.50",
                 "--yes", "--max-in-flight", "5", "--poll-interval", "0.3", "--quiet"],
                cwd=path, env=dict(os.environ),
            )  # fmt: skip

        def is_half() -> bool:
            seen = counts(folder)
            under_way = any(seen.get(state) for state in UNDER_WAY)
            some = seen.get("completed", 0) > 4 and all(seen.get(state) for state in STATES)
            return some and under_way

        try:
            assert soon(is_half), counts(folder)
        finally:
            run.kill()
            run.wait(20)
        folder.call("download", "--quiet")
        with serving(folder) as site:
            yield site


@pytest.fixture
def seen(browser: Browser, half: Site, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of the browser, of a width and a scheme."""
    width, scheme = getattr(request, "param", (1280, "light"))
    context = browser.new_context(
        base_url=half.url,
        viewport={"width": width, "height": WIDTHS[width]},
        color_scheme=scheme,
        timezone_id="Europe/Berlin",
        locale="en-US",
    )
    page = context.new_page()
    page.goto(half.entrance)
    page.wait_for_url(half.url + "/")
    yield page
    context.close()


def opened(page: Page, half: Site, path: str) -> None:
    """Open one of the pages, and wait until it is whole."""
    if path == "/jobs/doubt":
        doubts = half.read(lambda c: [job.id for job in views.jobs(c) if job.state == "in_doubt"])
        path = f"/jobs/{doubts[0]}"
    page.goto(path.partition("#")[0])
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    if "#" in path:
        page.locator(".tile .open").first.click()
        expect(page.locator("#player")).to_be_visible()
    if path == "/batches/1":
        expect(page.locator("#plot-done canvas")).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "seen",
    [(1280, "light"), (1280, "dark"), (360, "light"), (390, "dark")],
    indirect=True,
    ids=lambda one: f"{one[0]}-{one[1]}",
)
def test_every_page_is_whole_and_in_nobodys_way(seen: Page, half: Site, path: str) -> None:
    """axe-core finds nothing (WCAG 2.2 AA); nothing is cut, and no words run together."""
    opened(seen, half, path)
    check_look(seen)


def test_words_that_touch_are_found() -> None:
    """The check itself."""
    assert run_together("$5.00+ $0.12") == ["$5.00+"]
    assert run_together("of$5.00 and $6.00reserved") == ["of$5.00", "$6.00reserved"]
    assert run_together("$5.00, ($6.00), $0.12-$0.24; about $1.") == []


def test_jobs_show_their_picture_and_their_own_columns(seen: Page, half: Site) -> None:
    """A start picture has a size; the person's own columns stand under the prompt."""
    opened(seen, half, "/batches/1/jobs")
    row = seen.locator("tbody tr").first
    picture = row.locator(".thumb img")
    expect(picture).to_have_js_property("complete", True)
    box = picture.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (40, 40)
    assert picture.evaluate("i => i.naturalWidth") > 40
    own = row.locator(".cells")
    expect(own).to_contain_text("Channel")
    expect(own).to_contain_text("Instagram 0")
    expect(own.locator("dt")).to_have_text(["Channel", "Owner"])
    row.get_by_role("link", name="lighthouse-0", exact=True).click()
    expect(seen.locator(".cells dd")).to_have_text(["Instagram 0", "Ada"])
    expect(seen.get_by_role("img", name="the start image")).to_be_visible()


def test_a_job_leads_to_its_neighbours_in_the_list(seen: Page, half: Site) -> None:
    """Previous and next, by button and key, keep the filter; the way back does as well."""
    opened(seen, half, "/batches/1/jobs?campaign=autumn")
    names = seen.locator("tbody .key").all_inner_texts()
    assert names[:3] == ["lighthouse-0", "lighthouse-2", "lighthouse-4"]
    seen.get_by_role("link", name="lighthouse-2", exact=True).click()
    expect(seen.get_by_role("heading", level=1)).to_contain_text("lighthouse-2")
    seen.get_by_role("link", name="Next").click()
    expect(seen.get_by_role("heading", level=1)).to_contain_text("lighthouse-4")
    expect(seen.locator("#link")).to_have_attribute("data-state", "live")
    seen.keyboard.press("k")
    expect(seen.get_by_role("heading", level=1)).to_contain_text("lighthouse-2")
    expect(seen.locator("#link")).to_have_attribute("data-state", "live")
    seen.get_by_role("link", name="Previous").click()
    expect(seen.get_by_role("heading", level=1)).to_contain_text("lighthouse-0")
    expect(seen.get_by_role("link", name="Previous")).to_have_count(0)
    seen.get_by_role("link", name="jobs").click()
    expect(seen).to_have_url(re.compile(r"/batches/1/jobs\?campaign=autumn$"))


def test_tiles_show_the_prompt_and_the_whole_picture(seen: Page, half: Site) -> None:
    """A wide video is not cropped to an upright one, nor the other way round."""
    opened(seen, half, "/batches/1/gallery?order=row")
    tile = seen.locator(".tile").first
    expect(tile.locator(".words")).to_contain_text("a lighthouse in the fog number")
    shapes = seen.locator(".tile img").evaluate_all(
        "all => all.map((one) => [one.closest('.tile').className.split(' ')[1],"
        " getComputedStyle(one).objectFit, one.clientWidth > one.clientHeight])"
    )
    assert {tuple(one) for one in shapes} == {("tall", "contain", False), ("wide", "contain", True)}


WRITTEN = """window.written = [];
const before = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
  window.written.push(text);
  return before.call(this, text, ...more);
};"""
"""Keeps what is written into plots: a canvas can't be asked."""


def test_times_are_written_the_same_everywhere(seen: Page, half: Site) -> None:
    """By 24 hours and from the year on, in the reader's zone, also for an American; money in $."""
    seen.add_init_script(WRITTEN)
    opened(seen, half, "/batches/1")
    expect(seen.locator("#plot-durations canvas")).to_be_visible()
    texts = seen.evaluate("window.written")
    assert not [text for text in texts if re.search(r"[ap]m\b|\d/\d", text, re.IGNORECASE)]
    found = seen.evaluate("fetch('/batches/1/course').then((answer) => answer.json())")
    counted = zip(found["at"], found["completed"], found["failed"], strict=True)
    at = [moment for moment, *ended in counted if any(ended)]
    zone = ZoneInfo("Europe/Berlin")
    first, last = (
        f"{datetime.fromtimestamp(moment, zone):%H:%M}"
        for moment in (at[0], at[-1] + found["seconds"])
    )
    times = [text for text in texts if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text)]
    assert times
    assert all(first <= text[:5] <= last or last < first for text in times), (first, times, last)
    assert f"{datetime.fromtimestamp(at[0], zone):%Y-%m-%d}" in texts
    assert "$0.00" in texts
    whole = seen.locator("#events time").first
    expect(whole).to_have_attribute("data-local", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", whole.inner_text())
    assert whole.get_attribute("title") != whole.inner_text()
