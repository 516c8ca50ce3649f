"""Manifests on the page: chosen, planned, started, and gone on with."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from support import bombs
from support.site import Folder, Site, client, serving, soon

from batchsora.usecases import hand_over
from batchsora.web import dropped
from jobs.database.lock import runner_lock
from jobs.model.ledger import day_key
from jobs.ports.control import Terms
from jobs.ports.seen import BatchStatus
from jobs.store import accounts, handing, steering, views

LATE = 60_000
"""Milliseconds: a process of its own is started."""

ROWS = "id,prompt,campaign\na,{0} one,spring\nb,{0} two,autumn\nc,{0} three,spring\n"


@pytest.fixture
def site(world: Folder) -> Iterator[Site]:
    """The pages, with those of manifests."""
    (world.path / "batchsora.toml").write_text("poll-interval = 0.05\nrate = 0\n")
    with serving(world) as found:
        yield found


def upload(http: httpx.Client, name: str, data: bytes | str) -> str:
    """Upload a manifest; gives the address of its plan."""
    content = data.encode() if isinstance(data, str) else data
    answer = http.post("/manifests", files={"file": (name, io.BytesIO(content))})
    assert answer.status_code == 204, answer.text
    return answer.headers["HX-Redirect"]


def form_of(http: httpx.Client, address: str, **more: str) -> dict[str, str]:
    """Fill in the form that starts a manifest, as its page does."""
    figures = {name: more[name] for name in ("name", "first", "in_flight") if name in more}
    page = http.get(f"{address}?part").text
    shown = http.get(address, params={"figures": "", **figures}).text
    token = re.search(r'name="token" value="([^"]+)"', page)
    agreed = re.search(r'name="agreed" value="([^"]+)"', shown)
    assert token is not None, page
    assert agreed is not None, shown
    return {"token": token[1], "agreed": agreed[1], **more}


def finished(site: Site) -> str:
    """Wait for the only process that was started; gives what it said."""
    (started,) = site.web.launcher.all()
    started.process.wait(60)
    return started.said()


def batch_named(site: Site, name: str) -> BatchStatus:
    """Sum a batch up."""
    return site.read(lambda c: views.batch_status(c, *views.find_batches(c, name)))


def workbook() -> bytes:
    """Make a workbook of three good rows and one with two faults."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Night shift"
    for row in (
        ["id", "prompt", "duration"],
        ["one", "a harbour in the rain", 10],
        ["two", "<script>alert(1)</script>", 10],
        ["three", "a bridge at dawn", 10],
        ["four", "", 12],
    ):
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def test_from_a_workbook_to_its_videos(page: Page, site: Site) -> None:
    """Uploaded, planned with each fault in its cell, mended by the form, started, finished."""
    page.goto("/manifests/new")
    page.get_by_label("Table, pictures, or a zip of them").set_input_files(
        {"name": "Harbour.xlsx", "mimeType": "application/zip", "buffer": workbook()}
    )
    page.get_by_role("button", name="Show the plan").click()
    wrong = page.get_by_role("region", name="Problems")
    expect(wrong).to_contain_text("'Night shift'!B5")
    expect(wrong).to_contain_text("'Night shift'!C5")
    expect(wrong).to_contain_text("1 row can't be bought: 2 problems")
    samples = page.get_by_role("region", name="Sample rows")
    expect(samples).to_contain_text("<script>alert(1)</script>")
    start = page.locator("#start-button button")
    expect(start).to_have_text("Buy 3 videos for about $0.36")
    page.get_by_label("Only the first rows").fill("2")
    expect(start).to_have_text("Buy 2 videos for about $0.24")
    start.click()
    expect(page.locator("#budget")).to_be_focused()
    expect(page.locator("#budget")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#budget-problem")).to_contain_text("Set a budget")
    expect(page.locator("#skip_invalid-problem")).to_contain_text("Fix them")
    expect(page.get_by_label("Only the first rows")).to_have_value("2")
    page.locator("#budget").fill("1.50")
    page.get_by_label("Continue without").check()
    start.click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("Buy 2 videos for about $0.24?")
    expect(question).to_contain_text("Never more than the budget of $1.50.")
    assert site.web.launcher.all() == []
    question.get_by_role("button", name="Buy 2 videos").click()
    page.wait_for_url("**/batches/*", timeout=LATE)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Harbour")
    expect(page.locator("#summary")).to_contain_text("2 completed", timeout=LATE)
    expect(page.locator("#summary")).to_contain_text("of $1.50")
    finished(site)
    assert sorted(site.folder.bought()) == ["<script>alert(1)</script>", "a harbour in the rain"]


def test_a_file_beside_the_database_is_chosen(page: Page) -> None:
    """By its name; what is done already is not offered again."""
    page.goto("/manifests/new")
    page.get_by_role("link", name="prompts.csv").click()
    figures = page.locator("#figures")
    expect(figures).to_contain_text("already loaded")
    expect(figures).to_contain_text("already paid for")
    expect(figures).to_contain_text("$5.00, $0.72 used")
    expect(page.locator("#start-button")).to_have_text("Nothing left to buy")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way(page: Page, http: httpx.Client, scheme: str) -> None:
    """Axe finds nothing: labels, contrast, landmarks, names of buttons."""
    address = upload(http, "Harbour.xlsx", workbook())
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in ("/manifests/new", address):
        page.goto(path)
        expect(page.locator("button.main").first).to_be_visible()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_a_phone_shows_it_without_scrolling_sideways(page: Page, http: httpx.Client) -> None:
    """At 360 pixels, the longest words included."""
    address = upload(http, f"{'x' * 90}.csv", "prompt,campaign\n" + "y" * 500 + f",{'z' * 150}\n")
    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/manifests/new", address):
        page.goto(path)
        expect(page.locator("button.main").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_plan_has_the_figures_of_the_command(http: httpx.Client, site: Site) -> None:
    """Rows, videos, cost, what is done, balance: as ``batchsora plan`` says."""
    address = next(iter(re.findall(r'href="(/manifests/b\w+)"', http.get("/manifests/new").text)))
    shown = " ".join(re.sub(r"<[^>]+>", " ", http.get(f"{address}?part").text).split())
    said = subprocess.run(
        [sys.executable, "-m", "batchsora", "plan", "prompts.csv", "--json"],
        cwd=site.folder.path,
        capture_output=True,
        check=True,
    )
    plan = json.loads(said.stdout)
    assert f"of {plan['jobs']} videos to buy, from {plan['rows']} rows" in shown
    assert f"total about ${plan['cost']}" in shown
    assert f"already paid for {plan['already_done']} jobs" in shown
    assert f"the rest about ${plan['remaining_cost']}" in shown
    assert f"balance ${plan['balance']}" in shown
    for name, campaign in plan["campaigns"].items():
        assert f"{name} {campaign['jobs']} ${campaign['cost']}" in shown
    assert {kind["price_from"] for kind in plan["cost_by_kind"].values()} == {"paid"}
    assert "last paid" in shown


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.csv", "prompt\na lamp\na door\n"),
        ("m.tsv", "prompt\tduration\na lamp\t10\na door\t10\n"),
        ("m.yaml", "jobs:\n- prompt: a lamp\n- prompt: a door\n"),
        ("m.json", '[{"prompt": "a lamp"}, {"prompt": "a door"}]'),
        ("m.jsonl", '{"prompt": "a lamp"}\n{"prompt": "a door"}\n'),
        ("M.CSV", "prompt\na lamp\na door\n"),
    ],
)
def test_every_format_is_read(http: httpx.Client, name: str, data: str) -> None:
    """By its suffix, as the command line does."""
    assert "of 2 videos to buy" in http.get(f"{upload(http, name, data)}?part").text


