"""The list of batches, and a batch's budget, run, results, retries and candidates, in a browser."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from openpyxl import load_workbook
from playwright.sync_api import Page, expect
from sqlalchemy import Connection, text
from support.site import QUICK, Site, client, soon

from batchsora.composition.databases import made_side_folder
from batchsora.web.web_context import Started
from jobs.store import views

PHONE = {"width": 360, "height": 780}


@pytest.fixture
def slow(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """A run of a batch 'slow' of 30 rows, two at a time, whose videos do not end by themselves."""
    monkeypatch.setattr(site.folder.api.world, "time_scale", 1.0)
    rows = [f"s{n},a slow snail no. {n} of {site.folder.path.parent.name}" for n in range(30)]
    (site.folder.path / "slow.csv").write_text("\n".join(["id,prompt", *rows]) + "\n")
    words = ["run", str(site.folder.path / "slow.csv"), "--budget", "0.60", "--max-in-flight", "2"]
    run = site.web.launcher.start([*words, *QUICK], "run", "slow")
    assert soon(lambda: len(site.folder.bought()) == 2), run.said()
    yield run
    run.process.kill()


def number(site: Site, name: str) -> int:
    """Return the number of a batch."""
    return site.read(lambda c: views.find_batches(c, name)[0].id)


# -- the run


def test_the_budget_of_a_live_batch_is_raised_and_lowered(
    page: Page, site: Site, slow: Started
) -> None:
    """An amount that is none stays in its field with the remedy; the run uses the new one."""
    page.goto(f"/batches/{number(site, 'slow')}")
    money = page.locator("#summary .money")
    expect(money).to_contain_text("$0.24 of $0.60 spent, $0.36 left")
    page.get_by_role("button", name="Change the budget").click()
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_label("Budget of slow, USD")
    expect(field).to_have_value("0.60")
    field.fill("lots")
    dialog.get_by_role("button", name="Set").click()
    expect(dialog).to_contain_text("Write USD with a decimal point")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("2")
    dialog.get_by_role("button", name="Set").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#said")).to_contain_text("$2.00")
    expect(money).to_contain_text("$0.24 of $2.00 spent, $1.76 left")
    page.get_by_role("button", name="Change the budget").click()
    field.fill("0.12")
    dialog.get_by_role("button", name="Set").click()
    expect(page.locator("#said")).to_contain_text("nothing more is bought")
    expect(money).to_contain_text("$0.24 of $0.12 spent, $0.00 left")
    assert slow.code is None


def test_a_page_left_open_does_not_raise_what_another_lowered(
    http: httpx.Client, site: Site
) -> None:
    """Only fields that were changed count, and not where the budget is another one meanwhile."""
    asked = http.get("/batches/1/budget").text
    field = re.search(r'name="(cap-\w+)"', asked)
    assert field is not None
    shown = {
        f"was-{name}": value
        for name, value in re.findall(r'name="was-([^"]+)" value="([^"]*)', asked)
    }
    left = {name.removeprefix("was-"): value for name, value in shown.items()}
    assert left["budget"] == "5.00"
    assert http.post("/batches/1/budget", data=shown | {"budget": "2"}).status_code == 204
    answer = http.post("/batches/1/budget", data=shown | left | {field[1]: "1.50"})
    assert answer.status_code == 204, answer.text
    assert "$5" not in answer.headers["HX-Trigger"]
    answer = http.post("/batches/1/budget", data=shown | left | {"budget": "9"})
    assert answer.status_code == 422
    assert "changed since" in answer.text
    assert "is $2.00 now" in answer.text
    money = site.read(lambda c: c.exec_driver_sql("SELECT cap_micros FROM budget").all())
    assert (2_000_000,) in money
    assert (9_000_000,) not in money
    assert (1_500_000,) in money
    again = {**dict(re.findall(r'name="(was-[^"]+)" value="([^"]*)', answer.text)), "budget": "9"}
    assert http.post("/batches/1/budget", data=again).status_code == 204


def test_a_run_is_stopped_whoever_started_it(page: Page, site: Site, slow: Started) -> None:
    """It ends as by Ctrl-C: nothing more is bought, nothing is lost, and Resume is offered."""
    page.goto(f"/batches/{number(site, 'slow')}")
    page.get_by_role("button", name="Stop the run").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("submits nothing more")
    dialog.get_by_role("button", name="Stop it").click()
    expect(page.locator("#said")).to_contain_text("The run stops")
    assert slow.process.wait(30) == 130
    assert len(site.folder.bought()) == 2
    expect(page.get_by_role("button", name="Stop the run")).to_have_count(0)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.locator("#summary")).to_contain_text("time left\u2013")


def test_without_a_run_nothing_is_stopped(http: httpx.Client, site: Site) -> None:
    """The stop is for the run of then, never for a later one."""
    answer = http.post("/run/stop")
    assert "No run is active" in answer.headers["HX-Trigger"]
    assert site.folder.call("retry", "storm", "--yes") == 0
    assert site.folder.call("run", "--yes", *QUICK) == 3


# -- results


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_results_come_as_a_file(page: Page, suffix: str) -> None:
    """Beside their rows, with what each cost; videos are named from the folder of the page."""
    page.goto("/batches/1")
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Export .{suffix}").click()
    assert download.value.suggested_filename == f"prompts-results.{suffix}"
    path = Path(download.value.path())
    if suffix == "xlsx":
        with path.open("rb") as file:
            sheet = load_workbook(io.BytesIO(file.read())).active
        assert sheet is not None
        rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    else:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    head = rows[0]
    kite = dict(zip(head, next(row for row in rows if row[0] == "kite"), strict=True))
    assert str(kite["status"]) == "completed"
    assert float(str(kite["price"])) == 0.12
    assert str(kite["file"]).startswith("videos")


def test_the_report_comes_as_a_file(page: Page) -> None:
    """The same as 'batchsora report' writes."""
    page.goto("/batches/1")
    with page.expect_download() as download:
        page.get_by_role("link", name="Report").click()
    assert download.value.suggested_filename == "prompts-report.html"
    assert "violates our content policy" in Path(download.value.path()).read_text("utf-8")


def test_results_of_nothing_are_not_there(http: httpx.Client) -> None:
    assert http.get("/batches/1/results.exe").status_code == 404
    assert http.get("/batches/99/results.csv").status_code == 404
    assert http.get("/batches/99/report.html").status_code == 404


# -- buying again


@pytest.fixture
def broken(site: Site) -> int:
    """A batch 'broken' whose only row failed by the provider's fault; returns the row's number."""
    prompt = f"a broken kite of {site.folder.path.parent.name}"
    site.folder.api.world.failures[prompt] = ["internal error"] * 9
    (site.folder.path / "broken.csv").write_text(f"id,prompt\nlost,{prompt}\n")
    assert site.folder.call("run", "broken.csv", "--budget", "1", *QUICK) == 3
    return site.read(lambda c: views.find_job(c, "lost")).id


@pytest.mark.parametrize("place", ["job", "batch"])
def test_a_retry_says_its_price_and_asks_once(
    page: Page, site: Site, broken: int, place: str
) -> None:
    """The dialog names price and what the budget leaves; closing it changes nothing."""
    batch = number(site, "broken")
    page.goto(f"/jobs/{broken}" if place == "job" else f"/batches/{batch}")
    button = "Retry, about $0.12" if place == "job" else "Retry system failures"
    page.get_by_role("button", name=button).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 job(s) would be bought again for about $0.12")
    expect(dialog).to_contain_text("the budgets leave $0.88")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert site.read(lambda c: views.find_job(c, "lost")).state == "failed"
    page.get_by_role("button", name=button).click()
    dialog.get_by_role("button", name="Buy it").click()
    expect(page.locator("#said")).to_contain_text("1 job(s) queued again")
    assert site.read(lambda c: views.find_job(c, "lost")).state == "queued"


def test_no_retry_is_offered_that_would_fail_again(http: httpx.Client) -> None:
    """Of a prompt that is refused: only to edit it."""
    for path in ("/jobs/4", "/batches/1?part=failures", "/batches/1/jobs"):
        text = http.get(path).text
        assert "Edit and retry" in text, path
        assert "retry?kind=content" not in text, path
        assert 'hx-get="/jobs/4/retry"' not in text, path


def test_a_failed_row_is_edited_and_bought_again(page: Page, site: Site) -> None:
    """Its first attempt stays in its history; the export says what was bought instead."""
    page.goto("/batches/1")
    page.get_by_role("link", name="Edit content failures").click()
    page.get_by_role("link", name="storm").click()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Edit and retry").click()
    dialog = page.get_by_role("dialog")
    prompt = dialog.get_by_label("Prompt")
    expect(prompt).to_have_value("a storm that breaks the policy")
    buy = dialog.get_by_role("button", name="Buy it, about $0.12")
    buy.click()
    expect(dialog).to_contain_text("This is the prompt that failed")
    prompt.fill("   ")
    buy.click()
    expect(dialog).to_contain_text("The prompt is empty")
    expect(prompt).to_have_attribute("aria-invalid", "true")
    new = f"a calm sea, {site.folder.path.parent.name}"
    prompt.fill(new)
    expect(dialog).to_contain_text("The manifest's file keeps the old prompt")
    buy.click()
    expect(page.locator("h1")).to_contain_text("queued")
    expect(dialog).to_be_hidden()
    assert site.folder.call("run", "--yes", *QUICK) == 0
    assert site.folder.bought() == [new]
    expect(page.locator("h1")).to_contain_text("completed")
    expect(page.locator(".prompt.whole")).to_have_text(new)
    expect(page.locator(".story li")).to_have_count(2)
    expect(page.locator(".story li").first).to_contain_text("a storm that breaks the policy")
    assert site.folder.call("export", "-o", "out.csv") == 0
    with (site.folder.path / "out.csv").open(encoding="utf-8-sig") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["storm"]["prompt"] == "a storm that breaks the policy"
    assert rows["storm"]["reworded"] == new
    assert rows["kite"]["reworded"] == ""


def test_an_edit_of_a_job_that_has_changed_buys_nothing(http: httpx.Client, site: Site) -> None:
    """Neither one of before another attempt, nor one that is under way."""
    said = {"prompt": "another one", "shown": "7"}
    answer = http.post("/jobs/4/reword", data=said)
    assert (answer.status_code, "has changed since" in answer.text) == (422, True)
    answer = http.post("/jobs/1/reword", data=said | {"shown": "1"})
    assert "1 job(s)" not in answer.headers.get("HX-Trigger", "")
    assert "Buy it" not in http.get("/jobs/1/reword").text
    assert site.read(lambda c: views.find_job(c, "kite")).state == "completed"


# -- what is unconfirmed


def doubt(connection: Connection) -> str:
    """Make the owl's attempt one of which two candidates are known; returns its generation."""
    job = views.find_job(connection, "owl")
    assert job.generation_id is not None
    found = [
        {"generation_id": job.generation_id, "status": "completed", "created_at": None},
        {"generation_id": "x", "status": "processing", "created_at": "2026-01-05T20:00:00+00:00"},
    ]
    connection.execute(
        text(
            "UPDATE attempt SET state = 'in_doubt', generation_id = NULL, price_micros = NULL,"
            " doubt_since = intent_at, ended_at = NULL, hold_micros = 120000, candidates = :found"
            " WHERE id = :id"
        ),
        {"id": job.attempt_id, "found": json.dumps(found)},
    )
    connection.execute(
        text(
            "UPDATE job SET state = 'in_doubt', video_url = NULL, completed_at = NULL"
            " WHERE id = :id"
        ),
        {"id": job.id},
    )
    connection.execute(
        text(
            "UPDATE budget SET held_micros = held_micros + 120000,"
            " charged_micros = charged_micros - 120000 WHERE key NOT LIKE 'twice%'"
        )
    )
    return job.generation_id


