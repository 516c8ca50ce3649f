"""What a person hears who looks elsewhere: notifications of the browser, and the title."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from support.site import QUICK, Site, soon

from batchsora.web.pages.news import news_of
from jobs.model.states import Blocked, FailureKind, Reason
from jobs.ports.events import BatchEvent, BatchFact, Event, JobEvent, JobFact, RunEvent, RunFact

NOW = datetime(2026, 12, 1, tzinfo=UTC)
TOLD = """window.told = [];
const granted = { permission: "default" };
window.Notification = class extends EventTarget {
  static get permission() { return granted.permission; }
  static async requestPermission() {
    window.asked = (window.asked ?? 0) + 1;
    granted.permission = localStorage.getItem("answer") ?? "granted";
    return granted.permission;
  }
  constructor(title, options) {
    super();
    window.told.push({ title, ...options });
    window.last = this;
  }
  close() { this.closed = true; }
};
if (localStorage.getItem("batchsora-notify") === "on") granted.permission = "granted";"""
"""The browser's notifications, which a browser without a screen does not show."""


def job(fact: JobFact, number: int, batch: int = 1) -> JobEvent:
    """Make an event of a job."""
    return JobEvent(
        number, NOW, fact, batch, number, "autumn", f"key-{number}", 1, None, None, None
    )


def batch(blocked: Blocked) -> BatchEvent:
    """Make an event of a batch that waits."""
    words = f"the {blocked}"
    return BatchEvent(9, NOW, BatchFact.WAITING, 1, "autumn", frozenset({blocked}), words)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([job(JobFact.ACCEPTED, 1), job(JobFact.COMPLETED, 2), job(JobFact.RETRYING, 3)], []),
        ([RunEvent(1, NOW, RunFact.STARTED)], []),
        ([RunEvent(1, NOW, RunFact.ENDED, Reason.FINISHED)], ["A run finished"]),
        ([RunEvent(1, NOW, RunFact.ENDED, Reason.INTERRUPTED)], ["A run was stopped"]),
        (
            [RunEvent(1, NOW, RunFact.ENDED, Reason.FUNDS, "no\x1b[2J credit")],
            ["A run ended: the balance is used up"],
        ),
        ([batch(Blocked.BATCH_CAP)], ["Autumn: waiting for the budget of the batch"]),
        ([batch(Blocked.BALANCE)], ["Autumn: waiting for the balance"]),
        ([batch(Blocked.PAUSED)], []),
        ([job(JobFact.UNCONFIRMED, 4)], ["Key-4 unconfirmed"]),
        (
            [job(JobFact.UNCONFIRMED, 4), job(JobFact.UNCONFIRMED, 5)],
            ["Autumn: 2 rows are unconfirmed"],
        ),
    ],
)
def test_only_what_a_person_wants_to_hear_is_news(events: list[Event], told: list[str]) -> None:
    """A run's end, a budget, the balance and unconfirmed rows; neither progress nor a pause."""
    found = news_of(events)
    assert len(found) == len(told)
    for one, words in zip(found, told, strict=True):
        assert one["text"].startswith(words)
        assert "\x1b" not in one["text"]
        assert one["where"].startswith("/")


def test_failed_rows_wait_for_the_end() -> None:
    """Each failure is no news of its own: the run's end is."""
    failed = JobEvent(
        1, NOW, JobFact.FAILED, 1, 1, "autumn", "a", 1, None, None, None, FailureKind.CONTENT
    )
    assert news_of([failed]) == []


def test_news_begin_with_the_page(http: httpx.Client) -> None:
    """What was before is not told; a number of another database begins anew."""
    first = http.get("/news").json()
    assert first["newest"] > 0
    assert first["news"] == []
    assert http.get("/news", params={"after": 10**15}).json() == first
    old = http.get("/news", params={"after": 0}).json()
    assert "A run finished" in [one["text"] for one in old["news"]]
    assert old["newest"] == first["newest"]
    assert http.get("/news", params={"after": "x"}).json() == first


@pytest.fixture
def told(browser: Browser, site: Site) -> Iterator[Page]:
    """A page whose notifications are kept."""
    context = browser.new_context(base_url=site.url)
    context.add_init_script(TOLD)
    page = context.new_page()
    page.goto(site.entrance)
    page.wait_for_url(site.url + "/")
    yield page
    context.close()


def test_a_person_is_told_of_a_runs_end(told: Page, site: Site) -> None:
    """Only after asking for it; also on another page, and while the tab is hidden."""
    expect(told.locator("#link")).to_have_attribute("data-state", "live")
    assert told.evaluate("window.asked") is None
    bell = told.get_by_role("button", name="Notify me")
    expect(bell).to_have_attribute("aria-pressed", "false")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    expect(told.locator("#said")).to_contain_text("You are told when a run ends")
    told.goto("/batches/1/jobs")
    expect(bell).to_have_attribute("aria-pressed", "true")
    expect(told.locator("#link")).to_have_attribute("data-state", "live")
    told.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    assert site.folder.call("retry", "storm", "--yes") == 0
    assert site.folder.call("run", "--batch", "prompts", *QUICK) == 3
    assert soon(lambda: bool(told.evaluate("window.told.length")))
    (said,) = told.evaluate("window.told.map((one) => [one.title, one.body, one.tag])")
    assert said == ["batchsora", "A run finished", "batchsora-run"]
    told.evaluate("window.last.dispatchEvent(new Event('click'))")
    told.wait_for_url(site.url + "/")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "false")
    expect(told.locator("#said")).to_contain_text("Notifications are off")


def test_who_refuses_is_told_nothing(told: Page, site: Site) -> None:
    """In words where to allow it; the button is gone, as the browser asks only once."""
    told.evaluate("localStorage.setItem('answer', 'denied')")
    told.get_by_role("button", name="Notify me").click()
    expect(told.locator("#trouble")).to_contain_text("allow them in its settings")
    expect(told.locator("#notify")).to_be_hidden()
    assert site.folder.call("retry", "storm", "--yes") == 0
    assert site.folder.call("run", "--batch", "prompts", *QUICK) == 3
    told.goto("/batches/1")
    expect(told.locator("#events")).to_contain_text("a run finished")
    assert told.evaluate("window.told") == []


def test_the_title_shows_the_progress(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the batch, or of all that run; without a run it is the page's name."""
    page.goto("/batches/1")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    expect(page).to_have_title("prompts · batchsora")
    monkeypatch.setattr(site.folder.api.world, "time_scale", 10.0)
    site.folder.enter(monkeypatch)
    assert site.folder.call("retry", "storm", "--yes") == 0
    words = [sys.executable, "-m", "batchsora", "run", "--batch", "prompts", *QUICK]
    run = subprocess.Popen(words, cwd=site.folder.path, env=dict(os.environ))
    try:
        expect(page).to_have_title("5/6 · prompts · batchsora")
        monkeypatch.setattr(site.folder.api.world, "time_scale", 5000.0)
    finally:
        run.terminate()
        run.wait(30)
    expect(page).to_have_title("prompts · batchsora")