def test_a_manifest_that_has_a_budget_needs_none(http: httpx.Client, site: Site) -> None:
    """Its own counts, and stands beside the field."""
    address = upload(http, "m.yaml", "budget: 2.50\njobs:\n- prompt: a lantern on a pier\n")
    assert "The manifest says $2.50" in http.get(f"{address}?part").text
    assert http.post(f"{address}/start", data=form_of(http, address)).status_code == 204
    finished(site)
    assert batch_named(site, "m").money.cap == 2_500_000


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("m.pdf", "%PDF", "m.pdf: neither a table nor a picture"),
        ("m", "prompt\na lamp\n", "m: neither a table nor a picture"),
        ("", "", "Choose a file"),
    ],
)
def test_what_is_no_manifest_is_refused(
    http: httpx.Client, site: Site, name: str, data: str, says: str
) -> None:
    """Beside its field, and nothing is kept."""
    answer = http.post("/manifests", files={"file": (name, io.BytesIO(data.encode()))})
    assert answer.status_code == 422
    assert says in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert list(site.web.manifest_folder.iterdir()) == []


def test_a_manifest_that_is_too_large_is_refused(
    http: httpx.Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it streams; nothing is kept."""
    monkeypatch.setattr(dropped, "LARGEST_MANIFEST", 1024**2)
    answer = http.post("/manifests", files={"file": ("m.csv", io.BytesIO(b"x" * (1024**2 + 1)))})
    assert answer.status_code == 422
    assert "larger than 1 MB" in answer.text
    assert list(site.web.manifest_folder.iterdir()) == []


def test_a_refused_file_says_where_and_what_to_do(http: httpx.Client) -> None:
    """In the place of the plan."""
    address = upload(http, "m.csv", "colour,size\nred,2\n")
    answer = http.get(f"{address}?part")
    assert "The table is not understood yet" in answer.text
    assert "prompt" in answer.text
    assert "start-form" not in answer.text


def test_the_page_stays_quick_while_a_hostile_sheet_is_read(
    http: httpx.Client, site: Site, tmp_path: Path
) -> None:
    """It takes seconds to find out that a sheet is one; others are answered meanwhile."""
    content = bombs.xlsx_of_unused_strings(tmp_path / "m.xlsx").read_bytes()
    address = upload(http, "m.xlsx", content)
    answered = 0
    with ThreadPoolExecutor(1) as pool, client(site) as other:
        plan = pool.submit(http.get, f"{address}?part", timeout=90)
        while not plan.done():
            assert other.get("/").status_code == 200
            answered += 1
    # out of memory or out of time, whichever this machine reaches first
    assert "far more than usual for its size" in plan.result().text
    assert answered > 20  # within the seconds that the other process needs for that


def test_uploads_are_never_over_one_another(http: httpx.Client, site: Site) -> None:
    """The same file again is the same manifest; another one of that name lies elsewhere."""
    first = upload(http, "m.csv", "prompt\na lamp\n")
    assert upload(http, "m.csv", "prompt\na lamp\n") == first
    assert upload(http, "m.csv", "prompt\na door\n") != first
    assert upload(http, "n.csv", "prompt\na lamp\n") != first
    kept = sorted(site.web.manifest_folder.glob("*/*"))
    assert sorted(path.name for path in kept) == ["m.csv", "m.csv", "n.csv"]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_a_name_leads_nowhere(http: httpx.Client, site: Site) -> None:
    """Neither out of the folder nor into the page's own HTML."""
    address = upload(http, "../../../<img src=x onerror=alert(1)>.csv", "prompt\na lamp\n")
    (kept,) = site.web.manifest_folder.glob("*/*")
    assert kept.parent.parent == site.web.manifest_folder
    for part in ("", "?part"):
        assert "<img src=x" not in http.get(f"{address}{part}").text


@pytest.mark.parametrize(
    "token", ["u" + "0" * 24, "b" + "0" * 24, "..%2f..", "x", "u0", "u" + "0" * 23 + "%00"]
)
def test_an_address_of_nothing(http: httpx.Client, token: str) -> None:
    """404, whatever is tried."""
    for method, path in (("GET", ""), ("GET", "?part"), ("POST", "/start"), ("GET", "/problems")):
        assert http.request(method, f"/manifests/{token}{path}").status_code == 404


def test_all_problems_can_be_seen(http: httpx.Client) -> None:
    """The first ones at once, the others as they are asked for."""
    rows = "".join(f"a lamp,{number}\n" for number in range(100, 550))
    address = upload(http, "m.csv", f"prompt,duration\n{rows}")
    seen = re.findall(r'class="place">row (\d+)<', http.get(f"{address}?part").text)
    for after in (200, 400):
        more = http.get(f"{address}/problems", params={"after": str(after)}).text
        seen += re.findall(r'class="place">row (\d+)<', more)
        assert ("more</button>" in more) == (after == 200)
    assert [int(row) for row in seen] == list(range(2, 452))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("budget", "", "Set a budget"),
        ("budget", "much", "ot a valid amount of money"),
        ("budget", "-1", "ot a valid amount of money"),
        ("name", "x" * 201, "longer than 200"),
        ("name", "adhoc", "single videos"),
        ("first", "0", "from 1"),
        ("first", "few", "whole number"),
        ("in_flight", "1000000", "from 1 to 100000"),
        ("cap-0", "abc", "ot a valid amount of money"),
    ],
)
def test_a_mistake_stands_beside_its_field(
    http: httpx.Client, site: Site, field: str, value: str, says: str
) -> None:
    """Marked, described, focused, with what was typed; nothing is started or loaded."""
    address = upload(http, "m.csv", ROWS.format("a lamp"))
    given = form_of(http, address, budget="3") | {"campaign-0": "spring", field: value}
    answer = http.post(f"{address}/start", data=given)
    assert answer.status_code == 422
    problem = re.search(rf'id="{field}-problem">([^<]+)<', answer.text)
    assert problem is not None
    assert says in problem[1]
    marked = re.search(rf'<input id="{field}"[^>]*>', answer.text)
    assert marked is not None
    assert 'aria-invalid="true"' in marked[0]
    assert f"{field}-problem" in marked[0]
    assert "autofocus" in marked[0]
    assert f'value="{value}"' in marked[0]
    assert site.web.launcher.all() == []
    assert "m" not in [batch.name for batch in site.read(views.find_batches)]