@pytest.mark.parametrize("place", ["/batches/1", "/jobs/2"])
def test_candidates_are_players(page: Page, site: Site, place: str) -> None:
    """Nothing is fetched before play; then the video is here, and one press settles the row."""
    site.write(doubt)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(place)
    found = page.locator(".candidates li")
    expect(found).to_have_count(2)
    expect(found.nth(1)).to_contain_text("no video to see: processing")
    video = found.first.locator("video")
    expect(video).to_be_visible()
    assert not any("candidate.mp4" in url for url in asked)
    src = video.get_attribute("src")
    answer = page.request.get(site.url + str(src))
    assert answer.ok
    assert answer.headers["content-type"] == "video/mp4"
    assert b"ftyp" in answer.body()[:16]
    page.once("dialog", lambda dialog: dialog.accept())
    found.first.get_by_role("button", name="Candidate 1 is owl").click()
    expect(page.locator("#said")).to_contain_text("owl is generation")
    assert soon(lambda: site.read(lambda c: views.find_job(c, "owl")).state == "pending")


def test_only_candidates_are_fetched(http: httpx.Client, site: Site) -> None:
    """An id of somebody's choice asks the provider for nothing."""
    site.write(doubt)
    assert http.get("/jobs/2/candidate.mp4?generation=y").status_code == 404
    assert http.get("/jobs/1/candidate.mp4?generation=x").status_code == 404
    answer = http.get("/jobs/2/candidate.mp4?generation=x")
    assert answer.status_code == 502


