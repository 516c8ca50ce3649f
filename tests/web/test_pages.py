"""The batches, their jobs and one job's story, as a person sees them in a browser."""

import re

import httpx
from playwright.sync_api import Page, expect
from support.site import Site

from jobs.store import views


def test_the_list_shows_where_each_batch_stands(page: Page) -> None:
    """Counts, money against the cap, and the way into a batch."""
    page.goto("/")
    card = page.locator(".card").filter(has_text="prompts")
    expect(card).to_contain_text("6 of 6 done")
    expect(card).to_contain_text("5 completed")
    expect(card).to_contain_text("of $5.00")
    card.get_by_role("link", name="prompts").click()
    expect(page.get_by_role("heading", name="prompts")).to_be_visible()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")


def test_a_batch_shows_its_course_and_its_failures(page: Page) -> None:
    """Plots are drawn, failures stand with their words, and lead to their jobs."""
    page.goto("/batches/1")
    expect(page.locator("#plot-done canvas")).to_be_visible()
    expect(page.locator("#plot-spent canvas")).to_be_visible()
    expect(page.locator("#plot-words")).to_contain_text("5 completed, 1 failed")
    failures = page.get_by_role("region", name="Failures")
    expect(failures).to_contain_text("violates our content policy")
    failures.get_by_role("link", name="1").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("storm")


def test_a_batch_shows_its_latest_events(page: Page) -> None:
    """What a person wants to hear of, the newest first, with a way to its job."""
    page.goto("/batches/1")
    events = page.get_by_role("region", name="Latest events")
    rows = events.get_by_role("listitem")
    expect(rows.first).to_contain_text("a run finished")
    failed = rows.filter(has_text="violates our content policy")
    expect(failed).to_have_count(1)
    failed.get_by_role("link").click()
    expect(page.get_by_role("heading", name="storm")).to_be_visible()


def test_jobs_are_filtered_searched_and_opened(page: Page) -> None:
    """By state and words, at an address that can be kept; a row opens the job's story."""
    page.goto("/batches/1/jobs")
    expect(page.locator("tbody tr")).to_have_count(6)
    page.get_by_label("State").select_option("completed")
    expect(page.locator("tbody tr")).to_have_count(5)
    page.get_by_label("Search").fill("snow")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?q=snow&state=completed$"))
    page.get_by_role("link", name="fox", exact=True).click()
    expect(page.get_by_role("heading", name="fox")).to_be_visible()
    expect(page.locator(".prompt.whole")).to_have_text("a fox <b>in</b> the & snow")
    expect(page.get_by_role("heading", name="Attempt 1")).to_be_visible()
    expect(page.locator(".story time").first).to_have_attribute("data-local", "")


def test_a_page_follows_what_happens_elsewhere(page: Page, site: Site) -> None:
    """A change by another process is shown within a moment, without a reload."""
    page.goto("/jobs/4")
    expect(page.locator("h1")).to_contain_text("failed")
    page.evaluate("window.here = true")
    assert site.folder.call("retry", "storm", "--yes") == 0
    expect(page.locator("h1")).to_contain_text("queued")
    assert page.evaluate("window.here") is True


def test_steering_by_buttons(page: Page) -> None:
    """Retry, cancel, pause and resume do what the command line does, and say so."""
    page.goto("/jobs/4")
    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Edit and retry").click()
    dialog.get_by_label("Prompt").fill("a storm that passes")
    dialog.get_by_role("button", name="Buy it").click()
    expect(page.locator("#said")).to_contain_text("queued again for about $0.12")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#said")).to_contain_text("1 job(s) cancelled; nothing was paid for them")
    page.get_by_role("button", name="Retry").click()
    dialog.get_by_role("button", name="Buy it").click()
    expect(page.locator("h1")).to_contain_text("queued")
    page.goto("/batches/1")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("h1 .tag")).to_have_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(dialog).to_contain_text("1 video(s) left to buy, for about $0.12")
    expect(dialog).to_contain_text("The next run buys them")
    dialog.get_by_role("button", name="Resume").click()
    expect(page.locator("h1 .tag")).to_have_count(0)
    page.get_by_role("button", name="Cancel queued").click()
    expect(dialog).to_contain_text("Cancel 1 queued job(s)")
    dialog.get_by_role("button", name="Cancel them").click()
    expect(page.locator("#said")).to_contain_text("1 job(s) cancelled")
    expect(dialog).to_be_hidden()


def test_pages_of_a_batch_follow_one_another(http: httpx.Client, site: Site) -> None:
    """Each job is on exactly one page, forward as backward."""
    count = site.read(lambda c: sum(1 for _ in views.jobs(c)))
    assert count == 6
    text = http.get("/batches/1/jobs?part&after=3").text
    assert re.findall(r'href="/jobs/(\d+)"', text) == ["4", "5", "6"]
    text = http.get("/batches/1/jobs?part&before=4").text
    assert re.findall(r'href="/jobs/(\d+)"', text) == ["1", "2", "3"]


def test_what_is_not_there_says_so(http: httpx.Client) -> None:
    """Unknown batches, jobs and pages answer 404 in words."""
    for path in ("/batches/99", "/jobs/99", "/batches/99/jobs", "/nothing"):
        answer = http.get(path)
        assert answer.status_code == 404, path
    assert "No such job" in http.get("/jobs/99").text