def test_a_field_left_empty_shows_what_counts_then(http: httpx.Client) -> None:
    """The usual number, and not what was typed there before."""
    address = upload(http, "m.csv", ROWS.format("a lantern"))
    given = form_of(http, address, budget="much", in_flight="50")
    answer = http.post(f"{address}/start", data=given)
    field = re.search(r'<input id="in_flight"[^>]*>', answer.text)
    assert field is not None
    assert 'value="50"' in field[0]
    assert 'placeholder="16"' in field[0]


def test_a_column_that_looks_misspelt_must_be_meant(http: httpx.Client, site: Site) -> None:
    """Its values would have no effect, and the default would be paid for."""
    address = upload(http, "m.csv", "prompt,duratoin\na compass on a map,15\n")
    given = form_of(http, address, budget="3")
    answer = http.post(f"{address}/start", data=given)
    assert answer.status_code == 422
    assert 'id="allow_unknown-problem"' in answer.text
    assert site.web.launcher.all() == []
    answer = http.post(f"{address}/start", data=given | {"allow_unknown": "yes"})
    assert answer.status_code == 204
    assert "1 completed" in finished(site)


def test_the_price_that_was_shown_is_what_counts(http: httpx.Client, site: Site) -> None:
    """Where the plan has changed since, it is shown again before anything is bought."""
    address = upload(http, "m.csv", ROWS.format("a lamp"))
    given = form_of(http, address, budget="3", first="1")
    del given["first"]
    answer = http.post(f"{address}/start", data=given)
    assert answer.status_code == 422
    assert "The plan has changed since: Buy 3 videos for about $0.36" in answer.text
    assert site.web.launcher.all() == []