def test_what_is_left_of_broken_downloads_of_candidates_is_removed(
    http: httpx.Client, site: Site
) -> None:
    """A part may have 256 MB; also where the next one fails too."""
    site.write(doubt)
    folder = made_side_folder(site.web.settings.database, "candidates")
    for place in range(30):
        (folder / f"{place}.mp4.part").write_bytes(b"x")
    assert http.get("/jobs/2/candidate.mp4?generation=x").status_code == 502
    assert len(list(folder.iterdir())) <= 20


def test_hostile_candidates_are_texts(http: httpx.Client, site: Site) -> None:
    """Whatever their ids, states and times are, in attributes and addresses."""
    site.write(doubt)
    odd = '"><script>alert(1)</script>'
    found = [{"generation_id": odd, "status": one, "created_at": odd} for one in ("completed", odd)]
    told = {"found": json.dumps(found)}
    change = "UPDATE attempt SET candidates = :found WHERE state = 'in_doubt'"
    site.write(lambda connection: connection.execute(text(change), told))
    for path in ("/jobs/2", "/batches/1"):
        answer = http.get(path)
        assert (answer.status_code, "<script>alert" in answer.text) == (200, False)
        assert "at an unknown time" in answer.text


def test_changes_come_from_our_own_pages(site: Site) -> None:
    """Without the key nothing is stopped, bought or set."""
    site.write(doubt)
    with httpx.Client(base_url=site.url) as stranger:
        for path in (
            "/run/stop",
            "/jobs/4/reword",
            "/batches/1/budget",
            "/batches/1/archive",
            "/batches/1/unarchive",
        ):
            assert stranger.post(path, data={"budget": "9"}).status_code in (401, 403), path
        for path in ("/batches/1/results.csv", "/batches/1/report.html", "/jobs/2/candidate.mp4"):
            assert stranger.get(path).status_code == 401, path
    with client(site) as ours:
        del ours.headers["X-CSRF-Token"]
        for path in (
            "/run/stop",
            "/jobs/4/reword",
            "/batches/1/budget",
            "/batches/1/archive",
            "/batches/1/unarchive",
        ):
            assert ours.post(path, data={"budget": "9"}).status_code == 403, path