def test_a_form_starts_once(http: httpx.Client, site: Site) -> None:
    """A double click, back and reload lead to the same run; an unknown form starts nothing."""
    address = upload(http, "m.csv", ROWS.format("a weather vane"))
    given = form_of(http, address, budget="3", name="Vanes")
    places = {http.post(f"{address}/start", data=given).headers["HX-Redirect"] for _ in range(3)}
    assert len(places) == 1
    finished(site)
    assert sorted(site.folder.bought()) == [
        f"a weather vane {number}" for number in ("one", "three", "two")
    ]
    batch = batch_named(site, "Vanes")
    assert http.get(places.pop()).headers["location"] == f"/batches/{batch.id}"
    other = upload(http, "m.csv", ROWS.format("a sundial"))
    unknown = form_of(http, other, budget="3", name="Dials") | {"token": "unknown"}
    answer = http.post(f"{other}/start", data=unknown)
    assert answer.status_code == 422
    assert "The server was restarted" in answer.text
    assert len(site.web.launcher.all()) == 1


def test_what_is_started_keeps_the_terms_of_the_form(http: httpx.Client, site: Site) -> None:
    """Name, caps, first rows: they reach the command as they were typed."""
    address = upload(http, "m.csv", ROWS.format("a ferry"))
    given = form_of(http, address, budget="0.50", name="--Ferries", first="2", in_flight="3")
    given |= {"campaign-0": "spring", "cap-0": "0.24", "campaign-1": "autumn", "cap-1": ""}
    assert http.post(f"{address}/start", data=given).status_code == 204
    finished(site)
    batch = batch_named(site, "--Ferries")
    assert batch.money.cap == 500_000
    assert batch.campaigns["spring"].cap == 240_000
    assert batch.campaigns["autumn"].cap is None
    assert sorted(site.folder.bought()) == ["a ferry one", "a ferry two"]


def test_a_start_that_fails_says_why(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of the command, with a way back."""
    monkeypatch.delenv("RUNBLOB_API_KEY")
    path = site.folder.path / "later.csv"
    path.write_text("prompt\na lamp that waits\n")
    page.goto("/manifests/new")
    page.get_by_role("link", name="later.csv").click()
    expect(page.locator("#figures")).to_contain_text("the balance is unknown: no token")
    page.locator("#budget").fill("1")
    page.locator("#start-button button").click()
    page.get_by_role("dialog").get_by_role("button", name="Buy 1 video").click()
    expect(page.get_by_role("heading", name="It was not started")).to_be_visible(timeout=LATE)
    expect(page.locator("pre")).to_contain_text("no token")
    page.get_by_role("link", name="Back to the plan").click()
    expect(page.locator("#start-form")).to_be_visible()


def test_a_manifest_of_the_same_name_asks_for_one(http: httpx.Client, site: Site) -> None:
    """Another file was loaded as that batch: nobody's rows are mixed by accident."""
    address = upload(http, "prompts.csv", "prompt\na lamp\n")
    assert "Another file was loaded as the batch" in http.get(f"{address}?part").text
    answer = http.post(f"{address}/start", data=form_of(http, address, budget="3"))
    assert answer.status_code == 422
    assert 'id="name-problem"' in answer.text
    assert site.web.launcher.all() == []


@contextmanager
def a_runner(site: Site) -> Iterator[None]:
    """Have a runner hold the database, and serve, as far as anybody can see."""
    with runner_lock(site.web.settings.database, datetime.now(UTC)):
        site.write(lambda c: handing.set_serving(c, serving=True))
        yield
        site.write(lambda c: handing.set_serving(c, serving=False))


@pytest.fixture
def running(site: Site) -> Iterator[None]:
    """A runner serves meanwhile."""
    with a_runner(site):
        yield


@pytest.mark.usefixtures("running")
def test_a_run_that_goes_on_takes_it_over(http: httpx.Client, site: Site) -> None:
    """Loaded here with its caps, handed to the run; no process is started."""
    address = upload(http, "m.csv", ROWS.format("a tram"))
    given = form_of(http, address, budget="3") | {"campaign-0": "spring", "cap-0": "0.24"}
    answer = http.post(f"{address}/start", data=given)
    assert answer.status_code == 204, answer.text
    batch = batch_named(site, "m")
    assert answer.headers["HX-Redirect"] == f"/batches/{batch.id}"
    assert "the active run takes over" in answer.headers["HX-Trigger"]
    assert batch.active
    assert batch.jobs["queued"] == 3
    assert batch.money.cap == 3_000_000
    assert batch.campaigns["spring"].cap == 240_000
    assert site.web.launcher.all() == []


@pytest.mark.usefixtures("running")
def test_rows_of_a_paused_batch_are_taken_up_by_nobody(http: httpx.Client, site: Site) -> None:
    """The page says so, and what ends the pause; a second budget leaves no room either."""
    address = upload(http, "m.csv", ROWS.format("a tram"))
    assert http.post(f"{address}/start", data=form_of(http, address, budget="3")).status_code == 204
    batch = batch_named(site, "m")
    site.write(lambda c: steering.set_paused(c, batch.id, paused=True))
    answer = http.post(f"/batches/{batch.id}/run", data={"budget": "3"})
    assert answer.status_code == 204
    assert "takes over" not in answer.headers["HX-Trigger"]
    assert "m is paused, so nothing of it is bought" in answer.headers["HX-Trigger"]
    site.write(lambda c: steering.set_paused(c, batch.id, paused=False))
    answer = http.post(f"/batches/{batch.id}/run", data={"budget": "0.01"})
    assert "takes over" not in answer.headers["HX-Trigger"]
    assert "budget of the batch" in answer.headers["HX-Trigger"]


def test_a_manifest_waits_for_a_single_video(http: httpx.Client, site: Site) -> None:
    """What buys one video alone takes no manifest over: a run of its own begins after it."""
    with runner_lock(site.web.settings.database, datetime.now(UTC), brief=True):
        address = upload(http, "m.csv", ROWS.format("a tram"))
        assert "The active run" not in http.get(address).text
        answer = http.post(f"{address}/start", data=form_of(http, address, budget="3"))
        assert answer.status_code == 204, answer.text
        (started,) = site.web.launcher.all()
        assert soon(lambda: "waiting for the other run to end" in started.said())
        assert started.code is None
    assert started.process.wait(60) == 0, started.said()
    assert batch_named(site, "m").jobs["completed"] == 3
    assert sorted(site.folder.bought()) == ["a tram one", "a tram three", "a tram two"]


@pytest.mark.usefixtures("running")
def test_what_is_handed_over_keeps_the_terms_of_the_configuration(
    http: httpx.Client, site: Site
) -> None:
    """As a run that reads it would: the price of a video, and the day's cap; the form goes over."""
    begin = {"max_price": 100_000, "batch": 1_000_000}
    site.web.standing = Terms(day=9_000_000, begin=begin)
    address = upload(http, "m.csv", ROWS.format("a tram"))
    assert http.post(f"{address}/start", data=form_of(http, address, budget="3")).status_code == 204
    batch = batch_named(site, "m")
    assert batch.money.cap == 3_000_000
    (row,) = site.read(lambda c: views.find_batches(c, "m"))
    assert row.max_price_micros == 100_000
    day = day_key(site.read(lambda c: accounts.current_day(c, datetime.now(UTC))))
    assert site.read(lambda c: accounts.cap(c, day)) == 9_000_000


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(("field", "value"), [("first", "2"), ("existing", "adopt")])
def test_what_a_run_could_not_keep_is_refused(
    http: httpx.Client, site: Site, field: str, value: str
) -> None:
    """It would buy all rows, and takes nothing over."""
    address = upload(http, "m.csv", ROWS.format("a tram"))
    given = form_of(http, address, budget="3", **{field: value})
    answer = http.post(f"{address}/start", data=given)
    assert answer.status_code == 422
    assert f'id="{field}-problem"' in answer.text
    assert "m" not in [batch.name for batch in site.read(views.find_batches)]


def test_what_the_account_has_already_is_not_handed_over(http: httpx.Client, site: Site) -> None:
    """Loaded, and left to a person's word: never bought twice."""
    assert site.folder.call("--db", "other.db", "generate", "a tram one", "--wait", "--yes") == 0
    address = upload(http, "m.csv", ROWS.format("a tram"))
    with a_runner(site):
        answer = http.post(f"{address}/start", data=form_of(http, address, budget="3"))
        assert answer.status_code == 204, answer.text
        assert "already exist in this account" in answer.headers["HX-Trigger"]
        assert not batch_named(site, "m").active
        given = form_of(http, address, budget="3", existing="buy")
        assert http.post(f"{address}/start", data=given).status_code == 204
        assert batch_named(site, "m").active


@pytest.fixture
def stopped(site: Site, request: pytest.FixtureRequest) -> BatchStatus:
    """A batch that its cap has stopped: one of three is bought."""
    # the account is everybody's here, and what it has already is held back
    (site.folder.path / "hills.csv").write_text(ROWS.format(f"a hill of {request.node.name}"))
    assert site.folder.call("run", "hills.csv", "--budget", "0.12", "--quiet") == 4
    return batch_named(site, "hills")


def test_a_batch_goes_on_under_a_new_cap(
    http: httpx.Client, site: Site, stopped: BatchStatus
) -> None:
    """A process of its own brings it to its end; who asks meanwhile starts no second one."""
    there = f"/batches/{stopped.id}/run"
    asked = http.get(there).text
    assert "2 jobs left to buy, for about $0.24" in asked
    assert "The budget of $0.12 leaves $0.00" in asked
    assert http.post(there, data={"budget": "much"}).status_code == 422
    assert site.web.launcher.all() == []
    for _ in range(2):
        assert http.post(there, data={"budget": "1"}).status_code == 204
    finished(site)
    batch = batch_named(site, "hills")
    assert batch.jobs["completed"] == 3
    assert batch.money.cap == 1_000_000


def test_a_run_that_ends_during_the_look_is_handed_nothing(
    http: httpx.Client,
    site: Site,
    stopped: BatchStatus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page says so, and what buys it; no row is said to be taken up that nobody buys."""
    look = hand_over.settle_earlier

    def long_look(*arguments: Any) -> Any:
        site.write(lambda c: handing.set_serving(c, serving=False))
        return look(*arguments)

    monkeypatch.setattr(hand_over, "settle_earlier", long_look)
    with a_runner(site):
        answer = http.post(f"/batches/{stopped.id}/run", data={"budget": "0.36"})
    assert "takes over" not in answer.headers["HX-Trigger"]
    assert "nothing is bought yet: press Resume again" in answer.headers["HX-Trigger"]
    assert not site.read(handing.anything)


def test_a_batch_is_handed_to_the_run(http: httpx.Client, site: Site, stopped: BatchStatus) -> None:
    """With its new cap, where one goes on."""
    with a_runner(site):
        answer = http.post(f"/batches/{stopped.id}/run", data={"budget": "0.36"})
    assert "takes over" in answer.headers["HX-Trigger"]
    batch = batch_named(site, "hills")
    assert batch.active
    assert batch.money.cap == 360_000
    assert site.web.launcher.all() == []


def test_a_batch_without_a_cap_is_asked_for_one(
    page: Page, http: httpx.Client, site: Site, uncapped: Callable[[], Path]
) -> None:
    """In the dialog, whoever posts without one; then it goes on."""
    uncapped()
    number = batch_named(site, "free").id
    plain = http.post(f"/batches/{number}/run")
    assert (plain.status_code, plain.headers["HX-Retarget"]) == (422, "#ask")
    page.goto(f"/batches/{number}")
    page.get_by_role("button", name="Resume").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Resume").click()
    expect(dialog).to_contain_text("Set a budget; nothing is bought above it.")
    expect(dialog.get_by_label("Budget, USD")).to_be_focused()
    assert site.web.launcher.all() == []
    dialog.get_by_label("Budget, USD").fill("1")
    dialog.get_by_role("button", name="Resume").click()
    expect(page.locator("#summary")).to_contain_text("3 completed", timeout=LATE)
    finished(site)
    assert batch_named(site, "free").money.cap == 1_000_000


@pytest.fixture
def uncapped(site: Site) -> Callable[[], Path]:
    """Load a batch that has no cap, and buy nothing of it."""

    def load() -> Path:
        path = site.folder.path / "free.csv"
        path.write_text(ROWS.format("a kayak"))
        assert site.folder.call("run", "free.csv", "--quiet") == 2
        return path

    return load