# -- the list


def test_a_second_click_does_not_bring_an_archived_batch_back(
    http: httpx.Client, site: Site
) -> None:
    """A retry does: what has something to buy is in the list."""
    for _ in range(2):
        assert "is archived" in http.post("/batches/1/archive").headers["HX-Trigger"]
    assert "No matching batches" in http.get("/").text
    assert http.post("/jobs/4/retry").status_code == 204
    assert 'href="/batches/1"' in http.get("/").text
    assert site.folder.call("run", "--yes", *QUICK) == 3
    assert 'href="/batches/1"' in http.get("/").text


def test_of_two_new_prompts_for_a_row_the_first_counts(http: httpx.Client, site: Site) -> None:
    """The other one is told so, and keeps what was typed."""
    first = http.post("/jobs/4/reword", data={"prompt": "a calm sea", "shown": "1"})
    assert first.status_code == 204, first.text
    other = http.post("/jobs/4/reword", data={"prompt": "a rough sea", "shown": "1"})
    assert other.status_code == 422
    assert "be bought again now: it is queued" in other.text
    assert "a rough sea" in other.text
    assert site.folder.call("run", "--yes", *QUICK) == 0
    assert site.folder.bought() == ["a calm sea"]


def test_the_list_is_sorted_searched_and_archived(page: Page, site: Site) -> None:
    """By an address that works without scripts; what is archived is hidden and comes back."""
    for name, count in (("autumn", 1), ("zebra", 2)):
        rows = [f"{name}{n},{name} {n} {site.folder.path.parent.name}" for n in range(count)]
        (site.folder.path / f"{name}.csv").write_text("\n".join(["id,prompt", *rows]) + "\n")
        assert site.folder.call("run", f"{name}.csv", "--yes", "--no-download", *QUICK) == 0
    names = page.locator(".cards h2 a")
    page.goto("/")
    expect(names).to_have_text(["zebra", "autumn", "prompts"])
    page.get_by_label("Order").select_option("name")
    page.wait_for_url("**/?*sort=name*")  # and until its scripts run
    expect(names).to_have_text(["autumn", "prompts", "zebra"])
    page.get_by_label("Order").select_option("spent")
    page.wait_for_url("**/?*sort=spent*")  # and until its scripts run
    expect(names).to_have_text(["prompts", "zebra", "autumn"])
    page.get_by_label("Search").fill("ZEB")
    page.keyboard.press("Enter")
    expect(names).to_have_text(["zebra"])
    names.first.click()
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_role("button", name="Unarchive")).to_be_visible()
    page.goto("/")
    expect(names).to_have_text(["autumn", "prompts"])
    page.get_by_label("also 1 archived").check()
    page.get_by_role("button", name="Show").click()
    expect(names).to_have_text(["zebra", "autumn", "prompts"])
    expect(page.locator(".card").first).to_contain_text("archived")


def test_the_list_says_what_was_spent_today_and_this_month(page: Page) -> None:
    page.goto("/")
    expect(page.locator(".facts")).to_contain_text("spent today $0.72")
    expect(page.locator(".facts")).to_contain_text("this month $0.72")
    expect(page.locator(".card time").first).to_have_attribute("data-local", "")


def test_an_odd_address_of_the_list_is_the_list(http: httpx.Client) -> None:
    for query in ("sort=drop", "archived=maybe", "q=%00%1b[31m", "q=" + "x" * 5000):
        assert http.get(f"/?{query}").status_code == 200


# -- everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/batches/1", "/jobs/2", "budget", "reword"])
def test_nothing_stands_in_anybodys_way(page: Page, site: Site, path: str, scheme: str) -> None:
    """axe-core finds nothing, on a phone, light or dark, and nothing is cut there."""
    site.write(doubt)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    opens = {"budget": "Change the budget", "reword": "Edit and retry"}
    page.goto({"budget": "/batches/1", "reword": "/jobs/4"}.get(path, path))
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    if path in opens:
        page.get_by_role("button", name=opens[path]).click()
        expect(page.get_by_role("dialog")).to_be_visible()
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
